"""The command line: build the book, re-run a chapter, record long runs, look after data and runs."""

from __future__ import annotations

import sys

import typer

from ethnicmer_lib import __version__
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.cli import chapters, data, recordings, runs, simulate

INTERRUPTED = 130  #: exit code of a command that Ctrl-C has ended

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="An executable reproduction of 'Is Micro-expression Ethnic Leaning?'",
)
app.add_typer(data.app, name="data")
app.add_typer(runs.app, name="runs")
for command in (chapters.build, chapters.rerun, chapters.params, recordings.record, simulate.simulate):
    app.command()(command)


@app.command()
def version() -> None:
    """Print the library's version."""
    typer.echo(__version__)


def main() -> None:
    """Entry point: a mistake in the input is one line on stderr, not a traceback."""
    try:
        app(standalone_mode=True)
    except StudyError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # what typer makes of Ctrl-C, without a word
            sys.stderr.write("interrupted; what was computed is kept, the same command goes on from there\n")
        raise
