"""The optical flow image (u, v, strain) and its scaling, clip by clip (Eq. 7)."""

from __future__ import annotations

import numpy as np

from ethnicmer_lib.errors import StudyError, check_name
from ethnicmer_lib.motion.strain import optical_strain

PERCENTILE = 99.0
STILL = 1e-6  #: px; a range or scale below it is float32 rounding, not motion
SCALINGS = ("none", "robust", "clip_min_max", "as_released")


def flow_image(flow: np.ndarray, scaling: str = "robust") -> np.ndarray:
    """The three channels u, v and optical strain of a flow (H, W, 2) in px, scaled within the clip: (3, H, W) float32.

    - 'none': px, px, and px per px.
    - 'robust': u and v minus their medians over the image (the head's own translation), both over the 99th
      percentile of the length of what remains, clipped to [-1, 1]; strain over its 99th percentile, clipped to
      [0, 1].  Zero stays zero and u and v keep their ratio.
    - 'clip_min_max': every channel stretched to [0, 1] by its minimum and maximum.
    - 'as_released': the same with the released strain in place of that of Eq. 6, see :func:`optical_strain`.

    A channel that does not vary is all zeros under each scaling.  StudyError for a value that is not finite.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> y, x = np.mgrid[:5, :5]
    >>> em.flow_image(np.stack([0.1 * x, 0 * y], axis=-1), scaling="none").shape
    (3, 5, 5)
    """
    check_name("scaling", scaling, SCALINGS)
    strain = optical_strain(flow, as_released=scaling == "as_released")
    if not np.isfinite(strain).all():
        raise StudyError("the flow holds values that are not finite; check the frames")
    motion = np.moveaxis(flow, 2, 0).astype(np.float32)
    if scaling == "none":
        return np.concatenate([motion, strain[None]])
    if scaling in ("clip_min_max", "as_released"):
        return np.stack([_min_max(channel) for channel in (*motion, strain)])
    motion = motion - np.median(motion, axis=(1, 2), keepdims=True)
    motion = _over(motion, np.percentile(np.hypot(*motion), PERCENTILE))
    return np.concatenate([motion, _over(strain, np.percentile(strain, PERCENTILE))[None]])


def published_image(image: np.ndarray) -> np.ndarray:
    """Published flow features, (H, W, 3) in [0, 1], as an image like that of :func:`flow_image`: (3, H, W) float32.

    The publishers stretched every channel to its own minimum and maximum, so size and, strictly, sign of the
    motion are gone and no scaling of ours can apply.  u and v become 2x - 1 minus their medians over the
    image: at rest is 0, as most of a face is.  Strain stays.
    """
    channels = np.moveaxis(image, 2, 0).astype(np.float32)
    motion = 2 * channels[:2] - 1
    motion = motion - np.median(motion, axis=(1, 2), keepdims=True)
    return np.concatenate([motion, channels[2:]])


def _min_max(channel: np.ndarray) -> np.ndarray:
    low, high = channel.min(), channel.max()
    return (channel - low) / (high - low) if high - low > STILL else np.zeros_like(channel)


def _over(values: np.ndarray, scale: float) -> np.ndarray:
    """``values`` over ``scale``, clipped to [-1, 1]; zeros where there is no motion to scale."""
    return np.clip(values / np.float32(scale), -1, 1) if scale > STILL else np.zeros_like(values)
