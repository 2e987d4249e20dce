"""How a network is trained; the defaults are the paper's (Section IV)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

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
    gamma: Annotated[
        float, Field(gt=0, le=1, description="factor on the learning rate after every epoch")
    ] = 0.9
    precision: Annotated[
        Literal["float32", "bfloat16"],
        Field(description="numbers that training computes with; bfloat16 by autocast, for a GPU"),
    ] = "float32"
    compiled: Annotated[
        bool, Field(description="whether torch.compile prepares the training step; needs a C++ compiler")
    ] = False


AS_PRINTED = Recipe()  #: the paper's
