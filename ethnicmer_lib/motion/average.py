"""The mean of a frame and its neighbours in time: less noise, without flicker and without the head's drift."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ethnicmer_lib.cohort.clips import NEIGHBOURS

_SMOOTHING = 2.0  # px: drift is found on smooth frames
_SHARE = 6  # neighbours reach over this part of the onset phase at most


class Average(NamedTuple):
    """A mean of frames.

    Attributes
    ----------
    frame : (H, W) float32 in grey levels
    drift : (2,) float64, px: how far, on average, what the first frame shows is displaced in the mean
    """

    frame: np.ndarray
    drift: np.ndarray


def neighbour_reach(onset: int, apex: int) -> int:
    """How many frames on either side of onset and apex may be averaged for a clip of these frame numbers.

    A movement starts and ends at rest (minimum jerk; Flash and Hogan 1985): in the first sixth of its time it
    makes 3.5 % of its way, so that a mean over as much around onset and apex loses less than 2 %.
    """
    return min(NEIGHBOURS, max(0, apex - onset) // _SHARE)


def average(frames: np.ndarray) -> Average:
    """Mean of frames that are brought to the brightness of the first, and the drift that this mean contains.

    For frames a few milliseconds apart the mean of k frames has 1/k of the variance of their noise.  It shows
    the first frame displaced by the mean of the displacements, to first order; these are found as one
    translation a frame by least squares over the whole image (Lucas and Kanade 1981), for the flow to be
    corrected by.

    Parameters
    ----------
    frames : (k, H, W) gray; the frame itself first, its neighbours after it in any order.
    """
    frames = frames.astype(np.float32)
    if len(frames) == 1:
        return Average(frames[0], np.zeros(2))
    levels = frames.mean(axis=(1, 2), dtype=np.float64)
    if levels.min() > 0:
        frames *= np.float32(levels[0] / levels)[:, None, None]
    mean = frames.mean(axis=0)
    smooth = [cv2.GaussianBlur(frame, (0, 0), _SMOOTHING) for frame in (frames[0], mean)]
    gy, gx = np.gradient((smooth[0] + smooth[1]) / 2)
    slopes = np.stack([gx.ravel(), gy.ravel()], axis=1).astype(np.float64)
    # The mean of translated frames is, to first order, the frame translated by the mean: one fit serves all.
    drift = np.linalg.lstsq(slopes, (smooth[0] - smooth[1]).ravel().astype(np.float64), rcond=1e-6)[0]
    return Average(mean, drift)
