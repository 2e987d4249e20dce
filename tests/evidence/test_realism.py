"""Realism: framings of the face, features like the published ones, and training on one source, testing on another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.clips.published import FlowClips
from ethnicmer_lib.clips.table import COLUMNS, Provenance
from ethnicmer_lib.evidence import realism
from ethnicmer_lib.simulator.protocol import plan_cohort
from ethnicmer_lib.simulator.recording import Recording
from ethnicmer_lib.simulator.scene import Scene, measure
from ethnicmer_lib.simulator.settings import COMPONENTS, SimulatorSettings

TINY = SimulatorSettings("tiny", seed=3)
LABELS = ("Negative", "Positive", "Surprise")


def test_a_box_holds_eyes_and_mouth_wherever_it_lies():
    recorded = Recording()
    for shares in np.random.default_rng(0).random((50, 3)):
        left, top, width, height = realism.face_box(recorded, shares)
        assert top < recorded.eye_line * recorded.height < top + height
        mouth = (recorded.eye_line + 0.61 * (recorded.chin_line - recorded.eye_line)) * recorded.height
        assert top < mouth < top + height
        assert left + width / 2 == pytest.approx(recorded.width / 2)


@given(u=st.floats(-3, 3), v=st.floats(-3, 3))
@settings(deadline=None, max_examples=10)
def test_features_of_a_moving_spot_do_not_depend_on_how_far_the_head_went(u, v):
    spot = np.zeros((120, 100, 2), np.float32)
    spot[40:60, 30:60, 1] = 1.0
    box = (5.0, 5.0, 90.0, 110.0)
    still, moved = realism.framed(spot, box), realism.framed(spot + np.float32([u, v]), box)
    assert still.shape == (28, 28, 3)
    assert still.dtype == np.uint8
    assert np.abs(still[..., 1:].astype(int) - moved[..., 1:]).max() <= 1
    assert still[..., 1].max() == 255
    assert still[..., 1].min() == 0


def test_vectors_forget_size_and_zero():
    rng = np.random.default_rng(1)
    image = rng.random((1, 28, 28, 3)).astype(np.float32)
    image[..., :2] -= 0.5
    both = np.concatenate([image * 100 + 120, image * 50 + 90]).clip(0, 255).round().astype(np.uint8)
    both[..., 2] = (image[..., 2] * [[[200]], [[100]]]).round()
    one, other = realism.vectors(both)
    assert one.shape == (28 * 28 * 3,)
    assert np.corrcoef(one, other)[0, 1] > 0.99
    assert np.abs(one - other).mean() < 0.1


def fake_real(n=60, seed=0):
    """A cohort of published features in which a bright patch tells the label."""
    rng = np.random.default_rng(seed)
    names = rng.choice(LABELS, n)
    images = rng.integers(80, 120, (n, 28, 28, 3)).astype(np.uint8)
    for image, name in zip(images, names, strict=True):
        image[4 + 8 * LABELS.index(name) :][:4, 6:20] = 250
    rows = {name: [""] * n for name in COLUMNS}
    rows |= {
        "clip_id": [f"SAMM/{i:03d}/x" for i in range(n)],
        "database": ["SAMM"] * n,
        "subject": [f"{i % 12:03d}" for i in range(n)],
        "clip": ["x"] * n,
        "label": list(names),
        "emotion": ["x"] * n,
        "ethnicity": ["Asian"] * n,
        "group": ["Asian"] * n,
    }
    for moment in ("onset", "apex", "offset"):
        rows[moment] = pd.array([pd.NA] * n, dtype="Int64")
    return FlowClips(pd.DataFrame(rows)[list(COLUMNS)], Provenance("test", False, "0" * 16), images)


@pytest.mark.parametrize("name", realism.CLASSIFIERS)
def test_a_classifier_carries_over_where_the_signs_are_the_same_and_not_where_they_are_not(name):
    train, test = fake_real(240, seed=1), fake_real(seed=2)
    table = train.table.assign(subject="SAMM/" + train.table["subject"])
    images = np.repeat(realism.real_images(train)[:, None], realism.FRAMINGS + 2, axis=1)
    predicted = realism.transfer(table, images, test, name)
    assert list(predicted["clip_id"]) == list(test.table["clip_id"])
    assert (predicted["predicted"] == predicted["label"]).mean() > 0.95
    blind = images.copy()
    blind[:] = 100
    if name == "forest":  # nothing to learn: no better than chance
        guessed = realism.transfer(table, blind, test, name)
        assert len(set(guessed["predicted"])) == 1
    within = realism.left_out(table[realism.ROW], images[:, realism.FRAMINGS], name)
    assert (within["predicted"] == within["label"]).mean() > 0.9


def test_the_ablation_leaves_out_every_component_once():
    cohorts = realism.conditions()
    assert {s.without for s in cohorts.values()} == {(), *((name,) for name in COMPONENTS)}
    assert {s.codes for s in cohorts.values()} == {"both", "CASME II", "SAMM"}


def test_features_come_from_frames_of_the_plan():
    first = plan_cohort(TINY)[0].clips[0]
    clips, found = measure(
        TINY, realism.clip_features, chosen=lambda clip: clip.clip_id == first.clip_id, jobs=1
    )
    assert list(clips["clip_id"]) == [first.clip_id]
    assert found[0].shape == (realism.FRAMINGS + 2, 28, 28, 3)
    again = realism.clip_features(Scene(TINY, plan_cohort(TINY)[0]), first)
    assert np.array_equal(found[0], again)
    assert len({image.tobytes() for image in again}) == len(again)  # every framing is another
