"""What the paper prints and claims, what its release does, and the rules that give verdicts."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Public name -> module.  Loaded when first used: who reads a printed number needs no classifier.
_PUBLIC = {
    "Finding": "findings",
    "MODES": "findings",
    "RELEASED": "released",
    "VERDICTS": "findings",
    "cell_key": "judging",
    "cells": "judging",
    "count_tables": "counted",
    "claims_ledger": "ledger",
    "described_cells": "effects",
    "findings_table": "findings",
    "judge": "judging",
    "label_claims": "on_labels",
    "printed": "numbers",
    "rules_of": "judging",
    "switch_effects": "effects",
    "unit_claims": "facs",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
