"""Means of neighbouring frames: noise, flicker, drift, and how far neighbours may reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, shift

from ethnicmer_lib.cohort.clips import NEIGHBOURS, neighbour_steps
from ethnicmer_lib.motion.average import average, neighbour_reach

PICTURE = 120 + 60 * gaussian_filter(np.random.default_rng(0).normal(size=(90, 80)), 3) / 0.09


def test_one_frame_is_itself():
    found = average(np.uint8(PICTURE)[None])
    assert np.array_equal(found.frame, np.uint8(PICTURE))
    assert not found.drift.any()


def test_noise_falls_with_the_root_of_the_number():
    noise = 3 * np.random.default_rng(1).normal(size=(9, 90, 80))
    assert (average(PICTURE + noise).frame - PICTURE).std() == pytest.approx(1.0, rel=0.1)


def test_flicker_is_taken_off():
    gains = np.array([1.0, 0.98, 1.02, 0.97])[:, None, None]
    assert np.allclose(average(PICTURE * gains).frame, PICTURE, rtol=1e-4)


@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2))
@settings(deadline=None, max_examples=15)
def test_drift_is_the_mean_displacement(dx, dy):
    frames = np.stack([shift(PICTURE, (step * dy, step * dx), mode="nearest") for step in range(4)])
    assert np.allclose(average(frames).drift, [1.5 * dx, 1.5 * dy], atol=0.02)


def test_frames_without_texture_have_no_drift():
    assert not average(np.full((3, 40, 40), 80, np.uint8)).drift.any()
    assert not average(np.zeros((3, 40, 40), np.uint8)).frame.any()


def test_reach_is_a_sixth_of_the_onset_phase():
    assert neighbour_reach(100, 145) == NEIGHBOURS
    assert neighbour_reach(100, 112) == 2
    assert neighbour_reach(100, 105) == 0
    assert neighbour_reach(100, 90) == 0
    assert neighbour_steps(2) == [-1, 1, -2, 2]
