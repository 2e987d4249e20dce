"""Commands about the book and its chapters: build, rerun, params."""

from __future__ import annotations

from typing import Annotated

import typer

from ethnicmer_lib.publish.cli.options import (
    Casme2,
    Changes,
    Data,
    Engine,
    FlowDir,
    Kind,
    Profile,
    Samm,
    columns,
    overrides,
)


def build(
    data: Data = Kind.simulated,
    profile: Profile = "quick",
    parameter: Changes = None,
    flow_dir: FlowDir = None,
    casme2: Casme2 = None,
    samm: Samm = None,
    engine: Engine = None,
) -> None:
    """Run every chapter that the data allow and render the website; only what changed is done again."""
    from ethnicmer_lib.networks import where
    from ethnicmer_lib.publish import build as book

    where.use(engine)
    site = book.build(profile, overrides(parameter, data, flow_dir, casme2, samm), say=typer.echo)
    typer.echo(f"the site: {site / 'index.html'}")


def rerun(
    chapter: Annotated[str, typer.Argument(help="Name of the chapter, for example prima_facie.")],
    parameter: Changes = None,
    data: Data = Kind.simulated,
    profile: Profile = "quick",
    flow_dir: FlowDir = None,
    casme2: Casme2 = None,
    samm: Samm = None,
    engine: Engine = None,
) -> None:
    """Run one chapter with other parameters; prints the folder with its notebook, page and results."""
    from ethnicmer_lib.networks import where
    from ethnicmer_lib.publish import build as book

    where.use(engine)
    changes = overrides(parameter, data, flow_dir, casme2, samm)
    folder = book.rerun(chapter, profile, changes, say=typer.echo)
    typer.echo(f"notebook: {folder / (chapter + '.ipynb')}")
    typer.echo(f"page:     {folder / 'html' / 'book' / (chapter + '.html')}")
    typer.echo(f"results:  {folder / 'results'}")


def params(
    chapter: Annotated[str, typer.Argument(help="Name of the chapter.")], profile: Profile = "quick"
) -> None:
    """Print a chapter's parameters: name, value in the profile, what is allowed, meaning."""
    from ethnicmer_lib.publish import chapters

    values = chapters.resolve(chapters.chapter(chapter), profile)
    columns([("name", profile, "allowed", "meaning"), *values.explained()])
