"""The brightness equation: frames without slow light, their noise, and what a flow leaves unexplained between two."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

_LIGHT = 5.0  # px: brightness that changes over larger distances carries no motion
_MISFIT = 0.08  # px
_BORDER = 2  # px along the border have no gradient of their own
_CAUCHY = 3.0  # residuals this many deviations large count half
_LEAST_NOISE = 0.3  # grey levels: rounding to whole ones alone makes 0.29
#: JPEG takes away the finest noise, by which :func:`noise_variance` judges: there may be so many times as much.
HIDDEN = 2.0

_DERIVATIVE = np.array([[1, -8, 0, 8, -1]], np.float32) / 12
_CORNER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)  # blind to light that varies smoothly


class Equation(NamedTuple):
    """For every pixel gx du + gy dv = -rest, with a weight; all (H, W).

    Attributes
    ----------
    gx, gy : gradient, mean of both frames, grey levels per px
    rest : second frame, moved back by the flow, less the first; grey levels
    weights : one over the variance of ``rest``; less for pixels that fit badly, 0 outside the second frame
    """

    gx: np.ndarray
    gy: np.ndarray
    rest: np.ndarray
    weights: np.ndarray


def noise_variance(frame: np.ndarray) -> float:
    """Variance of a frame's noise in grey levels squared (Immerkaer 1996, with the median for texture)."""
    response = cv2.filter2D(np.asarray(frame, np.float32), cv2.CV_32F, _CORNER)
    level = float(np.median(np.abs(response)) / 0.6745 / np.sqrt((_CORNER**2).sum()))
    return max(level, _LEAST_NOISE) ** 2


def filtered(frame: np.ndarray, smoothing: float) -> np.ndarray:
    """A frame, smoothed, without the light that varies over more than ``_LIGHT`` px; (H, W) float32."""
    frame = np.asarray(frame, np.float32)
    frame = frame - frame[0, 0]  # a frame without texture is 0 to the last bit
    smooth = cv2.GaussianBlur(frame, (0, 0), smoothing) if smoothing else frame
    # A border that is mirrored would move against the frame.
    return smooth - cv2.GaussianBlur(smooth, (0, 0), _LIGHT, borderType=cv2.BORDER_REPLICATE)


def passed(smoothing: float) -> float:
    """Share of the variance of white noise that is left by :func:`filtered`."""
    impulse = np.zeros((65, 65), np.float32)
    impulse[32, 32] = 1
    return float((filtered(impulse, smoothing) ** 2).sum())


def gradient(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(gx, gy), each (H, W) float32, grey levels per px."""
    return tuple(
        cv2.filter2D(image, cv2.CV_32F, kernel, borderType=cv2.BORDER_REPLICATE)
        for kernel in (_DERIVATIVE, _DERIVATIVE.T)
    )


def variances(noise: float | np.ndarray, gx: np.ndarray, gy: np.ndarray) -> np.ndarray:
    """Variance of what a smooth flow leaves in every pixel: ``noise`` (a variance) and what the flow misses.

    Where a pixel has a steep edge, no smooth field follows its motion to better than ``_MISFIT`` px, so an edge is
    no more certain than that; otherwise the outline of the head would outvote the skin.
    """
    return noise + _MISFIT**2 * (gx**2 + gy**2)


def equation(
    first: np.ndarray, second: np.ndarray, flow: np.ndarray, noise: float | np.ndarray, most: float = 1.0
) -> Equation:
    """The equation of two frames, linearised about a flow.

    Parameters
    ----------
    first, second : (H, W) float32, as :func:`filtered` gives them
    flow : (H, W, 2) px
    noise : variance of the noise in their difference, one for all pixels or (H, W)
    most : it may be up to so many times as large; how much of that, ``rest`` tells
    """
    height, width = first.shape
    rows, columns = np.mgrid[:height, :width]
    rows, columns = rows + flow[..., 1], columns + flow[..., 0]
    # Splines, not cv2.remap: that one rounds places to 1/32 px, more than the error that is aimed at.
    moved = map_coordinates(second, [rows, columns], order=3, mode="nearest", output=np.float32)
    power = [float((image**2).sum()) for image in (first, moved)]
    if min(power) > 0:
        moved *= np.float32(np.sqrt(power[0] / power[1]))
    gx, gy = ((a + b) / 2 for a, b in zip(gradient(first), gradient(moved), strict=True))
    rest = moved - first
    if most > 1:
        noise = np.clip((1.4826 * float(np.median(np.abs(rest)))) ** 2, noise, most * noise)
    spread = variances(noise, gx, gy)
    sizes = np.abs(rest) / np.sqrt(spread)
    scale = _CAUCHY * max(1.4826 * float(np.median(sizes)), 1.0)
    weights = 1 / (1 + (sizes / scale) ** 2) / spread
    weights[(rows < 0) | (rows > height - 1) | (columns < 0) | (columns > width - 1)] = 0
    inside = np.zeros_like(weights)
    inside[_BORDER:-_BORDER, _BORDER:-_BORDER] = 1
    return Equation(gx, gy, rest, (weights * inside).astype(np.float64))
