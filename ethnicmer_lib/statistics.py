"""Intervals and tests that respect that the clips of one subject belong together.

The subject is the unit that was sampled, so it is the unit that is resampled (cluster bootstrap; Field &
Welsh 2007, J. R. Stat. Soc. B 69:369) and permuted.  Every score is a function of per-subject confusion
matrices, so a resample is one matrix product: weights (resamples, subjects) @ confusions (subjects,
classes²).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.scores import (
    class_f1,
    class_recall,
    f1_per_class,
    macro_f1,
    subject_confusions,
    unweighted_average_recall,
)

__all__ = [
    "MACRO",
    "UAR",
    "Estimate",
    "bootstrap_f1",
    "bootstrap_mean",
    "f1_per_class",
    "interval",
    "macro_f1",
    "paired_difference",
    "permutation_difference",
    "subject_weights",
    "unweighted_average_recall",
]

LEVEL = 0.95
MACRO = "macro"
UAR = "UAR"


class Estimate(NamedTuple):
    """A value with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @property
    def side(self) -> int:
        """-1 when the whole interval is below zero, 1 when it is above, 0 when it holds zero."""
        return int(self.low > 0) - int(self.high < 0)


def subject_weights(
    n_subjects: int, n: int, rng: np.random.Generator, strata: ArrayLike | None = None
) -> np.ndarray:
    """How often each subject is in each bootstrap resample, (n, n_subjects) float64.

    With ``strata`` (n_subjects,) the number of subjects of every stratum stays what it was.

    Raises
    ------
    StudyError
        With fewer than two subjects: one subject says nothing about others.
    """
    if n_subjects < 2:
        raise StudyError(f"an interval over subjects needs at least 2 subjects; there are {n_subjects}")
    strata = np.zeros(n_subjects) if strata is None else np.asarray(strata)
    weights = np.zeros((n, n_subjects))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        share = np.full(len(members), 1 / len(members))
        weights[:, members] = rng.multinomial(len(members), share, size=n)
    return weights


def interval(value: float, resampled: np.ndarray, level: float = LEVEL) -> Estimate:
    """Percentile interval (Efron & Tibshirani 1993, ch. 13); resamples without a value (NaN) are left out.

    Raises
    ------
    StudyError
        When no resample has a value.
    """
    resampled = resampled[np.isfinite(resampled)]
    if not len(resampled):
        raise StudyError("no bootstrap resample has a value: too few subjects or clips for this score")
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(value), float(low), float(high))


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
    scores = _scores(_repeats(predictions, labels, repeat)[1], n, seed)
    return {name: interval(point, values) for name, point, values in _named(scores, labels)}


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
    truths = []
    for table in (a, b):
        truth = table[["clip_id", "subject", "label"]].drop_duplicates().sort_values("clip_id")
        often = table["clip_id"].value_counts()
        if often.min() != often.max():
            raise StudyError(
                f"clip {often.index[0]} is predicted {often.iloc[0]} times and {often.index[-1]} "
                f"{often.iloc[-1]} times; a paired difference needs every clip equally often"
            )
        truths.append(truth.reset_index(drop=True))
    if not truths[0].equals(truths[1]):
        odd = pd.concat(truths).drop_duplicates(keep=False)["clip_id"].iloc[0]
        raise StudyError(
            f"clip {odd} is not in both tables with the same subject and label; pair the same clips"
        )
    names = sorted(truths[0]["subject"].unique())
    sides = [_scores(_repeats(table, labels, repeat, names)[1], n, seed) for table in (a, b)]
    (point_a, boot_a), (point_b, boot_b) = ((s[0][MACRO], s[1][MACRO]) for s in sides)
    return interval(point_a - point_b, boot_a - boot_b)


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
    _, sums, counts, _ = _by_subject(values, subjects)
    weights = subject_weights(len(sums), n, np.random.default_rng([seed, n]))
    return interval(sums.sum() / counts.sum(), (weights @ sums) / (weights @ counts))


