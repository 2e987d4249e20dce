"""Optical flow: for every pixel of the onset frame, how far it moved until the apex frame (Eq. 5)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.average import Average, average, scaled
from ethnicmer_lib.motion.classic_nl import classic_nl_fast
from ethnicmer_lib.motion.micro import micro_flow

MIN_SIDE = 32  #: px; below it the pyramids of the methods have no level to work on


def _dis(onset: np.ndarray, apex: np.ndarray) -> np.ndarray:
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(onset, apex, None)


def _farneback(onset: np.ndarray, apex: np.ndarray) -> np.ndarray:
    return cv2.calcOpticalFlowFarneback(
        onset,
        apex,
        None,
        pyr_scale=0.5,
        levels=3,
        winsize=15,
        iterations=3,
        poly_n=5,
        poly_sigma=1.2,
        flags=0,
    )


def _deepflow(onset: np.ndarray, apex: np.ndarray) -> np.ndarray:
    return cv2.optflow.createOptFlow_DeepFlow().calc(onset, apex, None)


def _tvl1(onset: np.ndarray, apex: np.ndarray) -> np.ndarray:
    return cv2.optflow.createOptFlow_DualTVL1().calc(onset, apex, None)


# An estimator object keeps buffers between calls, so each call makes its own: threads cannot meet in one.
METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "dis": _dis,
    "farneback": _farneback,
    "deepflow": _deepflow,
    "tvl1": _tvl1,
    "micro": micro_flow,
    "classic_nl_fast": classic_nl_fast,
}


def optical_flow(onset: np.ndarray, apex: np.ndarray, method: str = "dis") -> np.ndarray:
    """Dense displacement from onset to apex.

    Parameters
    ----------
    onset, apex : one frame each, (H, W) gray or (H, W, 3) RGB, or a stack of k frames, (k, H, W) or (k, H, W, 3):
        the frame itself first, its neighbours in time after it (``Cohort.neighbours``).  uint8, at least 32 px a
        side, both of one size.  Colour is turned to gray once, with the ITU-R BT.601 weights .299 R + .587 G +
        .114 B.  Of a stack every method is given the mean, see :func:`average.average`, and its flow is scaled to
        what the nearest frames show, see :func:`average.scaled`.
    method : 'dis' (dense inverse search, medium preset; Kroeger et al. 2016), 'farneback' (2003; windows of 15
        px on 4 pyramid levels), 'deepflow' (Weinzaepfel et al. 2013, without descriptor matching), 'tvl1' (Zach et
        al. 2007), 'micro' (``micro``: made for movements below a pixel under noise) or 'classic_nl_fast' (the
        paper's own: Sun et al. 2010).

    Returns
    -------
    (H, W, 2) float32 in px: u to the right, v downwards.  The apex frame at (x + u, y + v) shows what the onset
    frame shows at (x, y).

    Raises
    ------
    StudyError
        Unknown method, sizes that differ, a type other than uint8, or a side under 32 px.
    """
    if method not in METHODS:
        raise StudyError(f"flow_method={method!r} is unknown; allowed: {', '.join(METHODS)}")
    stacks = {name: _stack(frames, name) for name, frames in (("onset", onset), ("apex", apex))}
    if stacks["onset"].shape[1:3] != stacks["apex"].shape[1:3]:
        raise StudyError(
            f"onset is {onset.shape} and apex is {apex.shape}; crop both frames of a clip by one box"
        )
    if min(stacks["onset"].shape[1:3]) < MIN_SIDE:
        size = stacks["onset"].shape[1:3]
        raise StudyError(f"frames of {size} px are too small; flow needs {MIN_SIDE} px a side")
    before, after = (np.stack([gray(frame) for frame in stack]) for stack in stacks.values())
    if len(before) == len(after) == 1:
        return np.asarray(METHODS[method](before[0], after[0]), dtype=np.float32)
    first, second = average(before), average(after)
    flow = METHODS[method](*(_for(method, part) for part in (first, second)))
    return scaled(np.asarray(flow, dtype=np.float32), first.near, second.near)


def _stack(frames: np.ndarray, name: str) -> np.ndarray:
    """(k, H, W) or (k, H, W, 3) of one frame or a stack; a last side of 3 is colour, as no frame is so narrow."""
    if frames.dtype != np.uint8:
        raise StudyError(f"{name} is of type {frames.dtype}; give 8-bit frames (uint8, 0 to 255)")
    colour = frames.ndim > 1 and frames.shape[-1] == 3
    single = 3 if colour else 2
    if frames.ndim not in (single, single + 1) or 0 in frames.shape or frames.shape[-1] in (1, 2, 4):
        raise StudyError(
            f"{name} is {frames.shape}; give (H, W) gray or (H, W, 3) RGB, or a stack of such frames"
        )
    return frames if frames.ndim == single + 1 else frames[None]


def _for(method: str, mean: Average) -> np.ndarray:
    """What a method is given of a mean: all others than 'micro' ask for whole grey levels."""
    return mean.frame if method == "micro" else np.rint(mean.frame).clip(0, 255).astype(np.uint8)


def gray(frame: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of a gray or RGB frame."""
    return np.ascontiguousarray(frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
