"""Commands about clips: simulate a cohort; check and annotate the reader's own copies of the databases."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.chapters import set_entry
from ethnicmer_lib.publish.cli.options import (
    Casme2,
    Changes,
    FlowDir,
    Samm,
    entries,
    from_clips,
    overrides,
    typed,
)

app = typer.Typer(no_args_is_help=True, help="Check and annotate your own copies of the databases.")


@app.command()
def check(
    casme2: Casme2 = None,
    samm: Samm = None,
    flow_dir: FlowDir = None,
    annotations: Annotated[Path | None, typer.Option(help="CSV of group labels per clip.")] = None,
    parameter: Changes = None,
    table: Annotated[Path | None, typer.Option(help="Also write every problem as a CSV there.")] = None,
) -> None:
    """Check your copies, or those that -p source=... names: what is there, what is wrong, and what to do.

    Exit code 0: nothing to say; 1: the study can run, with what is listed; 2: it cannot run yet. A policy given with
    -p (missing_apex=drop; for a chapter source.policies.missing_apex=drop) is judged by.
    """
    from ethnicmer_lib.publish.parameters import Known
    from ethnicmer_lib.sources import check_source

    try:
        given = {"kind": "licensed", "casme2": casme2, "samm": samm, "annotations": annotations}
        if flow_dir and (casme2 or samm):
            raise StudyError("one source at a time: give --flow-dir, or --casme2 and --samm")
        values = {"source": {"kind": "flow", "folder": flow_dir} if flow_dir else given}
        for name, value in typed(parameter).items():
            set_entry(
                values, name if name.partition(".")[0] == "source" else f"source.policies.{name}", value
            )
        report = check_source(values["source"], Known.model_fields["n_subjects"].default)
        typer.echo(report.text(10))
        if table is not None:
            report.table().to_csv(table, index=False)
    except (StudyError, OSError) as error:  # exit code 1 says here that the study can run
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(report.exit_code)


@app.command()
@from_clips
def annotate(
    checkpoint: Annotated[Path, typer.Option(help="The published FaceXFormer model file.")],
    out: Annotated[Path, typer.Option(help="Records to write, .csv or .parquet.")],
    casme2_faces: Annotated[str, typer.Option(help="'whole' if cropped, 'yunet', 'cascade'.")] = "whole",
    samm_faces: Annotated[str, typer.Option(help="The same for SAMM.")] = "whole",
    face_model: Annotated[Path | None, typer.Option(help="Model file of 'yunet' or 'cascade'.")] = None,
    groups: Annotated[Path | None, typer.Option(help="Groups, for -p source.annotations=FILE.")] = None,
    context: Annotated[Literal["ethnicity", "gender", "age"], typer.Option(help="Of groups.")] = "ethnicity",
    corrections: Annotated[Path | None, typer.Option(help="Corrected ethnic codes, for groups.")] = None,
    **options: Any,
) -> None:
    """Annotate ethnicity, gender and age of every kept clip with FaceXFormer; interrupted, it goes on from there.

    Class 2 is named Asian and 3 Indian, as in the paper's release; the order is disputed, see the dataset chapter.
    """
    from ethnicmer_lib.annotate.annotation import write_annotation
    from ethnicmer_lib.clips.faces import open_detector
    from ethnicmer_lib.clips.labels import CASME2, SAMM
    from ethnicmer_lib.sources import open_clips

    detectors = {CASME2: open_detector(casme2_faces, face_model), SAMM: open_detector(samm_faces, face_model)}
    clips = open_clips(entries(overrides(**options))["source"])
    if clips.provenance.simulated:
        typer.echo("SIMULATED faces: labels mean nothing, they show the steps only")
    found = write_annotation(clips, checkpoint, detectors, out, groups, context, corrections)
    typer.echo(f"{out}: {len(found)} clips, {found['failed'].sum()} without a face")


@app.command()
@from_clips
def search(
    folder: Annotated[
        Path, typer.Argument(help="What you want to hand on: a site, a rerun, the pictures of a talk.")
    ],
    **options: Any,
) -> None:
    """Search a folder for pictures like a frame of your copies, of subjects that are not in source.publishable.

    Looked at are images, arrays (.npy), and what pages and notebooks embed; no video, PDF or archive.
    """
    from ethnicmer_lib.publish.guard import Guard
    from ethnicmer_lib.sources import open_clips

    if not folder.is_dir():
        raise StudyError(f"{folder} is not a folder; give the one that you want to hand on")
    guard = Guard.of(open_clips(entries(overrides(**options))["source"]))
    typer.echo(guard.search(folder) if guard else "these clips hold no frame that may not be shown")


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write; a cohort of the same settings is completed.")],
    frames: Annotated[
        Literal["three", "all"], typer.Option(help="Onset, apex and offset, or every frame of a clip.")
    ] = "three",
    around: Annotated[int, typer.Option(help="Also this many frames before and after onset and apex.")] = 0,
    parameter: Changes = None,
) -> None:
    """Write a simulated cohort in the folder layouts of CASME II and SAMM, with its true motion.

    -p sets its knobs, which `ethnicmer params simulator` lists as those of the source: -p seed=3 -p repeats=2.
    """
    from ethnicmer_lib.publish.watch import writes_to
    from ethnicmer_lib.simulator.write import write_cohort
    from ethnicmer_lib.sources import source_of

    named = {name.removeprefix("source."): value for name, value in typed(parameter).items()}
    settings = source_of({"kind": "simulated", **named}).settings()
    writes_to(out)
    write_cohort(out, settings, frames=frames, around=around, progress=True)
    count = len(list(out.rglob("*.jpg")))
    folders = shlex.join(["--casme2", str(out / "CASME2"), "--samm", str(out / "SAMM")])
    typer.echo(f"{out}: a simulated cohort with {count} frames; ethnicmer build --data licensed {folders}")
