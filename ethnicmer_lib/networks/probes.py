"""What the branches have learnt: what their heads say, and what a linear probe reads off their features.

A probe (Alain & Bengio 2017) is a logistic regression on the features of the training clips, asked about the held-out
ones: it can tell what a branch knows although it was not taught it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ethnicmer_lib.networks.arms import every_arm
from ethnicmer_lib.networks.switches import AS_DESCRIBED, Switches
from ethnicmer_lib.stats import UAR, Estimate, bootstrap_mean, scores

BRANCHES = ("emotion", "ethnic")
ALL, WITHIN = "all", "within"
TARGETS = (("group", ALL), ("database", ALL), ("group", WITHIN))
OWN_HEAD, DATABASE_RULE = "own head", "the database alone"


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
    known: Sequence[np.ndarray | None],
    asked: Sequence[np.ndarray | None],
    train: pd.DataFrame,
    test: pd.DataFrame,
) -> dict[str, np.ndarray]:
    """Group and database of the test clips, read off the features of each branch.

    A probe 'within' a database is fitted and tested on its clips alone: it cannot use what tells databases
    apart. It exists for every database whose training clips hold two groups, and is '' elsewhere.

    Parameters
    ----------
    known, asked : features of the training and of the test clips, of every one of ``BRANCHES``; None where a network
        lacks one.
    train, test : their rows of the clips table, in the same order.

    Returns
    -------
    column -> (test clips,) text; '' where a branch or a probe does not exist.
    """
    out = {}
    for branch, fitted, wanted in zip(BRANCHES, known, asked, strict=True):
        for target, where in TARGETS:
            said = np.full(len(test), "", dtype=object)
            if fitted is not None:
                for old, new in _parts(train, test, where):
                    said[new] = read_off(fitted[old], train[target].to_numpy()[old], wanted[new])
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


def learnt(predictions: pd.DataFrame, switches: Switches = AS_DESCRIBED, seed: int = 0) -> pd.DataFrame:
    """What heads, probes and the database alone say of groups and databases, as balanced accuracy (chance is 0.5).

    Parameters
    ----------
    predictions : as :func:`folds.train_and_predict` gives them, arms without networks too.
    switches : those that the arms' own are added to.

    Returns
    -------
    arm ('' for the database rule); ``reader`` (the branch's own head, a probe of the 'emotion' or 'ethnic' features,
    or the database alone); ``target`` ('group', 'database', or 'taught', what the branch was told); ``where`` ('all'
    clips, or 'within' the databases that hold two groups); balanced_accuracy (an Estimate over subjects); clips.
    """
    first = predictions[predictions["arm"] == predictions["arm"].iloc[0]]
    first = first[first["seed"] == first["seed"].min()]
    ruled = first.assign(rule=first["database"].map(_usual_group(first)))
    asked = [("", DATABASE_RULE, "group", where, ruled, "rule") for where in (ALL, WITHIN)]
    for name, part in predictions.groupby("arm", sort=False):
        arm = every_arm()[name]
        if "predicted_group" not in part or not arm.network:
            continue
        heads = [("taught", ALL)]
        if arm.switches(switches).context != "database":
            heads += [("group", ALL), ("group", WITHIN)]
        asked += [(name, OWN_HEAD, target, where, part, "predicted_group") for target, where in heads]
        asked += [
            (name, branch, target, where, part, column(branch, target, where))
            for branch in BRANCHES
            for target, where in TARGETS
        ]
    rows = [(*who, *found) for *who, table, said in asked if (found := _read(table, *who[2:], said, seed))]
    return pd.DataFrame(rows, columns=["arm", "reader", "target", "where", "balanced_accuracy", "clips"])


def _read(table: pd.DataFrame, target: str, where: str, said: str, seed: int) -> tuple[Estimate, int] | None:
    """Balanced accuracy of a column for a target, and on how many clips; None where that was not asked."""
    if said not in table or table[said].isna().all():
        return None
    table = table[table[said].notna() & (table[said] != "")]
    if where == WITHIN:
        table = table[table.groupby("database")["group"].transform("nunique") > 1]
    if table[target].nunique() < 2:
        return None
    asked = table.assign(label=table[target], predicted=table[said])
    names = sorted({*asked["label"], *asked["predicted"]})
    found = scores(asked, by=None, interval=True, seed=seed, labels=names)
    return found[UAR].iloc[0], table["clip_id"].nunique()


def group_accuracy(predictions: pd.DataFrame, table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Is the group recognised by a branch that was taught it, and better than by the database that a clip comes from?

    Parameters
    ----------
    predictions : as :func:`folds.train_and_predict` gives them.
    table : the clips table, whose databases say which group is usual there.

    Returns
    -------
    arm, accuracy, database_rule (of guessing the usual group of the clip's database), difference: Estimates.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.open_clips("tiny", progress=False)
    >>> images = em.motion_images(clips, method="dis", size=28, progress=False)
    >>> folds = em.subject_folds(clips.table, 2)
    >>> found = em.train_and_predict(
    ...     ["dual_motion"], images, None, clips, folds, em.Recipe(epochs=1), progress=False
    ... )
    >>> em.group_accuracy(found, clips.table).shape[0]
    1
    """
    usual = _usual_group(table)
    rows = []
    for name, part in predictions.groupby("arm", sort=False):
        if "predicted_group" not in part or part["predicted_group"].fillna("").eq("").all():
            continue
        if set(part["taught"]) <= set(part["database"]):  # the branch was never asked for groups
            continue
        hits = (part["predicted_group"] == part["group"]).to_numpy(float)
        base = (part["database"].map(usual) == part["group"]).to_numpy(float)
        found = [bootstrap_mean(one, part["subject"], seed=seed) for one in (hits, base, hits - base)]
        rows.append((name, *found))
    return pd.DataFrame(rows, columns=["arm", "accuracy", "database_rule", "difference"])


def _usual_group(table: pd.DataFrame) -> pd.Series:
    return table.groupby("database")["group"].agg(lambda groups: groups.mode().iloc[0])
