"""Method micro: known motion under noise, flicker and blinks, and its place beside DeepFlow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from ethnicmer_lib.clips.table import Stack, neighbour_steps
from ethnicmer_lib.evidence.endpoint_error import flow_error
from ethnicmer_lib.motion.flow import optical_flow
from ethnicmer_lib.motion.micro.flow import micro_flow

Y, X = np.mgrid[:120, :100].astype(float)


def skin(seed: int) -> np.ndarray:
    """A picture with texture at several scales, float grey levels."""
    rng = np.random.default_rng(seed)
    picture = sum(
        weight * cv2.GaussianBlur(rng.normal(size=Y.shape), (0, 0), scale) * scale
        for scale, weight in ((1, 25), (3, 70), (12, 60))
    )
    return 128 + picture


def smile(peak: float) -> np.ndarray:
    """(H, W, 2) px: a smooth local movement up and outwards."""
    bump = np.exp(-((X - 60) ** 2 + (Y - 70) ** 2) / (2 * 14**2))
    return np.stack([0.6 * peak * bump, -0.8 * peak * bump], axis=2)


def moved(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The picture after a flow: its inverse by fixed-point iteration."""
    back = np.zeros_like(flow)
    for _ in range(20):
        places = [Y - back[..., 1], X - back[..., 0]]
        back = np.stack(
            [map_coordinates(flow[..., k], places, order=3, mode="nearest") for k in (0, 1)], axis=2
        )
    return map_coordinates(picture, [Y - back[..., 1], X - back[..., 0]], order=5, mode="reflect")


