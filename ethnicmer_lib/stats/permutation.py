"""Permutation tests in which the subject is what is permuted, and p-values of many tests at once.

p = (1 + b) / (1 + n), with b of the n random permutations at least as extreme as the data, so that the test
holds its level and p is never zero (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats.confusions import class_f1, resampled
from ethnicmer_lib.stats.intervals import over_runs


def swap_test(first: np.ndarray, second: np.ndarray, n: int = 2000, seed: int = 0) -> float:
    """Two-sided p-value of the difference in macro F1 of two methods on the same clips.

    If the methods are alike, which of the two made a subject's predictions does not matter: a permutation
    swaps, subject by subject with chance 1/2, all predictions of both (a sign flip of the difference of the
    subject's two confusion matrices), and scores both anew.  This is the approximate randomisation test
    (Noreen 1989; Yeh 2000, COLING 18:947) with the subject as its unit.

    ``first`` and ``second`` are (runs, subjects, classes, classes) confusion matrices.  A subject's predictions of all
    runs are swapped together, the score is the average over runs, and the error that a run makes in all subjects is
    added to every permutation as to an interval (:func:`intervals.over_runs`): swapping subjects alone would take two
    halves of the runs of one network for different methods.  One run stands for any number, as that of a method
    without chance does.  StudyError for numbers of runs that do not fit.
    """
    check_runs(first, second)
    swaps = np.random.default_rng([seed, n, 2]).integers(0, 2, (n, first.shape[1])).astype(float)
    moved = resampled(second - first, np.vstack([np.zeros(first.shape[1]), swaps]))  # first row: nothing
    one, other = (
        np.nan_to_num(class_f1(side)).mean(-1)
        for side in (first.sum(1)[:, None] + moved, second.sum(1)[:, None] - moved)
    )
    return p_value(over_runs(one - other, seed))


def check_runs(first: np.ndarray, second: np.ndarray) -> None:
    """StudyError unless two methods have equally many runs, or one of them a single one."""
    if len(first) != len(second) and 1 not in (len(first), len(second)):
        raise StudyError(
            f"{len(first)} and {len(second)} repetitions; both methods need equally many, or one"
        )


def p_value(found: np.ndarray) -> float:
    """(1 + b) / (1 + n) of what the data (first) and n permutations give; sums that are equal may round differently."""
    observed = abs(found[0])
    return float(np.mean(np.abs(found) >= observed - 1e-12 * max(1.0, observed)))


def holm(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the column ``p_holm``: p-values adjusted for all its rows, which are the family.

    With p(1) <= ... <= p(m): adjusted p(i) = max over j <= i of min(1, (m - j + 1) · p(j)), so that the chance of any
    false rejection stays below the level whatever the dependence between the tests (Holm 1979).  A p-value that is
    NaN stands for a test that could not be made: it does not count in the family and stays NaN.

    Examples
    --------
    >>> em.holm(pd.DataFrame({"p": [0.01, 0.04, 0.03]}))["p_holm"].round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    made = table["p"].astype(float).dropna().sort_values(kind="stable")
    steps = made * np.arange(len(made), 0, -1)
    adjusted = pd.Series(np.minimum(np.maximum.accumulate(steps), 1), made.index)
    return table.assign(p_holm=adjusted.reindex(table.index))
