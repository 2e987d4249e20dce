"""What a network must beat under its own folds: the majority rule, and a forest on the images that it sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from ethnicmer_lib.design.folds import Fold
from ethnicmer_lib.design.forest import majority

COLUMNS = ["clip_id", "subject", "database", "label", "group"]


def majority_predictions(clips: pd.DataFrame, folds: Sequence[Fold], classes: Sequence[str]) -> pd.DataFrame:
    """The most frequent training label of its fold for every clip: COLUMNS, fold, predicted."""
    return _rows(clips, folds).assign(predicted=majority(clips["label"], folds, classes))


def forest_predictions(
    images: np.ndarray, clips: pd.DataFrame, folds: Sequence[Fold], seed: int, n_trees: int
) -> pd.DataFrame:
    """A random forest on the pixels, grown anew in every fold: COLUMNS, fold, predicted.

    Parameters
    ----------
    images : (n, 3, S, S), row i for row i of ``clips``.
    seed : of every fold's forest.
    """
    features, labels = np.asarray(images).reshape(len(images), -1), clips["label"].to_numpy(dtype=object)
    predicted = np.full(len(clips), "", dtype=object)
    for train, test in folds:
        forest = RandomForestClassifier(n_trees, random_state=seed, n_jobs=1).fit(
            features[train], labels[train]
        )
        predicted[test] = forest.predict(features[test])
    return _rows(clips, folds).assign(predicted=predicted)


def _rows(clips: pd.DataFrame, folds: Sequence[Fold]) -> pd.DataFrame:
    rows = clips[COLUMNS].reset_index(drop=True).assign(fold=-1)
    for number, fold in enumerate(folds):
        rows.loc[fold.test, "fold"] = number
    return rows
