"""Medians of a flow field: everywhere, and weighted by likeness near motion boundaries."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from scipy import ndimage

REACH = 7  #: px: the weighted window is 15 x 15
SIGMA_SPACE = 7.0  #: px
SIGMA_INTENSITY = 7.0  #: grey levels
SIGMA_DIVERGENCE = 0.3  #: px per px
SIGMA_RESIDUAL = 20.0  #: grey levels of the texture

_CUTS, _FEW = 24, 4  # the range of values is cut until few are left in it, at most so often
_HARDLY = 1e-20  # the least visibility: a window without any weight would have no median
_LOWEST = np.float32(-1e30)  # px: less than any flow


def filtered(
    u: np.ndarray, v: np.ndarray, intensity: np.ndarray, residual: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The flow after the non-local term of Classic+NL-fast.

    Everywhere the median of 5 x 5 px; near motion boundaries the median of 15 x 15 px of the unfiltered flow,
    weighted by nearness, by likeness in ``intensity`` and by visibility (Sun et al. 2010, section 4).

    Parameters
    ----------
    u, v : (H, W) float64, px.
    intensity : (H, W) float64, the first frame in grey levels.
    residual : (H, W) float64, what the flow leaves of the difference of the frames, grey levels.
    """
    near = boundaries(u) | boundaries(v)
    near = cv2.dilate(near.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0).astype(bool)
    visible = visibility(u, v, residual)
    out_u, out_v = median(u), median(v)
    if near.any():
        places = np.ascontiguousarray(np.argwhere(near))
        planes = (_padded(plane, REACH, REACH + 1) for plane in (u, v, intensity, visible))
        found = weighted_medians(*planes, places)
        out_u[near], out_v[near] = found.T
    return out_u, out_v


def median(values: np.ndarray) -> np.ndarray:
    """Median of 5 x 5 px, mirrored at the borders; (H, W) of float64, exact in float32."""
    return cv2.medianBlur(_padded(values, 2, 2), 5)[2:-2, 2:-2].astype(np.float64)


def _padded(values: np.ndarray, before: int, after: int) -> np.ndarray:
    """float32 with a mirror image of ``before`` px above and to the left, ``after`` px below and to the right."""
    return cv2.copyMakeBorder(values.astype(np.float32), before, after, before, after, cv2.BORDER_REFLECT)


