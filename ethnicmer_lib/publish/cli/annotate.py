"""The command that annotates clips with FaceXFormer: records of every clip, and groups if asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.cli.options import Casme2, Changes, Data, Kind, Samm, overrides

if TYPE_CHECKING:
    import pandas as pd

MEANINGLESS = (
    "SIMULATED faces: labels mean nothing; a simulated cohort's groups are abstract. It shows steps only."
)


def annotate(
    checkpoint: Annotated[Path, typer.Option(help="The published FaceXFormer model file.")],
    out: Annotated[Path, typer.Option(help="Records to write, .csv or .parquet.")],
    data: Data = Kind.simulated,
    casme2: Casme2 = None,
    samm: Samm = None,
    parameter: Changes = None,
    moment: Annotated[Literal["onset", "apex"], typer.Option(help="The frame to look at.")] = "onset",
    casme2_faces: Annotated[
        str, typer.Option(help="'whole' frame if cropped, 'yunet', 'cascade'.")
    ] = "whole",
    samm_faces: Annotated[str, typer.Option(help="The same for SAMM.")] = "whole",
    face_model: Annotated[Path | None, typer.Option(help="Model file of 'yunet' or 'cascade'.")] = None,
    groups: Annotated[
        Path | None, typer.Option(help="Also write groups, for -p source.annotations=FILE.")
    ] = None,
    context: Annotated[Literal["ethnicity", "gender", "age"], typer.Option(help="Of groups.")] = "ethnicity",
    corrections: Annotated[Path | None, typer.Option(help="Corrected ethnic codes, for groups.")] = None,
) -> None:
    """Annotate ethnicity, gender and age of every kept clip with FaceXFormer; interrupted, it goes on from there."""
    from ethnicmer_lib.annotate import annotation, records
    from ethnicmer_lib.annotate.faces import open_detector
    from ethnicmer_lib.annotate.screening import read_corrections
    from ethnicmer_lib.clips.labels import CASME2, SAMM
    from ethnicmer_lib.publish.chapters import entry
    from ethnicmer_lib.sources import open_clips

    values: dict = {"source": "simulated"}
    for name, value in overrides(parameter, data, None, casme2, samm).items():
        entry(values, name, value)
    # File names and models are looked at before the work begins.
    records.check_name(out)
    corrected = None if corrections is None else read_corrections(corrections)
    faces = {CASME2: casme2_faces, SAMM: samm_faces}
    opened = {name: open_detector(name, face_model) for name in sorted(set(faces.values()))}
    detectors = {database: opened[name] for database, name in faces.items()}
    about = annotation.annotator(checkpoint, detectors) | {"moment": moment}
    clips = open_clips(values["source"])
    if clips.provenance.simulated:
        typer.echo(MEANINGLESS)
        if groups is not None:
            raise StudyError("groups are not made from simulated faces; leave out --groups")
    found = annotation.annotate(clips, checkpoint, detectors, moment, progress=True)
    source = clips.provenance
    about |= {"source": source.source, "simulated": source.simulated, "cohort": source.fingerprint}
    beside = records.write_records(found, out, about)
    typer.echo(
        f"{out}: {len(found)} clips, {int(found['failed'].sum())} without a face; how it was made: {beside}"
    )
    if groups is not None:
        _write_groups(found, groups, context, corrected)


def _write_groups(found: pd.DataFrame, groups: Path, context: str, corrected: pd.DataFrame | None) -> None:
    """Groups, and beside them what the screening changed."""
    from ethnicmer_lib.annotate.annotation import groups_from, screened
    from ethnicmer_lib.store import atomic

    table = groups_from(found, context, corrections=corrected)
    log = screened(found, context, corrections=corrected if context == "ethnicity" else None).log
    beside = groups.with_name(f"{groups.name}.log.csv")
    for path, content in ((groups, table), (beside, log)):
        with atomic(path) as part:
            content.to_csv(part, index=False)
    counts = table.drop_duplicates(["database", "subject"])["group"].value_counts()
    typer.echo(f"{groups}: subjects by {context}: {', '.join(f'{name} {n}' for name, n in counts.items())}")
    typer.echo(f"{beside}: {len(log)} changes made by the screening")
