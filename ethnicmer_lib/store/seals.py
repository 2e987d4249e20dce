"""Sealed files: a table or array that carries whose it is and what it holds, so that no other is taken for it."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ethnicmer_lib.store.identity import array_digest, digest
from ethnicmer_lib.store.places import atomic

_SEAL = b"ethnicmer.seal"


def read_table(folder: Path, owner: str, name: str) -> pd.DataFrame | None:
    """The table ``name`` of a folder, or None where there is none.

    One that is damaged, was changed, or belongs to another owner or name is deleted with a warning, and None is
    returned: it is computed again, never trusted.
    """
    path = folder / f"{name}.parquet"
    try:
        stored = pq.read_table(path)
        table = stored.to_pandas()
        good = (stored.schema.metadata or {}).get(_SEAL) == _seal(owner, name, table)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, pa.ArrowException):  # truncated, or no Parquet at all
        good = False
    return table if good else _refuse(path)


def write_table(folder: Path, owner: str, name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Write a table with its seal, whole or not at all; returned as it will be read."""
    plain = pa.Table.from_pandas(table, preserve_index=False)
    kept = plain.to_pandas()
    sealed = plain.replace_schema_metadata((plain.schema.metadata or {}) | {_SEAL: _seal(owner, name, kept)})
    with atomic(folder / f"{name}.parquet") as part:
        pq.write_table(sealed, part)
    return kept


def read_array(folder: Path, owner: str, name: str) -> np.ndarray | None:
    """The array ``name`` of a folder, read-only and mapped from disk; otherwise as :func:`read_table`."""
    path, seal = folder / f"{name}.npy", folder / f"{name}.npy.seal"
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        good = seal.read_text() == digest([owner, name, array_digest(array)])
    except FileNotFoundError:
        good = None if not path.exists() else False
    except (OSError, ValueError, EOFError):  # truncated, or no array at all
        good = False
    if good is None:
        return None
    return array if good else _refuse(path)


def write_array(folder: Path, owner: str, name: str, array: np.ndarray) -> np.ndarray:
    """Write an array and its seal; returned mapped from disk."""
    with atomic(folder / f"{name}.npy") as part, part.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
        with atomic(folder / f"{name}.npy.seal") as seal:
            seal.write_text(digest([owner, name, array_digest(array)]))
    return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)


def _refuse(path: Path) -> None:
    warnings.warn(f"{path} is damaged or of another run; it is computed again", stacklevel=4)
    path.unlink(missing_ok=True)


def _seal(owner: str, name: str, table: pd.DataFrame) -> bytes:
    # Column by column: one hash of rows would not notice two columns that change places.
    hashes = {
        str(column): int(
            np.bitwise_xor.reduce(
                pd.util.hash_pandas_object(table[column].astype(object), index=True).to_numpy(), initial=0
            )
        )
        for column in table
    }
    return digest([owner, name, len(table), hashes]).encode()
