"""What the paper prints and claims, what its release does, and the rules that give verdicts."""

from ethnicmer_lib import lazily

# Loaded when first used: who reads a printed number needs no classifier.
_PUBLIC = {
    "counted": "count_tables",
    "effects": "described_cells switch_effects",
    "facs": "unit_claims units_named",
    "judging": "cells judge printed_effect rules_of",
    "ledger": "answered claims_ledger",
    "numbers": "called printed",
    "on_labels": "label_claims",
    "protocol": "all_rules",
    "released": "RELEASED",
}
__all__, __getattr__ = lazily(__name__, _PUBLIC)
