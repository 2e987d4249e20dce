"""Commands about the reader's own copies of the databases: data check, data annotate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ethnicmer_lib.publish.cli.options import Casme2, Changes, Data, Kind, Samm

app = typer.Typer(no_args_is_help=True, help="Check and annotate your own copies of the databases.")


@app.command("check")
def check_folders(
    casme2: Casme2 = None,
    samm: Samm = None,
    annotations: Annotated[Path | None, typer.Option(help="CSV of group labels per clip.")] = None,
    parameter: Changes = None,
    every: Annotated[bool, typer.Option("--all", help="List every problem, not ten of each kind.")] = False,
    table: Annotated[Path | None, typer.Option(help="Also write the problems as a CSV there.")] = None,
) -> None:
    """Check your folders of CASME II and SAMM: what is there, what is wrong, what to do, and a fingerprint.

    Exit code 0: nothing to say; 1: the study can run, with what is listed; 2: it cannot run yet. A policy given with
    -p (apex, missing_apex, missing_frames, frame_sizes, double_rows, coding_file, casme2_frames) is judged by.
    """
    from ethnicmer_lib.clips.check import check
    from ethnicmer_lib.publish import chapters
    from ethnicmer_lib.publish.old_parameters import CohortParameters

    policies = CohortParameters.check({**chapters.typed(parameter or []), "data": "licensed"})
    report = check(casme2, samm, annotations, policies, progress=True)
    typer.echo(report.text(None if every else 10))
    if table is not None:
        report.table().to_csv(table, index=False)
    raise typer.Exit(report.exit_code)


@app.command("annotate")
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
    groups: Annotated[Path | None, typer.Option(help="Also write groups, for -p annotations=FILE.")] = None,
    context: Annotated[Literal["ethnicity", "gender", "age"], typer.Option(help="Of groups.")] = "ethnicity",
    corrections: Annotated[Path | None, typer.Option(help="Corrected ethnic codes, for groups.")] = None,
) -> None:
    """Annotate ethnicity, gender and age of every kept clip with FaceXFormer; interrupted, it goes on from there."""
    from ethnicmer_lib.annotate import command as annotation_command
    from ethnicmer_lib.publish import chapters

    changes = {"data": data.value, "casme2_dir": casme2, "samm_dir": samm} | chapters.typed(parameter or [])
    faces = {"casme2": casme2_faces, "samm": samm_faces}
    for line in annotation_command.run(
        changes, checkpoint, out, moment, faces, face_model, groups, context, corrections
    ):
        typer.echo(line)
