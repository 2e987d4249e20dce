"""How far a computed flow is from the true one: endpoint error and the correlation of strain, on the visible face."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ethnicmer_lib.motion.strain import optical_strain

_INSIDE = 4  # px that strain is taken away from the outline of what is compared


class FlowError(NamedTuple):
    """Errors of one flow.

    Attributes
    ----------
    error_px : mean endpoint error, px (AEPE)
    zero_px : that error of claiming no motion, px
    strain_r : Pearson's correlation of optical strain with the true strain; NaN where one of them does not vary
    """

    error_px: float
    zero_px: float
    strain_r: float


def flow_error(flow: np.ndarray, true: np.ndarray, seen: np.ndarray) -> FlowError:
    """Compare a flow with the truth where the face is seen in both frames.

    Parameters
    ----------
    flow, true : (H, W, 2) px
    seen : (H, W) bool, where to compare; strain is compared inside of it, as it jumps at the outline of the
        face, where no method can be right.
    """
    distance = np.hypot(*np.moveaxis(flow - true, 2, 0))
    length = np.hypot(*np.moveaxis(true, 2, 0))
    inner = inside(seen)
    strain_r = correlation(optical_strain(flow)[inner], optical_strain(true)[inner])
    return FlowError(float(distance[seen].mean()), float(length[seen].mean()), strain_r)


def inside(area: np.ndarray) -> np.ndarray:
    """(H, W) bool: four pixels inside the border of an area."""
    side = 2 * _INSIDE + 1
    return cv2.erode(area.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's r; NaN where one side does not vary, as the strain of a rigid motion."""
    if not len(a) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
