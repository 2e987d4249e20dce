"""How closely two columns of a table of clips go together: Cramér's V."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ethnicmer_lib.stats.confusions import counted
from ethnicmer_lib.stats.intervals import Estimate, effective_subjects, interval, subject_weights


def cramers_v(
    clips: pd.DataFrame, rows: str, columns: str, seed: int = 0, resamples: int = 2000
) -> Estimate | None:
    """Cramér's V of two columns of a table of clips, with its interval over subjects; None where one is constant.

    V = sqrt(chi² / (N · (min(r, c) - 1))) without any correction, so that 1 is a perfect association (Cramér 1946).
    A resample of subjects that loses a row or column has no V and is left out. V has no sign, so chance alone lifts
    it above 0 in a resample: for 2x2 tables the interval is therefore taken of the signed V (phi) and folded at 0;
    larger tables have no sign to take, and their lower end is no test against 0.

    Examples
    --------
    >>> table = pd.DataFrame({"subject": list("stuv"), "database": list("xxyy"), "group": list("AABB")})
    >>> em.cramers_v(table, "database", "group").value
    1.0
    """
    values = {name: sorted(clips[name].unique()) for name in ("subject", rows, columns)}
    counts = counted(clips, values)  # (subjects, r, c)
    if min(counts.shape[1:]) < 2:
        return None
    weights = subject_weights(len(counts), resamples, np.random.default_rng([seed, 1]))
    resampled = np.tensordot(weights, counts, axes=1)
    found = _v(resampled)
    if counts.shape[1:] == (2, 2):
        signs = np.sign(np.linalg.det(resampled))
        found = found * signs * (signs[0] or 1.0)
    estimate = interval(found, effective_subjects(counts.sum((1, 2))))
    if estimate.low < 0:
        estimate = estimate._replace(low=0.0, high=max(estimate.high, -estimate.low))
    return estimate


def _v(counts: np.ndarray) -> np.ndarray:
    """V of tables of counts (..., r, c); NaN where a row or column is empty."""
    expected = counts.sum(-1, keepdims=True) * counts.sum(-2, keepdims=True)
    ratio = np.divide(counts**2, expected, out=np.full(counts.shape, np.nan), where=expected > 0)
    phi2 = np.maximum(ratio.sum((-2, -1)) - 1, 0)  # rounding can fall below 0
    return np.sqrt(phi2 / (min(counts.shape[-2:]) - 1))
