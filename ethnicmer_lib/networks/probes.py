"""What the branches have learnt: what their heads say, and what a linear probe reads off their features.

A probe (Alain & Bengio 2017) is a logistic regression on the features of the training clips, asked about the held-out
ones: it can tell what a branch knows although it was not taught it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ethnicmer_lib.networks.arms import ARMS, VARIANTS
from ethnicmer_lib.stats import UAR, Estimate, bootstrap_mean, scores

BRANCHES = ("emotion", "ethnic")
ALL, WITHIN = "all", "within"
TARGETS = (("group", ALL), ("database", ALL), ("group", WITHIN))


def _read_off(train: np.ndarray, names: np.ndarray, test: np.ndarray) -> np.ndarray:
    """What a logistic regression, fitted on training features, says of test features: (n,) text.

    Both classes weigh the same, as balanced accuracy will judge it.  With one class it is the answer.
    """
    if len(set(names)) == 1:
        return np.full(len(test), names[0], dtype=object)
    probe = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
    return probe.fit(train, names).predict(test)


def _column(branch: str, target: str, where: str) -> str:
    """Name of a probe's column in a table of predictions, such as 'probe_ethnic_group'."""
    return f"probe_{branch}_{target}" + ("_within" if where == WITHIN else "")


def probe_columns(
    known: Sequence[Any], asked: Sequence[Any], train: pd.DataFrame, test: pd.DataFrame
) -> dict[str, np.ndarray]:
    """Group and database of the test clips, read off the features of each branch: column -> (test clips,) text.

    A probe 'within' a database is fitted and tested on its clips alone: it cannot use what tells databases apart. It is
    '' where training clips of the database hold one group, as every probe is where a network lacks a branch.

    ``known`` and ``asked`` are features of the training and of the test clips, a tensor (clips, width) for every one of
    ``BRANCHES`` or None; ``train`` and ``test`` their rows of the clips table, in the same order.
    """
    out = {}
    for branch, fitted, wanted in zip(BRANCHES, known, asked, strict=True):
        for target, where in TARGETS:
            said = out[_column(branch, target, where)] = np.full(len(test), "", dtype=object)
            for old, new in _parts(train, test, where) if fitted is not None else ():
                names = train[target].to_numpy(dtype=object)[old]
                said[new] = _read_off(fitted.numpy()[old], names, wanted.numpy()[new])
    return out


def _parts(train: pd.DataFrame, test: pd.DataFrame, where: str) -> list[tuple[Any, Any]]:
    """Rows to fit on and rows to ask: all of them, or those of each database with two groups."""
    if where == ALL:
        return [(slice(None), slice(None))]
    groups = train.groupby("database")["group"].nunique()
    masks = [(train["database"] == name, test["database"] == name) for name in groups.index[groups > 1]]
    return [(old.to_numpy(), new.to_numpy()) for old, new in masks if new.any()]


def learnt(predictions: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """What heads, probes and the database alone say of groups and databases, as balanced accuracy (chance is 0.5).

    ``predictions`` are as :func:`folds.train_and_predict` gives them, arms without networks too.

    Returns arm ('' for the database rule); ``reader`` (the branch's own head, a probe of the 'emotion' or 'ethnic'
    features, or the database alone); ``target`` ('group', 'database', or 'taught', what the branch was told); ``where``
    ('all' clips, or 'within' the databases that hold two groups); balanced_accuracy (an Estimate over subjects); clips.
    """
    first = predictions[predictions["arm"] == predictions["arm"].iloc[0]]
    first = first[first["seed"] == first["seed"].min()]
    ruled = first.assign(rule=first["database"].map(_usual_group(first)))
    asked = [("", "the database alone", "group", where, ruled, "rule") for where in (ALL, WITHIN)]
    for name, part in predictions.groupby("arm", sort=False):
        if ARMS[name].variant not in VARIANTS:
            continue
        groups = [] if ARMS[name].switches().context == "database" else [("group", ALL), ("group", WITHIN)]
        asked += [(name, "own head", *head, part, "predicted_group") for head in [("taught", ALL), *groups]]
        probes = [(branch, *probe) for branch in BRANCHES for probe in TARGETS]
        asked += [(name, *probe, part, _column(*probe)) for probe in probes]
    rows = [(*who, *found) for *who, table, said in asked if (found := _read(table, *who[2:], said, seed))]
    return pd.DataFrame(rows, columns=["arm", "reader", "target", "where", "balanced_accuracy", "clips"])


def _read(table: pd.DataFrame, target: str, where: str, said: str, seed: int) -> tuple[Estimate, int] | None:
    """Balanced accuracy of a column for a target, and on how many clips; None where that was not asked."""
    table = table[table[said].fillna("") != ""]
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

    ``predictions`` are as :func:`folds.train_and_predict` gives them; the clips ``table`` says which group is usual in
    a database. Returns arm, accuracy, database_rule (of guessing the usual group of the clip's database), difference:
    Estimates over subjects and training runs.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> real = em.recording("table_v").predictions
    >>> em.group_accuracy(real, em.released_clips())["arm"].tolist()
    ['dual_motion']
    """
    usual = _usual_group(table)
    rows = []
    for name, part in predictions.groupby("arm", sort=False):
        # A branch that was taught databases was never asked for groups.
        if part["predicted_group"].fillna("").eq("").all() or set(part["taught"]) <= set(part["database"]):
            continue
        clips = part.drop_duplicates("clip_id").set_index("clip_id")
        base = (clips["database"].map(usual) == clips["group"]).astype(float)
        hits = part.assign(hit=part["predicted_group"] == part["group"])
        hits = hits.pivot(index="seed", columns="clip_id", values="hit")[base.index].astype(float)
        found = [bootstrap_mean(one, clips["subject"], seed=seed) for one in (hits, base, hits - base)]
        rows.append((name, *found))
    return pd.DataFrame(rows, columns=["arm", "accuracy", "database_rule", "difference"])


def _usual_group(table: pd.DataFrame) -> pd.Series:
    return table.groupby("database")["group"].agg(lambda groups: groups.mode().iloc[0])
