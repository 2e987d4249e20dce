"""Linear probes: what can be read off a network's features that it was or was not taught (Alain & Bengio 2017)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

BRANCHES = ("emotion", "ethnic")
ALL, WITHIN = "all", "within"
TARGETS = (("group", ALL), ("database", ALL), ("group", WITHIN))


def read_off(train: np.ndarray, names: ArrayLike, test: np.ndarray) -> np.ndarray:
    """What a logistic regression, fitted on training features, says of test features: (n,) text.

    Both classes weigh the same, as balanced accuracy will judge it.  With one class there is nothing to learn, and
    it is the answer.

    Parameters
    ----------
    train, test : (m, d), (n, d) features.
    names : (m,) class of each training row.
    """
    names = np.asarray(names).astype(object)
    known = np.unique(names.astype(str))
    if len(known) == 1:
        return np.full(len(test), known[0], dtype=object)
    probe = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
    return probe.fit(train, names).predict(test).astype(object)


def column(branch: str, target: str, where: str) -> str:
    """Name of a probe's column in a table of predictions, such as 'probe_ethnic_group'."""
    return f"probe_{branch}_{target}" + ("_within" if where == WITHIN else "")


def probe_columns(
    features: dict[str, tuple[np.ndarray, np.ndarray]], train: pd.DataFrame, test: pd.DataFrame
) -> dict[str, np.ndarray]:
    """Group and database of the test clips, read off the features of each branch.

    A probe 'within' a database is fitted and tested on its clips alone: it cannot use what tells databases
    apart. It exists for every database whose training clips hold two groups, and is '' elsewhere.

    Parameters
    ----------
    features : branch -> features of the training and of the test clips.
    train, test : their rows of the clips table, in the same order.

    Returns
    -------
    column -> (test clips,) text; '' where a branch or a probe does not exist.
    """
    out = {}
    for branch in BRANCHES:
        for target, where in TARGETS:
            said = np.full(len(test), "", dtype=object)
            if branch in features:
                fitted, asked = features[branch]
                for old, new in _parts(train, test, where):
                    said[new] = read_off(fitted[old], train[target].to_numpy()[old], asked[new])
            out[column(branch, target, where)] = said
    return out


def _parts(train: pd.DataFrame, test: pd.DataFrame, where: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to fit on and rows to ask: all of them, or those of each database with two groups."""
    if where == ALL:
        return [(np.arange(len(train)), np.arange(len(test)))]
    parts = []
    for database in sorted(train["database"].unique()):
        old = np.flatnonzero(train["database"] == database)
        new = np.flatnonzero(test["database"] == database)
        if len(new) and len(set(train["group"].iloc[old])) > 1:
            parts.append((old, new))
    return parts
