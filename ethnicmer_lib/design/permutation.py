"""Permutation test of "mixed is worse": group labels dealt anew between subjects, the whole study repeated."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ethnicmer_lib.design.scenarios import subjects_in
from ethnicmer_lib.stats import holm

WITHIN = ("one_database", "two_databases")  #: controls whose groups are dealt within one database


def permuted_groups(table: pd.DataFrame, control: str, seed: int, permutation: int) -> pd.DataFrame:
    """The clips with groups dealt anew between subjects; permutation 0 leaves them as they are.

    Under the controls :data:`WITHIN` only subjects of the database that holds both groups are
    dealt, so that the database of a subject says as much of its group as before; otherwise all subjects are.
    """
    if permutation == 0:
        return table
    both = subjects_in(table).min(axis=1).idxmax()
    dealt_to = table[table["database"] == both] if control in WITHIN else table
    who = dealt_to[["subject", "group"]].drop_duplicates().sort_values("subject")
    rng = np.random.default_rng([seed, permutation, len(control)])
    dealt = dict(zip(who["subject"], rng.permutation(who["group"].to_numpy()), strict=True))
    return table.assign(group=table["subject"].map(dealt).fillna(table["group"]))


def permutation_tests(null: pd.DataFrame) -> pd.DataFrame:
    """Two-sided tests from recorded null distributions, adjusted by Holm for all controls in the table.

    ``null`` has one row per control and permutation: control, permutation (0: as observed), difference.  Such a null
    need not be symmetric about zero, so p is twice the smaller of both tails, each (1 + b) / (1 + n) (Phipson & Smyth
    2010), at most 1.

    One row per control: ``observed``; ``low`` and ``high``, the middle 95 % of what permuted groups give;
    ``permutations``; ``p``; ``p_holm``.
    """
    found = {}
    for control, part in null.groupby("control", sort=False):
        observed = part.loc[part["permutation"] == 0, "difference"].item()
        low, high = part.loc[part["permutation"] > 0, "difference"].quantile([0.025, 0.975])
        tails = [(side * part["difference"] <= side * observed).mean() for side in (1, -1)]
        found[control] = {"observed": observed, "low": low, "high": high}
        found[control] |= {"permutations": len(part) - 1, "p": min(1.0, 2 * min(tails))}
    return holm(pd.DataFrame.from_dict(found, orient="index").rename_axis("control"))
