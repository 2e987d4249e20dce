"""Scores of predictions and their differences: F1 by label, macro F1, UAR, with intervals over subjects.

Every score is a function of per-subject confusion matrices, so a resample is one matrix product: weights (resamples,
subjects) @ confusions (subjects, classes²).  How often these intervals hold the truth is measured by
``evidence.calibration`` and shown on the page Statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats.confusions import (
    class_f1,
    class_recall,
    confusions,
    counted,
    labels_in,
    paired_confusions,
)
from ethnicmer_lib.stats.intervals import Estimate, effective_subjects, interval, resamples_of
from ethnicmer_lib.stats.permutation import swap_test

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

    A label that the table does not hold scores 0, as in scikit-learn.  Where a column ``seed`` numbers repetitions of
    the study and is not in ``by``, scores are taken repetition by repetition and averaged, inside each resample too:
    the interval is that of the average.  A resample that lacks a label of the data has no F1 of it, and is left out.

    Parameters
    ----------
    predictions : columns ``subject``, ``label``, ``predicted``, those of ``by``, and perhaps ``seed``.
    by : what is scored apart: 'arm', ``["draw", "arm"]``, ...; None: all rows together.
    interval : cells are :class:`Estimate` from whole subjects resampled, not plain numbers.
    seed, resamples : of the interval.
    labels : all classes; by default every label of the table.

    Returns
    -------
    One row per value of ``by``, in order of appearance; columns: the labels, ``macro``, ``uar``.

    Raises
    ------
    StudyError
        For an empty table or an unknown label.

    Examples
    --------
    >>> table = pd.DataFrame({"arm": "a", "subject": list("stst"), "label": list("xyxy"), "predicted": list("xyxx")})
    >>> em.scores(table).round(3).loc["a"].to_dict()
    {'x': 0.8, 'y': 0.667, 'macro': 0.733, 'uar': 0.75}
    """
    labels = labels_in(predictions) if labels is None else list(labels)
    names = [by] if isinstance(by, str) else list(by or [])
    repeat = ["seed"] if "seed" in predictions and "seed" not in names else []
    number, index = _parts(predictions, names)
    if interval:
        parts = predictions.groupby(number)
        stacks = (confusions(part, labels, *repeat) for _, part in parts)
        rows = [f1_intervals(stack, labels, resamples, seed) for stack in stacks]
        return pd.DataFrame(rows, index=index, columns=[*labels, MACRO, UAR])
    number, every = _parts(predictions, [*names, *repeat])
    found = counted(
        predictions.assign(part=number), {"part": range(len(every)), "label": labels, "predicted": labels}
    )
    f1 = np.nan_to_num(class_f1(found))
    table = pd.DataFrame(f1, index=every, columns=labels)
    table = table.assign(**{MACRO: f1.mean(-1), UAR: np.nanmean(class_recall(found), -1)})
    if not repeat:
        return table
    return table.groupby(names, sort=False).mean() if names else table.mean().to_frame().T


def _parts(predictions: pd.DataFrame, names: Sequence[str]) -> tuple[np.ndarray, pd.Index]:
    """The number of every row's part, in order of appearance, and the index of the parts."""
    if not names:
        return np.zeros(len(predictions), dtype=int), pd.RangeIndex(1)
    keys = predictions[list(names)].drop_duplicates()
    index = pd.Index(keys[names[0]]) if len(names) == 1 else pd.MultiIndex.from_frame(keys)
    return predictions.groupby(list(names), sort=False, observed=True).ngroup().to_numpy(), index


