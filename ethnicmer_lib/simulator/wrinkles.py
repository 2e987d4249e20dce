"""Wrinkles: folds that Action Units draw in the skin, as relief in the canonical frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit

from ethnicmer_lib.simulator.anatomy import Sides, age, peak_displacement
from ethnicmer_lib.simulator.canvas import HEIGHT, LEFT, TEXELS, TOP, WIDTH

#: Texels of the relief: half as fine as the paint.
SCALE, ROWS, COLUMNS = TEXELS // 2, HEIGHT // 2, WIDTH // 2

#: Fold -> (width in dm, depth in dm at full relief, lines of the subject's left half as points (x, y) in dm).
#: Lines that start on the midline run across it.
FOLDS: dict[str, tuple[float, float, list[list[tuple[float, float]]]]] = {
    "forehead, inner": (
        0.013,
        0.0056,
        [
            [(0.00, 7.640), (0.12, 7.650), (0.24, 7.665)],
            [(0.00, 7.715), (0.13, 7.727), (0.27, 7.745)],
            [(0.00, 7.790), (0.12, 7.800), (0.24, 7.815)],
        ],
    ),
    "forehead, outer": (
        0.013,
        0.0048,
        [
            [(0.16, 7.655), (0.30, 7.670), (0.46, 7.640)],
            [(0.18, 7.735), (0.32, 7.750), (0.50, 7.715)],
            [(0.20, 7.810), (0.34, 7.820), (0.46, 7.795)],
        ],
    ),
    "between the brows": (
        0.012,
        0.0056,
        [
            [(0.050, 7.385), (0.058, 7.450), (0.072, 7.535)],
            [(0.095, 7.420), (0.105, 7.475), (0.112, 7.520)],
        ],
    ),
    "root of the nose": (
        0.011,
        0.0050,
        [
            [(0.00, 7.300), (0.05, 7.306), (0.09, 7.320)],
            [(0.00, 7.245), (0.05, 7.248), (0.08, 7.255)],
            [(0.060, 7.215), (0.095, 7.170), (0.110, 7.115)],
            [(0.085, 7.225), (0.120, 7.185), (0.135, 7.140)],
        ],
    ),
    "crow's feet": (
        0.010,
        0.0042,
        [
            [(0.475, 7.310), (0.525, 7.350), (0.575, 7.400)],
            [(0.485, 7.278), (0.545, 7.285), (0.600, 7.300)],
            [(0.480, 7.245), (0.535, 7.225), (0.590, 7.200)],
            [(0.230, 7.165), (0.330, 7.150), (0.440, 7.190)],
        ],
    ),
    "nasolabial fold": (
        0.024,
        0.0125,
        [
            [(0.150, 6.975), (0.205, 6.900), (0.268, 6.800), (0.310, 6.690), (0.325, 6.600)],
        ],
    ),
    "dimple": (
        0.022,
        0.0125,
        [
            [(0.290, 6.690), (0.320, 6.630), (0.305, 6.560)],
        ],
    ),
    "chin": (
        0.018,
        0.0060,
        [
            [(0.00, 6.385), (0.09, 6.380), (0.17, 6.350)],
            [(0.040, 6.300), (0.055, 6.260), (0.045, 6.225)],
            [(0.095, 6.310), (0.110, 6.270), (0.100, 6.235)],
            [(0.00, 6.260), (0.025, 6.245), (0.040, 6.215)],
        ],
    ),
    "corner of the mouth": (
        0.022,
        0.0075,
        [
            [(0.268, 6.600), (0.300, 6.530), (0.305, 6.440)],
        ],
    ),
    "beside the mouth": (
        0.022,
        0.0085,
        [
            [(0.330, 6.720), (0.365, 6.620), (0.355, 6.500)],
            [(0.390, 6.700), (0.425, 6.610), (0.415, 6.510)],
        ],
    ),
}

#: Action Unit -> {fold: relief where the unit moves the skin by ``REFERENCE``}.
DRAWN_BY: dict[int, dict[str, float]] = {
    1: {"forehead, inner": 1.0},
    2: {"forehead, outer": 1.0},
    4: {"between the brows": 1.0},
    6: {"crow's feet": 1.0},
    7: {"crow's feet": 0.3},
    9: {"root of the nose": 1.0, "nasolabial fold": 0.5},
    10: {"nasolabial fold": 0.7},
    12: {"nasolabial fold": 1.0, "crow's feet": 0.4},
    14: {"dimple": 1.0},
    15: {"corner of the mouth": 1.0},
    17: {"chin": 1.0},
    20: {"beside the mouth": 1.0, "corner of the mouth": 0.3},
}
REFERENCE = 0.036  #: dm, about 6 px of a cropped frame
_DEEPEST = 2.0  # a fold is in proportion to the movement up to this relief, and no deeper
_DARK = 0.25  # share of the light that the bottom of a fold at full relief loses


@dataclass(frozen=True)
class Wrinkles:
    """How a subject's skin folds.

    Attributes
    ----------
    heights : (folds, ROWS, COLUMNS) float32, dm at full relief, in the order of ``FOLDS``; valleys are negative
    valleys : the same shape, 0..1, how deep in a fold a texel lies
    rest : (folds,) float32, relief of the neutral face
    """

    heights: np.ndarray
    valleys: np.ndarray
    rest: np.ndarray


def fold_skin(seed: int) -> Wrinkles:
    """Draw a subject's folds: their course, depth and what age has left of them, from a random stream of their own."""
    rng = np.random.default_rng([seed, 6])
    years, frame = age(seed), (LEFT, TOP, float(SCALE))
    heights = np.zeros((len(FOLDS), ROWS, COLUMNS), np.float32)
    valleys = np.zeros_like(heights)
    for k, (width, depth, lines) in enumerate(FOLDS.values()):
        own = (1.0 + 0.8 * years) * np.exp(0.25 * rng.normal())
        shift = 0.008 * rng.normal(size=2)
        for line in lines:
            keep = rng.random() > 0.15 or len(lines) == 1
            relative = own * np.exp(0.2 * rng.normal()) * keep
            points = np.array(line) + shift
            middle = line[0][0] == 0
            if middle:
                points = np.concatenate([points[:0:-1] * [-1, 1], points])
            for side in (1,) if middle else (1, -1):
                course = _smooth(points * [side, 1] + 0.004 * rng.normal(size=points.shape))
                _carve(
                    heights[k],
                    valleys[k],
                    course,
                    frame,
                    width * np.exp(0.15 * rng.normal()),
                    relative,
                    depth,
                )
    rest = 0.5 * years**1.5 * np.exp(0.4 * rng.normal(size=len(FOLDS)))
    return Wrinkles(heights, valleys, rest.astype(np.float32))


