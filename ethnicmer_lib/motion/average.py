"""The mean of a frame and its neighbours in time: less noise, without flicker, the head's drift, and blinks."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ethnicmer_lib.cohort.clips import NEIGHBOURS
from ethnicmer_lib.motion.brightness import (
    LEAST_NOISE,
    equation,
    filtered,
    gradient,
    noise_level,
    passed,
    variances,
)

# Chosen on 12 clips of a simulated cohort of seed 77.
_PHASE = 3  # neighbours reach over this part of the onset and offset phases at most
_NEAR, _INNER = 3, 7  # frames that count as the frame itself; that are compared with those before all others
_SMOOTHING = 1.0  # px: drift and scale are found on frames that are this smooth
_EDGE = 4.0  # a drift of few terms follows an edge this many times worse than a flow does
_SURE = 3.0  # deviations: less drift than this among the nearest frames counts as none
_PATCH, _SLACK, _TOLERANCE = 3.0, 1.5, 0.5
_KNOWN = 400.0  # a scale of 1 is known beforehand to one over the root of it, 5 %


class Window(NamedTuple):
    """How many neighbours before and after a frame may be averaged."""

    before: int
    after: int


class Average(NamedTuple):
    """Means of frames, both (H, W) float32 in grey levels.

    Attributes
    ----------
    frame : of all, brought to where the first shows things
    near : of the first three alone: more noise, and no movement lost
    """

    frame: np.ndarray
    near: np.ndarray


def windows(onset: int, apex: int, offset: int | None) -> tuple[Window, Window]:
    """How far neighbours reach around onset and around apex, for a clip of these frame numbers.

    Before onset the face is at rest.  A movement starts and ends at rest, too (minimum jerk; Flash and Hogan
    1985): in the first third of its time it makes a fifth of its way, and all frames of such a window together
    show less than a tenth of it; :func:`scaled` makes up for that.  Without an offset the face may leave the apex
    as fast as it came.
    """
    rise = min(NEIGHBOURS, max(0, apex - onset) // _PHASE)
    fall = rise if offset is None else min(NEIGHBOURS, max(0, offset - apex) // _PHASE)
    return Window(NEIGHBOURS if apex > onset else 0, rise), Window(rise, fall)


def average(frames: np.ndarray) -> Average:
    """Mean of frames that are brought to the light and to the place of the first.

    For frames a few milliseconds apart the mean of k frames has 1/k of the variance of their noise.  The head
    drifts meanwhile: that is fitted frame by frame by least squares (Lucas and Kanade 1981), as a translation
    among the nearest seven, and against their mean as a motion of second order in x and y, which is how a turning
    head looks (Black and Yacoob 1997).  Where a frame still differs from the nearest by more than the noise, as
    lids in a blink do, it counts little.

    Parameters
    ----------
    frames : (k, H, W) gray; the frame itself first, its neighbours after it, the nearest first.
    """
    frames = frames.astype(np.float32)
    if len(frames) == 1:
        return Average(frames[0], frames[0])
    levels = frames.mean(axis=(1, 2), dtype=np.float64)
    if levels.min() > 0:
        frames *= np.float32(levels[0] / levels)[:, None, None]
    # One frame is too noisy to tell a hundredth of a pixel: only drift that is sure moves the nearest.
    near = _aligned(frames[:_NEAR], frames[0], 0, sure=True).mean(axis=0)
    mean = _weighted(_aligned(frames[:_INNER], near, 0))
    if len(frames) > _INNER:
        mean = _weighted(_aligned(frames, mean, 2))
    return Average(mean, near)


def scaled(flow: np.ndarray, onset: np.ndarray, apex: np.ndarray) -> np.ndarray:
    """The flow times the number by which it best explains two frames, (H, W, 2) float32 px.

    Means over more frames show less of the movement than the two frames themselves; its shape is theirs.

    Parameters
    ----------
    flow : (H, W, 2) px, of the means
    onset, apex : (H, W) float32, few frames' means
    """
    noise = max(noise_level(onset), noise_level(apex), LEAST_NOISE)
    frames = (filtered(frame, _SMOOTHING) for frame in (onset, apex))
    gx, gy, rest, weights = equation(*frames, flow, 2 * noise**2 * passed(_SMOOTHING))
    seen = gx * flow[..., 0] + gy * flow[..., 1]
    more = -(weights * seen * rest).sum() / ((weights * seen**2).sum() + _KNOWN)
    return (flow * (1 + more)).astype(np.float32)


def _aligned(frames: np.ndarray, reference: np.ndarray, order: int, sure: bool = False) -> np.ndarray:
    """Frames, each displaced to the reference by polynomials of an order in x and y, to first order in brightness."""
    height, width = reference.shape
    y, x = np.meshgrid(
        *(np.linspace(-1, 1, side, dtype=np.float32) for side in (height, width)), indexing="ij"
    )
    terms = np.stack([x**i * y**j for i in range(order + 1) for j in range(order + 1 - i)])
    mean = frames.mean(axis=0)
    smooth = gradient(filtered(mean, _SMOOTHING))
    noise = max(noise_level(frames[0]), LEAST_NOISE) ** 2
    spread = variances(passed(_SMOOTHING) * noise, *(_EDGE * part for part in smooth)).ravel()
    slopes = np.concatenate([part * terms for part in smooth]).reshape(2 * len(terms), -1)
    weighted = slopes / spread
    information = (weighted @ slopes.T).astype(np.float64)
    solve = np.linalg.pinv(information, rcond=1e-9, hermitian=True)
    fine, aim = gradient(mean), filtered(reference, _SMOOTHING)
    found = []
    for frame in frames:
        motion = solve @ (weighted @ (aim - filtered(frame, _SMOOTHING)).ravel()).astype(np.float64)
        # The noise of filtered frames is that of 4 pi smoothing² pixels together, and there are two frames.
        if sure and motion @ information @ motion < _SURE**2 * 2 * 4 * np.pi * _SMOOTHING**2:
            motion *= 0
        parts = np.float32(motion).reshape(2, len(terms))
        shown = (np.tensordot(part, terms, 1) * slope for part, slope in zip(parts, fine, strict=True))
        found.append(frame + sum(shown))
    return np.stack(found)


def _weighted(frames: np.ndarray) -> np.ndarray:
    """Mean of frames, in which a patch that differs from the nearest frames counts little."""
    near = frames[:_NEAR].mean(axis=0)
    total, weights = near * _NEAR, np.full(near.shape, _NEAR, np.float32)
    for frame in frames[_NEAR:]:
        differs = cv2.GaussianBlur((frame - near) ** 2, (0, 0), _PATCH)
        usual = max(float(np.median(differs)), LEAST_NOISE**2)
        weight = 1 / (1 + (np.maximum(differs / usual - _SLACK, 0) / _TOLERANCE) ** 2)
        total += weight * frame
        weights += weight
    return total / weights
