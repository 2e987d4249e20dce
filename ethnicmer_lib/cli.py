"""The command line: build the book, re-run a chapter, list parameters."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ethnicmer_lib import __version__
from ethnicmer_lib.errors import StudyError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="An executable reproduction of 'Is Micro-expression Ethnic Leaning?'",
)


class Source(StrEnum):
    """Where the clips come from."""

    simulated = "simulated"
    flow = "flow"
    licensed = "licensed"


Data = Annotated[Source, typer.Option("--data", help="Where the clips come from.")]
Profile = Annotated[str, typer.Option(help="How much to compute; see ethnicmer_lib/profiles.yml.")]
Changes = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", help="name=value or chapter.name=value; repeatable.")
]
FlowDir = Annotated[Path | None, typer.Option(help="Folder of the published flow features (--data flow).")]
Casme2 = Annotated[Path | None, typer.Option("--casme2", help="Your CASME II folder (--data licensed).")]
Samm = Annotated[Path | None, typer.Option("--samm", help="Your SAMM folder (--data licensed).")]


def _overrides(
    changes: list[str] | None, data: Source, flow_dir: Path | None, casme2: Path | None, samm: Path | None
) -> dict[str, Any]:
    from ethnicmer_lib import study

    values = study.typed(changes or [])
    if data is not Source.simulated:
        values["data"] = data.value
    for name, path in {"flow_dir": flow_dir, "casme2_dir": casme2, "samm_dir": samm}.items():
        if path is not None:
            values[name] = str(path.expanduser().resolve())
    return values


@app.command()
def build(
    data: Data = Source.simulated,
    profile: Profile = "quick",
    parameter: Changes = None,
    flow_dir: FlowDir = None,
    casme2: Casme2 = None,
    samm: Samm = None,
) -> None:
    """Compute every chapter that the data allow and render the website; only what changed is done again."""
    from ethnicmer_lib import book

    site = book.build(profile, _overrides(parameter, data, flow_dir, casme2, samm))
    typer.echo(f"the site: {site / 'index.html'}")


@app.command()
def rerun(
    chapter: Annotated[str, typer.Argument(help="Name of the chapter, for example prima_facie.")],
    parameter: Changes = None,
    data: Data = Source.simulated,
    profile: Profile = "quick",
    flow_dir: FlowDir = None,
    casme2: Casme2 = None,
    samm: Samm = None,
) -> None:
    """Run one chapter with other parameters; prints the folder with its notebook, page and results."""
    from ethnicmer_lib import book

    folder = book.rerun(chapter, profile, _overrides(parameter, data, flow_dir, casme2, samm))
    typer.echo(f"notebook: {folder / (chapter + '.ipynb')}")
    typer.echo(f"page:     {folder / 'html' / 'book' / (chapter + '.html')}")
    typer.echo(f"results:  {folder / 'results'}")


@app.command()
def params(
    chapter: Annotated[str, typer.Argument(help="Name of the chapter.")], profile: Profile = "quick"
) -> None:
    """Print a chapter's parameters: name, value in the profile, default, what is allowed, meaning."""
    from ethnicmer_lib import study
    from ethnicmer_lib.parameters import allowed

    one = study.chapter(chapter)
    values = study.resolve(one, profile)
    rows = [("name", profile, "default", "allowed", "meaning")]
    for name, field in one.model.model_fields.items():
        rows.append(
            (
                name,
                str(getattr(values, name)),
                str(field.default),
                allowed(one.model, name),
                str(field.description),
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        typer.echo(
            "  ".join(text.ljust(width) for text, width in zip(row[:4], widths, strict=True)) + "  " + row[4]
        )


@app.command()
def record(
    name: Annotated[str, typer.Argument(help="Name of the recording, for example flow.")],
    parameter: Changes = None,
    data: Data = Source.flow,
    profile: Profile = "paper",
    flow_dir: FlowDir = None,
    casme2: Casme2 = None,
    samm: Samm = None,
) -> None:
    """Run prima facie and benchmark at length and keep their predictions in results/NAME, to be committed."""
    from ethnicmer_lib import recorded

    options = [
        f"--profile {profile}",
        f"--data {data.value}",
        *(f"-p {change}" for change in parameter or []),
    ]
    command = " ".join(["ethnicmer record", name, *options])
    folder = recorded.save(name, profile, _overrides(parameter, data, flow_dir, casme2, samm), command)
    typer.echo(f"recorded: {folder}")


@app.command()
def cells() -> None:
    """Write every chapter's parameters cell from its model, after a change of parameters or profile."""
    from ethnicmer_lib import book

    for path in book.write_parameter_cells():
        typer.echo(f"updated {path}")


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
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was computed is kept, the same command goes on from there\n")
        sys.exit(130)
