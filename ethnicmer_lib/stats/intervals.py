"""Interval of a score from its resamples over subjects: weights of resamples and the ends of an interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, stdtrit

from ethnicmer_lib.errors import StudyError

PLAIN_TAIL = (1 - 0.95) / 2  #: share of the resamples beyond either end of a plain 95 % interval
POWER = 0.8  #: chance with which an effect of the size :attr:`Estimate.detectable` is seen
MIN_RUNS = 5  #: fewer training runs decide nothing


class Estimate(NamedTuple):
    """A value with the ends of its 95 % interval.

    Examples
    --------
    >>> print(em.Estimate(0.5, 0.4, 0.61))
    0.500 [0.400, 0.610]
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @property
    def side(self) -> int:
        """-1 when the whole interval is below zero, 1 when it is above, 0 when it holds zero."""
        return int(self.low > 0) - int(self.high < 0)

    @property
    def detectable(self) -> float:
        """The smallest difference whose interval would be on its side of zero with 80 % power, this one being as wide:
        its half width times (z(0.975) + z(0.8)) / z(0.975), about 1.43."""
        return (self.high - self.low) / 2 * float(1 + ndtri(POWER) / ndtri(1 - PLAIN_TAIL))


def over_runs(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """Mean over runs of (runs, 1 + n) scores, of the data (first) and n resamples of subjects, the error of runs added.

    Subjects and runs are crossed: the variance of the mean is that over subjects, which the resamples have, plus that
    of what is common to a run, s²/R - e²/(S·R), which a two-way analysis of variance gives: s² the variance of the R
    runs' scores, e² of what is peculiar to a subject in a run, which resamples of single runs show and which both hold.
    Every resample gets a draw of that size from Student's t with R - 1 degrees of freedom; a single run gets nothing,
    and its interval is over subjects alone (Bouthillier et al. 2021 on why runs count).
    """
    runs, mean = len(values), values.mean(0)
    if runs < 2:
        return mean
    common, _ = run_variance(values)
    drawn = np.random.default_rng([seed, runs, 3]).standard_t(runs - 1, mean.size - 1)
    mean[1:] += np.sqrt(max(0.0, common) / runs) * drawn
    return mean


def run_variance(values: np.ndarray) -> tuple[float, float]:
    """Variance of a single run's score, from (runs, 1 + n) scores as of :func:`over_runs`, of two runs or more: what is
    common to all subjects of a run, which can come out below zero, and what is peculiar to a subject in a run."""
    runs, resampled = len(values), values[:, 1:]
    own = np.nanmean(np.nanvar(resampled - resampled.mean(0), axis=1)) * runs / (runs - 1)
    return float(values[:, 0].var(ddof=1) - own), float(own)


def subject_weights(
    n_subjects: int, n: int, rng: np.random.Generator, strata: ArrayLike | None = None
) -> np.ndarray:
    """How often each subject is in the data and in each bootstrap resample, (1 + n, n_subjects) float64.

    The first row is the data: every subject once.  With ``strata`` (n_subjects,) the number of subjects of every
    stratum stays what it was.  StudyError with fewer than two subjects: one subject says nothing about others.
    """
    if n_subjects < 2:
        raise StudyError(f"an interval over subjects needs at least 2 subjects; there are {n_subjects}")
    strata = np.zeros(n_subjects) if strata is None else np.asarray(strata)
    weights = np.ones((1 + n, n_subjects))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        size = len(members)
        drawn = rng.integers(0, size, (n, size)) + size * np.arange(n)[:, None]
        weights[1:, members] = np.bincount(drawn.ravel(), minlength=n * size).reshape(n, size)
    return weights


def effective_subjects(clips: ArrayLike) -> float:
    """How many subjects with equally many clips would say as much as subjects with these numbers of clips, m.

    (sum of m)² / sum of m² (Kish 1965, ch. 8); zeros do not count.
    """
    clips = np.asarray(clips, dtype=float)
    return float(clips.sum() ** 2 / (clips**2).sum())


def interval(scores: np.ndarray, subjects: float) -> Estimate:
    """Percentile interval of a score of the data (first) and of resamples, widened for few or unequal subjects.

    Resamples without a value (NaN) are left out.  The percentile interval (Efron & Tibshirani 1993, ch. 13) is too
    narrow when few units were resampled: it takes the normal quantile where Student's belongs, and the variance with
    n instead of n - 1.  This is the expanded one (Hesterberg 2015, Am. Stat. 69:371), its ends as of
    :func:`tail_probability`; ``subjects`` is their effective number (:func:`effective_subjects`).

    StudyError when no resample has a value, or ``subjects`` is not above 1.
    """
    resampled = scores[1:][np.isfinite(scores[1:])]
    if not len(resampled):
        raise StudyError("no bootstrap resample has a value: too few subjects or clips for this score")
    tail = tail_probability(subjects)
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Estimate(float(scores[0]), float(low), float(high))


def tail_probability(subjects: float) -> float:
    """Share of the resamples beyond either end of the interval: Phi(sqrt(n / (n - 1)) · t(a / 2; n - 1)), a = 0.05."""
    if subjects <= 1:
        raise StudyError(f"an interval over {subjects} subjects; at least 2 subjects need clips")
    return float(ndtr(np.sqrt(subjects / (subjects - 1)) * stdtrit(subjects - 1, PLAIN_TAIL)))
