"""Spline fields: what they reproduce, their energies against sums by hand, and the band against a full matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solveh_banded

from ethnicmer_lib.motion.micro.spline import REACH, axis, band, bending, couple, field, membrane

Y, X = axis(33, 8), axis(41, 6)


def fitted(values: np.ndarray, y=Y, x=X) -> np.ndarray:
    """Coefficients (my, mx) whose field is nearest to ``values``."""
    return np.linalg.pinv(y.pixels) @ values @ np.linalg.pinv(x.pixels).T


def full(couplings, my: int, mx: int) -> np.ndarray:
    """The couplings of one component as a full symmetric matrix."""
    matrix = np.zeros((my, mx, my, mx))
    for dy in range(-REACH, REACH + 1):
        for dx in range(-REACH, REACH + 1):
            values = couplings[abs(dy)][abs(dx)]
            for i in range(values.shape[0]):
                for j in range(values.shape[1]):
                    a, b = (i + max(0, -dy), j + max(0, -dx)), (i + max(0, dy), j + max(0, dx))
                    matrix[(*a, *b)] = values[i, j]
    return matrix.reshape(my * mx, my * mx)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_cubic_is_reproduced_with_its_derivatives(order):
    x = np.arange(41.0)
    polynomial = np.polynomial.Polynomial([1.0, -0.2, 0.03, -0.0004])
    coefficients = np.linalg.lstsq(X.pixels, polynomial(x), rcond=None)[0]
    derived = polynomial.deriv(order) if order else polynomial
    assert np.allclose(X.basis(x, order) @ coefficients, derived(x), atol=1e-9)


def test_the_basis_sums_to_one_everywhere():
    places = np.linspace(0, 40, 97)
    assert np.allclose(X.basis(places).sum(axis=1), 1)
    assert np.allclose(X.basis(places, 1).sum(axis=1), 0)


@given(st.integers(0, 2**31), st.integers(9, 40), st.sampled_from([4, 6, 16]))
@settings(deadline=None, max_examples=15)
def test_couplings_give_the_weighted_sum_of_squares(seed, size, spacing):
    rng = np.random.default_rng(seed)
    y, x = axis(size, spacing), axis(11, spacing)
    weights, coefficients = rng.random((size, 11)), rng.normal(size=(y.count, x.count))
    matrix = full(couple(weights, y.pairs, x.pairs), y.count, x.count)
    direct = (weights * (y.pixels @ coefficients @ x.pixels.T) ** 2).sum()
    assert coefficients.ravel() @ matrix @ coefficients.ravel() == pytest.approx(direct, rel=1e-9)


def test_energies_are_those_of_the_continuous_field():
    rows, columns = np.mgrid[:33, :41].astype(float)
    area = Y.cells * Y.spacing * X.cells * X.spacing
    ones = np.ones((len(Y.places), len(X.places)))
    cases = [
        (0.3 * columns - 0.1 * rows + 2, 0.1 * area, 0.0),
        (0.01 * columns**2, None, 0.02**2 * area),
        (0.01 * columns * rows, None, 2 * 0.01**2 * area),
    ]
    for values, slope, bend in cases:
        flat = fitted(values).ravel()
        assert flat @ full(bending(ones, Y, X), Y.count, X.count) @ flat == pytest.approx(bend, abs=1e-9)
        if slope is not None:
            assert flat @ full(membrane(ones, Y, X), Y.count, X.count) @ flat == pytest.approx(slope)


@pytest.mark.parametrize(("height", "width"), [(33, 21), (9, 9)])
def test_the_band_is_the_full_matrix(height, width):
    rng = np.random.default_rng(height)
    y, x = axis(height, 6), axis(width, 6)
    gx, gy = rng.normal(size=(2, height, width))
    parts = [couple(part, y.pairs, x.pairs) for part in (gx * gx, gx * gy, gy * gy)]
    matrix = band(*parts, y.count, x.count)
    matrix[0] += 1.0
    uu, uv, vv = (full(part, y.count, x.count) for part in parts)
    n = len(uu)
    dense = np.zeros((2 * n, 2 * n))
    dense[::2, ::2], dense[::2, 1::2], dense[1::2, ::2], dense[1::2, 1::2] = uu, uv, uv.T, vv
    right = rng.normal(size=2 * n)
    assert np.allclose(
        solveh_banded(matrix, right, lower=True), np.linalg.solve(dense + np.eye(2 * n), right), atol=1e-8
    )


def test_a_field_has_both_components():
    coefficients = np.random.default_rng(3).normal(size=(Y.count, X.count, 2))
    values = field(Y.pixels, coefficients, X.pixels)
    assert values.shape == (33, 41, 2)
    assert np.allclose(values[..., 1], Y.pixels @ coefficients[..., 1] @ X.pixels.T)
