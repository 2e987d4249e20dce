"""Scores of predictions and their differences: F1 by label, macro F1, UAR, with intervals over subjects and runs.

Every score is a function of per-subject confusion matrices, so a resample is one matrix product.  How often these
intervals hold the truth is measured by ``evidence.calibration`` and shown on the page Statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ethnicmer_lib.stats.confusions import (
    class_f1,
    class_recall,
    confusions,
    counted,
    labels_in,
    paired_confusions,
    resampled,
)
from ethnicmer_lib.stats.intervals import Estimate, effective_subjects, interval, over_runs, subject_weights
from ethnicmer_lib.stats.permutation import check_runs, swap_test

MACRO = "macro"  #: mean F1 over labels of the pooled predictions (macro F1, UF1)
UAR = "uar"  #: mean recall over the labels that have clips (unweighted average recall)


def scores(
    predictions: pd.DataFrame,
    by: str | Sequence[str] | None = "arm",
    interval: bool = False,
    seed: int = 0,
    resamples: int = 2000,
    labels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """F1 of every label, macro F1 and UAR of the pooled predictions of every arm.

    One row per value of ``by`` ('arm', ``["draw", "arm"]``, ...; None: all rows together), in order of appearance;
    columns: the labels, ``macro``, ``uar``.  With ``interval`` cells are :class:`Estimate`, over subjects and, where a
    column ``seed`` numbers training runs, over runs (:func:`intervals.over_runs`).  A label of ``labels`` (by default
    those of the table) that a part does not hold scores 0, as in scikit-learn; a resample that lacks a label of the
    data is left out.  Where ``seed`` is not in ``by``, scores are averaged over runs, inside each resample too.

    StudyError for an empty table or an unknown label.

    Examples
    --------
    >>> table = pd.DataFrame({"arm": "a", "subject": list("stst"), "label": list("xyxy"), "predicted": list("xyxx")})
    >>> em.scores(table).round(3).loc["a"].to_dict()
    {'x': 0.8, 'y': 0.667, 'macro': 0.733, 'uar': 0.75}
    """
    labels = labels_in(predictions) if labels is None else list(labels)
    names = [by] if isinstance(by, str) else list(by or [])
    one = np.zeros(len(predictions), dtype=int)
    if interval:
        parts = predictions.groupby(names or one, sort=False, observed=True)
        rows = [f1_intervals(confusions(part, labels), labels, resamples, seed) for _, part in parts]
        return pd.DataFrame(rows, index=parts.size().index, columns=[*labels, MACRO, UAR])
    repeated = "seed" in predictions and "seed" not in names
    parts = predictions.groupby([*names, "seed"] if repeated else names or one, sort=False, observed=True)
    index = parts.size().index
    answers = {"part": range(len(index)), "label": labels, "predicted": labels}
    found = counted(predictions.assign(part=parts.ngroup()), answers)
    f1 = np.nan_to_num(class_f1(found))
    table = pd.DataFrame(f1, index=index, columns=labels)
    table = table.assign(**{MACRO: f1.mean(-1), UAR: np.nanmean(class_recall(found), -1)})
    if not repeated:
        return table
    return table.groupby(names, sort=False).mean() if names else table.mean().to_frame().T


def difference(
    predictions: pd.DataFrame,
    pairs: Iterable[tuple[str, str]],
    seed: int = 0,
    resamples: int = 2000,
    labels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """macro F1 of one arm minus that of another on the same clips: an interval, and the p-value of the swap test.

    Both arms of a pair are scored as in :func:`scores`, on the same resamples of subjects, run by run in the order of
    their seeds; the swap test makes as many permutations.  One row per pair: ``a``, ``b``, ``difference`` (an
    :class:`Estimate`), ``p``, and ``runs``, how many the arm with more of them has; pairs of which the table lacks one
    are left out.  StudyError when two arms do not hold the same clips with the same truth.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> real = em.recording("table_iv").predictions.query("study == 'svc' and arm == 'Mixed' and draw == 0")
    >>> both = pd.concat([real.assign(arm="svc"), real.assign(arm="rule", predicted=real["majority"])])
    >>> em.difference(both, [("svc", "rule")])["difference"].map(str).tolist()
    ['0.093 [-0.015, 0.345]']
    """
    labels = labels_in(predictions) if labels is None else list(labels)
    arms = dict(iter(predictions.groupby("arm")))
    rows = []
    for a, b in pairs:
        if a in arms and b in arms:
            sides = paired_confusions(arms[a], arms[b], labels)
            estimate = difference_interval(*sides, resamples, seed)
            p = swap_test(*sides, resamples, seed)
            rows.append({"a": a, "b": b, "difference": estimate, "p": p, "runs": max(map(len, sides))})
    return pd.DataFrame(rows, columns=["a", "b", "difference", "p", "runs"])


def f1_intervals(
    confusions: np.ndarray, labels: Sequence[str], n: int = 2000, seed: int = 0
) -> dict[str, Estimate]:
    """F1 of every label, macro F1 and UAR of (repetitions, subjects, classes, classes) confusion matrices."""
    subjects = effective_subjects(confusions.sum((0, 2, 3)))
    found = _resampled_scores(confusions, labels, n, seed)
    return {name: interval(over_runs(values, seed), subjects) for name, values in found.items()}


def difference_interval(
    first: np.ndarray, second: np.ndarray, n: int = 2000, seed: int = 0, score: str = MACRO
) -> Estimate:
    """Difference in macro F1, or UAR, of two stacks of confusion matrices, (runs, subjects, classes, classes) each, run
    by run.

    StudyError for numbers of runs that do not fit (:func:`swap_test`).
    """
    check_runs(first, second)
    one, other = (_resampled_scores(side, (), n, seed)[score] for side in (first, second))
    return interval(over_runs(one - other, seed), effective_subjects(first.sum((0, 2, 3))))


def _resampled_scores(
    confusions: np.ndarray, labels: Sequence[str], n: int, seed: int
) -> dict[str, np.ndarray]:
    """(repetitions, 1 + n) scores of the data (first) and of n resamples of subjects; NaN where a label is lost."""
    weights = subject_weights(confusions.shape[1], n, np.random.default_rng([seed, n]))
    drawn = resampled(confusions, weights)
    f1, recall = class_f1(drawn), class_recall(drawn)
    # A label that the data do not have counts 0, one that the resample lost is NaN.
    for values in (f1, recall):
        np.copyto(values, 0.0, where=np.isnan(values[:, :1]))
    present = (drawn[:, :1].sum(-1) > 0).sum(-1)
    found = {label: f1[..., i] for i, label in enumerate(labels)}
    return found | {MACRO: f1.mean(-1), UAR: recall.sum(-1) / present}


def macro_f1(predictions: pd.DataFrame, labels: Sequence[str] | None = None) -> float:
    """Mean of the F1 of all labels over the pooled predictions (macro F1, UF1; Section IV)."""
    pooled = predictions.drop(columns="seed", errors="ignore")
    return float(scores(pooled, None, labels=labels)[MACRO].iloc[0])
