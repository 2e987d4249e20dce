"""``@kept``: a slow function is called plainly, and its result is kept under its arguments and its room's code."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np
import pandas as pd

from ethnicmer_lib.store.identity import weights_identity
from ethnicmer_lib.store.provenance import Provenance
from ethnicmer_lib.store.runs import Run

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result", pd.DataFrame, np.ndarray)


def kept(*rooms: str) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Decorate a function of arrays, tables and keywords that returns one table or one array.

    The result is computed once for every identity of the arguments and of the code in ``rooms`` (the function's own
    and those it calls with more than its arguments), and read back sealed: a table from Parquet, an array mapped from
    disk.  An argument ``progress`` does not count; ``weights`` are 'none', 'imagenet' or a file, which counts by its
    content.
    """

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args: Arguments.args, **options: Arguments.kwargs) -> Result:
            bound = signature.bind(*args, **options)
            bound.apply_defaults()
            inputs = {name: value for name, value in bound.arguments.items() if name != "progress"}
            if "weights" in inputs:
                inputs["weights"] = weights_identity(inputs["weights"])
            sources = (getattr(value, "provenance", None) for value in inputs.values())
            source = next((found for found in sources if isinstance(found, Provenance)), None)
            run = Run.open(function.__name__, code=rooms, inputs=inputs, provenance=source)
            return run.kept("result", lambda: function(*args, **options))

        return call

    return decorate