def difference(
    predictions: pd.DataFrame,
    pairs: Iterable[tuple[str, str]],
    seed: int = 0,
    resamples: int = 2000,
    labels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """macro F1 of one arm minus that of another on the same clips: an interval, and the p-value of the swap test.

    Both are scored on the same resamples of subjects; with a column ``seed`` each is the average over repetitions.

    Parameters
    ----------
    predictions : columns ``arm``, ``clip_id``, ``subject``, ``label``, ``predicted``, and perhaps ``seed``.
    pairs : arm and the arm it is compared with; pairs of which the table lacks one are left out.
    seed, resamples, labels : as of :func:`scores`; the swap test makes as many permutations.

    Returns
    -------
    One row per pair: ``a``, ``b``, ``difference`` (an :class:`Estimate`), ``p``.

    Raises
    ------
    StudyError
        When arms do not hold the same clips with the same truth, or hold a clip unequally often.

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
    repeat = "seed" if "seed" in predictions else None
    rows = []
    for a, b in pairs:
        if a in arms and b in arms:
            sides = paired_confusions(arms[a], arms[b], labels, repeat)
            estimate = difference_interval(*sides, resamples, seed)
            rows.append({"a": a, "b": b, "difference": estimate, "p": swap_test(*sides, resamples, seed)})
    return pd.DataFrame(rows, columns=["a", "b", "difference", "p"])


def f1_intervals(
    confusions: np.ndarray, labels: Sequence[str], n: int = 2000, seed: int = 0
) -> dict[str, Estimate]:
    """F1 of every label, macro F1 and UAR of (repetitions, subjects, classes, classes) confusion matrices."""
    point, boot = _resampled(confusions, resamples_of(confusions.shape[1], n, seed))
    subjects = effective_subjects(confusions.sum((0, 2, 3)))
    found = {label: (point["f1"][i], boot["f1"][:, i]) for i, label in enumerate(labels)}
    found |= {name: (point[name], boot[name]) for name in (MACRO, UAR)}
    return {name: interval(*pair, subjects=subjects) for name, pair in found.items()}


def difference_interval(first: np.ndarray, second: np.ndarray, n: int = 2000, seed: int = 0) -> Estimate:
    """Difference in macro F1 of two stacks of confusion matrices, (repetitions, subjects, classes, classes) each."""
    weights = resamples_of(first.shape[1], n, seed)
    (point_a, boot_a), (point_b, boot_b) = (_resampled(side, weights) for side in (first, second))
    subjects = effective_subjects(first.sum((0, 2, 3)))
    return interval(point_a[MACRO] - point_b[MACRO], boot_a[MACRO] - boot_b[MACRO], subjects=subjects)


def _resampled(confusions: np.ndarray, weights: np.ndarray) -> tuple[dict, dict]:
    """Point scores and resampled scores, averaged over repetitions; keys 'f1', MACRO, UAR."""
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


def macro_f1(predictions: pd.DataFrame, labels: Sequence[str] | None = None) -> float:
    """Mean of the F1 of all labels over the pooled predictions (macro F1, UF1; Section IV)."""
    return float(
        scores(predictions.drop(columns="seed", errors="ignore"), None, labels=labels)[MACRO].iloc[0]
    )


def mean_over_folds(
    predictions: pd.DataFrame, fold: str = "fold", present: bool = False, labels: Sequence[str] | None = None
) -> float:
    """Mean over folds of the macro F1 within each fold, which is not the macro F1 of the pooled predictions.

    Pooling counts every clip once in one confusion matrix (UF1 of the MEGC challenges; the paper's score).  When a
    fold is one subject, most folds lack a class: its F1 there is either 0, however good the predictions are, or left
    out, whatever the method would do with such a clip.  The two conventions lie far apart.

    Parameters
    ----------
    predictions : columns ``label``, ``predicted``, ``fold``; folds of another ``seed`` are other folds.
    fold : column that names the fold; 'subject' gives what leaving one subject out has as folds.
    present : leave out a class that is neither in a fold's truth nor in its predictions; else it scores 0.

    Raises
    ------
    StudyError
        For an empty table, an unknown label, or a row without a fold.
    """
    labels = labels_in(predictions) if labels is None else list(labels)
    names = [*(["seed"] if "seed" in predictions else []), fold]
    if predictions[names].isna().to_numpy().any():
        raise StudyError(
            f"a prediction has no {' or '.join(names)}; the mean over folds needs it in every row"
        )
    number = predictions.groupby(names).ngroup()
    f1 = class_f1(confusions(predictions.assign(subject=number), labels)[0])
    return float((np.nanmean(f1, axis=1) if present else np.nan_to_num(f1).mean(axis=1)).mean())
