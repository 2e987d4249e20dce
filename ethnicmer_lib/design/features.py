"""What a classifier sees of a clip: ResNet-18's features of its motion image, the image itself, or noise."""

from __future__ import annotations

import numpy as np

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.extract import resize
from ethnicmer_lib.store import kept

FLOW_SIZE = (
    28  #: side of the flow image that a classifier sees directly, in px: that of the published features
)
NOISE_WIDTH = 512  #: numbers per clip of noise features: as many as ResNet-18 gives


@kept("design")
def features(images: np.ndarray, kind: str, weights: str = "none", seed: int = 0) -> np.ndarray:
    """Numbers that describe every clip.

    Parameters
    ----------
    images : (n, 3, S, S) optical flow images.
    kind : 'resnet18': the 512 numbers of a ResNet-18 that is not trained here (Section IV-A); 'flow': the pixels,
        at 28 px as published; 'noise': 512 random numbers that know nothing of the clip.
    weights : of ResNet-18: 'none' (random, drawn from ``seed``), 'imagenet' (downloaded), or a file.
    seed : of noise, and of random weights.

    Returns
    -------
    (n, d) float32.

    Raises
    ------
    StudyError
        For an unknown kind, or images or weights that do not fit.

    Examples
    --------
    >>> em.features(np.zeros((2, 3, 28, 28), np.float32), "flow").shape
    (2, 2352)
    """
    if kind == "noise":
        rng = np.random.default_rng([seed, NOISE_WIDTH])
        return rng.standard_normal((len(images), NOISE_WIDTH), dtype=np.float32)
    if kind == "flow":
        small = (
            images if images.shape[-1] == FLOW_SIZE else np.stack([resize(one, FLOW_SIZE) for one in images])
        )
        return np.asarray(small, dtype=np.float32).reshape(len(small), -1)
    if kind == "resnet18":
        # Imported here: a page whose features are in the store needs no torch.
        from ethnicmer_lib.design.backbones import resnet18_features

        return resnet18_features(np.asarray(images), weights, seed)
    raise StudyError(f"features={kind!r} are unknown; allowed: 'resnet18', 'flow', 'noise'")
