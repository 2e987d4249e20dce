"""Controls of Table IV: other draws of subjects and clips that separate ethnicity from database and class balance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from ethnicmer_lib.design.folds import Fold, subject_folds
from ethnicmer_lib.design.forest import BINARY, binary_labels, loso_forest, majority
from ethnicmer_lib.design.scenarios import MIXED
from ethnicmer_lib.design.support_vectors import Distances
from ethnicmer_lib.errors import StudyError


class Part(NamedTuple):
    """Subjects that a scenario takes: how many, of which group, from which database (None: any)."""

    group: str
    database: str | None
    subjects: int


@dataclass(frozen=True)
class Control:
    """One way to draw the scenarios.

    Attributes
    ----------
    name : key in tables.
    title : how the page calls it.
    question : what it holds still.
    scenarios : from the clips table and the number of subjects, scenario -> its parts.
    leave_out : subjects that are never drawn, from the clips table.
    balanced : keep as many clips of the more frequent class as there are of the rarer one.
    """

    name: str
    title: str
    question: str
    scenarios: Callable[[pd.DataFrame, int], dict[str, tuple[Part, ...]]]
    leave_out: Callable[[pd.DataFrame], Sequence[str]] = lambda clips: ()
    balanced: bool = False


def _as_described(clips: pd.DataFrame, n: int) -> dict[str, tuple[Part, ...]]:
    first, second = sorted(clips["group"].unique())
    return {
        f"{first} only": (Part(first, None, n),),
        f"{second} only": (Part(second, None, n),),
        MIXED: (Part(first, None, n // 2), Part(second, None, n // 2)),
    }


def _one_database(clips: pd.DataFrame, n: int) -> dict[str, tuple[Part, ...]]:
    """Everything from the database that has both groups; as many subjects as its smaller group allows."""
    database, _ = _shared(clips)
    inside = clips[clips["database"] == database]
    room = int(inside.groupby("group")["subject"].nunique().min())
    n = min(n, room // 2 * 2)
    return {
        name: tuple(Part(part.group, database, part.subjects) for part in parts)
        for name, parts in _as_described(inside, n).items()
    }


def _two_databases(clips: pd.DataFrame, n: int) -> dict[str, tuple[Part, ...]]:
    """Half of the subjects from either database, with one group and with both."""
    database, other = _shared(clips)
    only = clips.loc[clips["database"] == other, "group"].unique()
    group = sorted(only)[0]
    second = next(name for name in sorted(clips["group"].unique()) if name != group)
    half = n // 2
    return {
        f"{group} only": (Part(group, other, half), Part(group, database, half)),
        MIXED: (Part(group, other, half), Part(second, database, half)),
    }


def _shared(clips: pd.DataFrame) -> tuple[str, str]:
    """The database with most subjects in its rarer group, and the other one."""
    counts = clips.groupby(["database", "group"])["subject"].nunique().unstack(fill_value=0).min(axis=1)
    if len(counts) != 2 or counts.max() < 2:
        raise StudyError(
            "controls within a database need two databases, one of them with two subjects of either group; "
            f"subjects of the rarer group: {counts.to_dict()}"
        )
    database = str(counts.idxmax())
    return database, next(str(name) for name in counts.index if name != database)


def _most_clips(clips: pd.DataFrame) -> list[str]:
    return [str(clips["subject"].value_counts(sort=True).index[0])]


CONTROLS = {
    control.name: control
    for control in (
        Control("as_described", "as described", "the draw that the paper describes", _as_described),
        Control(
            "one_database",
            "within one database",
            "camera, instructions, coders: all subjects come from the database that holds both groups",
            _one_database,
        ),
        Control(
            "two_databases",
            "same two databases",
            "the mix of databases: one group from both databases against both groups from both databases",
            _two_databases,
        ),
        Control(
            "balanced",
            "balanced classes",
            "the share of Negative: half of the clips of every scenario",
            _as_described,
            balanced=True,
        ),
        Control(
            "without_largest",
            "without the largest subject",
            "the one subject with most clips, who is never drawn",
            _as_described,
            leave_out=_most_clips,
        ),
    )
}


def draw_rows(
    control: Control, clips: pd.DataFrame, n_subjects: int, seed: int, draw: int
) -> dict[str, np.ndarray]:
    """Row numbers of the clips of every scenario in one draw.

    Every scenario draws from its own stream ``[seed, draw, scenario]``, so controls that differ in one thing
    draw alike in all else.

    Parameters
    ----------
    control : how to draw.
    clips : the clips table.
    n_subjects : even number of subjects per scenario; a control may need to take fewer.
    seed, draw : which draw of which series.

    Raises
    ------
    StudyError
        When a pool has fewer subjects than the control asks for, ``n_subjects`` is odd, or the groups are not two.
    """
    groups = sorted(clips["group"].unique())
    if len(groups) != 2:
        raise StudyError(f"the comparison needs exactly two groups; the cohort has {groups}")
    if n_subjects < 2 or n_subjects % 2:
        raise StudyError(f"n_subjects={n_subjects} cannot be split half and half; give an even number")
    excluded = list(control.leave_out(clips))
    who = clips.loc[~clips["subject"].isin(excluded), ["subject", "group", "database"]].drop_duplicates()
    out = {}
    for number, (name, parts) in enumerate(control.scenarios(clips, n_subjects).items()):
        rng = np.random.default_rng([seed, draw, number])
        chosen: list[str] = []
        for part in parts:
            inside = who[
                (who["group"] == part.group) & ((who["database"] == part.database) | (part.database is None))
            ]
            pool = np.unique(inside["subject"].astype(str))
            if len(pool) < part.subjects:
                raise StudyError(
                    f"the control {control.name!r} needs {part.subjects} subjects of group {part.group!r}"
                    f"{f' in {part.database}' if part.database else ''} for {name!r} and there are {len(pool)}; "
                    f"set n_subjects lower than {n_subjects}"
                )
            chosen += rng.choice(pool, part.subjects, replace=False).tolist()
        rows = np.flatnonzero(clips["subject"].isin(chosen))
        out[name] = _balance(rows, clips, rng) if control.balanced else rows
    return out


def _balance(rows: np.ndarray, clips: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    labels = binary_labels(clips["label"].iloc[rows])
    parts = [rows[labels == name] for name in BINARY]
    size = min(len(part) for part in parts)
    if size == 0:
        raise StudyError("a scenario drew clips of one class only; it cannot be balanced, draw more subjects")
    return np.sort(np.concatenate([rng.choice(part, size, replace=False) for part in parts]))


def predictions(
    features: np.ndarray | Distances,
    clips: pd.DataFrame,
    scenarios: dict[str, np.ndarray],
    seed: int,
    n_trees: int,
    flow_rows: str = "own",
) -> pd.DataFrame:
    """Held-out predictions of one draw, Negative against Non-negative, LOSO inside each scenario.

    Parameters
    ----------
    features : (n, d) for the random forest, or the distances between clips for SVC(C=100).
    clips : the clips table, row for row.
    scenarios : scenario -> rows, from :func:`draw_rows`.
    seed, n_trees : of the forest.
    flow_rows : 'own', or 'released': training and test set each take the first rows of ``features``.

    Returns
    -------
    One row per scenario and clip: scenario, clip_id, subject, group, label, predicted, p_non_negative (NaN for
    SVC), and majority, the prediction of the rule that always says the most frequent training label.

    Raises
    ------
    StudyError
        When features and clips do not match, or a feature is not finite.
    """
    many = len(features.squared) if isinstance(features, Distances) else len(features)
    if many != len(clips):
        raise StudyError(f"{many} rows of features for {len(clips)} clips; they must match row by row")
    tables = []
    for name, rows in scenarios.items():
        chosen = clips.iloc[rows]
        labels, subjects = binary_labels(chosen["label"]), chosen["subject"].to_numpy()
        folds = subject_folds(pd.DataFrame({"subject": np.asarray(subjects)}))
        taken = [_taken(rows, fold, flow_rows) for fold in folds]
        if isinstance(features, Distances):
            p = np.full(len(rows), np.nan)
            predicted = np.empty(len(rows), dtype=object)
            for fold, use in zip(folds, taken, strict=True):
                predicted[fold.test] = features.predict(use.train, labels[fold.train], use.test)
        else:
            both = loso_forest(features, labels, subjects, seed, n_trees, BINARY, taken)
            # argmax, as scikit-learn's own predict: a tie of the trees goes to the first class.
            p, predicted = both[:, 1], np.asarray(BINARY, dtype=object)[both.argmax(1)]
        table = chosen[["clip_id", "subject", "group"]].reset_index(drop=True)
        table.insert(0, "scenario", name)
        rule = majority(labels, folds, BINARY)
        tables.append(table.assign(label=labels, predicted=predicted, p_non_negative=p, majority=rule))
    return pd.concat(tables, ignore_index=True)


def _taken(rows: np.ndarray, fold: Fold, flow_rows: str) -> Fold:
    """The rows of the features that a fold uses."""
    if flow_rows == "released":
        return Fold(np.arange(len(fold.train)), np.arange(len(fold.test)))
    return Fold(rows[fold.train], rows[fold.test])
