"""Optical strain: how much the face is locally stretched and sheared by a flow field (Eq. 6)."""

from __future__ import annotations

import numpy as np

from ethnicmer_lib.errors import StudyError


def optical_strain(flow: np.ndarray, as_released: bool = False) -> np.ndarray:
    """Magnitude of the infinitesimal strain tensor of a flow field (Eq. 6; Shreve et al. 2009): (H, W) float32.

    The tensor is the symmetric part of the flow's gradient, e_xx = du/dx, e_yy = dv/dy and e_xy = (du/dy +
    dv/dx) / 2; the magnitude is sqrt(e_xx² + e_yy² + 2 e_xy²).  It is 0 for any translation and, to first order,
    for any rotation.  Derivatives are second-order accurate everywhere, borders included.  ``flow`` is (H, W, 2) in
    px, at least 3 px a side.

    ``as_released`` computes what the released code computes instead: derivatives along the wrong axes and no
    shear, sqrt((du/dy)² + (dv/dx)²), from central differences with zeros beyond the border.  A pure rotation
    by 0.01 then has 0.0141, a stretch none, and a translation a bright frame along the border.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> y, x = np.mgrid[:5, :5]
    >>> stretched = np.stack([0.1 * x, 0 * y], axis=-1)
    >>> em.optical_strain(stretched)[2, 2].round(3)
    np.float32(0.1)
    """
    if flow.ndim != 3 or flow.shape[2] != 2 or min(flow.shape[:2]) < 3:
        raise StudyError(f"flow is {flow.shape}; strain needs (H, W, 2) with at least 3 px a side")
    u, v = np.moveaxis(flow.astype(np.float64), 2, 0)
    if as_released:
        return np.hypot(_padded_difference(u, 0), _padded_difference(v, 1)).astype(np.float32)
    xx, yy = _derivative(u, 1), _derivative(v, 0)
    xy = (_derivative(u, 0) + _derivative(v, 1)) / 2
    return np.sqrt(xx**2 + yy**2 + 2 * xy**2).astype(np.float32)


def _padded_difference(values: np.ndarray, axis: int) -> np.ndarray:
    """Central difference, half of next minus previous, where what lies beyond the border is 0."""
    padded = np.pad(np.moveaxis(values, axis, 0), ((1, 1), (0, 0)))
    return np.moveaxis((padded[2:] - padded[:-2]) / 2, 0, axis)


def _derivative(values: np.ndarray, axis: int) -> np.ndarray:
    """As ``np.gradient(values, axis=axis, edge_order=2)``.

    Written with differences of neighbours, so that the derivative of a constant is exactly 0 at the borders too
    (numpy's weights -1.5, 2, -0.5 leave a rounding error, which a scaling by percentiles would blow up).
    """
    steps = np.diff(values, axis=axis)
    steps = np.moveaxis(steps, axis, 0)
    first = 1.5 * steps[:1] - 0.5 * steps[1:2]
    last = 1.5 * steps[-1:] - 0.5 * steps[-2:-1]
    return np.moveaxis(np.concatenate([first, (steps[1:] + steps[:-1]) / 2, last]), 0, axis)
