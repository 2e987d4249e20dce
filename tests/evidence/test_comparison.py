"""Trials with a known truth, and the comparison of methods on them and downstream."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.evidence import comparison, views
from ethnicmer_lib.evidence.comparison import TRUE, Way
from ethnicmer_lib.evidence.endpoint_error import flow_error
from ethnicmer_lib.evidence.trials import chosen_clips, trial
from ethnicmer_lib.motion.extract import resize
from ethnicmer_lib.motion.flow import METHODS, optical_flow
from ethnicmer_lib.motion.image import flow_image
from ethnicmer_lib.motion.strain import optical_strain
from ethnicmer_lib.simulator.scene import Scene
from ethnicmer_lib.simulator.settings import SimulatorSettings

TINY = SimulatorSettings(size="tiny", seed=3)
WAYS = [Way("dis"), Way("dis", True)]


@pytest.fixture(scope="module")
def one():
    subject, clip = chosen_clips(TINY, 2)[1]
    clip = replace(clip, apex=clip.onset + 12, offset=clip.onset + 40)  # few neighbours, quickly rendered
    return trial(TINY, subject, clip, 0.7, noise=3.0)


def test_a_trial_has_the_amplitude_and_the_noise_asked_for(one):
    assert one.peak_px == pytest.approx(0.7, rel=0.02)
    assert np.hypot(*one.flow[one.seen].T).max() == pytest.approx(one.peak_px)
    assert one.noise == 3.0
    assert len(one.onset.frames) == 1 + 8 + 4
    assert len(one.apex.frames) == 1 + 4 + 8
    assert all(
        np.array_equal(a, b)
        for a, b in zip(one.frames(), (one.onset.frames[0], one.apex.frames[0]), strict=True)
    )


def test_a_row_is_the_error_of_the_flow(one):
    rows = comparison.rows_of(one, WAYS)
    assert [row["arm"] for row in rows] == ["dis", "dis, neighbours"]
    found = flow_error(optical_flow(*one.frames(), "dis"), one.flow, one.seen)
    assert rows[0]["error_px"] == pytest.approx(found.error_px, rel=1e-3)
    assert rows[1]["error_px"] < rows[0]["error_px"]
    assert rows[0]["zero_px"] == rows[1]["zero_px"] > 0
    assert all(row["seconds"] > 0 for row in rows)


def test_error_of_the_truth_is_nothing(one):
    exact = flow_error(one.flow, one.flow, one.seen)
    assert exact.error_px == 0
    assert exact.strain_r == pytest.approx(1)
    assert np.isnan(flow_error(np.zeros_like(one.flow), one.flow, one.seen).strain_r)


def test_accuracy_is_kept_a_condition_at_a_time(workspace, monkeypatch, one):
    made = []
    monkeypatch.setattr(comparison, "trial", lambda *args, **_: made.append(args[3]) or one)
    table = comparison.accuracy(WAYS, peaks=(0.3, 1.0), count=2, settings=TINY)
    assert made == [0.3, 0.3, 1.0, 1.0]
    assert len(table) == 8
    again = comparison.accuracy(WAYS, peaks=(0.3, 1.0, 3.0), count=2, settings=TINY)
    assert made[4:] == [3.0, 3.0]
    assert again.iloc[:8].equals(table)


def test_downstream_predicts_every_clip_by_every_way_and_the_truth(workspace, monkeypatch):
    clips = pd.DataFrame(
        {"subject": np.repeat(["a", "b", "c", "d"], 3), "label": ["Negative", "Positive", "Surprise"] * 4}
    )
    clips["clip_id"] = [f"clip{i}" for i in range(12)]
    clips[["database", "group"]] = ["simulated", "A"]
    asked = []

    def measure(settings, of, progress):
        asked.append(of.keywords)
        code = clips["label"].factorize()[0]
        return clips, [(np.full((3, 28, 28), value, np.float32), 0.5) for value in code]

    monkeypatch.setattr(comparison, "measure", measure)
    monkeypatch.setattr(comparison, "TREES", 5)
    table = comparison.downstream(WAYS, settings=TINY)
    assert list(table["arm"].unique()) == ["dis", "dis, neighbours", TRUE]
    assert (table["predicted"] == table["label"]).all()
    assert [of["neighbours"] for of in asked] == [False, True, False]
    comparison.downstream(WAYS, settings=TINY)
    assert len(asked) == 3


def test_the_image_of_a_clip_is_that_of_its_frames(one):
    subject, clip = chosen_clips(TINY, 2)[0]
    scene = Scene(TINY, subject)
    image, seconds = comparison.clip_image(scene, clip, "dis", False)
    frames = [scene.recorded_frame(clip, number) for number in (clip.onset, clip.apex)]
    assert np.array_equal(image, resize(flow_image(optical_flow(*frames, "dis"), "robust"), 28))
    assert seconds > 0
    true, free = comparison.clip_image(scene, clip, TRUE, False)
    assert np.corrcoef(true[1].ravel(), image[1].ravel())[0, 1] > 0.3
    assert free == 0


def test_every_method_is_compared():
    compared = comparison.ALL_WAYS
    assert {way.method for way in compared} == set(METHODS)
    assert Way("micro", True) in compared
    assert len({way.label for way in compared}) == len(compared)


def test_views_hold_the_truth_and_every_way(workspace, monkeypatch, one):
    monkeypatch.setattr(views, "trial", lambda *_, **__: one)
    monkeypatch.setattr(views, "WAYS", (Way("dis"), Way("micro", True)))
    shown = views.views((0.5, 1.0))
    assert shown.flows.shape == (2, 2, *one.flow.shape)
    assert np.array_equal(shown.true[1], one.flow)
    assert np.array_equal(shown.seen, one.seen)
    assert list(shown.maps(0, "v")) == ["truth", "dis", "micro, neighbours"]
    assert np.array_equal(shown.maps(0, "v")["truth"], one.flow[..., 1])
    assert shown.maps(1, "strain")["truth"].max() <= optical_strain(one.flow).max()
    assert shown.provenance.simulated


def test_what_released_strain_misreads():
    turned = views.rotation()
    assert optical_strain(turned).max() < 1e-7
    released = optical_strain(turned, as_released=True)
    assert np.allclose(released[1:-1, 1:-1], views.ANGLE * np.sqrt(2), atol=1e-7)
    assert released[0].max() > 3 * released[1:-1, 1:-1].max()
    moved = views.shifted_crop(np.zeros((100, 80, 2), np.float32))
    assert np.allclose(moved, [0, views.SHIFT])
    assert moved.shape == (28, 28, 2)
