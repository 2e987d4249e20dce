"""The mean of a frame and its neighbours in time: less noise, without flicker, the head's drift, and blinks."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from ethnicmer_lib.clips.table import NEIGHBOURS, Stack
from ethnicmer_lib.motion.micro.brightness import (
    HIDDEN,
    equation,
    filtered,
    gradient,
    noise_variance,
    passed,
    variances,
)

# Chosen on 24 clips of two simulated cohorts, of seeds 5 and 77.
_PHASE = 3  # neighbours reach over this part of the onset and offset phases at most
_NEAR = 3  # frames that count as the frame itself
_FEW = 7  # frames that tell no more of a drift than a translation
_ORDER, _COURSE = 2, 2  # of a drift, in x and y, and in time
_COURSE_FRAMES = 3  # frames for every degree of its course in time
_SMOOTHING = 0.7  # px: drift and scale are found on frames that are this smooth
_EDGE = 4.0  # a drift of few terms follows an edge this many times worse than a flow does
_ODD = 2.0  # differences this many times as large as usual count half
_PATCH, _SLACK, _TOLERANCE = 3.0, 1.5, 0.5
_LEAST = 0.1  # grey levels squared: what frames of whole grey levels differ by
_KNOWN = 400.0  # a scale of 1 is known beforehand to one over the root of it, 5 %


class Window(NamedTuple):
    """How many neighbours before and after a frame may be averaged."""

    before: int
    after: int


class Average(NamedTuple):
    """Means of frames.

    Attributes
    ----------
    frame : (H, W) float32, of all, brought to where the first shows things; grey levels
    near : (H, W) float32, of the first three alone: more noise, and no movement lost
    variance : (H, W) float32, of the noise of ``frame`` around every pixel, as the frames differ among themselves;
        grey levels squared
    """

    frame: np.ndarray
    near: np.ndarray
    variance: np.ndarray


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


def average(stack: Stack) -> Average:
    """Mean of frames that are brought to the light and to the place of the first.

    For frames a few milliseconds apart the mean of k frames has 1/k of the variance of their noise.  The head
    drifts meanwhile: :func:`_drift` finds how.  Where a frame still differs from the nearest by more than the
    noise, as lids in a blink do, it counts little.

    Parameters
    ----------
    stack : of gray frames.
    """
    frames = stack.frames.astype(np.float32)
    if len(frames) == 1:
        alone = np.full_like(frames[0], HIDDEN * noise_variance(frames[0]))
        return Average(frames[0], frames[0], alone)
    levels = frames.mean(axis=(1, 2), dtype=np.float64)
    if levels.min() > 0:
        frames *= np.float32(levels[0] / levels)[:, None, None]
    still = _still(frames, np.asarray(stack.steps, dtype=np.float64))
    spread = still.var(axis=0, ddof=1) / len(still)
    return Average(_weighted(still), still[:_NEAR].mean(axis=0), cv2.GaussianBlur(spread, (0, 0), _PATCH))


def scaled(flow: np.ndarray, onset: np.ndarray, apex: np.ndarray) -> np.ndarray:
    """The flow times the number by which it best explains two frames, (H, W, 2) float32 px.

    Means over more frames show less of the movement than the two frames themselves; its shape is theirs.

    Parameters
    ----------
    flow : (H, W, 2) px, of the means
    onset, apex : (H, W) float32, few frames' means
    """
    noise = max(noise_variance(onset), noise_variance(apex))
    frames = (filtered(frame, _SMOOTHING) for frame in (onset, apex))
    gx, gy, rest, weights = equation(*frames, flow, 2 * noise * passed(_SMOOTHING))
    seen = gx * flow[..., 0] + gy * flow[..., 1]
    more = -(weights * seen * rest).sum() / ((weights * seen**2).sum() + _KNOWN)
    return (flow * (1 + more)).astype(np.float32)


def _still(frames: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Frames, each moved back to where the first shows things, (k, H, W) float32.

    The head drifts by a polynomial in x and y, of second order where frames are many, which is how a turning head
    looks (Black and Yacoob 1997), along a parabola in time: one frame is too noisy to tell a hundredth of a pixel.
    """
    count, height, width = frames.shape
    degree = min(_COURSE, (count - 1) // _COURSE_FRAMES)
    if not degree:
        return frames
    course = np.vander(steps / NEIGHBOURS, degree + 1, increasing=True)
    order = _ORDER if count > _FEW else 0
    y, x = np.meshgrid(
        *(np.linspace(-1, 1, side, dtype=np.float32) for side in (height, width)), indexing="ij"
    )
    terms = np.stack([x**i * y**j for i in range(order + 1) for j in range(order + 1 - i)])

    def drifts(reference: np.ndarray, robust: bool) -> np.ndarray:
        found = _drift(frames, reference, terms, robust)
        fitted = np.linalg.lstsq(course, found, rcond=None)[0]
        away = np.float32(course[:, 1:] @ fitted[1:]).reshape(count, 2, len(terms))
        return np.tensordot(away, terms, 1)

    mean = frames.mean(axis=0)
    right, down = gradient(mean)
    roughly = [
        frame + right * dx + down * dy for frame, (dx, dy) in zip(frames, drifts(mean, False), strict=True)
    ]
    rows, columns = np.mgrid[:height, :width]
    still = [frames[0]]
    for frame, (dx, dy) in zip(frames[1:], drifts(_weighted(np.stack(roughly)), True)[1:], strict=True):
        # Splines, not cv2.remap, as in the brightness equation.
        places = [rows + dy, columns + dx]
        still.append(map_coordinates(frame, places, order=3, mode="nearest", output=np.float32))
    return np.stack(still)


def _drift(frames: np.ndarray, reference: np.ndarray, terms: np.ndarray, robust: bool) -> np.ndarray:
    """How frames moved against a reference: coefficients of ``terms`` (n, H, W), (k, 2 n) px, right before down.

    Least squares (Lucas and Kanade 1981); ``robust`` a second time with Cauchy's weights, as lids and lips go their
    own way.
    """
    smooth = filtered(reference, _SMOOTHING)
    slopes = gradient(smooth)
    noise = passed(_SMOOTHING) * noise_variance(frames[0])
    spread = variances(noise, *(_EDGE * part for part in slopes)).ravel()
    slopes = np.concatenate([part * terms for part in slopes]).reshape(2 * len(terms), -1)

    def solved(weighted: np.ndarray, rests: np.ndarray) -> np.ndarray:
        information = (weighted @ slopes.T).astype(np.float64)
        return rests @ weighted.T @ np.linalg.pinv(information, rcond=1e-9, hermitian=True)

    rests = np.stack([(smooth - filtered(frame, _SMOOTHING)).ravel() for frame in frames])
    found = solved(slopes / spread, rests)
    if robust:
        for i, rest in enumerate(rests):
            sizes = np.abs(rest - np.float32(found[i]) @ slopes) / np.sqrt(spread)
            usual = max(1.4826 * float(np.median(sizes)), 1e-6)
            found[i] = solved(slopes / (1 + (sizes / (_ODD * usual)) ** 2) / spread, rest)
    return found


def _weighted(frames: np.ndarray) -> np.ndarray:
    """Mean of frames, in which a patch that differs from the nearest frames counts little."""
    near = frames[:_NEAR].mean(axis=0)
    total, weights = near * _NEAR, np.full(near.shape, _NEAR, np.float32)
    for frame in frames[_NEAR:]:
        differs = cv2.GaussianBlur((frame - near) ** 2, (0, 0), _PATCH)
        usual = max(float(np.median(differs)), _LEAST)
        weight = 1 / (1 + (np.maximum(differs / usual - _SLACK, 0) / _TOLERANCE) ** 2)
        total += weight * frame
        weights += weight
    return total / weights
