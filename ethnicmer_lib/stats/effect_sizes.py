"""How large a difference is: of means and shares, Cohen's h, Cliff's delta, Cramér's V.

Intervals resample whole subjects, within their group where two groups are compared.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats.intervals import Estimate, effective_subjects, interval, subject_weights
from ethnicmer_lib.stats.scores import first_group, sums_by_subject


class Proportions(NamedTuple):
    """Two shares compared, first group minus second.

    Attributes
    ----------
    risk_difference : p1 - p2, from -1 to 1.
    cohens_h : 2·asin(sqrt(p1)) - 2·asin(sqrt(p2)), from -pi to pi; 0.2 small, 0.5 medium, 0.8 large
        (Cohen 1988, ch. 6).
    """

    risk_difference: Estimate
    cohens_h: Estimate


def compare_proportions(
    events: ArrayLike, subjects: ArrayLike, groups: ArrayLike, n: int = 2000, seed: int = 0
) -> Proportions:
    """Share of clips with an event in the first group (in sorted order) against that in the second.

    Parameters
    ----------
    events : (clips,) 0 or 1, or bool.
    subjects, groups : (clips,); a subject has one group, and there are two groups.

    Raises
    ------
    StudyError
        For other values than 0 and 1, a subject in two groups, not exactly two groups, or a group of
        fewer than two subjects.
    """
    names, sums, counts, codes = sums_by_subject(events, subjects)
    values = np.asarray(events, dtype=float)
    if len(odd := np.flatnonzero((values != 0) & (values != 1))):
        raise StudyError(f"event {odd[0]} is {values[odd[0]]:g}; an event happened (1) or did not (0)")
    first = first_group(names, codes, groups)
    shares = _group_means(sums, counts, first, n, seed)
    size = _effective(first, counts)
    differences = (shares[0] - shares[1], np.subtract(*(2 * np.arcsin(np.sqrt(s)) for s in shares)))
    return Proportions(*(interval(found[0], found[1:], subjects=size) for found in differences))


def mean_difference(
    values: ArrayLike, subjects: ArrayLike, groups: ArrayLike, n: int = 2000, seed: int = 0
) -> Estimate:
    """Mean over the clips of the first group (in sorted order) minus that of the second, in units of ``values``.

    Parameters
    ----------
    values : (clips,) finite numbers.
    subjects, groups : as of :func:`compare_proportions`.  Raises as it does.
    """
    names, sums, counts, codes = sums_by_subject(values, subjects)
    first = first_group(names, codes, groups)
    means = _group_means(sums, counts, first, n, seed)
    found = means[0] - means[1]
    return interval(found[0], found[1:], subjects=_effective(first, counts))


def cliffs_delta(
    values: ArrayLike, subjects: ArrayLike, groups: ArrayLike, n: int = 2000, seed: int = 0
) -> Estimate:
    """Cliff's delta: chance that a clip of the first group has the larger value, minus that of the reverse.

    delta = (#(x > y) - #(x < y)) / (n_x · n_y) over all pairs of clips (Cliff 1993, Psychol. Bull. 114:494);
    equal to 2·U / (n_x · n_y) - 1 with the Mann-Whitney U, ties half.  From -1 to 1.

    Parameters
    ----------
    values : (clips,) finite numbers.
    subjects, groups : as of :func:`compare_proportions`.  Raises as it does.
    """
    names, _, counts, codes = sums_by_subject(values, subjects)
    values = np.asarray(values, dtype=float)
    first = first_group(names, codes, groups)
    weights = _with_data(first, n, seed)
    of_clip = first[codes]
    signs = np.sign(values[of_clip, None] - values[None, ~of_clip])
    one, other = np.eye(len(names))[codes[of_clip]], np.eye(len(names))[codes[~of_clip]]
    wins = one.T @ signs @ other  # (subjects, subjects): pairs won minus pairs lost
    pairs = (weights[:, first] @ counts[first]) * (weights[:, ~first] @ counts[~first])
    won = np.einsum(
        "ns,st,nt->n", weights[:, first], wins[np.ix_(first, ~first)], weights[:, ~first], optimize=True
    )
    found = won / pairs
    return interval(found[0], found[1:], subjects=_effective(first, counts))


def cramers_v(counts: ArrayLike, *, corrected: bool = True) -> np.ndarray:
    """Cramér's V of tables of counts (..., r, c): (...) float64; NaN where a row or column is empty.

    V = sqrt(phi² / min(r - 1, c - 1)) with phi² = chi² / N from Pearson's chi² without continuity correction.
    ``corrected`` takes out what chance alone adds (Bergsma 2013, J. Korean Stat. Soc. 42:323):

        phi²' = max(0, phi² - (r - 1)(c - 1) / (N - 1)),  r' = r - (r - 1)² / (N - 1),  c' likewise,
        V' = sqrt(phi²' / min(r' - 1, c' - 1)).

    The correction is for N independent clips; clips of one subject that are alike leave more to chance.

    Raises
    ------
    StudyError
        For a table with fewer than two rows or columns, a negative count, or at most one clip.
    """
    counts = np.asarray(counts, dtype=float)
    if counts.ndim < 2 or min(counts.shape[-2:]) < 2:
        raise StudyError(f"a table of counts has shape {counts.shape}; two rows and two columns at least")
    size = counts.sum((-2, -1))
    if (counts < 0).any() or (size <= 1).any():
        raise StudyError("a table of counts has a negative count or at most one clip; give counts of clips")
    expected = counts.sum(-1, keepdims=True) * counts.sum(-2, keepdims=True)
    ratio = np.divide(counts**2, expected, out=np.full(counts.shape, np.nan), where=expected > 0)
    phi2 = np.maximum(ratio.sum((-2, -1)) - 1, 0)  # rounding can fall below 0
    rows, columns = counts.shape[-2:]
    if not corrected:
        return np.sqrt(phi2 / (min(rows, columns) - 1))
    phi2 = np.maximum(phi2 - (rows - 1) * (columns - 1) / (size - 1), 0)
    free = np.minimum(rows - (rows - 1) ** 2 / (size - 1), columns - (columns - 1) ** 2 / (size - 1)) - 1
    return np.sqrt(phi2 / free)


def _group_means(
    sums: np.ndarray, counts: np.ndarray, first: np.ndarray, n: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Clip means of either group, (1 + n,) each: in the data, then in the resamples."""
    weights = _with_data(first, n, seed)
    return tuple(
        (weights[:, part] @ sums[part]) / (weights[:, part] @ counts[part]) for part in (first, ~first)
    )


def _with_data(first: np.ndarray, n: int, seed: int) -> np.ndarray:
    """(1 + n, subjects): once every subject, which is the data, then ``n`` resamples within the groups."""
    if min(first.sum(), (~first).sum()) < 2:
        raise StudyError("a group has one subject; an interval needs at least 2 subjects in each group")
    weights = subject_weights(len(first), n, np.random.default_rng([seed, n]), strata=first)
    return np.vstack([np.ones(len(first)), weights])


def _effective(first: np.ndarray, counts: np.ndarray) -> float:
    """Effective number of subjects of the group that has fewer: the careful choice for a difference of two."""
    return min(effective_subjects(counts[part]) for part in (first, ~first))