def relief(wrinkles: Wrinkles, action_units: Mapping[int, Sides]) -> np.ndarray:
    """Slopes of the skin and loss of light under the given strengths, (ROWS, COLUMNS, 3) float32: dh/dx, dh/dy, 0..1.

    Each side folds in proportion to how far the Action Unit moves it, up to twice ``REFERENCE``.
    """
    order = list(FOLDS)
    amounts = np.repeat(wrinkles.rest[:, None], 2, 1).astype(np.float64)  # (folds, sides)
    for action_unit, sides in action_units.items():
        if action_unit in DRAWN_BY and any(sides):
            moved = np.maximum(sides, 0) * peak_displacement(action_unit) / REFERENCE
            for fold, share in DRAWN_BY[action_unit].items():
                amounts[order.index(fold)] += share * moved
    amounts = np.minimum(amounts, _DEEPEST)
    x = LEFT + np.arange(COLUMNS) / SCALE
    left = 0.5 * (1 + np.tanh(x / 0.05))  # as the Action Units are split at the midline
    shares = (amounts[:, :1] * left + amounts[:, 1:] * (1 - left)).astype(np.float32)
    return _combine(wrinkles.heights, wrinkles.valleys, shares, SCALE, _DARK)


def _smooth(points: np.ndarray) -> np.ndarray:
    """A smooth course through ``points`` (n, 2), (m, 2): corners cut three times (Chaikin)."""
    for _ in range(3):
        a, b = points[:-1], points[1:]
        inner = np.stack([0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b], 1).reshape(-1, 2)
        points = np.concatenate([points[:1], inner[1:-1], points[-1:]])
    return points


@njit(cache=True)
def _carve(height, valley, course, frame, width, relative, depth):
    """Carve a fold along ``course`` (n, 2) dm into ``height`` and ``valley``: a valley between two low ridges."""
    if relative == 0:
        return
    left, top, scale = frame
    rows, columns = height.shape
    reach, last = 5 * width, len(course) - 1
    low = max(int((top - course[:, 1].max() - reach) * scale), 0)
    high = min(int((top - course[:, 1].min() + reach) * scale) + 1, rows - 1)
    start = max(int((course[:, 0].min() - reach - left) * scale), 0)
    end = min(int((course[:, 0].max() + reach - left) * scale) + 1, columns - 1)
    for i in range(low, high + 1):
        for j in range(start, end + 1):
            x, y = left + j / scale, top - i / scale
            nearest, along = 1e9, 0.0
            for s in range(last):
                ax, ay = course[s]
                ux, uy = course[s + 1, 0] - ax, course[s + 1, 1] - ay
                t = min(max(((x - ax) * ux + (y - ay) * uy) / (ux * ux + uy * uy + 1e-12), 0.0), 1.0)
                squared = (x - ax - t * ux) ** 2 + (y - ay - t * uy) ** 2
                if squared < nearest:
                    nearest, along = squared, (s + t) / last
            taper = np.sin(np.pi * (0.06 + 0.88 * along)) * relative
            dip = np.exp(-nearest / (2 * width * width))
            ridge = np.exp(-nearest / (2 * (2 * width) ** 2))
            height[i, j] += depth * taper * (0.55 * ridge - dip)
            valley[i, j] += taper * dip


@njit(cache=True)
def _combine(heights, valleys, shares, scale, dark):
    folds, rows, columns = heights.shape
    height = np.zeros((rows, columns), np.float32)
    out = np.zeros((rows, columns, 3), np.float32)
    for k in range(folds):
        if shares[k].max() == 0:
            continue
        for i in range(rows):
            for j in range(columns):
                height[i, j] += shares[k, j] * heights[k, i, j]
                out[i, j, 2] += dark * shares[k, j] * valleys[k, i, j]
    for i in range(1, rows - 1):
        for j in range(1, columns - 1):
            out[i, j, 0] = (height[i, j + 1] - height[i, j - 1]) * scale / 2
            out[i, j, 1] = (height[i - 1, j] - height[i + 1, j]) * scale / 2
    return out
