"""Permutation test of "mixed is worse": group labels dealt anew between subjects, the whole study repeated."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ethnicmer_lib.stats import holm

#: Test -> the control under which its scenarios are drawn.  In the first, groups are dealt between all subjects; in the
#: others between those of a database, so that the database of a subject says as much of its group as before.
TESTED = {
    "as_described": "as_described",
    "given_database": "as_described",
    "one_database": "one_database",
    "two_databases": "two_databases",
}
GIVEN = "given_database"  #: the test that decides about Table IV


def permuted_groups(table: pd.DataFrame, test: str, seed: int, permutation: int) -> pd.DataFrame:
    """The clips with groups dealt anew between subjects, as a test of :data:`TESTED` deals them; permutation 0 leaves
    them as they are."""
    if permutation == 0:
        return table
    who = table[["subject", "database", "group"]].drop_duplicates().sort_values("subject")
    rng = np.random.default_rng([seed, permutation, len(test)])
    between = np.zeros(len(who)) if test == "as_described" else who["database"]
    dealt = {}
    for _, part in who.groupby(between):
        groups = part["group"].to_numpy()
        if (groups != groups[0]).any():  # in a database of one group there is nothing to deal
            dealt |= dict(zip(part["subject"], rng.permutation(groups), strict=True))
    return table.assign(group=table["subject"].map(dealt).fillna(table["group"]))


def permutation_tests(null: pd.DataFrame) -> pd.DataFrame:
    """Two-sided tests from recorded null distributions, adjusted by Holm for all tests in the table.

    ``null`` has one row per test and permutation: control (a name in :data:`TESTED`), permutation (0: as observed),
    difference.  Such a null need not be symmetric about zero, so p is twice the smaller of both tails
    (:func:`tail`), at most 1.

    One row per test: ``observed``; ``low`` and ``high``, the middle 95 % of what permuted groups give;
    ``permutations``; ``p``; ``p_holm``.
    """
    found = {}
    for test, part in null.groupby("control", sort=False):
        observed = part.loc[part["permutation"] == 0, "difference"].item()
        low, high = part.loc[part["permutation"] > 0, "difference"].quantile([0.025, 0.975])
        found[test] = {"observed": observed, "low": low, "high": high}
        found[test] |= {"permutations": len(part) - 1, "p": min(tail(part, -1), tail(part, 1))}
    return holm(pd.DataFrame.from_dict(found, orient="index").rename_axis("control"))


def tail(null: pd.DataFrame, side: int) -> float:
    """Twice the share of one test's permutations, the observed one among them, that lie as far to a side (-1: below, 1:
    above) as what was observed: 2 (1 + b) / (1 + n) (Phipson & Smyth 2010), at most 1."""
    observed = null.loc[null["permutation"] == 0, "difference"].item()
    return min(1.0, 2 * float((side * null["difference"] >= side * observed).mean()))
