"""Permutation tests in which the subject is what is permuted, and p-values of many tests at once.

p = (1 + b) / (1 + n), with b of the n random permutations at least as extreme as the data, so that the test
holds its level and p is never zero (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats.confusions import class_f1


def swap_test(first: np.ndarray, second: np.ndarray, n: int = 2000, seed: int = 0) -> float:
    """Two-sided p-value of the difference in macro F1 of two methods on the same clips.

    If the methods are alike, which of the two made a subject's predictions does not matter: a permutation
    swaps, subject by subject with chance 1/2, all predictions of both (a sign flip of the difference of the
    subject's two confusion matrices), and scores both anew.  This is the approximate randomisation test
    (Noreen 1989; Yeh 2000, COLING 18:947) with the subject as its unit.

    Parameters
    ----------
    first, second : (repetitions, subjects, classes, classes) confusion matrices of either method.  A subject's
        predictions of all repetitions are swapped together, and the score is the average over repetitions; one
        repetition stands for any number, as that of a method without chance does.

    Raises
    ------
    StudyError
        When both have several repetitions, and not equally many.
    """
    repetitions, subjects, classes = max(len(first), len(second)), first.shape[1], first.shape[-1]
    if not {len(first), len(second)} <= {1, repetitions}:
        raise StudyError(
            f"{len(first)} and {len(second)} repetitions; to swap the predictions of a subject both methods need "
            "equally many"
        )
    first, second = (np.broadcast_to(side, (repetitions, *side.shape[1:])) for side in (first, second))
    swaps = np.random.default_rng([seed, n, 2]).integers(0, 2, (n, subjects)).astype(float)

    def difference(swapped: np.ndarray) -> np.ndarray:
        found = np.zeros(len(swapped))
        for one, other in zip(first, second, strict=True):
            moved = (swapped @ (other - one).reshape(subjects, -1)).reshape(-1, classes, classes)
            found += _macro(one.sum(0) + moved) - _macro(other.sum(0) - moved)
        return found / repetitions

    return p_value(difference(np.zeros((1, subjects)))[0], difference(swaps))


def _macro(confusions: np.ndarray) -> np.ndarray:
    return np.nan_to_num(class_f1(confusions)).mean(-1)


def p_value(observed: float, permuted: np.ndarray) -> float:
    """(1 + b) / (1 + n); a permutation that equals the data counts although its sums may round differently."""
    observed = abs(observed)
    extreme = np.abs(permuted) >= observed - 1e-12 * max(1.0, observed)
    return float((1 + extreme.sum()) / (1 + len(permuted)))


def holm(table: pd.DataFrame, column: str = "p") -> pd.DataFrame:
    """The table with the column ``p_holm``: p-values adjusted for all its rows, which are the family.

    With p(1) <= ... <= p(m): adjusted p(i) = max over j <= i of min(1, (m - j + 1) · p(j)), so that the chance of any
    false rejection stays below the level whatever the dependence between the tests (Holm 1979).  A p-value that is
    NaN stands for a test that could not be made: it does not count in the family and stays NaN.

    Raises
    ------
    StudyError
        For a p-value outside 0 to 1.

    Examples
    --------
    >>> em.holm(pd.DataFrame({"p": [0.01, 0.04, 0.03]}))["p_holm"].round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = table[column].astype(float)
    if len(wrong := p[(p < 0) | (p > 1)]):
        raise StudyError(f"p-value {wrong.iloc[0]} of row {wrong.index[0]} is not from 0 to 1")
    made = p.dropna().sort_values(kind="stable")
    steps = made * np.arange(len(made), 0, -1)
    adjusted = pd.Series(np.minimum(np.maximum.accumulate(steps), 1), made.index)
    return table.assign(**{f"{column}_holm": adjusted.reindex(table.index)})
