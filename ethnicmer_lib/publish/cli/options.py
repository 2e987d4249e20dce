"""Options that several commands share, and how they become parameters."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ethnicmer_lib.errors import StudyError


class Kind(StrEnum):
    """Where the clips come from."""

    simulated = "simulated"
    flow = "flow"
    licensed = "licensed"


Data = Annotated[Kind, typer.Option("--data", help="Where the clips come from.")]
Profile = Annotated[str, typer.Option(help="How much to compute: quick, paper or tiny.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("-p", "--parameter", help="name=value, name.entry=value or chapter.name=value; repeatable."),
]
FlowDir = Annotated[Path | None, typer.Option(help="Folder of the published flow features (--data flow).")]
Casme2 = Annotated[Path | None, typer.Option("--casme2", help="Your CASME II folder (--data licensed).")]
Samm = Annotated[Path | None, typer.Option("--samm", help="Your SAMM folder (--data licensed).")]
Engine = Annotated[
    str | None,
    typer.Option(
        help="Where networks are trained: 'serial', 'processes', 'processes:N', or tcp://host:port of a Dask "
        "scheduler; default as many processes as are worth it. Predictions do not depend on it."
    ),
]


def overrides(
    changes: list[str] | None,
    data: Kind = Kind.simulated,
    flow_dir: Path | None = None,
    casme2: Path | None = None,
    samm: Path | None = None,
) -> dict[str, Any]:
    """What the options change in a chapter's parameters.

    A folder goes into the environment variable that ``book/sources.yml`` names, so that kernels find it and pages do
    not show it.

    Raises
    ------
    StudyError
        For a folder that is not of the source, or a change without a value.
    """
    from ethnicmer_lib.publish import chapters

    folders = (
        ("--flow-dir", flow_dir, Kind.flow, "ETHNICMER_FLOW"),
        ("--casme2", casme2, Kind.licensed, "ETHNICMER_CASME2"),
        ("--samm", samm, Kind.licensed, "ETHNICMER_SAMM"),
    )
    for option, folder, kind, variable in folders:
        if folder is not None and kind is not data:
            raise StudyError(f"{option} is for --data {kind.value}, and this is --data {data.value}")
        if folder is not None:
            os.environ[variable] = str(folder.expanduser().resolve())
    return ({} if data is Kind.simulated else {"source": data.value}) | chapters.typed(changes or [])


def columns(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of texts as columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