def pair(peak: float, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    flow, picture, rng = smile(peak), skin(seed), np.random.default_rng([seed, 1])
    frames = [frame + noise * rng.normal(size=frame.shape) for frame in (picture, moved(picture, flow))]
    return *(np.uint8(frame.clip(0, 255).round()) for frame in frames), flow


def error(flow: np.ndarray, true: np.ndarray) -> float:
    return float(np.hypot(*np.moveaxis(flow - true, 2, 0)).mean())


@pytest.mark.parametrize(("peak", "left"), [(0.3, 0.95), (1.0, 0.6), (3.0, 0.3)])
def test_a_local_movement_is_found_under_noise(peak, left):
    onset, apex, true = pair(peak, 2.0)
    found = optical_flow(onset, apex, "micro")
    assert found.dtype == np.float32
    assert error(found, true) < left * error(np.zeros_like(true), true)
    seen = np.ones(Y.shape, bool)
    deepflow = flow_error(optical_flow(onset, apex, "deepflow"), true, seen)
    assert flow_error(found, true, seen).strain_r > deepflow.strain_r


def test_strain_is_that_of_the_movement():
    onset, apex, true = pair(1.0, 2.0, seed=1)
    seen = np.ones(Y.shape, bool)
    assert flow_error(optical_flow(onset, apex, "micro"), true, seen).strain_r > 0.9


def test_neighbours_halve_the_error():
    _, _, true = pair(0.5, 0.0)
    picture, rng = skin(0), np.random.default_rng(8)
    stacks = [
        Stack(
            np.uint8((frame + 4 * rng.normal(size=(9, *frame.shape))).clip(0, 255).round()),
            (0, *neighbour_steps(4, 4)),
        )
        for frame in (picture, moved(picture, true))
    ]
    one = error(optical_flow(stacks[0].frames[0], stacks[1].frames[0], "micro"), true)
    assert error(optical_flow(*stacks, "micro"), true) < 0.6 * one


def test_light_may_change_by_a_factor_and_a_smooth_shadow():
    onset, apex, true = pair(1.0, 1.0, seed=2)
    steady = error(micro_flow(onset, apex), true)
    flickering = apex * 1.05 + 6 * np.sin(X / 40)
    assert error(micro_flow(onset, flickering), true) < 1.5 * steady + 0.01


def test_a_spot_that_appears_is_not_taken_for_motion():
    onset, apex, true = pair(1.0, 1.0, seed=3)
    steady = error(micro_flow(onset, apex), true)
    apex = apex.copy()
    apex[20:26, 20:28] = 255
    assert error(micro_flow(onset, apex), true) < 2 * steady + 0.02


@given(st.floats(-2, 2), st.floats(-2, 2))
@settings(deadline=None, max_examples=6)
def test_translation_is_exact_to_a_fiftieth_of_a_pixel(dx, dy):
    picture = skin(4)
    apex = map_coordinates(picture, [Y - dy, X - dx], order=5, mode="reflect")
    inner = micro_flow(picture, apex)[10:-10, 10:-10]
    assert np.abs(np.median(inner.reshape(-1, 2), axis=0) - [dx, dy]).max() < 0.02


def test_the_border_moves_with_the_frame():
    # A border mirrored for a filter moves against what it mirrors: the error there would be three times as large.
    wide = 128 + 120 * cv2.GaussianBlur(np.random.default_rng(10).normal(size=(160, 140)), (0, 0), 1.5)
    rows, columns = np.mgrid[:120, :100] + 20.0
    onset, apex = (map_coordinates(wide, [rows, columns - by], order=5) for by in (0.0, 1.0))
    off = np.abs(micro_flow(onset, apex) - [1, 0])
    assert np.mean([edge.mean() for edge in (off[:4], off[-4:], off[:, :4], off[:, -4:])]) < 0.008


def test_noise_that_is_known_around_every_pixel_is_used():
    onset, apex, true = pair(1.0, 0.0, seed=7)
    rng = np.random.default_rng(10)
    sizes = np.where(X < 50, 8.0, 0.5)
    first, second = (frame + sizes * rng.normal(size=frame.shape) for frame in (onset, apex))
    alike = micro_flow(first, second, np.full(X.shape, 2 * np.mean(sizes**2)))
    known = micro_flow(first, second, 2 * sizes**2)
    assert error(known, true) < 0.8 * error(alike, true)


def test_places_are_not_rounded():
    # cv2.remap rounds to 1/32 px: a drift of a hundredth of a pixel would be lost in it.
    picture = skin(5)
    apex = map_coordinates(picture, [Y, X - 0.01], order=5, mode="reflect")
    assert np.median(micro_flow(picture, apex)[20:-20, 20:-20, 0]) == pytest.approx(0.01, abs=0.002)


def test_a_transposed_clip_has_the_transposed_flow():
    onset, apex, _ = pair(1.0, 2.0, seed=6)
    flow = micro_flow(onset, apex)
    turned = micro_flow(onset.T, apex.T)
    assert np.allclose(turned, flow.transpose(1, 0, 2)[..., ::-1], atol=1e-6)


def test_nothing_to_see_is_no_motion():
    assert not micro_flow(np.full((40, 50), 7, np.uint8), np.full((40, 50), 9, np.uint8)).any()
    onset, *_ = pair(1.0, 2.0)
    assert np.abs(micro_flow(onset, onset)).max() < 1e-6


def test_golden_pairs_are_nearer_to_the_truth_than_deepflow(shared):
    found = sorted((shared / "golden" / "flow").glob("*.npz"))
    if not found:
        pytest.skip(f"no synthetic flow pairs (*.npz) in {shared / 'golden' / 'flow'}")
    for path in found:
        with np.load(path) as stored:
            frames = [np.uint8(np.clip(np.rint(stored[name]), 0, 255)) for name in ("frame1", "frame2")]
            true = stored["flow_true"]
        seen = np.ones(true.shape[:2], bool)
        ours, deepflow = (
            flow_error(optical_flow(*frames, name), true, seen) for name in ("micro", "deepflow")
        )
        assert ours.error_px < 0.85 * deepflow.error_px, path.name
        assert ours.strain_r > deepflow.strain_r + 0.2, path.name
