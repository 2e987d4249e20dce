"""Sealed tables come back bit by bit, and nothing else is taken for them."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ethnicmer_lib.store import old_sealed as sealed
from ethnicmer_lib.store.old_runs import Run


def opened(seed: int = 0) -> Run:
    return Run.open("test", module="ethnicmer_lib.errors", cohort="c", parameters={"seed": seed})


def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {"clip_id": ["a", "b", "c"], "p": [0.1, 1 / 3, np.nan], "fold": [0, 1, 1], "probe": ["x", None, ""]}
    )


def path(run: Run, name: str = "t"):
    return run.path / f"{name}.parquet"


def test_what_was_just_made_is_what_will_be_read(workspace):
    run = opened()
    assert sealed.read(run, "t") is None
    made = sealed.write(run, "t", rows(), 1.234)
    pd.testing.assert_frame_equal(sealed.read(run, "t"), made, check_exact=True)
    assert made["p"].tolist()[:2] == rows()["p"].tolist()[:2]
    assert made["probe"].isna().tolist() == [False, True, False]
    assert run.seconds() == {"t": 1.23}
    first = path(run).read_bytes()
    sealed.write(run, "t", rows(), 9.9)
    assert path(run).read_bytes() == first, "the same table is the same file"


def change(run: Run, edit) -> None:
    """Change a value, and keep the metadata with the seal."""
    stored = pq.read_table(path(run))
    changed = edit(stored.to_pandas())
    table = type(stored).from_pandas(changed, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(stored.schema.metadata), path(run))


DAMAGE = {
    "truncated": lambda run: path(run).write_bytes(path(run).read_bytes()[:-20]),
    "empty": lambda run: path(run).write_bytes(b""),
    "text": lambda run: path(run).write_text("clip_id,p\na,1\n"),
    "without a seal": lambda run: rows().to_parquet(path(run), index=False),
    "of another run": lambda run: shutil.copy(path(other()), path(run)),
    "of another table": lambda run: shutil.copy(path(run, "u"), path(run)),
    "one bit": lambda run: change(run, lambda t: t.assign(p=[0.1, np.nextafter(1 / 3, 1), np.nan])),
    "rows in another order": lambda run: change(run, lambda t: t.iloc[::-1]),
    "a row less": lambda run: change(run, lambda t: t.iloc[:2]),
    "two columns exchanged": lambda run: change(
        run, lambda t: t.assign(clip_id=t["probe"], probe=t["clip_id"])
    ),
}


def other() -> Run:
    run = opened(1)
    sealed.write(run, "t", rows())
    return run


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_or_foreign_file_is_said_and_computed_again(kind, workspace):
    run = opened()
    sealed.write(run, "t", rows())
    sealed.write(run, "u", rows())
    good = path(run).read_bytes()
    DAMAGE[kind](run)
    with pytest.warns(UserWarning, match=r"t\.parquet is damaged or of another run"):
        assert sealed.read(run, "t") is None
    assert not path(run).exists()
    calls = []
    for _ in range(2):
        sealed.table(run, "t", lambda: calls.append(1) or rows())
    assert len(calls) == 1
    assert path(run).read_bytes() == good
