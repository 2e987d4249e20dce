"""The four networks, trained fold by fold anywhere, their held-out predictions, probes and maps."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Public name -> module.  Loaded when first used: who reads a recipe or recorded predictions needs no torch.
_PUBLIC = {
    "AS_DESCRIBED": "switches",
    "AS_RELEASED": "switches",
    "Recipe": "recipe",
    "Switches": "switches",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
