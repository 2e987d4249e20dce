"""Image pyramids, and flow carried from one pyramid level to the next."""

from __future__ import annotations

import math

import cv2
import numpy as np


def pyramid(image: np.ndarray, levels: int, spacing: float) -> list[np.ndarray]:
    """The image at ``levels`` sizes, finest first, each ``spacing`` times smaller than the one before.

    Before each step the image is blurred by a Gaussian of sigma = sqrt(spacing / 2) px that ends at 1.5 sigma;
    the step itself samples bilinearly.

    Parameters
    ----------
    image : (H, W) float64.

    Returns
    -------
    List of (ceil(H / spacing), ...) float64.
    """
    sigma = math.sqrt(spacing / 2)
    kernel = cv2.getGaussianKernel(2 * round(1.5 * sigma) + 1, sigma, cv2.CV_64F)
    found = [image]
    for _ in range(levels - 1):
        blurred = cv2.sepFilter2D(found[-1], cv2.CV_64F, kernel, kernel, borderType=cv2.BORDER_REFLECT)
        shape = tuple(math.ceil(side / spacing) for side in blurred.shape)
        rows, columns = (
            resampling(old, new, 1 / spacing, antialias=False)
            for old, new in zip(blurred.shape, shape, strict=True)
        )
        found.append(rows @ blurred @ columns.T)
    return found


def resize_flow(u: np.ndarray, v: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A flow (u, v), px of its own grid, on a grid of another ``shape``, in px of that grid.

    Both components are multiplied by the ratio of the heights: the original does so although the ratio of the
    widths can differ from it by rounding.
    """
    rows, columns = (
        resampling(old, new, new / old, antialias=True) for old, new in zip(u.shape, shape, strict=True)
    )
    ratio = shape[0] / u.shape[0]
    return ratio * (rows @ u @ columns.T), ratio * (rows @ v @ columns.T)


def resampling(old: int, new: int, scale: float, antialias: bool) -> np.ndarray:
    """(new, old) matrix that samples a line of ``old`` values at ``new`` places with a triangle kernel.

    Sample k lies at (k + 1/2) / scale - 1/2.  The triangle is 1 wide on either side, 1 / scale where the line
    shrinks and ``antialias`` is asked for; beyond the border the line is mirrored.
    """
    shrink = min(scale, 1.0) if antialias else 1.0
    centres = (np.arange(new) + 0.5) / scale - 0.5
    reach = math.ceil(1 / shrink) + 1
    taps = np.floor(centres).astype(int)[:, None] + np.arange(-reach, reach + 1)
    weights = np.maximum(0, 1 - shrink * np.abs(centres[:, None] - taps))
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = np.where(taps < 0, -1 - taps, taps)
    mirrored = np.where(mirrored >= old, 2 * old - 1 - mirrored, mirrored)
    matrix = np.zeros((new, old))
    np.add.at(matrix, (np.arange(new)[:, None].repeat(taps.shape[1], 1), mirrored.clip(0, old - 1)), weights)
    return matrix
