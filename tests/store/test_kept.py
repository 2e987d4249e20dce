"""Kept results: keys that notice every change of an argument or of code, files that are whole or not trusted."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import Provenance, Run, fingerprint, identity, kept, used_runs

CALLS: list[str] = []


@kept("stats")
def counted(values, progress=False) -> pd.DataFrame:
    CALLS.append("table")
    return pd.DataFrame({"subject": [f"{v:03d}" for v in values], "value": list(values)})


@kept("stats")
def ramp(n: int) -> np.ndarray:
    CALLS.append("array")
    return np.arange(n, dtype=np.float32)


@dataclass
class Clips:
    provenance: Provenance


@kept("stats")
def of_clips(clips, weights="none") -> pd.DataFrame:
    CALLS.append("clips")
    return pd.DataFrame({"n": [1]})


@pytest.fixture(autouse=True)
def fresh(workspace):
    CALLS.clear()


def test_a_result_is_computed_once_and_read_back_the_same():
    first, again = counted([6, 1]), counted([6, 1])
    pd.testing.assert_frame_equal(first, again)
    assert first["subject"].tolist() == ["006", "001"]
    array, mapped = ramp(5), ramp(n=5)
    np.testing.assert_array_equal(array, mapped)
    assert not mapped.flags.writeable
    assert isinstance(mapped, np.memmap)
    assert CALLS == ["table", "array"]


def test_what_is_only_shown_on_the_way_is_no_part_of_the_key():
    counted([1], progress=True)
    counted([1], progress=False)
    assert CALLS == ["table"]


def test_clips_count_by_their_fingerprint_and_name_the_run(tmp_path):
    one, other = (Clips(Provenance("toy clips", True, name)) for name in ("a", "b"))
    of_clips(one), of_clips(one), of_clips(other)
    assert len(CALLS) == 2
    assert used_runs()[-1].about()["source"] == "toy clips"
    assert used_runs()[-1].about()["simulated"]


def test_weights_count_by_content(tmp_path):
    clips, file = Clips(Provenance("toy", True, "a")), tmp_path / "w.pt"
    file.write_bytes(b"one")
    of_clips(clips, weights=str(file))
    file.write_bytes(b"two")
    of_clips(clips, weights=str(file))
    assert len(CALLS) == 2
    with pytest.raises(StudyError, match=r"weights='w\.pt' is not a file; allowed: 'none'"):
        of_clips(clips, weights="w.pt")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=6), st.data()
)
def test_another_pixel_type_or_shape_is_another_identity(values, data):
    array = np.array(values, dtype=np.float32)
    assert identity(array) == identity(array.copy())
    place = data.draw(st.integers(0, len(array) - 1))
    changed = array.copy()
    changed[place] = np.nextafter(changed[place], np.float32(np.inf), dtype=np.float32)
    assert identity(changed) != identity(array)
    assert identity(array.astype(np.float64)) != identity(array)
    assert identity(array[None]) != identity(array)


def test_tables_differ_by_values_order_columns_and_index():
    table = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    others = (table[::-1], table.rename(columns={"a": "c"}), table.assign(a=[2, 1]), table[["a"]])
    assert identity(table) == identity(table.copy())
    assert all(identity(other) != identity(table) for other in others)


def test_what_has_no_identity_is_refused():
    with pytest.raises(StudyError, match="a function has no identity"):
        identity(lambda: None)


def test_code_of_another_room_is_another_key(monkeypatch):
    before = fingerprint("stats")
    assert fingerprint("stats") == before != fingerprint("design")
    fingerprint.cache_clear()
    monkeypatch.setattr("ethnicmer_lib.__version__", "99.0")
    try:
        assert fingerprint("stats") != before
    finally:
        fingerprint.cache_clear()
    with pytest.raises(StudyError, match="no room 'attic'"):
        fingerprint("attic")


@pytest.mark.parametrize("damage", ["cut", "changed", "foreign"])
@pytest.mark.parametrize("kind", ["array", "table"])
def test_a_damaged_or_foreign_file_is_said_and_computed_again(kind, damage):
    make = (lambda: ramp(4000)) if kind == "array" else (lambda: counted(range(400)))
    other = (lambda: ramp(4001)) if kind == "array" else (lambda: counted(range(401)))
    make()
    path = next(used_runs()[-1].path.glob("result.[np]*y*" if kind == "array" else "result.parquet"))
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        other()
        path.write_bytes((used_runs()[-1].path / path.name).read_bytes())
    CALLS.clear()
    with pytest.warns(UserWarning, match="computed again"):
        make()
    assert [kind] == CALLS


def test_a_second_process_waits_for_what_the_first_computes(workspace):
    """Two pages run at the same time; both may want the same images."""
    code = (
        "import time, numpy as np\n"
        "from ethnicmer_lib.store import kept\n"
        "@kept('stats')\n"
        "def five() -> np.ndarray:\n"
        "    print('computed', flush=True); time.sleep(1.0); return np.arange(5)\n"
        "print(int(five().sum()))\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = "".join(one.communicate(timeout=60)[0] for one in both).split()
    assert sorted(said) == ["10", "10", "10", "computed"]


@pytest.mark.parametrize("note", ["", "[1]", "{}", "no JSON"])
def test_a_damaged_note_is_written_anew(workspace, note):
    path = Run.open("step", code=("stats",), inputs={}).path / "run.json"
    whole = path.read_text()
    path.write_text(note)
    Run.open("step", code=("stats",), inputs={})
    about = Run(path.parent).about()
    assert {**about, "time": 0} == {**json.loads(whole), "time": 0}


def test_results_of_real_clips_are_nobody_elses(workspace):
    for simulated, others in ((True, True), (False, False)):
        run = Run.open("step", code=("stats",), inputs=simulated, provenance=Provenance("x", simulated, "a"))
        run.write("result", np.zeros(3))
        assert bool(run.path.stat().st_mode & 0o077) == others, "as the umask says, else closed"


def test_parts_are_kept_under_names(workspace):
    run = Run.open("step", code=("stats",), inputs={"seed": 0}, planned={"draw": 3})
    run.kept("part0", lambda: np.zeros(3))
    assert run.read("draw0") is None
    run.write("draw0", pd.DataFrame({"a": [1]}), seconds=1.234)
    assert run.kept("draw0", lambda: pytest.fail("is there"))["a"].tolist() == [1]
    assert run.seconds()["draw0"] == 1.23
    run.kept("within", lambda: np.zeros(3), timed=False)
    assert sorted(run.seconds()) == ["draw0", "part0"]
    assert run.about()["planned"] == {"draw": 3}
