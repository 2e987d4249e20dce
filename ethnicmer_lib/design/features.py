"""What a classifier sees of a clip: ResNet-18's features of its motion image, the image itself, or noise."""

from __future__ import annotations

import numpy as np

from ethnicmer_lib.errors import check_name
from ethnicmer_lib.motion.extract import resize
from ethnicmer_lib.store import kept

#: Side of the flow image that a classifier sees directly, in px: that of the published features.
FLOW_SIZE = 28
NOISE_WIDTH = 512  #: numbers per clip of noise features: as many as ResNet-18 gives


@kept("design")
def features(images: np.ndarray, kind: str, weights: str = "none", seed: int = 0) -> np.ndarray:
    """Numbers that describe every clip: (n, d) float32 of (n, 3, S, S) optical flow images.

    ``kind`` is 'resnet18': the 512 numbers of a ResNet-18 that is not trained here (Section IV-A); 'flow': the pixels,
    at 28 px as published; or 'noise': 512 random numbers that know nothing of the clip.  ``weights`` of ResNet-18 are
    'none' (random, drawn from ``seed``), 'imagenet' (downloaded), or a file.

    Examples
    --------
    >>> em.features(np.zeros((2, 3, 28, 28), np.float32), "flow").shape
    (2, 2352)
    """
    check_name("features", kind, ("resnet18", "flow", "noise"))
    if kind == "noise":
        rng = np.random.default_rng([seed, NOISE_WIDTH])
        return rng.standard_normal((len(images), NOISE_WIDTH), dtype=np.float32)
    if kind == "flow":
        return np.stack([resize(image, FLOW_SIZE) for image in images]).reshape(len(images), -1)
    # Imported here: a page whose features are in the store needs no torch.
    from ethnicmer_lib.design.backbones import resnet18_features

    return resnet18_features(images, weights, seed)
