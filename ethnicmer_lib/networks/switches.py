"""The switches between the paper's text and its released code, and what two of them do to a network's inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

STILL = 1e-6  #: a channel whose values span less than this does not vary
# ImageNet's mean and standard deviation, for red, green and blue; the release gives them to u, v and strain.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Switches:
    """How a network of Table V is taught, tested and saved; the defaults are what the paper describes.

    Each changes one behaviour; the others, the start of the emotion branch and the order of clips stay as they are.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.Switches(context="database").ethnic_loss
    True
    """

    #: What the ethnic branch is taught: groups, groups permuted between subjects, or databases.
    context: Literal["group", "shuffled", "database"] = "group"
    #: Whether the cross-entropy of the ethnic branch is part of the loss (Eq. 2).
    ethnic_loss: bool = True
    #: Whether the emotion backbone is called for both branches, as released; the ethnic one is idle.
    shared_backbone: bool = False
    #: Statistics of training, or, as released, of the held-out subject's own batch: the test is in training mode.
    test_batch_norm: Literal["running", "batch"] = "running"
    #: As released, after the test: running statistics, of later tests in evaluation mode, know the held-out subject.
    weights_saved: Literal["before_test", "after_test"] = "before_test"
    #: As released, 'imagenet': see :func:`standardised`.
    standardise: Literal["none", "imagenet"] = "none"


AS_DESCRIBED = Switches()


def as_trained(switches: Switches) -> Switches:
    """Without what is of the test alone: networks that are alike in it are trained once, and tested in several ways."""
    test = {name: getattr(AS_DESCRIBED, name) for name in ("test_batch_norm", "weights_saved")}
    return replace(switches, **test)


def taught(clips: pd.DataFrame, context: str, seed: int) -> np.ndarray:
    """What the ethnic branch is taught of every clip, (n,) text.

    'shuffled' permutes the groups between subjects, from a stream of its own: a subject's clips stay together
    and each group keeps its number of subjects.
    """
    if context != "shuffled":
        return clips[context].to_numpy(dtype=object)
    groups = clips.groupby("subject", sort=True)["group"].first()
    dealt = np.random.default_rng([seed, 0, 2]).permutation(groups.to_numpy(dtype=object))
    return clips["subject"].map(dict(zip(groups.index, dealt, strict=True))).to_numpy(dtype=object)


def standardised(images: np.ndarray) -> np.ndarray:
    """Flow images (n, 3, S, S) as the release standardises them: every channel of a clip is stretched to [0, 1] (0 for
    one that does not vary), then ImageNet's mean subtracted and divided by its standard deviation; float32.

    Zero is then no longer 'no motion', and how the flow was scaled does not matter.
    """
    low = images.min(axis=(2, 3), keepdims=True)
    span = images.max(axis=(2, 3), keepdims=True) - low
    unit = np.divide(images - low, span, out=np.zeros(images.shape, np.float32), where=span > STILL)
    mean, std = np.reshape([MEAN, STD], (2, 1, 3, 1, 1)).astype(np.float32)
    return (unit - mean) / std
