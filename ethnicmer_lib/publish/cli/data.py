"""Commands about the reader's own copies of the databases: data check, data annotate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.cli.annotate import annotate
from ethnicmer_lib.publish.cli.options import Casme2, Changes, Samm

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
    -p (apex, missing_apex, missing_frames, double_rows, coding_file, casme2_frames; for a chapter it is called
    source.policies.apex) is judged by.
    """
    from ethnicmer_lib.clips.check import check
    from ethnicmer_lib.publish import chapters
    from ethnicmer_lib.sources import source_of

    try:
        given = chapters.typed(parameter or [])
        named = {name.removeprefix("source.policies."): value for name, value in given.items()}
        policies = source_of({"kind": "licensed", "policies": named}).policies
        report = check(casme2, samm, annotations, policies, progress=True)
    except StudyError as error:  # exit code 1 says here that the study can run
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(report.text(None if every else 10))
    if table is not None:
        report.table().to_csv(table, index=False)
    raise typer.Exit(report.exit_code)


app.command("annotate")(annotate)
