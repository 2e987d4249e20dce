"""Confusion matrices by subject, and the scores of confusion matrices: F1 and recall by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError


def labels_in(predictions: pd.DataFrame) -> list[str]:
    """Every label that is a truth or an answer in a table of predictions, sorted."""
    return sorted({*predictions["label"].unique(), *predictions["predicted"].unique()})


def counted(table: pd.DataFrame, columns: Mapping[str, Sequence]) -> np.ndarray:
    """How many rows hold each combination of values: int64, one axis per column, in the order of its values.

    StudyError for an empty table, or a value that a column is not allowed to hold.
    """
    if table.empty:
        raise StudyError("the table of predictions is empty; nothing can be scored")
    codes = []
    for column, allowed in columns.items():
        code = pd.Index(list(allowed)).get_indexer(table[column])
        if (code < 0).any():
            row = table.iloc[int(np.argmax(code < 0))]
            raise StudyError(
                f"clip {row.get('clip_id', row.name)}: {column} {row[column]!r} is none of {list(allowed)}"
            )
        codes.append(code)
    counts = np.zeros([len(allowed) for allowed in columns.values()], dtype=np.int64)
    np.add.at(counts, tuple(codes), 1)
    return counts


def confusions(predictions: pd.DataFrame, labels: Sequence[str]) -> np.ndarray:
    """Confusion matrices, (repetitions, subjects, truths, answers) int64: rows and columns in the order of ``labels``.

    Subjects are in sorted order, and so are the repetitions, which a column ``seed`` numbers; without one all rows
    are of one.  Errors as of :func:`counted`.
    """
    rows = predictions if "seed" in predictions else predictions.assign(seed=0)
    sorted_values = {name: sorted(rows[name].unique()) for name in ("seed", "subject")}
    return counted(rows, sorted_values | {"label": labels, "predicted": labels})


def paired_confusions(
    a: pd.DataFrame, b: pd.DataFrame, labels: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`confusions` of two tables of predictions, which must hold the same clips, each of them equally often."""
    tables = {"first": a, "second": b}
    often = {name: table[["clip_id", "subject", "label"]].value_counts() for name, table in tables.items()}
    often = pd.concat(often, axis=1)
    odd = often[often.ne(often.min()).any(axis=1)]
    if len(odd):
        clip, subject, label = odd.index[0]
        raise StudyError(
            f"clip {clip} (subject {subject}, {label}) is not in both tables, each time equally often as the others; "
            "pair the same clips"
        )
    return confusions(a, labels), confusions(b, labels)


def resampled(confusions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pooled (repetitions, n, classes, classes) of n resamples with the weights (n, subjects)."""
    return np.moveaxis(np.tensordot(weights, confusions, axes=(1, 1)), 1, 0)


def class_f1(confusions: np.ndarray) -> np.ndarray:
    """F1 = 2·TP / (2·TP + FP + FN) per class of (..., classes, classes); NaN where a class is absent."""
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    marks = confusions.sum(-1) + confusions.sum(-2)
    return np.divide(2.0 * hits, marks, out=np.full(hits.shape, np.nan), where=marks > 0)


def class_recall(confusions: np.ndarray) -> np.ndarray:
    """Recall = TP / (TP + FN) per class of (..., classes, classes); NaN where a class has no clip."""
    hits, true = np.diagonal(confusions, axis1=-2, axis2=-1), confusions.sum(-1)
    return np.divide(1.0 * hits, true, out=np.full(hits.shape, np.nan), where=true > 0)
