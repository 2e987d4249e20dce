"""The switches between the paper's text and its released code, and what two of them do to a network's inputs."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, Self

import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError

CONTEXTS = ("group", "shuffled", "database")
STILL = 1e-6  #: a channel whose values span less than this does not vary
# ImageNet's mean and standard deviation, for red, green and blue; the release gives them to u, v and strain.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Switches:
    """How a network of Table V is taught, tested and saved; the defaults are what the paper describes.

    Each field changes one behaviour and leaves the others, the start of the emotion branch and the order of the
    clips as they are.

    Attributes
    ----------
    context : what the ethnic branch is taught: 'group', 'shuffled' (groups permuted between subjects) or 'database'.
    ethnic_loss : whether the cross-entropy of the ethnic branch is part of the loss (Eq. 2).
    shared_backbone : whether the emotion backbone is called for both branches, as released; the ethnic one is idle.
    test_batch_norm : 'running' statistics of training, or those of the held-out subject's own 'batch', as released:
        the network stays in training mode while it is tested.
    weights_saved : 'before_test', or 'after_test' as released: the running statistics that a later test in
        evaluation mode uses have seen the held-out subject.
    standardise : 'none', or 'imagenet' as released, see :func:`standardised`.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.Switches(context="database").ethnic_loss
    True
    """

    context: Literal["group", "shuffled", "database"] = "group"
    ethnic_loss: bool = True
    shared_backbone: bool = False
    test_batch_norm: Literal["running", "batch"] = "running"
    weights_saved: Literal["before_test", "after_test"] = "before_test"
    standardise: Literal["none", "imagenet"] = "none"

    @classmethod
    def of(cls, parameters: object) -> Self:
        """Those of a chapter's parameters, which carry the same names."""
        return cls(**{field.name: getattr(parameters, field.name) for field in fields(cls)})

    @property
    def training(self) -> Switches:
        """The switches that change the trained network; those of the test are back at their defaults."""
        return replace(
            self, test_batch_norm=AS_DESCRIBED.test_batch_norm, weights_saved=AS_DESCRIBED.weights_saved
        )


AS_DESCRIBED = Switches()
#: What the released code does; what its ethnic branch is taught is what the paper says.
AS_RELEASED = Switches(
    shared_backbone=True, test_batch_norm="batch", weights_saved="after_test", standardise="imagenet"
)


def taught(clips: pd.DataFrame, context: str, seed: int) -> np.ndarray:
    """What the ethnic branch is taught of every clip, (n,) text.

    'shuffled' permutes the groups between subjects, from a stream of its own: a subject's clips stay together
    and each group keeps its number of subjects.

    Raises
    ------
    StudyError
        For an unknown context.
    """
    if context not in CONTEXTS:
        raise StudyError(f"context={context!r} is unknown; allowed: {', '.join(CONTEXTS)}")
    if context != "shuffled":
        return clips[context].to_numpy(dtype=object)
    groups = clips.groupby("subject", sort=True)["group"].first()
    dealt = np.random.default_rng([seed, 0, 2]).permutation(groups.to_numpy(dtype=object))
    return clips["subject"].map(dict(zip(groups.index, dealt, strict=True))).to_numpy(dtype=object)


def standardised(images: np.ndarray) -> np.ndarray:
    """Flow images as the release gives them to its networks: every channel of a clip stretched to [0, 1], then
    ImageNet's mean subtracted and divided by its standard deviation, channel by channel.

    Zero is then no longer 'no motion'.  A channel that does not vary counts as 0 before it is standardised.

    Parameters
    ----------
    images : (n, 3, S, S); any scaling, since the stretch undoes it.

    Returns
    -------
    (n, 3, S, S) float32.
    """
    low = images.min(axis=(2, 3), keepdims=True)
    span = images.max(axis=(2, 3), keepdims=True) - low
    unit = np.divide(images - low, span, out=np.zeros(images.shape, np.float32), where=span > STILL)
    shape = (1, 3, 1, 1)
    return (unit - np.reshape(MEAN, shape).astype(np.float32)) / np.reshape(STD, shape).astype(np.float32)
