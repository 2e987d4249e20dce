"""How a network is trained; the defaults are the paper's (Section IV)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True)
class Recipe:
    """What training depends on besides clips, folds, seed, weights and switches.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.Recipe(epochs=3).learning_rate
    0.001
    """

    epochs: Annotated[int, Field(ge=1, le=500, description="training epochs")] = 15
    batch_size: Annotated[int, Field(ge=2, le=512, description="clips per training step")] = 32
    learning_rate: Annotated[float, Field(gt=0, le=1, description="Adam's learning rate")] = 1e-3
    gamma: Annotated[float, Field(gt=0, le=1, description="factor on the learning rate, every epoch")] = 0.9


AS_PRINTED = Recipe()  #: the paper's
