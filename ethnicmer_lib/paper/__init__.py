"""What the paper prints and claims, what its release does, and the rules that give verdicts."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Module -> its public names.  Loaded when first used: who reads a printed number needs no classifier.
_PUBLIC = {
    "counted": ("count_tables",),
    "effects": ("described_cells", "switch_effects"),
    "facs": ("unit_claims",),
    "judging": ("cells", "judge", "rules_of"),
    "ledger": ("claims_ledger",),
    "numbers": ("printed",),
    "on_labels": ("label_claims",),
    "released": ("RELEASED",),
}
_MODULE_OF = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
