"""How far a computed flow is from the true one: endpoint error and the correlation of strain, on the visible face."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ethnicmer_lib.motion.strain import optical_strain


class FlowError(NamedTuple):
    """Mean endpoint error of a flow and of claiming no motion, px, and Pearson's r of its strain with the true one."""

    error_px: float
    zero_px: float
    strain_r: float  #: NaN where one of the two does not vary, as the strain of a rigid motion


def flow_error(flow: np.ndarray, true: np.ndarray, seen: np.ndarray) -> FlowError:
    """Compare a flow with the truth, (H, W, 2) px, where the face is ``seen`` in both frames, (H, W) bool.

    Strain is compared :func:`inside` of it: it jumps at the outline of the face, where no method can be right.
    """
    distance, length = (np.hypot(*np.moveaxis(field, 2, 0))[seen] for field in (flow - true, true))
    ours, known = (optical_strain(field)[inside(seen)] for field in (flow, true))
    varies = len(ours) and np.ptp(ours) and np.ptp(known)
    strain_r = float(np.corrcoef(ours, known)[0, 1]) if varies else float("nan")
    return FlowError(float(distance.mean()), float(length.mean()), strain_r)


def inside(area: np.ndarray) -> np.ndarray:
    """(H, W) bool: four pixels inside the border of an area."""
    return cv2.erode(area.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
