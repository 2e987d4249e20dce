"""Sealed files: a table or array that carries whose it is and what it holds, so that no other is taken for it."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ethnicmer_lib.store.identity import digest, identity
from ethnicmer_lib.store.places import atomic

_SEAL = b"ethnicmer.seal"


def read(folder: Path, owner: str, name: str) -> pd.DataFrame | np.ndarray | None:
    """The table, or the array, read-only and mapped from disk, of that name; None where there is none.

    One that is damaged, was changed, or belongs to another owner or name is deleted with a warning, and None is
    returned: it is computed again, never trusted.
    """
    array, table = folder / f"{name}.npy", folder / f"{name}.parquet"
    path = array if array.exists() else table
    try:
        if path == array:
            content = np.load(array, mmap_mode="r", allow_pickle=False)
            seal = Path(f"{array}.seal").read_text()
        else:
            stored = pq.read_table(table)
            content, seal = stored.to_pandas(), (stored.schema.metadata or {}).get(_SEAL, b"").decode()
        if seal == _seal(owner, name, content):
            return content
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, pa.ArrowException):  # truncated, or no such file at all
        pass
    warnings.warn(f"{path} is damaged or of another run; it is computed again", stacklevel=3)
    path.unlink(missing_ok=True)
    return None


def write(
    folder: Path, owner: str, name: str, content: pd.DataFrame | np.ndarray
) -> pd.DataFrame | np.ndarray:
    """Write a table or array with its seal, whole or not at all; returned as it will be read."""
    if isinstance(content, np.ndarray):
        path = folder / f"{name}.npy"
        with atomic(path) as part, part.open("wb") as stream:
            np.save(stream, content, allow_pickle=False)
            with atomic(Path(f"{path}.seal")) as seal:
                seal.write_text(_seal(owner, name, content))
        return np.load(path, mmap_mode="r", allow_pickle=False)
    plain = pa.Table.from_pandas(content, preserve_index=False)
    kept = plain.to_pandas()
    metadata = (plain.schema.metadata or {}) | {_SEAL: _seal(owner, name, kept).encode()}
    with atomic(folder / f"{name}.parquet") as part:
        pq.write_table(plain.replace_schema_metadata(metadata), part)
    return kept


def _seal(owner: str, name: str, content: pd.DataFrame | np.ndarray) -> str:
    return digest([owner, name, identity(content)])