def visibility(u: np.ndarray, v: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """How sure a pixel of the first frame is seen in the second, 0 to 1.

    Where the flow converges, or the frames differ along it, it may be hidden (Sand and Teller 2008).
    """
    divergence = np.minimum(0, np.gradient(u, axis=1) + np.gradient(v, axis=0))
    visible = np.exp(-((divergence / SIGMA_DIVERGENCE) ** 2) / 2 - (residual / SIGMA_RESIDUAL) ** 2 / 2)
    return np.maximum(visible, _HARDLY)


def boundaries(values: np.ndarray) -> np.ndarray:
    """(H, W) bool: Sobel edges of a flow component, thinned to ridges.

    An edge has a squared slope of more than 4 times the mean of the image, and is largest among its neighbours
    along the axis that the flow changes most along.  Beyond the border there is no slope.
    """
    x = ndimage.sobel(values, 1, mode="nearest")
    y = ndimage.sobel(values, 0, mode="nearest")
    strength = x * x + y * y
    around = np.pad(strength, 1)
    across = (around[1:-1, :-2] <= strength) & (strength > around[1:-1, 2:])
    down = (around[:-2, 1:-1] <= strength) & (strength > around[2:, 1:-1])
    steep = np.abs(x) >= np.abs(y)
    return (strength > 4 * strength.mean()) & np.where(steep, across, down)


@njit(cache=True, nogil=True, fastmath=True)
def weighted_medians(u, v, intensity, visible, places):
    """Weighted medians of u and v around n ``places``.

    Parameters
    ----------
    u, v, intensity, visible : (H + 2 REACH + 1, W + 2 REACH + 1) float32, padded by REACH before and one more behind.
    places : (n, 2) int, row and column without padding.

    Returns
    -------
    (n, 2) float32, px.
    """
    # Windows are 15 rows of 16: the last column counts nothing, and rows of 16 fill vector registers.
    side = 2 * REACH + 1
    size = side * (side + 1)
    space = np.zeros(size, np.float32)
    for a in range(side):
        for b in range(side):
            space[a * (side + 1) + b] = np.exp(-((a - REACH) ** 2 + (b - REACH) ** 2) / (2 * SIGMA_SPACE**2))
    weights, values = np.empty(size, np.float32), np.empty(size, np.float32)
    scale = np.float32(1 / (2 * SIGMA_INTENSITY**2))
    out = np.empty((places.shape[0], 2), np.float32)
    for p in range(places.shape[0]):
        row, column = places[p]
        centre = intensity[row + REACH, column + REACH]
        _window(intensity, row, column, values)
        _window(visible, row, column, weights)
        for q in range(size):
            d = values[q] - centre
            weights[q] *= space[q] * _decay(scale * d * d)
        _window(u, row, column, values)
        out[p, 0] = weighted_median(values, weights)
        _window(v, row, column, values)
        out[p, 1] = weighted_median(values, weights)
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _window(plane, row, column, out):
    for a in range(2 * REACH + 1):
        source = plane[row + a, column : column + 2 * REACH + 2]
        target = out[a * (2 * REACH + 2) : (a + 1) * (2 * REACH + 2)]
        for b in range(2 * REACH + 2):
            target[b] = source[b]


@njit(cache=True, nogil=True, fastmath=True)
def _decay(x):
    """exp(-x) for float32 x >= 0 to 2e-5, never under exp(-24); unlike np.exp the compiler can vectorise it."""
    z = np.float32(0.375) - min(x, np.float32(24)) * np.float32(1 / 32)
    y = np.float32(1 / 120) + z * np.float32(1 / 720)
    y = np.float32(1 / 24) + z * y
    y = np.float32(1 / 6) + z * y
    y = np.float32(1 / 2) + z * y
    y = np.float32(1) + z * y
    y = (np.float32(1) + z * y) * np.float32(0.6872892787909722)  # exp(-0.375)
    y *= y
    y *= y
    y *= y
    y *= y
    return y * y


@njit(cache=True, nogil=True, fastmath=True)
def weighted_median(values, weights):
    """The smallest of n float32 ``values`` such that the values up to it hold at least half of the ``weights``.

    The range of values is cut until few are left, which are then gone through in order: no sorting, only sums and
    minima over all values, which the compiler vectorises.
    """
    nothing, one = np.float32(0), np.float32(1)
    low, high, total = values[0], values[0], nothing
    for q in range(values.size):
        low, high = min(low, values[q]), max(high, values[q])
        total += weights[q]
    goal = total * np.float32(0.5)
    start = _LOWEST  # all values up to it are too small
    below, above = nothing, total  # weight up to low, up to high
    held_low, held_high = nothing, np.float32(values.size)
    for step in range(_CUTS):
        if held_high - held_low <= _FEW:
            break
        share = np.float32(0.5)
        if step % 2 == 0:  # where the median would be if the weight were spread evenly
            share = min(max((goal - below) / (above - below), np.float32(0.05)), np.float32(0.95))
        middle = low + share * (high - low)
        left, count = nothing, nothing
        for q in range(values.size):
            left += weights[q] if values[q] <= middle else nothing
            count += one if values[q] <= middle else nothing
        if left >= goal:
            high, above, held_high = middle, left, count
        else:
            low, start, below, held_low = middle, middle, left, count
    while True:
        found = -_LOWEST
        for q in range(values.size):
            found = min(found, values[q] if values[q] > start else -_LOWEST)
        if found > high:  # the sums here are rounded otherwise than those above
            return start
        left = nothing
        for q in range(values.size):
            left += weights[q] if values[q] <= found else nothing
        if left >= goal:
            return found
        start = found
