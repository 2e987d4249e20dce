"""Commands about the book and its chapters: build, rerun, params, cells."""

from __future__ import annotations

from typing import Annotated

import typer

from ethnicmer_lib.publish.cli.options import (
    Casme2,
    Changes,
    Data,
    Engine,
    FlowDir,
    Profile,
    Samm,
    Source,
    overrides,
)


def build(
    data: Data = Source.simulated,
    profile: Profile = "quick",
    parameter: Changes = None,
    flow_dir: FlowDir = None,
    casme2: Casme2 = None,
    samm: Samm = None,
    engine: Engine = None,
) -> None:
    """Compute every chapter that the data allow and render the website; only what changed is done again."""
    from ethnicmer_lib.networks import where
    from ethnicmer_lib.publish import build as book

    where.use(engine)
    site = book.build(profile, overrides(parameter, data, flow_dir, casme2, samm))
    typer.echo(f"the site: {site / 'index.html'}")


def rerun(
    chapter: Annotated[str, typer.Argument(help="Name of the chapter, for example prima_facie.")],
    parameter: Changes = None,
    data: Data = Source.simulated,
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
    folder = book.rerun(chapter, profile, overrides(parameter, data, flow_dir, casme2, samm))
    typer.echo(f"notebook: {folder / (chapter + '.ipynb')}")
    typer.echo(f"page:     {folder / 'html' / 'book' / (chapter + '.html')}")
    typer.echo(f"results:  {folder / 'results'}")


def params(
    chapter: Annotated[str, typer.Argument(help="Name of the chapter.")], profile: Profile = "quick"
) -> None:
    """Print a chapter's parameters: name, value in the profile, default, what is allowed, meaning."""
    from ethnicmer_lib.publish import chapters as study
    from ethnicmer_lib.publish.old_parameters import allowed

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


def cells() -> None:
    """Write every chapter's parameters cell from its model, after a change of parameters or profile."""
    from ethnicmer_lib.publish import build as book

    for path in book.write_parameter_cells():
        typer.echo(f"updated {path}")
