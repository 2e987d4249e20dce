"""Scores of predictions: confusion matrices and sums per subject, F1 per class, macro F1, recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

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
    return names, counted(predictions, {"subject": names, "label": labels, "predicted": labels})


def counted(predictions: pd.DataFrame, columns: Mapping[str, Sequence]) -> np.ndarray:
    """How many rows hold each combination of values: int64, one axis per column, in the order of its values.

    Raises
    ------
    StudyError
        For a value that a column is not allowed to hold.
    """
    codes = []
    for column, allowed in columns.items():
        code = pd.Index(list(allowed)).get_indexer(predictions[column])
        if (code < 0).any():
            row = predictions.iloc[int(np.argmax(code < 0))]
            raise StudyError(
                f"clip {row.get('clip_id', row.name)}: {column} {row[column]!r} is none of {list(allowed)}"
            )
        codes.append(code)
    table = np.zeros([len(allowed) for allowed in columns.values()], dtype=np.int64)
    np.add.at(table, tuple(codes), 1)
    return table


def repeated_confusions(
    predictions: pd.DataFrame,
    labels: Sequence[str],
    repeat: str | None = None,
    subjects: Sequence[str] | None = None,
) -> np.ndarray:
    """Confusion matrices by repetition of the study: (repetitions, subjects, classes, classes) int64.

    ``repeat`` is the column that numbers the repetitions; None: all rows are of one.
    """
    if predictions.empty:
        raise StudyError("the table of predictions is empty; nothing can be scored")
    names = sorted(predictions["subject"].unique()) if subjects is None else list(subjects)
    parts = [predictions] if repeat is None else [part for _, part in predictions.groupby(repeat)]
    return np.stack([subject_confusions(part, labels, names)[1] for part in parts])


def paired_confusions(
    a: pd.DataFrame, b: pd.DataFrame, labels: Sequence[str], repeat: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`repeated_confusions` of two tables of predictions on the same clips, subjects in the same order.

    Raises
    ------
    StudyError
        When a table is empty, when the tables do not hold the same clips with the same truth, or when one
        holds a clip unequally often.
    """
    truths = [_truth(table) for table in (a, b)]
    if not truths[0].equals(truths[1]):
        odd = pd.concat(truths).drop_duplicates(keep=False)["clip_id"].iloc[0]
        raise StudyError(
            f"clip {odd} is not in both tables with the same subject and label; pair the same clips"
        )
    names = sorted(truths[0]["subject"].unique())
    return tuple(repeated_confusions(table, labels, repeat, names) for table in (a, b))


def _truth(table: pd.DataFrame) -> pd.DataFrame:
    """clip_id, subject and label of every clip, sorted; every clip must be predicted equally often."""
    if table.empty:
        raise StudyError("a table of predictions is empty; nothing can be paired")
    truth = table[["clip_id", "subject", "label"]]
    if not table["clip_id"].is_unique:
        often = table["clip_id"].value_counts()
        if often.min() != often.max():
            raise StudyError(
                f"clip {often.index[0]} is predicted {often.iloc[0]} times and {often.index[-1]} "
                f"{often.iloc[-1]} times; a paired difference needs every clip equally often"
            )
        truth = truth.drop_duplicates()
    return truth.sort_values("clip_id", ignore_index=True)


def sums_by_subject(
    values: ArrayLike, subjects: ArrayLike
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Subjects, their sums and counts of values, and the subject number of every clip.

    Raises
    ------
    StudyError
        For a value that is not finite, or lengths that differ.
    """
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


def first_group(names: Sequence[str], codes: np.ndarray, groups: ArrayLike) -> np.ndarray:
    """Which subjects are of the first of two groups, in sorted order: (subjects,) bool.

    Parameters
    ----------
    names, codes : the subjects, and the subject number of every clip (:func:`sums_by_subject`).
    groups : (clips,) the group of each.

    Raises
    ------
    StudyError
        When lengths differ, a subject has two groups or the groups are not two.
    """
    groups = np.asarray(groups).astype(str)
    if len(groups) != len(codes):
        raise StudyError(f"{len(groups)} groups for {len(codes)} values; give one per clip")
    found = np.unique(groups)
    if len(found) != 2:
        raise StudyError(f"the difference needs exactly two groups; found {found.tolist()}")
    first = np.bincount(codes, weights=groups == found[0])
    counts = np.bincount(codes)
    if odd := [name for name, f, c in zip(names, first, counts, strict=True) if 0 < f < c]:
        raise StudyError(f"subject {odd[0]} is in both groups; a subject's group must be one")
    return first > 0


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
