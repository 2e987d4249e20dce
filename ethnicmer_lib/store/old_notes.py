"""What a run says of itself to whoever lists runs: its source, and how many folds it will have when it is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.store.old_runs import Run, atomic

_FILE = "about.json"


@dataclass(frozen=True)
class Notes:
    """What a run's folder holds of them.

    Attributes
    ----------
    source : name of the cohort, one line; '' where a run does not say.
    simulated : whether its clips are simulated.
    planned : title of tables -> how many folds of it there will be, as ``<title>-fold<number>.parquet``.
    """

    source: str = ""
    simulated: bool = False
    planned: Mapping[str, int] = field(default_factory=dict)


def write(run: Run, provenance: Provenance, planned: Mapping[str, int]) -> None:
    """Note source and planned folds in the run's folder, beside those that were planned before.

    No part of the key, and nothing is computed from it.
    """
    known = dict(read(run.path).planned)
    content = {
        "source": provenance.source,
        "simulated": provenance.simulated,
        "planned": known | dict(planned),
    }
    with atomic(run.path / _FILE) as part:
        part.write_text(json.dumps(content, indent=1))


def read(folder: Path) -> Notes:
    """The notes in a run's folder; empty ones where there are none."""
    path = folder / _FILE
    return Notes(**json.loads(path.read_text())) if path.is_file() else Notes()
