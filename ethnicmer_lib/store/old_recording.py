"""The folder of recorded results: tables with their SHA-256, and beside them a record of how they were made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import old_runs as runs

RECORD = "provenance.json"


def folder() -> Path:
    """``results/`` of the checkout; StudyError outside one."""
    root = runs.project_root()
    if root is None:
        raise StudyError("recorded runs lie in a checkout's results/ folder: run this inside a checkout")
    return root / "results"


def write_table(path: Path, table: pd.DataFrame) -> str:
    """Write a table as parquet, whole or not at all; its SHA-256."""
    with runs.atomic(path) as part:
        table.to_parquet(part, index=False, compression="zstd")
    return sha256(path)


def read_table(path: Path, recorded: str | None) -> pd.DataFrame:
    """A recorded table; StudyError when it is missing or its SHA-256 is not the ``recorded`` one."""
    if not path.is_file() or sha256(path) != recorded:
        raise StudyError(f"{path} is missing or not what was recorded; restore it with git checkout")
    return pd.read_parquet(path)


def write_record(where: Path, record: Mapping[str, Any]) -> None:
    """Write the record of the folder ``where``, whole or not at all."""
    with runs.atomic(where / RECORD) as part:
        part.write_text(json.dumps(record, indent=1) + "\n")


def read_record(where: Path, missing: str | dict[str, Any]) -> dict[str, Any]:
    """The record of the folder ``where``.

    Parameters
    ----------
    missing : what to return where there is none; or, as text, the command that makes one, for the error.

    Raises
    ------
    StudyError
        When there is none and ``missing`` is text.
    """
    path = where / RECORD
    if path.is_file():
        return json.loads(path.read_text())
    if isinstance(missing, str):
        raise StudyError(f"no recorded run in {where}; make one with `{missing}`")
    return missing


def store_part(name: str, part: str, table: pd.DataFrame, about: Mapping[str, Any], **entry: Any) -> None:
    """Write the table ``part`` of ``results/<name>/`` and its ``entry``; other parts that lie there stay.

    Parameters
    ----------
    about : what the record says of all its parts.
    """
    where = folder() / name
    digest = write_table(where / f"{part}.parquet", table)
    record = read_record(where, {"parts": {}}) | about
    record["parts"][part] = {"sha256": digest, **entry}
    write_record(where, record)


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
