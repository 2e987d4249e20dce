"""Accuracy of flow: errors against a known truth on clips that move as told, and the recorded tables."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from fake_cohort import FakeClips
from sklearn.metrics import f1_score

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.evidence import flow_accuracy
from ethnicmer_lib.simulator.truth import Truth
from ethnicmer_lib.store import recording

SHIFT = 1.5


class Moving(FakeClips):
    """Every clip is a textured picture that moves to the right by ``SHIFT`` px."""

    def frames(self, clip_id, moment):
        rng = np.random.default_rng(self._row[clip_id])
        picture = cv2.GaussianBlur(rng.normal(size=(96, 96)), (0, 0), 2.0)
        picture = (picture - picture.min()) / np.ptp(picture) * 255
        move = np.float32([[1, 0, SHIFT * (moment == "apex")], [0, 1, 0]])
        return cv2.warpAffine(picture, move, (96, 96), borderMode=cv2.BORDER_REFLECT).astype(np.uint8)


@pytest.fixture
def known(monkeypatch):
    flow = np.zeros((96, 96, 2), np.float32)
    flow[..., 0] = SHIFT
    true = Truth(flow, np.ones((96, 96), np.uint8), np.zeros((96, 96), bool))
    monkeypatch.setattr(flow_accuracy, "truth", lambda *_: true)


def test_a_known_translation_is_recovered(workspace, known):
    clips = Moving(subjects=3, per_subject=2, simulated=True, frames=True)
    errors = flow_accuracy.flow_errors(clips, "dis", progress=False)
    assert errors["clip_id"].tolist() == clips.table["clip_id"].tolist()
    assert errors["peak_px"].to_numpy() == pytest.approx(SHIFT)
    assert errors["zero_px"].to_numpy() == pytest.approx(SHIFT)
    assert (errors["error_px"] < 0.2 * SHIFT).all()
    saved, words = flow_accuracy.tiny_motions(errors, "dis")
    assert 0.8 < saved.low <= saved.value <= saved.high <= 1
    assert words["method"] == "dis"
    halves = flow_accuracy.by_skin(errors)
    assert 0 < halves["p"][0] <= 1
    assert all(0 < one.value < 0.2 * SHIFT for one in halves["error_px"])


def test_without_a_truth_there_is_no_error_and_the_reason_is_said(workspace):
    errors = flow_accuracy.flow_errors(Moving(simulated=False, frames=True), "dis", progress=False)
    assert errors.empty
    assert flow_accuracy.recovered(errors) is None
    assert "needs a truth" in flow_accuracy.tiny_motions(errors, "dis")
    assert flow_accuracy.by_skin(errors).empty


def test_strain_is_seen_by_a_first_derivative_alone():
    _, found = flow_accuracy.strain_order(0.01)
    assert found["first"] == pytest.approx(0.01)
    assert found["second"] == pytest.approx(0, abs=1e-6)
    assert found["holds"] is False


def test_the_recorded_tables_are_means_and_scores():
    rows = recording("motion").table("accuracy")
    table = flow_accuracy.accuracy_table(rows)
    micro = rows[(rows["arm"] == "micro") & (rows["peak"] == 1)]
    assert table.loc["micro", "error 1"] == pytest.approx(micro["error_px"].mean())
    assert table.loc["micro", "strain 1"] == pytest.approx(micro["strain_r"].mean())
    assert table.loc["no motion", "error 1"] == pytest.approx(micro["zero_px"].mean())
    downstream = recording("motion").table("downstream")
    scores = flow_accuracy.recognised(downstream, "dis")
    for arm, part in downstream.groupby("arm"):
        expected = f1_score(part["label"], part["predicted"], average="macro", labels=LABELS)
        assert scores.loc[arm, "macro"].value == pytest.approx(expected)
    assert np.isnan(scores.loc["dis", "p"])
    assert scores.loc["micro", "difference"].low > 0
    assert (scores["p_holm"].dropna() >= scores["p"].dropna()).all()
