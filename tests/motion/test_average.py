"""Means of neighbouring frames: noise, flicker, drift and blinks, how far neighbours may reach, and the scale after."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates, shift

from ethnicmer_lib.clips.table import NEIGHBOURS, Stack, neighbour_steps
from ethnicmer_lib.motion.micro.average import Window, average, scaled, windows

PICTURE = 120 + 60 * gaussian_filter(np.random.default_rng(0).normal(size=(90, 80)), 3) / 0.09
INNER = (slice(8, -8), slice(8, -8))


def apart(frame: np.ndarray, other: np.ndarray = PICTURE) -> float:
    """Root of the mean squared difference inside, grey levels."""
    return float(np.sqrt(((frame - other)[INNER] ** 2).mean()))


def beside(frames: np.ndarray, *window: int) -> Stack:
    """Frames as a stack; without a window each follows the one before."""
    return Stack(frames, (0, *neighbour_steps(*window)) if window else tuple(range(len(frames))))


def moved(flow: np.ndarray) -> np.ndarray:
    """The picture after a small smooth flow."""
    y, x = np.mgrid[: PICTURE.shape[0], : PICTURE.shape[1]].astype(float)
    return map_coordinates(PICTURE, [y - flow[..., 1], x - flow[..., 0]], order=5, mode="nearest")


def test_one_frame_is_itself():
    found = average(beside(np.uint8(PICTURE)[None]))
    assert np.array_equal(found.frame, np.uint8(PICTURE))
    assert np.array_equal(found.near, np.uint8(PICTURE))


def test_noise_falls_with_the_root_of_the_number():
    noise = 3 * np.random.default_rng(1).normal(size=(17, 90, 80))
    for count in (9, 17):
        found = average(beside(PICTURE + noise[:count], count // 2, count // 2))
        assert (found.frame - PICTURE).std() == pytest.approx(3 / np.sqrt(count), rel=0.1)
        assert (found.near - PICTURE).std() == pytest.approx(3 / np.sqrt(3), rel=0.1)


def test_frames_tell_where_the_mean_is_noisy():
    sizes = np.where(np.arange(90)[:, None] < 45, 1.0, 4.0)
    noise = sizes * np.random.default_rng(3).normal(size=(17, 90, 80))
    found = average(beside(PICTURE + noise, 8, 8)).variance
    assert np.median(found[:35]) == pytest.approx(1 / 17, rel=0.2)
    assert np.median(found[55:]) == pytest.approx(16 / 17, rel=0.2)
    one = PICTURE + 3 * np.random.default_rng(4).normal(size=PICTURE.shape)
    alone = average(beside(one[None])).variance
    assert alone.shape == PICTURE.shape
    assert 9 * 0.7 < np.median(alone) < 2 * 9 * 1.3


def test_a_drift_that_turns_round_is_brought_back():
    steps = (0, *neighbour_steps(6, 6))
    frames = np.stack(
        [shift(PICTURE, (0.01 * t**2, 0.05 * t - 0.01 * t**2), order=5, mode="nearest") for t in steps]
    )
    assert apart(average(Stack(frames, steps)).frame) < 0.1 * apart(frames.mean(axis=0))


def test_flicker_is_taken_off():
    gains = np.array([1.0, 0.98, 1.02, 0.97])[:, None, None]
    assert np.allclose(average(beside(PICTURE * gains)).frame, PICTURE, rtol=1e-4)


@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2))
@settings(deadline=None, max_examples=15)
def test_a_head_that_drifts_is_brought_back(dx, dy):
    frames = np.stack([shift(PICTURE, (step * dy, step * dx), mode="nearest") for step in range(4)])
    drifted = apart(frames.mean(axis=0))
    found = average(beside(frames))
    assert apart(found.frame) < 0.2 * drifted + 0.5
    assert apart(found.near) < 0.2 * drifted + 0.5


def test_a_head_that_turns_is_brought_back_where_frames_are_many():
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in PICTURE.shape), indexing="ij")
    turn = np.stack([1 - x**2 - y**2, 0.3 * x], axis=2)
    frames = np.stack([moved(0.03 * step * turn) for step in (0, *neighbour_steps(2, 8))])
    assert apart(average(beside(frames, 2, 8)).frame) < 0.3 * apart(frames.mean(axis=0))


def test_lids_that_blink_in_far_frames_stay_where_they_are():
    rng = np.random.default_rng(2)
    frames = PICTURE + rng.normal(size=(9, 90, 80))
    frames[3:, 40:50, 32:46] += 15
    found = average(beside(frames, 4, 4)).frame
    assert np.abs((found - PICTURE)[42:48, 34:44]).mean() < 1.5
    assert (found - PICTURE)[:30].std() < 0.5


def test_frames_without_texture_are_their_mean():
    assert np.allclose(average(beside(np.full((9, 40, 40), 80, np.uint8))).frame, 80)
    assert not average(beside(np.zeros((3, 40, 40), np.uint8))).frame.any()


@pytest.mark.parametrize("shown", [0.8, 1.0])
def test_a_flow_is_scaled_to_what_two_frames_show(shown):
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in PICTURE.shape), indexing="ij")
    true = np.stack([np.exp(-4 * (x**2 + y**2)), -0.5 * np.exp(-3 * (x**2 + (y - 0.3) ** 2))], axis=2)
    frames = [np.float32(frame) for frame in (PICTURE, moved(true))]
    found = scaled(np.float32(shown * true), *frames)
    assert found.dtype == np.float32
    assert np.abs(found - true).max() < 0.03
    assert not scaled(np.zeros_like(true), *frames).any()


def test_neighbours_reach_over_a_third_of_a_phase():
    assert windows(100, 145, 190) == (Window(NEIGHBOURS, NEIGHBOURS), Window(NEIGHBOURS, NEIGHBOURS))
    assert windows(100, 112, 118) == (Window(NEIGHBOURS, 4), Window(4, 2))
    assert windows(100, 112, None) == (Window(NEIGHBOURS, 4), Window(4, 4))
    assert windows(100, 102, 102) == (Window(NEIGHBOURS, 0), Window(0, 0))
    assert windows(100, 90, 110) == (Window(0, 0), Window(0, 6))
    assert neighbour_steps(2, 2) == [-1, 1, -2, 2]
    assert neighbour_steps(3, 1) == [-1, 1, -2, -3]
    assert neighbour_steps(0, 0) == []
