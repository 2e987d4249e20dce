"""The log of what a cohort's loader decided: one row for every value that a policy set, kept or left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd


class Decision(NamedTuple):
    """One decision: what of which clip (or of a whole database) went from which value to which, by which rule.

    ``rule`` is a policy, 'name=value', or a sentence where there is no choice. ``new`` equals ``old`` where a
    policy leaves a doubtful value as it is, and is 'left out' where a clip or row goes.
    """

    clip: str
    what: str
    old: str
    new: str
    rule: str


LEFT_OUT = "left out"


def decisions_table(decisions: Iterable[Decision] = ()) -> pd.DataFrame:
    """The decisions as a table of text columns clip, what, old, new, rule, in the order given."""
    return pd.DataFrame(list(decisions), columns=list(Decision._fields), dtype=str)
