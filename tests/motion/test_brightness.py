"""The brightness equation: noise, filter, gradients, and what a flow leaves unexplained."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from ethnicmer_lib.motion.micro.brightness import (
    equation,
    filtered,
    gradient,
    noise_variance,
    passed,
    variances,
)

Y, X = np.mgrid[:120, :100].astype(float)
RNG = np.random.default_rng(7)
SKIN = 128 + 50 * cv2.GaussianBlur(RNG.normal(size=Y.shape), (0, 0), 2)


def shift(dx: float) -> np.ndarray:
    """(H, W, 2) px: everything moves to the right."""
    return np.full((*Y.shape, 2), (dx, 0.0))


@pytest.mark.parametrize("noise", [0.5, 2.0, 5.0])
def test_the_level_of_noise_is_estimated(noise):
    frame = SKIN + noise * np.random.default_rng(1).normal(size=Y.shape)
    assert np.sqrt(noise_variance(frame)) == pytest.approx(noise, rel=0.15)


@pytest.mark.parametrize("smoothing", [0.0, 1.0, 3.0])
def test_the_variance_that_the_filter_passes_is_known(smoothing):
    noise = np.random.default_rng(2).normal(size=(400, 400))
    assert filtered(noise, smoothing).var() == pytest.approx(passed(smoothing), rel=0.1)


def test_slow_light_is_filtered_out():
    assert np.abs(filtered(100 + 0.3 * X + 0.2 * Y, 0.0)[30:-30, 30:-30]).max() < 1e-3


def test_gradients_are_those_of_a_ramp():
    gx, gy = gradient(np.float32(0.5 * X - 2 * Y))
    assert np.allclose(gx[:, 2:-2], 0.5, atol=1e-4)
    assert np.allclose(gy[2:-2], -2, atol=1e-4)


def test_an_edge_is_less_certain_than_skin():
    assert variances(1.0, np.float32(50), np.float32(0)) > 5 * variances(1.0, np.float32(1), np.float32(0))


def test_the_true_flow_leaves_nothing_and_a_wrong_one_what_the_gradient_says():
    apex = map_coordinates(SKIN, [Y, X - 0.4], order=5, mode="nearest")
    first, second = (filtered(frame, 1.0) for frame in (SKIN, apex))
    inner = (slice(10, -10), slice(10, -10))
    right = equation(first, second, shift(0.4), 1.0)
    wrong = equation(first, second, shift(0), 1.0)
    assert np.abs(right.rest[inner]).max() < 0.05 * np.abs(wrong.rest[inner]).max()
    predicted = (wrong.gx * 0.4)[inner]
    assert np.corrcoef(-wrong.rest[inner].ravel(), predicted.ravel())[0, 1] > 0.99


def test_what_leaves_the_frame_has_no_weight_and_what_fits_badly_little():
    first = filtered(SKIN, 0.0)
    out = equation(first, first, shift(5.0), 1.0)
    assert not out.weights[:, -5:].any()
    assert (out.weights[2:-2, 2:-6] > 0).all()
    assert not out.weights[:2].any()
    assert not out.weights[:, :2].any()
    spot = first.copy()
    spot[60:64, 50:54] += 80
    weights = equation(first, spot, shift(0), 1.0).weights
    assert weights[60:64, 50:54].max() < 0.2 * np.median(weights)