def permutation_difference(
    values: ArrayLike, subjects: ArrayLike, groups: ArrayLike, n: int = 2000, seed: int = 0
) -> float:
    """Two-sided p-value of the difference of clip means between two groups of subjects.

    The group labels are permuted between subjects, clips staying with their subject; p = (1 + b) / (1 +
    n), with b the permutations at least as extreme (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol.
    9:39).

    Parameters
    ----------
    values, subjects, groups : (clips,); a subject has one group, and there are two groups.

    Raises
    ------
    StudyError
        As :func:`bootstrap_mean`, or when a subject has two groups or the groups are not two.
    """
    names, sums, counts, codes = _by_subject(values, subjects)
    groups = np.asarray(groups).astype(str)
    if len(groups) != len(codes):
        raise StudyError(f"{len(groups)} groups for {len(codes)} values; give one per clip")
    found = np.unique(groups)
    if len(found) != 2:
        raise StudyError(f"the difference needs exactly two groups; found {found.tolist()}")
    first = np.bincount(codes, weights=groups == found[0])
    if odd := [name for name, f, c in zip(names, first, counts, strict=True) if 0 < f < c]:
        raise StudyError(f"subject {odd[0]} is in both groups; a subject's group must be one")

    def difference(member: np.ndarray) -> np.ndarray:
        inside = (member @ sums) / (member @ counts)
        return inside - (sums.sum() - member @ sums) / (counts.sum() - member @ counts)

    member = (first > 0).astype(float)
    observed = abs(difference(member))
    permuted = np.random.default_rng([seed, n]).permuted(np.tile(member, (n, 1)), axis=1)
    # A permutation equal to the observed split must count although its sums may round differently.
    extreme = np.abs(difference(permuted)) >= observed - 1e-12 * max(1.0, observed)
    return float((1 + extreme.sum()) / (1 + n))


def _by_subject(
    values: ArrayLike, subjects: ArrayLike
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Subjects, their sums and counts of values, and the subject number of every clip."""
    values, subjects = np.asarray(values, dtype=float), np.asarray(subjects).astype(str)
    if values.shape != subjects.shape or values.ndim != 1:
        raise StudyError(f"{values.shape} values for {subjects.shape} subjects; give one of each per clip")
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise StudyError(
            f"value {row} (subject {subjects[row]}) is {values[row]}; only finite numbers have a mean"
        )
    names, codes = np.unique(subjects, return_inverse=True)
    sums = np.bincount(codes, weights=values, minlength=len(names))
    return names.tolist(), sums, np.bincount(codes, minlength=len(names)).astype(float), codes


def _repeats(
    predictions: pd.DataFrame,
    labels: Sequence[str],
    repeat: str | None,
    subjects: Sequence[str] | None = None,
) -> tuple[list[str], np.ndarray]:
    """Subjects and (repetitions, subjects, classes, classes)."""
    names = sorted(predictions["subject"].unique()) if subjects is None else list(subjects)
    parts = [predictions] if repeat is None else [part for _, part in predictions.groupby(repeat)]
    if not parts:
        raise StudyError("the table of predictions is empty; nothing can be scored")
    return names, np.stack([subject_confusions(part, labels, names)[1] for part in parts])


def _scores(confusions: np.ndarray, n: int, seed: int) -> tuple[dict, dict]:
    """Point scores and resampled scores, averaged over repetitions; keys 'f1', 'macro', 'UAR'."""
    repetitions, subjects, classes, _ = confusions.shape
    weights = subject_weights(subjects, n, np.random.default_rng([seed, n]))
    points, boots = [], []
    for confusion in confusions:
        boot = (weights @ confusion.reshape(subjects, -1)).reshape(n, classes, classes)
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


def _named(scores: tuple[dict, dict], labels: Sequence[str]):
    point, boot = scores
    for i, label in enumerate(labels):
        yield label, point["f1"][i], boot["f1"][:, i]
    for name in (MACRO, UAR):
        yield name, point[name], boot[name]
