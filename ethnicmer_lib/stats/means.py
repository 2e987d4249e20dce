"""Means of a measure over clips, and their differences between two groups of subjects."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats.intervals import Estimate, effective_subjects, interval, over_runs, subject_weights
from ethnicmer_lib.stats.permutation import p_value

_EVERY_WAY = 2**14  #: ways to flip signs up to which every one is tried


def bootstrap_mean(values: ArrayLike, subjects: ArrayLike, n: int = 2000, seed: int = 0) -> Estimate:
    """Mean over clips of (clips,) finite numbers, or (runs, clips) of training runs, with an interval over subjects
    and runs.

    StudyError for fewer than two subjects.
    """
    runs = [_by_subject(run, subjects) for run in np.atleast_2d(np.asarray(values, dtype=float))]
    counts = runs[0][1]
    weights = subject_weights(len(counts), n, np.random.default_rng([seed, n]))
    means = np.stack([weights @ sums for sums, *_ in runs]) / (weights @ counts)
    return interval(over_runs(means, seed), effective_subjects(counts))


def permutation_difference(
    values: ArrayLike, subjects: ArrayLike, groups: ArrayLike, n: int = 2000, seed: int = 0
) -> float:
    """Two-sided p-value of the difference of means: group labels permuted between subjects, clips staying with them."""
    sums, counts, first = _by_subject(values, subjects, groups)
    return _permuted(sums[None], counts[None], first, n, seed)


def mean_difference(
    values: ArrayLike, subjects: ArrayLike, groups: ArrayLike, n: int = 2000, seed: int = 0
) -> Estimate:
    """Mean of (clips,) numbers over the first group, in sorted order, minus that over the second; subjects resampled
    within their group.  NaN where a group has fewer than two subjects."""
    sums, counts, first = _by_subject(values, subjects, groups)
    if min(first.sum(), (~first).sum()) < 2:
        return Estimate(*[np.nan] * 3)
    return _mean_difference(sums[None], counts[None], first, n, seed)


def group_difference(
    measured: pd.DataFrame, measures: Sequence[str], by: str, seed: int = 0, resamples: int = 2000
) -> pd.DataFrame:
    """Every measure of the first group minus that of the second, for every value of ``by``.

    Whole subjects are resampled within their group for the interval, and given each other's group for the p-value.
    ``measured`` has the columns ``subject``, ``group`` (two groups, in sorted order), ``by`` and ``measures``; clips
    without a measure (NaN) are left out.  With a column ``seed`` a clip has a row for every training run: the interval
    is over subjects and runs, and subjects change groups in all runs together.  Columns of the result: ``by``,
    ``measure``, ``difference`` (an :class:`Estimate`), ``p``; NaN where a group has fewer than two subjects.

    Examples
    --------
    >>> maps = {"subject": list("stuv"), "group": list("AABB"), "label": "Positive", "area": [3.0, 5.0, 1.0, 1.0]}
    >>> em.group_difference(pd.DataFrame(maps), ["area"], by="label")["difference"][0].value
    3.0
    """
    one, rows = min(measured["group"]), []
    for key, cell in measured.groupby(by):
        part = cell.dropna(subset=list(measures))
        for measure in measures:
            sums, counts, rows_of = _by_run(part, measure)
            first = (part["group"].iloc[rows_of] == one).to_numpy()
            estimate, p = Estimate(*[np.nan] * 3), np.nan
            if min(first.sum(), (~first).sum()) > 1:
                estimate = _mean_difference(sums, counts, first, resamples, seed)
                p = _permuted(sums, counts, first, resamples, seed)
            rows.append({by: key, "measure": measure, "difference": estimate, "p": p})
    return pd.DataFrame(rows)


def _permuted(sums: np.ndarray, counts: np.ndarray, first: np.ndarray, n: int, seed: int) -> float:
    """p-value of the mean over runs of the difference of means, from (runs, subjects) sums and counts and which
    subjects are of the first group."""
    permuted = np.random.default_rng([seed, n]).permuted(np.tile(first.astype(float), (n, 1)), axis=1)
    members = np.vstack([first, permuted])
    inside, clips = members @ sums.T, members @ counts.T
    others = counts.sum(1) - clips
    clips[clips == 0] = others[others == 0] = np.nan  # a side may hold no clip that has the measure in a run
    apart = inside / clips - (sums.sum(1) - inside) / others
    return p_value(np.nan_to_num(np.nanmean(apart, axis=1)))


def mean_against_zero(
    measured: pd.DataFrame, measure: str, n: int = 2000, seed: int = 0
) -> tuple[Estimate, float]:
    """Mean of a measure over clips, and over runs where there is a column ``seed``, with an interval over subjects and
    runs; and the two-sided p-value of its being zero.

    If values lie around zero alike on both sides, a subject's could all have had the other sign: signs are flipped
    subject by subject, in all runs together, in every way where there are few subjects, else ``n`` times at random.
    ``measured`` has the columns ``subject`` and ``measure``; clips without the measure (NaN) are left out.  StudyError
    for fewer than two subjects.

    Examples
    --------
    >>> tilts = pd.DataFrame({"subject": list("stuvwx"), "tilt": [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]})
    >>> em.stats.mean_against_zero(tilts, "tilt")[0].value
    1.5
    """
    part = measured.dropna(subset=[measure])
    sums, counts, _ = _by_run(part, measure)
    weights = subject_weights(sums.shape[1], n, np.random.default_rng([seed, n])).T
    with np.errstate(invalid="ignore"):  # a resample may hold no clip that has the measure in a run
        means = sums @ weights / (counts @ weights)
    people = sums.shape[1]
    if 2**people <= _EVERY_WAY:
        signs = np.array(list(product([1.0, -1.0], repeat=people)))  # the data first
    else:
        drawn = np.random.default_rng([seed, n, 2]).choice([-1.0, 1.0], (n, people))
        signs = np.vstack([np.ones(people), drawn])
    flipped = (signs @ sums.T / counts.sum(1)).mean(1)
    return interval(over_runs(means, seed), effective_subjects(counts.sum(0))), p_value(flipped)


def _mean_difference(sums: np.ndarray, counts: np.ndarray, first: np.ndarray, n: int, seed: int) -> Estimate:
    """Mean over the clips of the first of two groups minus that of the second, and over runs where there are several;
    subjects resampled within their group.  Arguments as of :func:`_by_run`."""
    weights = subject_weights(len(first), n, np.random.default_rng([seed, n]), strata=first).T
    sides = (first, ~first)
    with np.errstate(invalid="ignore"):  # a resample may hold no clip that has the measure in a run
        one, other = (sums[:, side] @ weights[side] / (counts[:, side] @ weights[side]) for side in sides)
    # The group that has fewer effective subjects: the careful choice for a difference of two.
    return interval(
        over_runs(one - other, seed), min(effective_subjects(counts[:, side].sum(0)) for side in sides)
    )


def _by_run(part: pd.DataFrame, measure: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(runs, subjects) sums and counts of a measure, subjects in sorted order, and the first row of each subject."""
    _, first, subject = np.unique(part["subject"].astype(str), return_index=True, return_inverse=True)
    runs = part["seed"] if "seed" in part else np.zeros(len(part))
    seeds, run = np.unique(runs, return_inverse=True)
    shape, cell = (len(seeds), len(first)), run * len(first) + subject
    values, size = part[measure].to_numpy(dtype=float), len(seeds) * len(first)
    sums, counts = np.bincount(cell, values, size), np.bincount(cell, minlength=size).astype(float)
    return sums.reshape(shape), counts.reshape(shape), first


def _by_subject(
    values: ArrayLike, subjects: ArrayLike, groups: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(subjects,) sums and counts of values, and which subjects are of the first of two groups, in sorted order."""
    _, codes = np.unique(np.asarray(subjects).astype(str), return_inverse=True)
    sums, counts = np.bincount(codes, np.asarray(values, dtype=float)), np.bincount(codes).astype(float)
    if groups is None:
        return sums, counts, None
    groups = np.asarray(groups).astype(str)
    found = np.unique(groups)
    if len(found) != 2:
        raise StudyError(f"the difference needs exactly two groups; found {found.tolist()}")
    return sums, counts, np.bincount(codes, groups == found[0]) > 0
