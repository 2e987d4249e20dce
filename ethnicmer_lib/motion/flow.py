"""Optical flow: for every pixel of the onset frame, how far it moved until the apex frame (Eq. 5)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ethnicmer_lib.clips.table import Stack
from ethnicmer_lib.errors import StudyError, check_name
from ethnicmer_lib.motion.classic_nl.flow import classic_nl_fast
from ethnicmer_lib.motion.micro.average import average, scaled
from ethnicmer_lib.motion.micro.flow import micro_flow

MIN_SIDE = 32  #: px; below it the pyramids of the methods have no level to work on
_FARNEBACK = {"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3}
_FARNEBACK |= {"poly_n": 5, "poly_sigma": 1.2, "flags": 0}


def _dis(onset: np.ndarray, apex: np.ndarray) -> np.ndarray:
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(onset, apex, None)


def _farneback(onset: np.ndarray, apex: np.ndarray) -> np.ndarray:
    return cv2.calcOpticalFlowFarneback(onset, apex, None, **_FARNEBACK)


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


def optical_flow(onset: np.ndarray | Stack, apex: np.ndarray | Stack, method: str = "micro") -> np.ndarray:
    """Dense displacement from onset to apex, (H, W, 2) float32 in px: u to the right, v downwards.

    The apex frame at (x + u, y + v) shows what the onset frame shows at (x, y).  Frames are uint8, (H, W) gray or
    (H, W, 3) RGB, which is turned to gray by ITU-R BT.601, at least 32 px a side, both of one size.  A frame with its
    neighbours in time (``clips.neighbours``) stands for their mean, see :func:`average.average`; the flow is scaled to
    what the nearest frames show, see :func:`average.scaled`.

    ``method`` is 'dis' (dense inverse search, medium preset; Kroeger et al. 2016), 'farneback' (2003; windows of 15
    px on 4 pyramid levels), 'deepflow' (Weinzaepfel et al. 2013, without descriptor matching), 'tvl1' (Zach et
    al. 2007), 'micro' (made for movements below a pixel under noise) or 'classic_nl_fast' (the paper's own: Sun et al.
    2010).  StudyError for anything else.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.open_clips("tiny", progress=False)
    >>> onset, apex = (clips.frames(clips.table.clip_id[0], moment) for moment in ("onset", "apex"))
    >>> flow = em.optical_flow(onset, apex, method="dis")
    >>> flow.shape == (*onset.shape[:2], 2)
    True
    """
    check_name("flow_method", method, METHODS)
    before, after = (_gray_stack(frames, name) for frames, name in ((onset, "onset"), (apex, "apex")))
    size, other = before.frames.shape[1:], after.frames.shape[1:]
    if size != other:
        raise StudyError(f"onset is {size} and apex is {other}; crop both frames of a clip by one box")
    if min(size) < MIN_SIDE:
        raise StudyError(f"frames of {size} px are too small; flow needs {MIN_SIDE} px a side")
    if len(before.frames) == len(after.frames) == 1:
        return np.asarray(METHODS[method](before.frames[0], after.frames[0]), dtype=np.float32)
    first, second = average(before), average(after)
    if method == "micro":
        flow = micro_flow(first.frame, second.frame, first.variance + second.variance)
    else:  # all others ask for whole grey levels
        whole = (np.rint(part.frame).clip(0, 255).astype(np.uint8) for part in (first, second))
        flow = METHODS[method](*whole)
    return scaled(np.asarray(flow, dtype=np.float32), first.near, second.near)


def _gray_stack(given: np.ndarray | Stack, name: str) -> Stack:
    """What is given as a stack of gray frames; a last side of 3 is colour, as no frame is so narrow."""
    stack = given if isinstance(given, Stack) else Stack(given[None], (0,))
    frames = stack.frames
    if frames.dtype != np.uint8:
        raise StudyError(f"{name} is of type {frames.dtype}; give 8-bit frames (uint8, 0 to 255)")
    colour = frames.shape[-1] == 3
    if frames.ndim != (4 if colour else 3) or 0 in frames.shape or frames.shape[-1] in (1, 2, 4):
        shape = frames.shape if isinstance(given, Stack) else frames.shape[1:]
        raise StudyError(f"{name} is {shape}; give (H, W) gray or (H, W, 3) RGB, or a Stack of such frames")
    return stack._replace(frames=np.stack([gray(frame) for frame in frames]))


def gray(frame: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of a gray or RGB frame."""
    return np.ascontiguousarray(frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
