"""Options that several commands share, and how they become parameters."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


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
Engine = Annotated[
    str | None,
    typer.Option(
        help="Where networks are trained: 'serial', 'processes', 'processes:N', or tcp://host:port of a Dask "
        "scheduler; default as many processes as are worth it. Predictions do not depend on it."
    ),
]


def overrides(
    changes: list[str] | None, data: Source, flow_dir: Path | None, casme2: Path | None, samm: Path | None
) -> dict[str, Any]:
    """What the options change in a chapter's parameters."""
    from ethnicmer_lib.publish import chapters as study

    values = study.typed(changes or [])
    if data is not Source.simulated:
        values["data"] = data.value
    for name, path in {"flow_dir": flow_dir, "casme2_dir": casme2, "samm_dir": samm}.items():
        if path is not None:
            values[name] = str(path.expanduser().resolve())
    return values
