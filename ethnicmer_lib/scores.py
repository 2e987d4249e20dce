"""Scores of predictions: confusion matrices per subject, F1 per class, macro F1, recall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError


def subject_confusions(
    predictions: pd.DataFrame, labels: Sequence[str], subjects: Sequence[str] | None = None
) -> tuple[list[str], np.ndarray]:
    """Confusion matrix of every subject.

    Parameters
    ----------
    predictions : columns ``subject``, ``label`` (truth), ``predicted``.
    labels : the classes, in the order of rows (truth) and columns (prediction).
    subjects : order of the subjects; by default those of the table, sorted.  One without clips gets zeros.

    Returns
    -------
    subjects, (subjects, classes, classes) int64.

    Raises
    ------
    StudyError
        For an empty table, a label that is not in ``labels``, or a subject that is not in ``subjects``.
    """
    if predictions.empty:
        raise StudyError("the table of predictions is empty; nothing can be scored")
    names = sorted(predictions["subject"].unique()) if subjects is None else list(subjects)
    codes = {}
    for column, allowed in (("subject", names), ("label", labels), ("predicted", labels)):
        codes[column] = pd.Index(allowed).get_indexer(predictions[column])
        if (codes[column] < 0).any():
            row = predictions.iloc[int(np.argmax(codes[column] < 0))]
            raise StudyError(
                f"clip {row.get('clip_id', row.name)}: {column} {row[column]!r} is none of {list(allowed)}"
            )
    confusions = np.zeros((len(names), len(labels), len(labels)), dtype=np.int64)
    np.add.at(confusions, (codes["subject"], codes["label"], codes["predicted"]), 1)
    return names, confusions


def class_f1(confusions: np.ndarray) -> np.ndarray:
    """F1 = 2·TP / (2·TP + FP + FN) per class of (..., classes, classes); NaN where a class is absent."""
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    marks = confusions.sum(-1) + confusions.sum(-2)
    return np.divide(2.0 * hits, marks, out=np.full(hits.shape, np.nan), where=marks > 0)


def class_recall(confusions: np.ndarray) -> np.ndarray:
    """Recall = TP / (TP + FN) per class of (..., classes, classes); NaN where a class has no clip."""
    hits, true = np.diagonal(confusions, axis1=-2, axis2=-1), confusions.sum(-1)
    return np.divide(1.0 * hits, true, out=np.full(hits.shape, np.nan), where=true > 0)


def f1_per_class(predictions: pd.DataFrame, labels: Sequence[str]) -> dict[str, float]:
    """F1 of every class over the pooled predictions; 0 for an absent class, as in scikit-learn."""
    total = subject_confusions(predictions, labels)[1].sum(0)
    return dict(zip(labels, np.nan_to_num(class_f1(total)).tolist(), strict=True))


def macro_f1(predictions: pd.DataFrame, labels: Sequence[str]) -> float:
    """Mean of the F1 of all classes over the pooled predictions (macro F1, UF1; Section IV)."""
    return float(np.mean(list(f1_per_class(predictions, labels).values())))


def unweighted_average_recall(predictions: pd.DataFrame, labels: Sequence[str]) -> float:
    """Mean recall of the classes that have clips (UAR, balanced accuracy)."""
    return float(np.nanmean(class_recall(subject_confusions(predictions, labels)[1].sum(0))))
