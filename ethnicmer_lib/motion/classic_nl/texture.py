"""The texture of a pair of frames: what is left when most of its piecewise smooth structure is taken away."""

from __future__ import annotations

import numpy as np
from numba import njit

THETA = 1 / 8  #: strength of the structure's smoothing
STEP = 1 / (4 * THETA)  #: step of the dual ascent
ITERATIONS = 100
SHARE = 0.95  #: how much of the structure is taken away


def texture(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both frames without 95 % of their structure, on one common scale of 0 to 255.

    Light and shade move little of the texture, hence flow on texture withstands them (Wedel et al. 2009).  The
    structure is the total variation model of Rudin, Osher and Fatemi (1992), solved by Chambolle's dual
    projections (2004).

    Parameters
    ----------
    first, second : (H, W) gray.

    Returns
    -------
    Two (H, W) float64.  A pair without any contrast gives zeros.
    """
    pair = np.stack([first, second]).astype(np.float64)
    if np.ptp(pair) == 0:
        return np.zeros_like(pair[0]), np.zeros_like(pair[1])
    pair = rescale(pair, -1, 1)
    pair -= SHARE * np.stack([structure(frame) for frame in pair])
    first, second = rescale(pair, 0, 255)
    return first, second


def rescale(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """``values`` moved and stretched to span ``low`` to ``high``."""
    least, span = values.min(), np.ptp(values)
    return low + (high - low) * (values - least) / span


def structure(image: np.ndarray) -> np.ndarray:
    """The smooth part of an (H, W) float64 image in [-1, 1]: 100 dual projections from zero."""
    p = np.zeros((2, *image.shape))
    smooth = np.empty_like(image)
    for _ in range(ITERATIONS):
        _primal(image, p, smooth)
        _dual(smooth, p)
    _primal(image, p, smooth)
    return smooth


@njit(cache=True, nogil=True, fastmath=True)
def _primal(image, p, smooth):
    """smooth = image + theta div p; beyond the border p is 0."""
    height, width = image.shape
    for i in range(height):
        for j in range(width):
            smooth[i, j] = image[i, j] + THETA * (p[0, i, j] + p[1, i, j])
        for j in range(1, width):
            smooth[i, j] -= THETA * p[0, i, j - 1]
        if i > 0:
            for j in range(width):
                smooth[i, j] -= THETA * p[1, i - 1, j]


@njit(cache=True, nogil=True, fastmath=True)
def _dual(smooth, p):
    """One ascent step along the gradient of ``smooth`` and back into the unit disc; no gradient across the border."""
    height, width = smooth.shape
    for i in range(height):
        below = min(i + 1, height - 1)
        for j in range(width):
            right = min(j + 1, width - 1)
            a = p[0, i, j] + STEP * (smooth[i, right] - smooth[i, j])
            b = p[1, i, j] + STEP * (smooth[below, j] - smooth[i, j])
            shrink = 1 / max(1.0, np.sqrt(a * a + b * b))
            p[0, i, j] = a * shrink
            p[1, i, j] = b * shrink
