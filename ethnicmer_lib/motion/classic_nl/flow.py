"""Classic+NL-fast, the optical flow of the paper (Sun, Roth, Black 2010), written anew from its publications."""

from __future__ import annotations

import math

import numpy as np

from ethnicmer_lib.motion.classic_nl.pyramid import pyramid, resize_flow
from ethnicmer_lib.motion.classic_nl.solver import increments
from ethnicmer_lib.motion.classic_nl.texture import texture
from ethnicmer_lib.motion.classic_nl.warp import differences, remainder, surface, widened
from ethnicmer_lib.motion.classic_nl.weighted_median import filtered

WARPS = 3  #: warping steps per pyramid level
LONGEST = 1.0  #: px: largest change of a component in one warping step
COARSEST = 16  #: px: least side of the coarsest level of the first stage
FAST_LEVELS, FAST_SPACING = 2, 1.25  #: pyramid of the second stage


def classic_nl_fast(onset: np.ndarray, apex: np.ndarray) -> np.ndarray:
    """Dense displacement from onset to apex.

    Two stages of graduated non-convexity: first with quadratic penalties over a full pyramid, then with robust
    ones (generalised Charbonnier) on two levels.

    Parameters
    ----------
    onset, apex : (H, W) gray, 0 to 255, uint8 or float, at least 32 px a side.

    Returns
    -------
    (H, W, 2) float32, px: u to the right, v downwards.
    """
    frames = texture(onset, apex)
    intensity = onset.astype(np.float64)
    full = 1 + int(math.log2(min(onset.shape) / COARSEST))
    u, v = np.zeros(onset.shape), np.zeros(onset.shape)
    for robust, levels, spacing in ((False, full, 2.0), (True, FAST_LEVELS, FAST_SPACING)):
        pyramids = (pyramid(plane, levels, spacing) for plane in (*frames, intensity))
        for first, second, light in reversed(list(zip(*pyramids, strict=True))):
            u, v = resize_flow(u, v, first.shape)
            u, v = refine(first, second, light, u, v, robust)
    return np.stack([u, v], axis=2).astype(np.float32)


def refine(
    first: np.ndarray, second: np.ndarray, light: np.ndarray, u: np.ndarray, v: np.ndarray, robust: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The flow (u, v) of one pyramid level after three warping steps.

    Parameters
    ----------
    first, second : (H, W) float64, texture of the frames.
    light : (H, W) float64, the first frame itself, grey levels.
    u, v : (H, W) float64, flow so far, px.
    robust : generalised Charbonnier penalties instead of squares.
    """
    from_first, from_second, wide = surface(first), surface(second), widened(second)
    for _ in range(WARPS):
        du, dv = increments(differences(from_first, from_second, u, v), u, v, robust)
        u, v = u + du.clip(-LONGEST, LONGEST), v + dv.clip(-LONGEST, LONGEST)
        u, v = filtered(u, v, light, remainder(first, wide, u, v))
    return u, v
