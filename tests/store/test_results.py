"""The folder of recorded results: written whole, read back as written, made by code that is in the history."""

from __future__ import annotations

import json
import subprocess

import pandas as pd
import pytest
from checkout import ROOT

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import old_recording as results


def commits(record: object) -> set[str]:
    """Every commit that a record names, at any depth; without the '+' of local changes."""
    if isinstance(record, dict):
        own = {record["commit"].rstrip("+")} if record.get("commit") else set()
        return own.union(*(commits(value) for value in record.values()))
    return set().union(*(commits(value) for value in record)) if isinstance(record, list) else set()


def git(*arguments: str) -> subprocess.CompletedProcess:
    """What git says in the checkout."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_every_recording_was_made_by_code_of_this_history():
    """A result whose code nobody can check out cannot be made again."""
    history = git("rev-parse", "--is-shallow-repository")
    if history.stdout.strip() != "false":
        pytest.skip(f"no full history here: {history.stdout.strip() or history.stderr.strip()}")
    named = {path: commits(json.loads(path.read_text())) for path in ROOT.glob(f"results/*/{results.RECORD}")}
    assert len(named) >= 4
    for path, found in named.items():
        assert found, path
        for commit in found:
            assert git("merge-base", "--is-ancestor", commit, "HEAD").returncode == 0, f"{path}: {commit}"


def test_parts_of_a_record_are_read_back_and_other_parts_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "folder", lambda: tmp_path)
    table = pd.DataFrame({"a": [1, 2]})
    results.store_part("x", "one", table, {"command": "first"}, code="c1")
    results.store_part("x", "two", table.assign(a=0), {"command": "second"}, code="c2")
    record = results.read_record(tmp_path / "x", "make")
    assert record["command"] == "second"
    assert [part["code"] for part in record["parts"].values()] == ["c1", "c2"]
    path = tmp_path / "x" / "one.parquet"
    pd.testing.assert_frame_equal(results.read_table(path, record["parts"]["one"]["sha256"]), table)
    for wrong in (record["parts"]["two"]["sha256"], None):
        with pytest.raises(StudyError, match=r"one\.parquet is missing or not what was recorded"):
            results.read_table(path, wrong)


def test_nothing_recorded_is_the_callers_choice(tmp_path):
    assert results.read_record(tmp_path, {"parts": {}}) == {"parts": {}}
    with pytest.raises(StudyError, match=r"no recorded run in .*; make one with `ethnicmer evidence`"):
        results.read_record(tmp_path, "ethnicmer evidence")
