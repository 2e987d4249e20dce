"""The four networks, trained fold by fold anywhere, their held-out predictions, probes and maps."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Module -> its public names.  Loaded when first used: who reads a recipe or recorded predictions needs no torch.
_PUBLIC = {
    "arms": ("compared", "left_out"),
    "cells": ("grad_cam",),
    "folds": ("train_and_predict", "trained"),
    "maps": ("MEASURES", "activation_maps", "measure_maps"),
    "models": ("build_network",),
    "probes": ("group_accuracy", "learnt"),
    "recipe": ("Recipe",),
    "switches": ("AS_DESCRIBED", "Switches"),
}
_MODULES = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
