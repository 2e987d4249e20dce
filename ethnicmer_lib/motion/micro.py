"""Method ``micro``: optical flow for movements below the noise of a pixel, as smooth as skin moves.

The flow of largest posterior probability under three statements about a recording of a face:

1.  The sensor's noise is white, its size is estimated from the frames, and light may change from frame to frame
    (flicker) by a factor and by whatever is smooth over ``_LIGHT`` px, which is filtered out.  Pixels that obey
    neither (blinks, highlights, what is hidden in one frame) count little: Cauchy's weights.
2.  Where a pixel has a steep edge, a grid of splines cannot follow its motion to better than ``_MISFIT`` px, so
    an edge is no more certain than that; otherwise the outline of the head would outvote the skin.
3.  Skin moves in smooth pieces: the length of the second derivatives of the flow, summed over the image, is
    small.  A sum of lengths, not of squares, allows folds, lids and the outline of the head (second-order total
    variation; Bredies et al. 2010 give the general form), and has no scale: it suits 0.3 px as well as 3 px.

The flow is a field of cubic B-splines (``spline``).  Every step linearises the frames about the flow so far and
solves for the whole field exactly; three steps on coarser and smoother frames lead to one on the frames themselves.
Gradients are means over both frames, so that their noise is not that of the difference.

What it pays for smoothness: a small movement on skin almost without texture is shown weaker than it is.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.linalg import solveh_banded
from scipy.ndimage import map_coordinates

from ethnicmer_lib.motion.spline import Axis, axis, band, bending, couple, field, membrane

# Chosen on clips of five subjects of the default simulated cohort and the two synthetic pairs of the golden data.
_STEPS = ((16, 3.0), (8, 1.5), (6, 0.0), (6, 0.0))  # spacing of the splines, px; smoothing of the frames, px
_LIGHT = 6.0  # px: brightness that changes over larger distances carries no motion
_MISFIT = 0.1  # px
_SMOOTHNESS = 40.0  # weight of the length of second derivatives, against data in units of their variance
_STRAIGHT = 6e-5  # 1/px: second derivatives below it count as none
_STIFFNESS = 1.0  # weight of squared first derivatives: little, for places without any texture
_CAUCHY = 6.0  # residuals this many deviations large count half
_LEAST_NOISE = 0.3  # grey levels: rounding to whole ones alone makes 0.29

_DERIVATIVE = np.array([[1, -8, 0, 8, -1]], np.float32) / 12
_CORNER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)  # blind to light that varies smoothly


def micro_flow(onset: np.ndarray, apex: np.ndarray) -> np.ndarray:
    """Displacement from onset to apex, smooth where the face is.

    Parameters
    ----------
    onset, apex : (H, W) gray, uint8 or float in grey levels 0..255 (means of neighbouring frames), finite.

    Returns
    -------
    (H, W, 2) float32 in px; all zeros for frames without any texture.  Made for displacements up to about 5 px.
    """
    if onset.shape[1] > onset.shape[0]:  # the band is as wide as the frame: let that be the shorter side
        return np.ascontiguousarray(micro_flow(onset.T, apex.T).transpose(1, 0, 2)[..., ::-1])
    frames = [np.ascontiguousarray(frame, dtype=np.float32) for frame in (onset, apex)]
    noise = max(*(noise_level(frame) for frame in frames), _LEAST_NOISE)
    height, width = onset.shape
    flow = np.zeros((height, width, 2))
    bent = None
    for spacing, smoothing in _STEPS:
        y, x = axis(height, spacing), axis(width, spacing)
        first, second = (_filtered(frame, smoothing) for frame in frames)
        variance = 2 * noise**2 * _passed(smoothing)
        uu, uv, vv, right = _data(first, second, flow, variance, y, x)
        curvature = 0.0 if bent is None else _curvature(*bent, y, x)
        weights = np.broadcast_to(
            _SMOOTHNESS / np.hypot(curvature, _STRAIGHT), (len(y.places), len(x.places))
        )
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


def noise_level(frame: np.ndarray) -> float:
    """Standard deviation of a frame's noise in grey levels (Immerkaer 1996, with the median for texture)."""
    response = cv2.filter2D(np.asarray(frame, np.float32), cv2.CV_32F, _CORNER)
    return float(np.median(np.abs(response)) / 0.6745 / np.sqrt((_CORNER**2).sum()))


def _filtered(frame: np.ndarray, smoothing: float) -> np.ndarray:
    smooth = cv2.GaussianBlur(frame, (0, 0), smoothing) if smoothing else frame
    return smooth - cv2.GaussianBlur(smooth, (0, 0), _LIGHT)


def _passed(smoothing: float) -> float:
    """Share of the variance of white noise that is left by ``_filtered``."""
    impulse = np.zeros((65, 65), np.float32)
    impulse[32, 32] = 1
    return float((_filtered(impulse, smoothing) ** 2).sum())


def _gradient(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return tuple(
        cv2.filter2D(image, cv2.CV_32F, kernel, borderType=cv2.BORDER_REPLICATE)
        for kernel in (_DERIVATIVE, _DERIVATIVE.T)
    )


def _data(first: np.ndarray, second: np.ndarray, flow: np.ndarray, variance: float, y: Axis, x: Axis):
    """Couplings uu, uv, vv and right side (my, mx, 2) of the brightness equations, linearised about ``flow``."""
    height, width = first.shape
    rows, columns = np.mgrid[:height, :width]
    rows, columns = rows + flow[..., 1], columns + flow[..., 0]
    # Splines, not cv2.remap: that one rounds places to 1/32 px, more than the error that is aimed at.
    moved = map_coordinates(second, [rows, columns], order=3, mode="nearest", output=np.float32)
    power = [float((image**2).sum()) for image in (first, moved)]
    if min(power) > 0:
        moved *= np.float32(np.sqrt(power[0] / power[1]))
    gx, gy = ((a + b) / 2 for a, b in zip(_gradient(first), _gradient(moved), strict=True))
    rest = moved - first
    variances = variance + _MISFIT**2 * (gx**2 + gy**2)
    sizes = np.abs(rest) / np.sqrt(variances)
    scale = _CAUCHY * max(1.4826 * float(np.median(sizes)), 1.0)
    weights = 1 / (1 + (sizes / scale) ** 2) / variances
    weights[(rows < 0) | (rows > height - 1) | (columns < 0) | (columns > width - 1)] = 0
    weights = weights.astype(np.float64)
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
