"""Recordings: tables too long for a build, committed with how they were made and scored anew on every page."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store.identity import file_digest
from ethnicmer_lib.store.places import atomic, environment, project_root, workspace
from ethnicmer_lib.store.provenance import Provenance


@dataclass(frozen=True)
class Recording:
    """One folder of ``results/``."""

    name: str
    provenance: Provenance
    #: How every table was made: sha256, and what follows, which is that of 'predictions', or else of the first.
    parts: Mapping[str, Mapping[str, Any]]
    command: str  #: word for word: recordings older than today's commands say theirs
    parameters: Mapping[str, Any]
    made: Mapping[str, Any]  #: versions, commit, machine and time

    def table(self, part: str) -> pd.DataFrame:
        """A recorded table; StudyError when there is none of that name, or it is not what was recorded."""
        if part not in self.parts:
            raise StudyError(
                f"no {part!r} in results/{self.name}; it holds {', '.join(self.parts)}; "
                f"make it with `ethnicmer record {self.name}`"
            )
        path = project_root() / "results" / self.name / f"{part}.parquet"
        if not path.is_file() or file_digest(path) != self.parts[part]["sha256"]:
            raise StudyError(f"{path} is missing or not what was recorded; restore it with git checkout")
        return pd.read_parquet(path)

    @property
    def predictions(self) -> pd.DataFrame:
        """The table of that name: ``arm, seed, fold | draw, clip_id, ..., label, predicted``."""
        return self.table("predictions")


def recording(name: str) -> Recording:
    """The recording ``results/<name>/``; StudyError when there is none.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.recording("table_iv").predictions.columns[:4].tolist()
    ['study', 'arm', 'seed', 'draw']
    """
    path = project_root() / "results" / name / "record.json"
    if not path.is_file():
        raise StudyError(f"no recorded run in {path.parent}; make one with `ethnicmer record {name}`")
    try:
        content = json.loads(path.read_text())
        parts, source = content["parts"], Provenance(**content["provenance"])
        first = parts.get("predictions") or next(iter(parts.values()))
        command = first.get("recorded_as", first["command"])
        return Recording(name, source, parts, command, first["parameters"], first["made"])
    except (ValueError, TypeError, AttributeError, LookupError, StopIteration):
        raise StudyError(f"{path} is not what was recorded; restore it with git checkout") from None


def recorded_before(
    name: str, part: str, provenance: Provenance, parameters: Mapping[str, Any]
) -> tuple[pd.DataFrame | None, float]:
    """A recorded table of these clips and parameters (it may have others, too), and the seconds that it took; or None.

    So that a command that is given once more computes only what is missing.
    """
    try:
        known = recording(name)
        entry = known.parts[part]
    except (StudyError, KeyError):  # nothing is recorded yet
        return None, 0
    same = all(entry["parameters"].get(key) == value for key, value in parameters.items())
    if not same or known.provenance != provenance:
        return None, 0
    return known.table(part), entry.get("seconds", 0)


def record(
    name: str,
    tables: Mapping[str, pd.DataFrame],
    provenance: Provenance,
    command: str,
    parameters: Mapping[str, Any],
    alone: bool = False,
    **more: Any,
) -> Path:
    """Write tables into ``results/<name>/``, each whole or not at all; parts that are there and not named stay.

    What is replaced is kept in the workspace, with a warning that says where.  ``alone`` is for tables that others are
    made from: parts of other clips are set aside like those that are replaced.

    ``command`` is what a reader types to make them again; ``parameters`` and ``more`` are what they were computed with
    and what else is worth noting.  StudyError when parts that would stay are of other clips.
    """
    path = project_root() / "results" / name / "record.json"
    known = json.loads(path.read_text()) if path.is_file() else {"parts": {}}
    parts = {part: entry for part, entry in known["parts"].items() if part not in tables}
    replaced, others = [part for part in tables if part in known["parts"]], []
    if parts and Provenance(**known["provenance"]) != provenance:
        if not alone:
            raise StudyError(
                f"{path} holds {', '.join(parts)} of other clips ({known['provenance']['fingerprint']}, these are "
                f"{provenance.fingerprint}); record all parts anew, or under another name"
            )
        parts, others = {}, list(parts)
    if replaced or others:
        aside = workspace() / "replaced" / f"{name}-{file_digest(path)[:16]}"
        shutil.copytree(path.parent, aside, dirs_exist_ok=True)
        warnings.warn(
            f"{path.parent} held {', '.join(replaced + others)} already; what was there is in {aside}",
            stacklevel=2,
        )
    for part in others:
        path.with_name(f"{part}.parquet").unlink(missing_ok=True)
    about = {"command": command, "parameters": dict(parameters), "made": environment(), **more}
    for part, table in tables.items():
        target = path.with_name(f"{part}.parquet")
        with atomic(target) as temporary:
            table.to_parquet(temporary, index=False, compression="zstd")
        parts[part] = {"sha256": file_digest(target), **about}
    with atomic(path) as temporary:
        temporary.write_text(json.dumps({"provenance": asdict(provenance), "parts": parts}, indent=1) + "\n")
    return path.parent
