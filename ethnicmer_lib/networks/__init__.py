"""The four networks, trained fold by fold anywhere, their held-out predictions, probes and maps."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Public name -> module.  Loaded when first used: who reads a recipe or recorded predictions needs no torch.
_PUBLIC = {
    "AS_DESCRIBED": "switches",
    "AS_RELEASED": "switches",
    "MEASURES": "maps",
    "Recipe": "recipe",
    "Switches": "switches",
    "activation_maps": "maps",
    "build_network": "models",
    "compared": "arms",
    "grad_cam": "cells",
    "group_accuracy": "probes",
    "learnt": "probes",
    "left_out": "arms",
    "measure_maps": "maps",
    "train_and_predict": "folds",
    "trained": "folds",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
