"""The command line: build the book, re-run a chapter, record long runs, look after data and runs."""

from __future__ import annotations

import errno
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.cli import data, predict, recordings, runs
from ethnicmer_lib.publish.cli.options import Engine, Profile, from_clips, overrides
from ethnicmer_lib.publish.watch import watched

#: Exit codes of a command that Ctrl-C or SIGTERM has ended, and what is said.
INTERRUPTED, TERMINATED = 130, 143
_ENDED = {INTERRUPTED: "interrupted", TERMINATED: "terminated"}
_ROOM = "; make room, or let $ETHNICMER_WORKSPACE name a folder on another disk"
_MAY = "; give a place that you may read and write ($ETHNICMER_WORKSPACE names that of results)"
_HINTS = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _ROOM)
_HINTS |= dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), _MAY)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="An executable reproduction of 'Is Micro-expression Ethnic Leaning?'",
)


@app.command()
@from_clips
def build(profile: Profile = "quick", engine: Engine = None, **options: Any) -> None:
    """Run every chapter that the data allow and render the website; only what changed is done again."""
    from ethnicmer_lib.networks import where
    from ethnicmer_lib.publish import build as book

    where.use(engine)
    site = book.build(profile, overrides(**options), say=typer.echo)
    typer.echo(f"the site: {site / 'index.html'}")


@app.command()
@from_clips
def rerun(
    chapter: Annotated[str, typer.Argument(help="Name of the chapter, for example prima_facie.")],
    profile: Profile = "quick",
    engine: Engine = None,
    **options: Any,
) -> None:
    """Run one chapter with other parameters; prints the folder with its notebook, page and results."""
    from ethnicmer_lib.networks import where
    from ethnicmer_lib.publish import build as book

    where.use(engine)
    folder = book.rerun(chapter, profile, overrides(**options), say=typer.echo)
    typer.echo(f"notebook: {folder / (Path(chapter).name + '.ipynb')}")
    page = folder / "html" / "book" / f"{chapter}.html"
    typer.echo(
        f"page:     {page if page.exists() else 'not rendered: there is no Jupyter Book in this installation'}"
    )
    typer.echo(f"results:  {folder / 'results'}")


@app.command()
def params(
    chapter: Annotated[str, typer.Argument(help="Name of the chapter.")], profile: Profile = "quick"
) -> None:
    """Print a chapter's parameters: name, value in the profile, what is allowed, meaning."""
    from ethnicmer_lib.publish import chapters

    for name, value, allowed, meaning in chapters.resolve(chapters.chapter(chapter), profile).explained():
        typer.echo(f"{name} = {value}\n    {meaning} ({allowed})")


@app.command()
def course(
    out: Annotated[Path, typer.Argument(help="Folder to write: student/ and instructor/.")],
    word: Annotated[str | None, typer.Option(help="Decides the secret of the blind cohorts; random.")] = None,
) -> None:
    """Write the course to hand out: notebooks in two editions, small cohorts, a blind exercise and its key."""
    from ethnicmer_lib.publish.course import write_course

    for path in write_course(out, word):
        typer.echo(path)


app.command()(recordings.record)
app.command()(data.simulate)
app.command()(predict.predict)
app.add_typer(data.app, name="data")
app.add_typer(runs.app, name="runs")


def main() -> None:
    """Entry point: a mistake in the input, a full disk or an end from outside is one line on stderr, no traceback."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        with watched():
            app(standalone_mode=True)
    except StudyError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    except OSError as error:
        sys.stderr.write(f"error: {error}{_HINTS.get(error.errno, '')}; what was computed is kept\n")
        sys.exit(1)
    except SystemExit as end:
        if end.code in _ENDED:  # typer makes of Ctrl-C an exit without a word
            said = f"{_ENDED[end.code]}; what was computed is kept, the same command goes on from there\n"
            sys.stderr.write(said)
        raise
