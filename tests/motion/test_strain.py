"""Optical strain of motions whose strain is known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.strain import optical_strain

Y, X = np.mgrid[:30, :40].astype(np.float64)
SLOPE = st.floats(-0.2, 0.2)


def affine(a: float, b: float, c: float, d: float, tx: float = 0.0, ty: float = 0.0) -> np.ndarray:
    return np.stack([tx + a * X + b * Y, ty + c * X + d * Y], axis=2)


@given(st.floats(-50, 50, width=32), st.floats(-50, 50, width=32))
@settings(deadline=None, max_examples=30)
def test_translation_is_exactly_zero_everywhere(tx, ty):
    flow = np.broadcast_to(np.float32([tx, ty]), (9, 12, 2))
    assert not optical_strain(flow).any()


@given(SLOPE, SLOPE, SLOPE, SLOPE, st.floats(-5, 5), st.floats(-5, 5))
@settings(deadline=None, max_examples=50)
def test_affine_motion_has_its_strain_at_every_pixel(a, b, c, d, tx, ty):
    expected = np.sqrt(a**2 + d**2 + (b + c) ** 2 / 2)
    strain = optical_strain(affine(a, b, c, d, tx, ty))
    assert strain.dtype == np.float32
    assert np.allclose(strain, expected, atol=1e-6)


@given(st.floats(-0.5, 0.5))
@settings(deadline=None, max_examples=20)
def test_rotation_is_zero(angle):
    assert optical_strain(affine(0, -angle, angle, 0)).max() < 1e-7


def test_stretch_and_shear():
    assert np.allclose(optical_strain(affine(0.1, 0, 0, 0)), 0.1, atol=1e-7)
    assert np.allclose(optical_strain(affine(0, 0, 0, -0.1)), 0.1, atol=1e-7)
    assert np.allclose(optical_strain(affine(0, 0.1, 0, 0)), 0.1 / np.sqrt(2), atol=1e-7)


def test_agrees_with_numpy_gradient_on_noise():
    flow = np.random.default_rng(0).normal(size=(17, 23, 2))
    uy, ux = np.gradient(flow[..., 0], edge_order=2)
    vy, vx = np.gradient(flow[..., 1], edge_order=2)
    expected = np.sqrt(ux**2 + vy**2 + (uy + vx) ** 2 / 2)
    assert np.allclose(optical_strain(flow), expected, rtol=1e-5)


def test_error_falls_with_the_square_of_the_step_borders_included():
    def error(n: int) -> float:
        h = 1 / n
        y, x = np.mgrid[: n + 1, : n + 1] * h
        u, v = np.sin(2 * x + y), np.cos(x - 2 * y)
        ux, uy = 2 * np.cos(2 * x + y), np.cos(2 * x + y)
        vx, vy = -np.sin(x - 2 * y), 2 * np.sin(x - 2 * y)
        truth = np.sqrt(ux**2 + vy**2 + (uy + vx) ** 2 / 2)
        # In units of the grid, displacement and position both shrink by h: strain has no unit.
        return np.abs(optical_strain(np.stack([u, v], axis=2) / h) - truth).max()

    orders = np.log2([error(16) / error(32), error(32) / error(64)])
    assert (orders > 1.7).all()


def test_released_strain_sees_a_rotation_and_no_stretch():
    turned = optical_strain(affine(0, -0.01, 0.01, 0), as_released=True)
    assert np.allclose(turned[1:-1, 1:-1], 0.01 * np.sqrt(2), atol=1e-7)
    assert np.allclose(optical_strain(affine(0.1, 0, 0, -0.1), as_released=True)[1:-1, 1:-1], 0, atol=1e-7)


def test_released_strain_draws_a_border_around_a_translation():
    moved = optical_strain(affine(0, 0, 0, 0, 1.0, 0.0), as_released=True)
    assert not moved[1:-1].any()
    assert np.allclose(moved[[0, -1]], 0.5)
    assert not optical_strain(affine(0, 0, 0, 0, 1.0, 0.0)).any()


@pytest.mark.parametrize("shape", [(10, 10), (10, 10, 3), (2, 10, 2)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(StudyError, match="strain needs"):
        optical_strain(np.zeros(shape))
