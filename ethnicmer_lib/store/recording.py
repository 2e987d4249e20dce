"""Recordings: tables too long for a build, committed with how they were made and scored anew on every page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store.identity import file_digest
from ethnicmer_lib.store.places import atomic, environment, project_root
from ethnicmer_lib.store.provenance import Provenance

_RECORD = "record.json"


@dataclass(frozen=True)
class Recording:
    """One folder of ``results/``.

    Attributes
    ----------
    name : of the folder.
    provenance : of the clips it was computed from.
    parts : name of a table -> how it was made: sha256, command, parameters, made (versions, commit, machine, time),
        and what else its maker noted.
    """

    name: str
    provenance: Provenance
    parts: Mapping[str, Mapping[str, Any]]

    def table(self, part: str) -> pd.DataFrame:
        """A recorded table; StudyError when there is none of that name, or it is not what was recorded."""
        if part not in self.parts:
            raise StudyError(
                f"no {part!r} in results/{self.name}; it holds {', '.join(self.parts)}; "
                f"make it with `ethnicmer record {self.name}`"
            )
        path = results_folder() / self.name / f"{part}.parquet"
        if not path.is_file() or file_digest(path) != self.parts[part]["sha256"]:
            raise StudyError(f"{path} is missing or not what was recorded; restore it with git checkout")
        return pd.read_parquet(path)

    @property
    def predictions(self) -> pd.DataFrame:
        """The table of that name: ``arm, seed, fold | draw, clip_id, ..., label, predicted``."""
        return self.table("predictions")

    @property
    def command(self) -> str:
        """What made the first table, word for word: recordings older than today's commands say theirs."""
        first = next(iter(self.parts.values()))
        return str(first.get("recorded_as", first["command"]))

    @property
    def made(self) -> Mapping[str, Any]:
        """Versions, commit, machine and time of the first table."""
        return next(iter(self.parts.values()))["made"]

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What the first table was computed with."""
        return next(iter(self.parts.values()))["parameters"]


def results_folder() -> Path:
    """``results/`` of the checkout; StudyError outside one."""
    root = project_root()
    if root is None:
        raise StudyError("recorded runs lie in a checkout's results/ folder: run this inside a checkout")
    return root / "results"


def recording(name: str) -> Recording:
    """The recording ``results/<name>/``.

    Raises
    ------
    StudyError
        When there is none.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.recording("table_iv").predictions.columns[:4].tolist()
    ['study', 'arm', 'seed', 'draw']
    """
    path = results_folder() / name / _RECORD
    if not path.is_file():
        raise StudyError(f"no recorded run in {path.parent}; make one with `ethnicmer record {name}`")
    content = json.loads(path.read_text())
    return Recording(name, Provenance(**content["provenance"]), content["parts"])


def record(
    name: str,
    tables: Mapping[str, pd.DataFrame],
    provenance: Provenance,
    command: str,
    parameters: Mapping[str, Any],
    made: Mapping[str, Any] | None = None,
    **more: Any,
) -> Path:
    """Write tables into ``results/<name>/``, each whole or not at all; parts that are there and not named stay.

    Parameters
    ----------
    tables : name of a part -> table.
    command : what a reader types to make them again.
    parameters, more : what they were computed with, and what else is worth noting (seconds, what was left out).
    made : versions, commit, machine and time; by default those of now.

    Raises
    ------
    StudyError
        When parts that would stay are of other clips.
    """
    where = results_folder() / name
    path = where / _RECORD
    known = json.loads(path.read_text()) if path.is_file() else {"parts": {}}
    stay = {part: entry for part, entry in known["parts"].items() if part not in tables}
    if stay and known["provenance"] != asdict(provenance):
        raise StudyError(
            f"{path} holds {', '.join(stay)} of other clips ({known['provenance']['fingerprint']}, these are "
            f"{provenance.fingerprint}); record all parts anew, or under another name"
        )
    parts = dict(stay)
    for part, table in tables.items():
        target = where / f"{part}.parquet"
        with atomic(target) as temporary:
            table.to_parquet(temporary, index=False, compression="zstd")
        parts[part] = {
            "sha256": file_digest(target),
            "command": command,
            "parameters": dict(parameters),
            "made": dict(made or environment()),
            **more,
        }
    with atomic(path) as temporary:
        temporary.write_text(json.dumps({"provenance": asdict(provenance), "parts": parts}, indent=1) + "\n")
    return where
