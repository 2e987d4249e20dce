"""Optical flow: for every pixel of the onset frame, how far it moved until the apex frame (Eq. 5)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ethnicmer_lib.errors import StudyError

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


# An estimator object keeps buffers between calls, so each call makes its own: threads cannot meet in one.
METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "dis": _dis,
    "farneback": _farneback,
    "deepflow": _deepflow,
}


def optical_flow(onset: np.ndarray, apex: np.ndarray, method: str = "dis") -> np.ndarray:
    """Dense displacement from onset to apex.

    Parameters
    ----------
    onset, apex : (H, W) gray or (H, W, 3) RGB, uint8, at least 32 px a side, both of one shape.  Colour is
        turned to gray once, with the ITU-R BT.601 weights .299 R + .587 G + .114 B.
    method : 'dis' (dense inverse search, medium preset; Kroeger et al. 2016), 'farneback' (2003; windows of 15
        px on 4 pyramid levels) or 'deepflow' (Weinzaepfel et al. 2013, without descriptor matching).

    Returns
    -------
    (H, W, 2) float32 in px: u to the right, v downwards.  The apex frame at (x + u, y + v) shows what the onset
    frame shows at (x, y).

    Raises
    ------
    StudyError
        Unknown method, shapes that differ, a type other than uint8, or a side under 32 px.
    """
    if method not in METHODS:
        raise StudyError(f"flow_method={method!r} is unknown; allowed: {', '.join(METHODS)}")
    if onset.shape != apex.shape:
        raise StudyError(
            f"onset is {onset.shape} and apex is {apex.shape}; crop both frames of a clip by one box"
        )
    for name, frame in (("onset", onset), ("apex", apex)):
        if frame.dtype != np.uint8:
            raise StudyError(f"{name} is of type {frame.dtype}; give 8-bit frames (uint8, 0 to 255)")
        if frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] != 3):
            raise StudyError(f"{name} is {frame.shape}; give (H, W) gray or (H, W, 3) RGB")
    if min(onset.shape[:2]) < MIN_SIDE:
        raise StudyError(f"frames of {onset.shape[:2]} px are too small; flow needs {MIN_SIDE} px a side")
    return np.asarray(METHODS[method](gray(onset), gray(apex)), dtype=np.float32)


def gray(frame: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of a gray or RGB frame."""
    return np.ascontiguousarray(frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
