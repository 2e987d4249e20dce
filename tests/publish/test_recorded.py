"""Recorded runs: what lies in results/ is what was recorded, and is scored by today's code."""

from __future__ import annotations

import json
import shutil

import pytest
from checkout import ROOT
from sklearn.metrics import f1_score

from ethnicmer_lib.clips.labels import released_clips
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import recorded
from ethnicmer_lib.store import old_recording as results


@pytest.fixture(scope="module")
def flow() -> recorded.Recorded:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "folder", lambda: ROOT / "results")
        return recorded.load("flow")


def test_it_holds_the_real_clips_with_the_released_labels(flow):
    assert not flow.provenance.simulated
    known = released_clips().set_index("clip_id")["label"]
    for _, part in flow.benchmark.predictions.groupby(["variant", "seed"]):
        assert part["clip_id"].is_unique
        assert (part.set_index("clip_id")["label"] == known.loc[part["clip_id"]].to_numpy()).all()
        assert len(part) == 278


@pytest.mark.parametrize("variant", ["forest", "resnet18", "dual_motion"])
def test_scores_are_those_of_the_recorded_predictions(flow, variant):
    part = flow.benchmark.predictions[flow.benchmark.predictions["variant"] == variant]
    row = flow.benchmark.table.set_index("variant").loc[variant]
    scores = [f1_score(of["label"], of["predicted"], average="macro") for _, of in part.groupby("seed")]
    assert len(scores) == (1 if variant == "forest" else flow.benchmark.parameters.n_seeds)
    assert row["macro"] == pytest.approx(sum(scores) / len(scores))
    assert row["macro_low"] <= row["macro"] <= row["macro_high"]


def test_it_says_how_it_was_made(flow):
    assert flow.command.startswith("ethnicmer table-iv")
    assert "&& ethnicmer record flow" in flow.command
    assert flow.made["commit"]
    assert flow.made["versions"]["torch"]
    assert len(flow.findings()) == len(flow.prima_facie.findings()) + len(flow.benchmark.findings())


def test_a_changed_or_missing_file_is_refused(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "results", tmp_path / "results")
    monkeypatch.setattr(results, "folder", lambda: tmp_path / "results")
    path = tmp_path / "results" / "flow" / "benchmark.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StudyError, match=r"benchmark\.parquet is missing or not what was recorded"):
        recorded.load("flow")
    with pytest.raises(StudyError, match="no recorded run in"):
        recorded.load("nothing")


def test_no_path_of_a_machine_is_in_the_record():
    text = (ROOT / "results" / "flow" / "provenance.json").read_text()
    assert "_dir" not in json.dumps(json.loads(text)["chapters"]["benchmark"]["parameters"])
    assert "/work" not in text
    assert "/home" not in text
