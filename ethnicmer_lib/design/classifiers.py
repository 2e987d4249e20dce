"""Classifiers that need no network, held out subject by subject: any of scikit-learn's, fold by fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed
from sklearn.base import ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from ethnicmer_lib.design.folds import Fold
from ethnicmer_lib.errors import StudyError, check_name
from ethnicmer_lib.store import kept

PENALTY = 100.0  #: C of the release's classifier
ABOUT = ["clip_id", "subject", "database", "group", "label"]  #: what predictions say of their clips
_WORTH_WORKERS = 1000  #: trees in all folds from which on several processes are faster than one


def classifier(name: str | ClassifierMixin, seed: int = 0, n_trees: int = 100) -> ClassifierMixin:
    """'forest': a random forest, as the paper describes; 'svc': the release's SVC(C=100); others stay as they are.

    Examples
    --------
    >>> em.classifier("svc")
    SVC(C=100.0)
    """
    if not isinstance(name, str):
        return name
    check_name("classifier", name, ("forest", "svc"))
    return RandomForestClassifier(n_trees, random_state=seed) if name == "forest" else SVC(C=PENALTY)


def held_out(
    model: ClassifierMixin,
    x: np.ndarray,
    table: pd.DataFrame,
    folds: Sequence[Fold],
    first_rows: bool = False,
) -> pd.DataFrame:
    """What a classifier says of every clip when it was fitted, anew in every fold, on the fold's training clips.

    These are scikit-learn's own ``cross_val_predict`` under ``LeaveOneGroupOut``, whatever the number of cores; but a
    training set of one label, which some classifiers refuse, predicts that label.  ``x`` is (n, d), row i of clip i of
    ``table``; with ``first_rows``, as released, training and test clips of every fold each get the first rows of ``x``.

    One row per clip, in the order of ``table``: its columns, ``fold``, ``predicted``, ``p_<label>`` (NaN where the
    classifier gives none).  StudyError when rows do not match.
    """
    labels, x = table["label"].to_numpy(dtype=object), np.asarray(x)
    if not first_rows and len(x) != len(labels):
        raise StudyError(f"features {x.shape} do not give one row to each of the {len(labels)} clips")
    trees = len(folds) * getattr(model, "n_estimators", 0)
    # Workers take seconds to start: not worth it for a few small forests.
    jobs = min(8, cpu_count()) if trees > _WORTH_WORKERS else 1
    used = [Fold(*(slice(len(rows)) if first_rows else rows for rows in fold)) for fold in folds]
    fitted = Parallel(jobs)(
        delayed(_fold)(model, x[use.train], labels[fold.train], x[use.test])
        for fold, use in zip(folds, used, strict=True)
    )
    names, of_fold = sorted(set(labels)), np.full(len(labels), -1)
    predicted, chances = np.full(len(labels), "", dtype=object), np.full((len(labels), len(names)), np.nan)
    for number, (fold, (said, classes, p)) in enumerate(zip(folds, fitted, strict=True)):
        of_fold[fold.test], predicted[fold.test] = number, said
        if p is not None:
            chances[fold.test] = 0.0
            chances[np.ix_(fold.test, np.searchsorted(names, classes))] = p
    rows = table[ABOUT].reset_index(drop=True).assign(fold=of_fold, predicted=predicted)
    return rows.assign(**{f"p_{name}": chances[:, i] for i, name in enumerate(names)})


def _fold(
    model: ClassifierMixin, train: np.ndarray, labels: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Predictions, classes and probabilities of one fold."""
    fitted = (clone(model) if len(set(labels)) > 1 else DummyClassifier()).fit(train, labels.astype(str))
    p = fitted.predict_proba(test) if hasattr(fitted, "predict_proba") else None
    return fitted.predict(test), fitted.classes_, p


def majority_rule(table: pd.DataFrame, folds: Sequence[Fold], seed: int = 0) -> pd.DataFrame:
    """The most frequent training label of its fold for every clip: what answering without looking gives.

    As of :func:`held_out`, with the arm 'majority' and ``seed``.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.released_clips()
    >>> em.scores(em.majority_rule(clips, em.subject_folds(clips))).round(2).loc["majority"].to_dict()
    {'Negative': 0.8, 'Positive': 0.0, 'Surprise': 0.0, 'macro': 0.27, 'uar': 0.33}
    """
    rule = DummyClassifier(strategy="most_frequent")
    return held_out(rule, np.zeros((len(table), 1)), table, folds).assign(arm="majority", seed=seed)


@kept("design")
def forest_baseline(
    images: np.ndarray, table: pd.DataFrame, folds: Sequence[Fold], seed: int = 0, n_trees: int = 100
) -> pd.DataFrame:
    """A plain random forest on the pixels of the images (n, ...): the least that a network must beat.

    As of :func:`held_out`, with the arm 'forest' and ``seed``, that of every fold's forest.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.released_clips().query("database == 'SAMM'")
    >>> noise = em.features(np.zeros((len(clips), 3, 28, 28)), "noise")
    >>> forest = em.forest_baseline(noise, clips, em.subject_folds(clips, 2), n_trees=5)
    >>> forest.columns[:7].tolist()
    ['clip_id', 'subject', 'database', 'group', 'label', 'fold', 'predicted']
    """
    x = np.asarray(images).reshape(len(images), -1)
    return held_out(classifier("forest", seed, n_trees), x, table, folds).assign(arm="forest", seed=seed)
