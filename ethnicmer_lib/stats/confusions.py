"""Confusion matrices by subject, and the scores of confusion matrices: F1 and recall by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError


def labels_in(predictions: pd.DataFrame) -> list[str]:
    """Every label that is a truth or an answer in a table of predictions, sorted."""
    return sorted({*predictions["label"].unique(), *predictions["predicted"].unique()})


def counted(predictions: pd.DataFrame, columns: Mapping[str, Sequence]) -> np.ndarray:
    """How many rows hold each combination of values: int64, one axis per column, in the order of its values.

    Raises
    ------
    StudyError
        For an empty table, or a value that a column is not allowed to hold.
    """
    if predictions.empty:
        raise StudyError("the table of predictions is empty; nothing can be scored")
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


def confusions(
    predictions: pd.DataFrame,
    labels: Sequence[str],
    repeat: str | None = None,
    subjects: Sequence[str] | None = None,
) -> np.ndarray:
    """Confusion matrix of every repetition of the study and subject: (repetitions, subjects, truths, answers) int64.

    Parameters
    ----------
    predictions : columns ``subject``, ``label`` (truth), ``predicted`` (answer).
    labels : the classes, in the order of rows and columns.
    repeat : column that numbers repetitions of the study; None: all rows are of one.
    subjects : order of the subjects; by default those of the table, sorted.  One without clips gets zeros.

    Raises
    ------
    StudyError
        For an empty table, a label that is not in ``labels``, or a subject that is not in ``subjects``.
    """
    names = sorted(predictions["subject"].unique()) if subjects is None else list(subjects)
    columns = {"subject": names, "label": labels, "predicted": labels}
    if repeat is None:
        return counted(predictions, columns)[None]
    return counted(predictions, {repeat: sorted(predictions[repeat].unique()), **columns})


def paired_confusions(
    a: pd.DataFrame, b: pd.DataFrame, labels: Sequence[str], repeat: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`confusions` of two tables of predictions on the same clips, subjects in the same order.

    Raises
    ------
    StudyError
        When a table is empty, when the tables do not hold the same clips with the same truth, or when one
        holds a clip unequally often.
    """
    if a.empty or b.empty:
        raise StudyError("a table of predictions is empty; nothing can be paired")
    for table in (a, b):
        often = table["clip_id"].value_counts()
        if often.min() != often.max():
            raise StudyError(
                f"clip {often.index[0]} is predicted {often.iloc[0]} times and {often.index[-1]} "
                f"{often.iloc[-1]} times; a paired difference needs every clip equally often"
            )
    truths = [table[["clip_id", "subject", "label"]].drop_duplicates() for table in (a, b)]
    if len(odd := pd.concat(truths).drop_duplicates(keep=False)):
        raise StudyError(
            f"clip {odd['clip_id'].iloc[0]} is not in both tables with the same subject and label; pair the same clips"
        )
    names = sorted(truths[0]["subject"].unique())
    return tuple(confusions(table, labels, repeat, names) for table in (a, b))


def class_f1(confusions: np.ndarray) -> np.ndarray:
    """F1 = 2·TP / (2·TP + FP + FN) per class of (..., classes, classes); NaN where a class is absent."""
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    marks = confusions.sum(-1) + confusions.sum(-2)
    return np.divide(2.0 * hits, marks, out=np.full(hits.shape, np.nan), where=marks > 0)


def class_recall(confusions: np.ndarray) -> np.ndarray:
    """Recall = TP / (TP + FN) per class of (..., classes, classes); NaN where a class has no clip."""
    hits, true = np.diagonal(confusions, axis1=-2, axis2=-1), confusions.sum(-1)
    return np.divide(1.0 * hits, true, out=np.full(hits.shape, np.nan), where=true > 0)
