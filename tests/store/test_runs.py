"""The run store: keys that notice every change, files that are whole or not there."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.publish.old_parameters import Dataset
from ethnicmer_lib.show.old_footer import footer, record
from ethnicmer_lib.store import old_runs as runs


def open_run(**changes):
    content = {
        "module": "ethnicmer_lib.publish.old_parameters",
        "cohort": "c0",
        "parameters": {"seed": 0},
    } | changes
    return runs.Run.open("step", **content)


def test_a_table_is_computed_once_and_read_back(workspace):
    calls = []

    def compute():
        calls.append(1)
        return pd.DataFrame({"subject": ["006", "sub01"], "p": [0.25, 0.5]})

    first = open_run().table("t", compute)
    second = open_run().table("t", compute)
    pd.testing.assert_frame_equal(first, second)
    assert len(calls) == 1
    assert first["subject"].tolist() == ["006", "sub01"]


@pytest.mark.parametrize(
    "change", [{"parameters": {"seed": 1}}, {"cohort": "c1"}, {"module": "ethnicmer_lib.store.old_runs"}]
)
def test_a_change_of_parameters_cohort_or_code_gets_another_key(workspace, change):
    assert open_run(**change).key != open_run().key


def test_the_library_version_is_in_the_key(workspace, monkeypatch):
    before = open_run().key
    monkeypatch.setattr("ethnicmer_lib.__version__", "99.0")
    runs.code_fingerprint.cache_clear()
    try:
        assert open_run().key != before
    finally:
        monkeypatch.undo()
        runs.code_fingerprint.cache_clear()


def test_a_fingerprint_covers_what_a_module_imports_and_not_what_imports_it():
    assert runs._imports("ethnicmer_lib.publish.old_parameters") == {"ethnicmer_lib.errors"}
    assert "ethnicmer_lib.publish.old_chapters" not in runs._imports("ethnicmer_lib.store.old_runs")


def test_a_second_process_waits_for_what_the_first_computes(workspace):
    """A page and the next chapter run at the same time; both may want the same images."""
    code = (
        "import sys, time, numpy as np\n"
        "from ethnicmer_lib.store import old_runs as runs\n"
        "run = runs.Run.open('step', module='ethnicmer_lib.errors', cohort='c', parameters={})\n"
        "def compute():\n"
        "    print('computed', flush=True); time.sleep(1.0); return np.arange(5)\n"
        "print(int(run.array('a', compute).sum()))\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = "".join(one.communicate(timeout=60)[0] for one in both).split()
    assert sorted(said) == ["10", "10", "10", "computed"]


def test_a_broken_file_is_computed_again(workspace):
    run = open_run()
    run.table("t", lambda: pd.DataFrame({"a": [1]}))
    run.array("x", lambda: np.arange(3))
    (run.path / "t.parquet").write_bytes(b"PAR1 truncated")
    (run.path / "x.npy").write_bytes(b"\x93NUMPY")
    assert run.table("t", lambda: pd.DataFrame({"a": [2]}))["a"].tolist() == [2]
    assert run.array("x", lambda: np.arange(4)).tolist() == [0, 1, 2, 3]


def test_an_interrupted_computation_leaves_nothing_behind(workspace):
    run = open_run()

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.table("t", interrupted)
    assert sorted(p.name for p in run.path.iterdir()) == ["run.json"]


def test_time_is_counted_once_however_computations_nest(workspace):
    run = open_run()
    run.table("earlier", lambda: pd.DataFrame({"a": [1]}))

    def outer():
        return pd.concat([run.table(f"fold{i}", lambda: pd.DataFrame({"a": [1]})) for i in range(2)])

    run.table("all", outer)
    assert set(run.seconds()) == {"earlier", "all"}


def test_a_failed_write_keeps_the_old_file(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("old")

    def write():
        with runs.atomic(target) as part:
            part.write_text("new")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_run_records_how_it_was_made_and_the_footer_shows_it(workspace):
    run = open_run()
    run.table("t", lambda: pd.DataFrame({"a": [1]}))
    made = json.loads((run.path / "run.json").read_text())
    assert made["parameters"] == {"seed": 0}
    assert made["versions"]["torch"]
    parameters, source = Dataset(seed=3), Provenance("a <test> cohort", True, "0123")
    entries = record(parameters, source, [run])
    assert entries["Seed"] == "3"
    assert run.key in entries["Runs"]
    assert entries["Commit"] == made["commit"]
    text = footer(parameters, source, [run]).data
    assert "a &lt;test&gt; cohort (SIMULATED)" in text
    assert "torch" in text


def test_the_workspace_is_the_checkouts_build_folder_unless_named(tmp_path, monkeypatch):
    monkeypatch.delenv("ETHNICMER_WORKSPACE", raising=False)
    (tmp_path / "_toc.yml").touch()
    (tmp_path / "book").mkdir()
    monkeypatch.chdir(tmp_path / "book")
    assert runs.workspace() == tmp_path / "_build"
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(tmp_path / "elsewhere"))
    assert runs.workspace() == tmp_path / "elsewhere"
