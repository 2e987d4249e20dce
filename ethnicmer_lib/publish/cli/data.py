"""Commands about clips: simulate a cohort; check and annotate the reader's own copies of the databases."""

from __future__ import annotations

import shlex
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.cli.options import (
    Casme2,
    Changes,
    Samm,
    from_clips,
    overrides,
    typed,
    with_options,
)
from ethnicmer_lib.simulator.knobs import described
from ethnicmer_lib.simulator.settings import SimulatorSettings

MEANINGLESS = (
    "SIMULATED faces: labels mean nothing; a simulated cohort's groups are abstract. It shows steps only."
)
app = typer.Typer(no_args_is_help=True, help="Check and annotate your own copies of the databases.")


@app.command()
def check(
    casme2: Casme2 = None,
    samm: Samm = None,
    annotations: Annotated[Path | None, typer.Option(help="CSV of group labels per clip.")] = None,
    parameter: Changes = None,
    table: Annotated[Path | None, typer.Option(help="Also write every problem as a CSV there.")] = None,
) -> None:
    """Check your folders of CASME II and SAMM: what is there, what is wrong, what to do, and a fingerprint.

    Exit code 0: nothing to say; 1: the study can run, with what is listed; 2: it cannot run yet. A policy given with
    -p (apex, missing_apex, missing_frames, double_rows, coding_file, casme2_frames; for a chapter it is called
    source.policies.apex) is judged by.
    """
    from ethnicmer_lib.clips.check import check
    from ethnicmer_lib.sources import source_of

    try:
        named = {name.removeprefix("source.policies."): value for name, value in typed(parameter).items()}
        policies = source_of({"kind": "licensed", "policies": named}).policies
        report = check(casme2, samm, annotations, policies, progress=True)
    except StudyError as error:  # exit code 1 says here that the study can run
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(report.text(10))
    if table is not None:
        report.table().to_csv(table, index=False)
    raise typer.Exit(report.exit_code)


@app.command()
@from_clips
def annotate(
    checkpoint: Annotated[Path, typer.Option(help="The published FaceXFormer model file.")],
    out: Annotated[Path, typer.Option(help="Records to write, .csv or .parquet.")],
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
    **options: Any,
) -> None:
    """Annotate ethnicity, gender and age of every kept clip with FaceXFormer; interrupted, it goes on from there."""
    from ethnicmer_lib.annotate import annotation, records
    from ethnicmer_lib.annotate.faces import open_detector
    from ethnicmer_lib.annotate.screening import read_corrections
    from ethnicmer_lib.clips.labels import CASME2, SAMM
    from ethnicmer_lib.publish.chapters import set_entry
    from ethnicmer_lib.sources import open_clips
    from ethnicmer_lib.store import atomic

    values: dict[str, Any] = {"source": "simulated"}
    for name, value in overrides(**options).items():
        set_entry(values, name, value)
    # File names and models are looked at before the work begins.
    records.check_name(out)
    corrected = None if corrections is None else read_corrections(corrections)
    detectors = {CASME2: open_detector(casme2_faces, face_model), SAMM: open_detector(samm_faces, face_model)}
    about = annotation.annotator(checkpoint, detectors) | {"moment": "onset"}
    clips = open_clips(values["source"])
    source = clips.provenance
    if source.simulated:
        typer.echo(MEANINGLESS)
        if groups is not None:
            raise StudyError("groups are not made from simulated faces; leave out --groups")
    found = annotation.annotate(clips, checkpoint, detectors, "onset", progress=True)
    about |= {"source": source.source, "simulated": source.simulated, "cohort": source.fingerprint}
    beside = records.write_records(found, out, about)
    failed = int(found["failed"].sum())
    typer.echo(f"{out}: {len(found)} clips, {failed} without a face; how it was made: {beside}")
    if groups is None:
        return
    table = annotation.groups_from(found, context, corrections=corrected)
    log = annotation.screened(found, context, corrections=corrected if context == "ethnicity" else None).log
    beside = groups.with_name(f"{groups.name}.log.csv")
    for path, content in ((groups, table), (beside, log)):
        with atomic(path) as part:
            content.to_csv(part, index=False)
    counts = table.drop_duplicates(["database", "subject"])["group"].value_counts()
    typer.echo(f"{groups}: subjects by {context}: {', '.join(f'{name} {n}' for name, n in counts.items())}")
    typer.echo(f"{beside}: {len(log)} changes made by the screening")


def _option(setting: Parameter) -> Parameter:
    """The option for a setting of the simulator, described by the docstring of SimulatorSettings."""
    several = isinstance(setting.default, tuple)  # of these the option is repeated
    about = typer.Option(help=described().get(setting.name, "") + " Repeatable." * several)
    kind, default = (list[str] | None, None) if several else (setting.annotation, setting.default)
    return setting.replace(annotation=Annotated[kind, about], default=default)


@with_options(map(_option, signature(SimulatorSettings, eval_str=True).parameters.values()))
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write; a cohort of the same settings is completed.")],
    frames: Annotated[
        Literal["three", "all"], typer.Option(help="Onset, apex and offset, or every frame of a clip.")
    ] = "three",
    around: Annotated[int, typer.Option(help="Also this many frames before and after onset and apex.")] = 0,
    **settings: Any,
) -> None:
    """Write a simulated cohort in the folder layouts of CASME II and SAMM, with its true motion."""
    from ethnicmer_lib.simulator.write import write_cohort

    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in settings.items()
        if value is not None
    }
    write_cohort(out, SimulatorSettings(**given), frames=frames, around=around, progress=True)
    count = len(list(out.rglob("*.jpg")))
    folders = [shlex.quote(str(out / name)) for name in ("CASME2", "SAMM")]
    typer.echo(
        f"{out}: a simulated cohort with {count} frames; to build the book on it: "
        f"ethnicmer build --data licensed --casme2 {folders[0]} --samm {folders[1]}"
    )
