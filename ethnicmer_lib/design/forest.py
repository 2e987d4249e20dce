"""Random forests and the majority rule under whole-subject folds: features in, predictions out."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.ensemble import RandomForestClassifier

from ethnicmer_lib.design.folds import Fold, subject_folds
from ethnicmer_lib.errors import StudyError

NEGATIVE, NON_NEGATIVE = "Negative", "Non-negative"
BINARY = (NEGATIVE, NON_NEGATIVE)
_WORTH_WORKERS = 1000  #: trees in all folds from which on several processes are faster than one


def loso_forest(
    features: np.ndarray,
    labels: ArrayLike,
    subjects: ArrayLike,
    seed: int,
    n_trees: int,
    classes: Sequence[str] | None = None,
    taken: Sequence[Fold] | None = None,
) -> np.ndarray:
    """Class probabilities of every clip from a random forest trained on all other subjects (LOSO).

    Parameters
    ----------
    features : (n, d) float; row i is the clip of ``labels[i]`` and ``subjects[i]``.
    labels, subjects : (n,).
    seed : ``random_state`` of every fold's forest; the result does not depend on the number of cores.
    n_trees : trees per forest.
    classes : order of the columns; by default the labels, sorted.
    taken : which rows of ``features`` every fold trains and tests on, where they are not those of its clips.

    Returns
    -------
    (n, classes) float64; rows sum to 1. A class that a training set lacks has probability 0 there.

    Raises
    ------
    StudyError
        When rows do not match, a feature is not finite, or a label is none of ``classes``.
    """
    features, labels = np.asarray(features), np.asarray(labels).astype(str)
    classes = np.unique(labels) if classes is None else np.asarray(classes).astype(str)
    folds = subject_folds(pd.DataFrame({"subject": np.asarray(subjects)}))
    rows = len(labels) if taken is None else len(features)
    if features.ndim != 2 or not (len(features) == rows and len(labels) == len(np.asarray(subjects))):
        raise StudyError(f"features {features.shape} do not give one row to each of the {len(labels)} labels")
    if not np.isfinite(features).all():
        row = int(np.argmin(np.isfinite(features).all(axis=1)))
        who = f" (subject {np.asarray(subjects)[row]})" if taken is None else ""
        raise StudyError(f"features of row {row}{who} are not finite numbers")
    if strange := sorted(set(labels) - set(classes)):
        raise StudyError(f"label {strange[0]!r} is none of {classes.tolist()}")

    result = np.zeros((len(labels), len(classes)))
    # Workers take seconds to start: not worth it for a few small forests.
    jobs = min(8, os.cpu_count() or 1) if len(folds) * n_trees > _WORTH_WORKERS else 1
    fitted = Parallel(jobs)(
        delayed(_fold)(features[use.train], labels[fold.train], features[use.test], seed, n_trees)
        for fold, use in zip(folds, taken or folds, strict=True)
    )
    for (_, test), (names, p) in zip(folds, fitted, strict=True):
        result[np.ix_(test, [classes.tolist().index(name) for name in names])] = p
    return result


def _fold(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, seed: int, n_trees: int
) -> tuple[np.ndarray, np.ndarray]:
    """Classes and probabilities of one fold; one thread, so that the trees are added up in one order."""
    forest = RandomForestClassifier(n_trees, random_state=seed, n_jobs=1).fit(train, labels)
    return forest.classes_, forest.predict_proba(test)


def majority(labels: ArrayLike, folds: Sequence[Fold], classes: Sequence[str]) -> np.ndarray:
    """For every clip the most frequent training label of its fold; a tie goes to the first of ``classes``.

    Returns
    -------
    (n,) text; '' for a clip that no fold tests.
    """
    labels = np.asarray(labels).astype(str)
    out = np.full(len(labels), "", dtype=object)
    for fold in folds:
        counts = [(labels[fold.train] == name).sum() for name in classes]
        out[fold.test] = classes[int(np.argmax(counts))]
    return out


def binary_labels(labels: ArrayLike) -> np.ndarray:
    """'Negative' stays, 'Positive' and 'Surprise' become 'Non-negative' (Section IV-A)."""
    return np.where(np.asarray(labels).astype(str) == NEGATIVE, NEGATIVE, NON_NEGATIVE).astype(object)


def emotion_predictions(
    features: np.ndarray, clips: pd.DataFrame, classes: Sequence[str], seed: int, n_trees: int
) -> pd.DataFrame:
    """Held-out three-class predictions of a plain forest, LOSO over the whole cohort.

    Returns
    -------
    One row per clip, in the order of ``clips``: clip_id, subject, label, predicted, p_<class>.
    """
    p = loso_forest(features, clips["label"], clips["subject"], seed, n_trees, classes)
    table = clips[["clip_id", "subject", "label"]].reset_index(drop=True)
    table["predicted"] = np.asarray(classes, dtype=object)[p.argmax(1)]
    return table.assign(**{f"p_{name}": p[:, i] for i, name in enumerate(classes)})
