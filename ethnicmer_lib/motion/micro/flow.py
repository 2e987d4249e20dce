"""Method ``micro``: optical flow for movements below the noise of a pixel, as smooth as skin moves.

The flow of largest posterior probability under three statements about a recording of a face:

1.  Noise is that of the sensor and of JPEG; neighbouring frames tell how much there is around every pixel, two
    frames alone one size for all.  Light may change from frame to frame (flicker) by a factor and by whatever is
    smooth over a few px, which is filtered out.  Pixels that obey neither (blinks, highlights, what is hidden in one
    frame) count little: Cauchy's weights.
2.  A grid of splines cannot follow a steep edge to better than a tenth of a pixel or so, so an edge is no more
    certain than that.  The equation that follows from 1 and 2 is in ``brightness``.
3.  Skin moves in smooth pieces: the length of the second derivatives of the flow, to the power 0.85 and summed over
    the image, is small.  A sum of lengths instead of squares allows folds, lids and the outline of the head
    (second-order total variation; Bredies et al. 2010), and has no scale: it suits 0.3 px as well as 3 px.  A power
    below 1 shrinks what is there less (Krishnan and Fergus 2009, of first derivatives of images).

The flow is a field of cubic B-splines (``spline``).  Every step linearises the frames about the flow so far and
solves for the whole field exactly; two steps on coarse and smooth frames lead to four on the frames themselves.
Gradients are means over both frames, so that their noise is not that of the difference.

What it pays for smoothness: a small movement on skin almost without texture is shown weaker than it is.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solveh_banded

from ethnicmer_lib.motion.micro.brightness import (
    HIDDEN,
    Equation,
    equation,
    filtered,
    noise_variance,
    passed,
)
from ethnicmer_lib.motion.micro.spline import Axis, axis, band, bending, couple, field, membrane

# Chosen on 24 clips of two simulated cohorts, of seeds 5 and 77, and the two synthetic pairs of the golden data; with
# them, what ``brightness`` counts as light and as an edge's misfit.
# A step is (spacing of the splines, smoothing of the frames), px.
_STEPS = ((16, 3.0), (8, 1.5), (6, 0.0), (6, 0.0), (6, 0.0), (6, 0.0))
_SMOOTHNESS = 6.0  # weight of the second derivatives, against data in units of their variance
_POWER = 0.85  # of the length of second derivatives, 1/px
_STRAIGHT = 3e-5  # 1/px: second derivatives below it count as none
_STIFFNESS = 1.0  # weight of squared first derivatives: little, for places without any texture
_LEAST_VARIANCE = 0.02  # grey levels squared


def micro_flow(onset: np.ndarray, apex: np.ndarray, noise: np.ndarray | None = None) -> np.ndarray:
    """Displacement from onset to apex, smooth where the face is.

    Parameters
    ----------
    onset, apex : (H, W) gray, uint8 or float in grey levels 0..255 (means of neighbouring frames), finite.
    noise : (H, W), variance of the noise in their difference, grey levels squared, where neighbours tell it; None
        to estimate one for all pixels from the frames.

    Returns
    -------
    (H, W, 2) float32 in px; all zeros for frames without any texture.  Made for displacements up to about 5 px.
    """
    if onset.shape[1] > onset.shape[0]:  # the band is as wide as the frame: let that be the shorter side
        turned = micro_flow(onset.T, apex.T, None if noise is None else noise.T)
        return np.ascontiguousarray(turned.transpose(1, 0, 2)[..., ::-1])
    frames = [np.ascontiguousarray(frame, dtype=np.float32) for frame in (onset, apex)]
    if noise is None:
        noise, most = 2 * max(noise_variance(frame) for frame in frames), HIDDEN
    else:
        noise, most = np.maximum(noise, _LEAST_VARIANCE), 1.0
    height, width = onset.shape
    flow = np.zeros((height, width, 2))
    bent = None
    for spacing, smoothing in _STEPS:
        y, x = axis(height, spacing), axis(width, spacing)
        first, second = (filtered(frame, smoothing) for frame in frames)
        found = equation(first, second, flow, noise * passed(smoothing), most)
        uu, uv, vv, right = _data(found, flow, y, x)
        curvature = 0.0 if bent is None else _curvature(*bent, y, x)
        # The square with the slope of the power at the curvature of the step before.
        weights = _SMOOTHNESS * np.hypot(curvature, _STRAIGHT) ** (_POWER - 2)
        weights = np.broadcast_to(weights, (len(y.places), len(x.places)))
        prior = bending(weights, y, x), membrane(np.full(weights.shape, _STIFFNESS), y, x)
        for energy in prior:
            for dy, row in enumerate(energy):
                for dx, values in enumerate(row):
                    uu[dy][dx] = uu[dy][dx] + values
                    vv[dy][dx] = vv[dy][dx] + values
        matrix = band(uu, uv, vv, y.count, x.count)
        matrix[0] += 1e-9 * matrix[0].max()  # a field that no pixel decides is zero
        coefficients = solveh_banded(
            matrix, right.ravel(), lower=True, overwrite_ab=True, check_finite=False
        ).reshape(y.count, x.count, 2)
        bent = coefficients, y, x
        flow = field(y.pixels, coefficients, x.pixels)
    return flow.astype(np.float32)


def _data(found: Equation, flow: np.ndarray, y: Axis, x: Axis):
    """Couplings uu, uv, vv and right side (my, mx, 2) of the brightness equations, linearised about ``flow``."""
    gx, gy, rest, weights = found
    xx, xy, yy = weights * gx * gx, weights * gx * gy, weights * gy * gy
    known = [
        xx * flow[..., 0] + xy * flow[..., 1] - weights * gx * rest,
        xy * flow[..., 0] + yy * flow[..., 1] - weights * gy * rest,
    ]
    right = np.stack([y.pixels.T @ side @ x.pixels for side in known], axis=2)
    return *(couple(part, y.pairs, x.pairs) for part in (xx, xy, yy)), right


def _curvature(coefficients: np.ndarray, of_y: Axis, of_x: Axis, y: Axis, x: Axis) -> np.ndarray:
    """Length of the second derivatives of a field of one grid, at the ``places`` of another; 1/px."""
    total = 0.0
    for factor, a, b in ((1, 0, 2), (2, 1, 1), (1, 2, 0)):
        found = field(of_y.basis(y.places, a), coefficients, of_x.basis(x.places, b))
        total = total + factor * (found**2).sum(axis=2)
    return np.sqrt(total)
