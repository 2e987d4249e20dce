"""Permutation tests in which the subject is what is permuted: groups between subjects, methods within them.

p = (1 + b) / (1 + n), with b of the n random permutations at least as extreme as the data, so that the test
holds its level and p is never zero (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats.scores import class_f1, first_group, paired_confusions, sums_by_subject


def permutation_difference(
    values: ArrayLike, subjects: ArrayLike, groups: ArrayLike, n: int = 2000, seed: int = 0
) -> float:
    """Two-sided p-value of the difference of clip means between two groups of subjects.

    The group labels are permuted between subjects, clips staying with their subject.

    Parameters
    ----------
    values, subjects, groups : (clips,); a subject has one group, and there are two groups.

    Raises
    ------
    StudyError
        As :func:`bootstrap_mean`, or when a subject has two groups or the groups are not two.
    """
    names, sums, counts, codes = sums_by_subject(values, subjects)

    def difference(member: np.ndarray) -> np.ndarray:
        inside = (member @ sums) / (member @ counts)
        return inside - (sums.sum() - member @ sums) / (counts.sum() - member @ counts)

    member = first_group(names, codes, groups).astype(float)
    permuted = np.random.default_rng([seed, n]).permuted(np.tile(member, (n, 1)), axis=1)
    return _p_value(difference(member), difference(permuted))


def permutation_paired(
    a: pd.DataFrame,
    b: pd.DataFrame,
    labels: Sequence[str],
    n: int = 2000,
    seed: int = 0,
    repeat: str | None = None,
) -> float:
    """Two-sided p-value of the difference in macro F1 of two methods on the same clips.

    If the methods are alike, which of the two made a subject's predictions does not matter: a permutation
    swaps, subject by subject with chance 1/2, all predictions of ``a`` and ``b`` (a sign flip of the
    difference of the subject's two confusion matrices), and scores both tables anew.  This is the
    approximate randomisation test (Noreen 1989; Yeh 2000, COLING 18:947) with the subject as its unit.

    Parameters
    ----------
    a, b, labels, repeat : as of :func:`paired_difference`.  With ``repeat`` a subject's predictions of all
        repetitions are swapped together, and the score is the average over repetitions.

    Raises
    ------
    StudyError
        As :func:`paired_difference`; or with ``repeat``, when the tables differ in their repetitions.
    """
    first, second = paired_confusions(a, b, labels, repeat)
    if len(first) != len(second):
        raise StudyError(
            f"{len(first)} and {len(second)} repetitions ({repeat}); to swap the predictions of a subject "
            "both tables need equally many"
        )
    return swap_test(first, second, n, seed)


def swap_test(first: np.ndarray, second: np.ndarray, n: int = 2000, seed: int = 0) -> float:
    """:func:`permutation_paired` of (repetitions, subjects, classes, classes) confusion matrices of either side."""
    repetitions, subjects, classes, _ = first.shape
    swaps = np.random.default_rng([seed, n, 2]).integers(0, 2, (n, subjects)).astype(float)

    def difference(swapped: np.ndarray) -> np.ndarray:
        found = np.zeros(len(swapped))
        for one, other in zip(first, second, strict=True):
            moved = (swapped @ (other - one).reshape(subjects, -1)).reshape(-1, classes, classes)
            found += _macro(one.sum(0) + moved) - _macro(other.sum(0) - moved)
        return found / repetitions

    return _p_value(difference(np.zeros((1, subjects)))[0], difference(swaps))


def _macro(confusions: np.ndarray) -> np.ndarray:
    return np.nan_to_num(class_f1(confusions)).mean(-1)


def _p_value(observed: float, permuted: np.ndarray) -> float:
    """(1 + b) / (1 + n); a permutation that equals the data counts although its sums may round differently."""
    observed = abs(observed)
    extreme = np.abs(permuted) >= observed - 1e-12 * max(1.0, observed)
    return float((1 + extreme.sum()) / (1 + len(permuted)))
