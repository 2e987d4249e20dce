"""Sealed tables: a table of a run that carries whose it is and what it holds, so that no other is taken for it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ethnicmer_lib.store.old_runs import Run, atomic, digest

_SEAL = b"ethnicmer.seal"


def read(run: Run, name: str) -> pd.DataFrame | None:
    """The table ``name`` of a run, or None where there is none.

    One that is damaged, was changed, or belongs to another run or name is deleted with a warning, and None is
    returned: it is computed again, never trusted.
    """
    path = run.path / f"{name}.parquet"
    if not path.exists():
        return None
    try:
        stored = pq.read_table(path)
        table = stored.to_pandas()
        good = (stored.schema.metadata or {}).get(_SEAL) == _seal(run, name, table)
    except (OSError, ValueError, pa.ArrowException):  # truncated, or no Parquet at all
        good = False
    if good:
        return table
    warnings.warn(f"{path} is damaged or of another run; it is computed again", stacklevel=2)
    path.unlink(missing_ok=True)
    return None


def write(run: Run, name: str, table: pd.DataFrame, seconds: float | None = None) -> pd.DataFrame:
    """Write a table with its seal, atomically, and how long it took, where given, into the run's ``seconds.json``.

    Returns
    -------
    The table as it will be read: the same whether it was just made or made before.
    """
    plain = pa.Table.from_pandas(table, preserve_index=False)
    kept = plain.to_pandas()
    sealed = plain.replace_schema_metadata((plain.schema.metadata or {}) | {_SEAL: _seal(run, name, kept)})
    with atomic(run.path / f"{name}.parquet") as part:
        pq.write_table(sealed, part)
    if seconds is not None:
        with atomic(run.path / "seconds.json") as part:
            part.write_text(json.dumps(run.seconds() | {name: round(seconds, 2)}, indent=1))
    return kept


def table(run: Run, name: str, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """The table ``name``, computed and timed once: :meth:`runs.Run.table` with a seal."""
    found = read(run, name)
    if found is None:
        with run.timed(name):
            made = compute()
        found = write(run, name, made)
    return found


def _seal(run: Run, name: str, table: pd.DataFrame) -> bytes:
    # Column by column: one hash of rows would not notice two columns that change places.
    hashes = {
        str(column): np.bitwise_xor.reduce(
            pd.util.hash_pandas_object(table[column].astype(object), index=True).to_numpy(), initial=0
        )
        for column in table
    }
    return digest([run.step, run.key, name, len(table), {k: int(v) for k, v in hashes.items()}]).encode()
