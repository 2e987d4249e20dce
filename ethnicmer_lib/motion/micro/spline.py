"""Vector fields from cubic B-splines on a coarse grid: their basis, their energies, and the band matrix of both.

A field of two components is u(x, y) = sum_ij c_ij B_i(y) B_j(x), with control points every few pixels
(free-form deformation; Szeliski and Coughlan 1997, Rueckert et al. 1999).  Any energy that is quadratic in the
field and weighted pixel by pixel couples control points at most three apart, so that its matrix is a narrow band
and is solved exactly, without iterations.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

REACH = 3  #: control points further apart than this do not meet in any pixel
_PER_CELL = 2  # points a cell and axis at which the energies of the prior are summed

#: (order -> weights of the four control points around a place, as polynomials of its share t of the cell)
_WEIGHTS = (
    lambda t: ((1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (1 + 3 * t * (1 + t - t**2)) / 6, t**3 / 6),
    lambda t: (-((1 - t) ** 2) / 2, (3 * t**2 - 4 * t) / 2, (1 + 2 * t - 3 * t**2) / 2, t**2 / 2),
    lambda t: (1 - t, 3 * t - 2, 1 - 3 * t, t),
)

#: Weights of the control points between two neighbours, shape (my - dy, mx - dx) for every (dy, dx).
Couplings = list[list[np.ndarray]]


class Axis:
    """One axis of the grid.

    Attributes
    ----------
    size : px along the axis
    spacing : px between control points
    count : control points
    pixels : (size, count) float64, the basis at every pixel
    pairs : REACH + 1 arrays (size, count - d): products of control points d apart, at every pixel
    places : (cells * 2,) where the energies of the prior are summed, px
    energies : [order of the derivative 0, 1, 2][d]: as ``pairs``, at ``places``, times the length of one place
    """

    def __init__(self, size: int, spacing: float):
        self.size, self.spacing = size, spacing
        self.cells = max(1, int(np.ceil((size - 1) / spacing)))
        self.count = self.cells + 3
        self.pixels = self.basis(np.arange(size))
        self.pairs = self._products(self.pixels)
        step = spacing / _PER_CELL
        self.places = (np.arange(self.cells * _PER_CELL) + 0.5) * step
        self.energies = [
            [step * product for product in self._products(self.basis(self.places, order))]
            for order in range(3)
        ]

    def basis(self, x: np.ndarray, order: int = 0) -> np.ndarray:
        """(len(x), count) float64: the basis or its first or second derivative at places x, px."""
        cell = np.clip((np.asarray(x) / self.spacing).astype(int), 0, self.cells - 1)
        values = np.zeros((len(cell), self.count))
        for k, weight in enumerate(_WEIGHTS[order](x / self.spacing - cell)):
            values[np.arange(len(cell)), cell + k] = weight / self.spacing**order
        return values

    def _products(self, basis: np.ndarray) -> list[np.ndarray]:
        return [basis[:, : self.count - d] * basis[:, d:] for d in range(REACH + 1)]


@lru_cache(maxsize=32)
def axis(size: int, spacing: float) -> Axis:
    """The axis of a size and spacing, made once."""
    return Axis(size, spacing)


def field(rows: np.ndarray, coefficients: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(h, w, 2) values of the field of ``coefficients`` (my, mx, 2) in the bases of rows (h, my), columns (w, mx)."""
    return np.stack([rows @ coefficients[..., k] @ columns.T for k in (0, 1)], axis=2)


def couple(weights: np.ndarray, rows: Sequence[np.ndarray], columns: Sequence[np.ndarray]) -> Couplings:
    """Couplings of the sum of weights * field², weights (h, w); products as in ``Axis.pairs`` or ``energies``."""
    across = [weights @ columns[dx] for dx in range(REACH + 1)]
    return [[rows[dy].T @ across[dx] for dx in range(REACH + 1)] for dy in range(REACH + 1)]


def bending(weights: np.ndarray, y: Axis, x: Axis) -> Couplings:
    """Couplings of the bending energy, sum of weights * (f_xx² + 2 f_xy² + f_yy²), weights at ``places``."""
    terms = [(1, 0, 2), (2, 1, 1), (1, 2, 0)]
    parts = [couple(factor * weights, y.energies[a], x.energies[b]) for factor, a, b in terms]
    return _sum(parts)


def membrane(weights: np.ndarray, y: Axis, x: Axis) -> Couplings:
    """Couplings of the membrane energy, sum of weights * (f_x² + f_y²), weights at ``places``."""
    return _sum([couple(weights, y.energies[a], x.energies[b]) for a, b in ((0, 1), (1, 0))])


def _sum(parts: Sequence[Couplings]) -> Couplings:
    each = range(REACH + 1)
    return [[sum(part[dy][dx] for part in parts) for dx in each] for dy in each]


def band(uu: Couplings, uv: Couplings, vv: Couplings, my: int, mx: int) -> np.ndarray:
    """Lower band of the symmetric matrix of a two-component energy, as ``scipy.linalg.solveh_banded`` takes it.

    Unknowns are ordered as (my, mx, 2); ``uu``, ``uv``, ``vv`` couple the components of control points.
    """
    width = 2 * (REACH * mx + REACH) + 1
    matrix = np.zeros((width + 1, 2 * my * mx))
    at = matrix.reshape(width + 1, my, mx, 2)
    for dy in range(REACH + 1):
        for dx in range(-REACH, REACH + 1):
            if (dy, dx) < (0, 0) or max(dy - my, abs(dx) - mx) >= 0:
                continue
            rows, columns = slice(0, my - dy), slice(max(0, -dx), mx - max(0, dx))
            below = 2 * (dy * mx + dx)
            at[below, rows, columns, 0] += uu[dy][abs(dx)]
            at[below, rows, columns, 1] += vv[dy][abs(dx)]
            at[below + 1, rows, columns, 0] += uv[dy][abs(dx)]
            if below:
                at[below - 1, rows, columns, 1] += uv[dy][abs(dx)]
    return matrix
