"""Derivatives of frames, and the apex frame seen through a flow, by bicubic interpolation."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit

#: Central difference of fourth order, per px.
DERIVATIVE = np.array([1, -8, 0, 8, -1]) / 12


def derivative(image: np.ndarray, axis: int) -> np.ndarray:
    """d image / d x (``axis=1``) or d y (``axis=0``) of an (H, W) float64 image, mirrored at its borders."""
    one = np.ones(1)
    x, y = (DERIVATIVE, one) if axis == 1 else (one, DERIVATIVE)
    return cv2.sepFilter2D(image, cv2.CV_64F, x, y, borderType=cv2.BORDER_REFLECT)


def surface(image: np.ndarray) -> np.ndarray:
    """(4, H, W): an image with its derivatives along x, y and both, all that :func:`differences` needs of it."""
    along_x = derivative(image, 1)
    return np.stack([image, along_x, derivative(image, 0), derivative(along_x, 0)])


@njit(cache=True, nogil=True, fastmath=True)
def differences(first, second, u, v):
    """What the flow (u, v) leaves to explain, linearised.

    Parameters
    ----------
    first, second : (4, H, W) float64, surfaces of the two frames.
    u, v : (H, W) float64, px.

    Returns
    -------
    (3, H, W) float64: I_x, I_y (means over the first and the warped second frame, grey levels per px) and I_t
    (second minus first, grey levels); all 0 where the flow leaves the frame or ends on its last row or column.
    """
    height, width = u.shape
    out = np.zeros((3, height, width))
    for i in range(height):
        for j in range(width):
            x, y = j + u[i, j], i + v[i, j]
            if not (0 <= x < width - 1 and 0 <= y < height - 1):
                continue
            left, top = int(x), int(y)
            s, t = x - left, y - top
            # Hermite basis and its slopes: value at 0 and 1, slope at 0 and 1.
            a0, a1 = (1 + 2 * s) * (1 - s) ** 2, s * s * (3 - 2 * s)
            a2, a3 = s * (1 - s) ** 2, s * s * (s - 1)
            d1 = 6 * s * (1 - s)
            d2, d3 = (1 - s) * (1 - 3 * s), s * (3 * s - 2)
            b0, b1 = (1 + 2 * t) * (1 - t) ** 2, t * t * (3 - 2 * t)
            b2, b3 = t * (1 - t) ** 2, t * t * (t - 1)
            e1 = 6 * t * (1 - t)
            e2, e3 = (1 - t) * (1 - 3 * t), t * (3 * t - 2)
            # Along x at the upper and the lower row: value, slope in x, slope in y, mixed slope.
            f0, g0, h0, k0 = _row(second, top, left, a0, a1, a2, a3, d1, d2, d3)
            f1, g1, h1, k1 = _row(second, top + 1, left, a0, a1, a2, a3, d1, d2, d3)
            value = b0 * f0 + b1 * f1 + b2 * h0 + b3 * h1
            along_x = b0 * g0 + b1 * g1 + b2 * k0 + b3 * k1
            along_y = e1 * (f1 - f0) + e2 * h0 + e3 * h1
            out[0, i, j] = 0.5 * (along_x + first[1, i, j])
            out[1, i, j] = 0.5 * (along_y + first[2, i, j])
            out[2, i, j] = value - first[0, i, j]
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _row(z, i, j, a0, a1, a2, a3, d1, d2, d3):
    """Value, x slope, y slope and mixed slope between columns j and j + 1 of row i."""
    value = a0 * z[0, i, j] + a1 * z[0, i, j + 1] + a2 * z[1, i, j] + a3 * z[1, i, j + 1]
    slope = d1 * (z[0, i, j + 1] - z[0, i, j]) + d2 * z[1, i, j] + d3 * z[1, i, j + 1]
    across = a0 * z[2, i, j] + a1 * z[2, i, j + 1] + a2 * z[3, i, j] + a3 * z[3, i, j + 1]
    mixed = d1 * (z[2, i, j + 1] - z[2, i, j]) + d2 * z[3, i, j] + d3 * z[3, i, j + 1]
    return value, slope, across, mixed


def widened(image: np.ndarray) -> np.ndarray:
    """(H + 2, W + 2): an image continued by one pixel as the parabola through its last three."""
    for _ in range(2):  # along y, then, turned, along x
        first, last = 3 * image[0] - 3 * image[1] + image[2], 3 * image[-1] - 3 * image[-2] + image[-3]
        image = np.concatenate([first[None], image, last[None]]).T
    return np.ascontiguousarray(image)


@njit(cache=True, nogil=True, fastmath=True)
def remainder(first, second, u, v):
    """Second minus first frame along the flow, by the cubic convolution of Keys (1981).

    The visibility of Classic+NL-fast is measured with this common interpolation, not with that of
    :func:`differences`, whose slopes reach further.

    Parameters
    ----------
    first : (H, W) float64.
    second : (H + 2, W + 2) float64, ``widened``.
    u, v : (H, W) float64, px.

    Returns
    -------
    (H, W) float64, grey levels; 0 where the flow leaves the frame.
    """
    height, width = u.shape
    out = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            x, y = j + u[i, j], i + v[i, j]
            if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
                continue
            left, top = min(int(x), width - 2), min(int(y), height - 2)
            s, t = x - left, y - top
            a0, a1, a2, a3 = _keys(s)
            total = 0.0
            for row, b in enumerate(_keys(t)):
                z = second[top + row]
                total += b * (a0 * z[left] + a1 * z[left + 1] + a2 * z[left + 2] + a3 * z[left + 3])
            out[i, j] = total - first[i, j]
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _keys(s):
    """Weights of the pixels at -1, 0, 1, 2 for a place s between 0 and 1."""
    return (
        ((2 - s) * s - 1) * s / 2,
        ((3 * s - 5) * s * s + 2) / 2,
        ((4 - 3 * s) * s + 1) * s / 2,
        (s - 1) * s * s / 2,
    )
