"""The motion chapter's evidence: errors against a known truth, on a cohort that moves as told."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from fake_cohort import FakeCohort

from ethnicmer_lib import old_sources as simulated
from ethnicmer_lib.evidence import motion as evidence
from ethnicmer_lib.publish.old_parameters import Motion

SHIFT = 1.5


class Moving(FakeCohort):
    """Every clip is a textured picture that moves to the right by ``SHIFT`` px."""

    def frames(self, clip_id, moment):
        rng = np.random.default_rng(self._row[clip_id])
        picture = cv2.GaussianBlur(rng.normal(size=(96, 96)), (0, 0), 2.0)
        picture = (picture - picture.min()) / np.ptp(picture) * 255
        move = np.float32([[1, 0, SHIFT * (moment == "apex")], [0, 1, 0]])
        return cv2.warpAffine(picture, move, (96, 96), borderMode=cv2.BORDER_REFLECT).astype(np.uint8)


@pytest.fixture
def moving(monkeypatch):
    def open_moving(simulated_too: bool) -> Moving:
        cohort = Moving(subjects=3, per_subject=4, simulated=simulated_too, frames=True)
        flow = np.zeros((96, 96, 2), np.float32)
        flow[..., 0] = SHIFT
        known = simulated.Truth(flow, np.ones((96, 96), np.uint8), np.zeros((96, 96), bool))
        monkeypatch.setattr(simulated, "truth", lambda *_: known)
        monkeypatch.setattr(evidence, "open_cohort", lambda *_, **__: cohort)
        monkeypatch.setattr(evidence, "views", lambda **_: SimpleNamespace(run=None))
        return cohort

    return open_moving


def test_a_known_translation_is_recovered(workspace, moving):
    cohort = moving(True)
    result = evidence.compute(Motion())
    assert len(result.errors) == len(cohort.clips)
    assert result.errors["peak_px"].to_numpy() == pytest.approx(SHIFT)
    assert result.errors["zero_px"].to_numpy() == pytest.approx(SHIFT)
    assert (result.errors["error_px"] < 0.2 * SHIFT).all()
    saved = result.saved()
    assert 0.8 < saved.low <= saved.value <= saved.high <= 1
    assert [example.label for example in result.examples] == ["Negative", "Positive", "Surprise"]
    assert result.examples[0].computed["u"][20:-20, 20:-20].mean() == pytest.approx(SHIFT, abs=0.1)
    assert result.examples[0].true is not None
    dark, light, p = result.by_skin()
    assert 0 < p <= 1
    assert 0 < dark.value < 0.2 * SHIFT
    assert light.low <= light.value <= light.high


def test_without_a_truth_there_is_no_error_and_the_finding_says_so(workspace, moving):
    moving(False)
    result = evidence.compute(Motion())
    assert result.errors is None
    assert result.saved() is None
    assert result.by_skin() is None
    capability, order = result.findings()
    assert capability.estimate is None
    assert capability.verdict == "cannot be tested here"
    assert order.verdict == "contradicted"
    assert "0.010" in order.answer


def test_the_example_asked_for_is_shown(workspace, moving):
    cohort = moving(True)
    second = evidence.compute(Motion(example=1)).examples[0]
    negatives = cohort.clips[cohort.clips["label"] == "Negative"]["clip_id"]
    assert second.clip_id == negatives.iloc[1]
