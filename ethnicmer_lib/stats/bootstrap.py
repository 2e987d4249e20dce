"""Intervals and tests that respect that the clips of one subject belong together.

The subject is the unit that was sampled, so it is the unit that is resampled (cluster bootstrap; Field &
Welsh 2007, J. R. Stat. Soc. B 69:369) and permuted.  Every score is a function of per-subject confusion
matrices, so a resample is one matrix product: weights (resamples, subjects) @ confusions (subjects,
classes²).

How often these intervals hold the truth and these tests reject what is true is measured by
``ethnicmer calibrate`` and shown on the page Statistics.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ethnicmer_lib.stats.intervals import LEVEL, Estimate, effective_subjects, interval, subject_weights
from ethnicmer_lib.stats.permutation import permutation_difference, permutation_paired, swap_test
from ethnicmer_lib.stats.scores import (
    class_f1,
    class_recall,
    f1_per_class,
    macro_f1,
    paired_confusions,
    repeated_confusions,
    subject_confusions,
    sums_by_subject,
    unweighted_average_recall,
)

__all__ = [
    "LEVEL",
    "MACRO",
    "UAR",
    "Estimate",
    "bootstrap_f1",
    "bootstrap_mean",
    "class_f1",
    "difference_interval",
    "effective_subjects",
    "f1_intervals",
    "f1_per_class",
    "interval",
    "macro_f1",
    "paired_difference",
    "permutation_difference",
    "permutation_paired",
    "subject_confusions",
    "subject_weights",
    "swap_test",
    "unweighted_average_recall",
]

MACRO = "macro"
UAR = "UAR"


def bootstrap_f1(
    predictions: pd.DataFrame, labels: Sequence[str], n: int = 2000, seed: int = 0, repeat: str | None = None
) -> dict[str, Estimate]:
    """F1 per class, macro F1 (key 'macro') and UAR with subject-bootstrap intervals.

    The value is the plain score of the pooled predictions.  A resample in which a class of the data
    happens to be absent has no F1 of that class and no macro F1, and is left out; a class that the data
    do not hold at all scores 0.

    Parameters
    ----------
    predictions : columns ``subject``, ``label``, ``predicted`` (and ``repeat``).
    labels : all classes.
    n, seed : number of resamples and their seed.
    repeat : column that numbers repetitions of the study (training seeds): scores are taken repetition by
        repetition and averaged, inside each resample too, so that the interval is that of the average.
    """
    return f1_intervals(repeated_confusions(predictions, labels, repeat), labels, n, seed)


def f1_intervals(
    confusions: np.ndarray, labels: Sequence[str], n: int = 2000, seed: int = 0
) -> dict[str, Estimate]:
    """:func:`bootstrap_f1` of (repetitions, subjects, classes, classes) confusion matrices."""
    point, boot = _scores(confusions, _weights(confusions.shape[1], n, seed))
    subjects = effective_subjects(confusions.sum((0, 2, 3)))
    found = {label: (point["f1"][i], boot["f1"][:, i]) for i, label in enumerate(labels)}
    found |= {name: (point[name], boot[name]) for name in (MACRO, UAR)}
    return {name: interval(*pair, subjects=subjects) for name, pair in found.items()}


def paired_difference(
    a: pd.DataFrame,
    b: pd.DataFrame,
    labels: Sequence[str],
    n: int = 2000,
    seed: int = 0,
    repeat: str | None = None,
) -> Estimate:
    """macro F1 of ``a`` minus that of ``b`` on the same clips, both scored on the same subject resamples.

    Raises
    ------
    StudyError
        When the tables do not hold the same clips with the same truth, or hold a clip unequally often.
    """
    return difference_interval(*paired_confusions(a, b, labels, repeat), n, seed)


def difference_interval(first: np.ndarray, second: np.ndarray, n: int = 2000, seed: int = 0) -> Estimate:
    """:func:`paired_difference` of (repetitions, subjects, classes, classes) confusion matrices of either side."""
    weights = _weights(first.shape[1], n, seed)
    (point_a, boot_a), (point_b, boot_b) = (_scores(side, weights) for side in (first, second))
    subjects = effective_subjects(first.sum((0, 2, 3)))
    return interval(point_a[MACRO] - point_b[MACRO], boot_a[MACRO] - boot_b[MACRO], subjects=subjects)


def bootstrap_mean(values: ArrayLike, subjects: ArrayLike, n: int = 2000, seed: int = 0) -> Estimate:
    """Mean over clips, with an interval from resampling whole subjects.

    Parameters
    ----------
    values : (clips,) finite numbers.
    subjects : (clips,) the subject of each.

    Raises
    ------
    StudyError
        For a value that is not finite, lengths that differ, or fewer than two subjects.
    """
    _, sums, counts, _ = sums_by_subject(values, subjects)
    resampled = _weights(len(sums), n, seed) @ np.stack([sums, counts], axis=1)
    return interval(
        sums.sum() / counts.sum(),
        resampled[:, 0] / resampled[:, 1],
        subjects=effective_subjects(counts),
    )


@functools.lru_cache(maxsize=8)
def _weights(subjects: int, n: int, seed: int) -> np.ndarray:
    """The resamples of a seed, kept: scores of one study are taken on the same ones, again and again."""
    weights = subject_weights(subjects, n, np.random.default_rng([seed, n]))
    weights.setflags(write=False)
    return weights


def _scores(confusions: np.ndarray, weights: np.ndarray) -> tuple[dict, dict]:
    """Point scores and resampled scores, averaged over repetitions; keys 'f1', 'macro', 'UAR'."""
    repetitions, subjects, classes, _ = confusions.shape
    points, boots = [], []
    for confusion in confusions:
        boot = (weights @ confusion.reshape(subjects, -1)).reshape(-1, classes, classes)
        total = confusion.sum(0)
        f1, resampled = class_f1(total), class_f1(boot)
        resampled[:, np.isnan(f1)] = 0.0
        f1 = np.nan_to_num(f1)
        absent = total.sum(1) == 0
        recalls = class_recall(boot)[:, ~absent]
        points.append({"f1": f1, MACRO: f1.mean(), UAR: np.nanmean(class_recall(total))})
        boots.append({"f1": resampled, MACRO: resampled.mean(1), UAR: recalls.mean(1)})
    return tuple(
        {key: sum(part[key] for part in parts) / repetitions for key in parts[0]} for parts in (points, boots)
    )
