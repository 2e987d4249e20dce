"""The scenarios of Table IV: subjects drawn from one group or both, under controls, and predicted with LOSO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from tqdm import tqdm

from ethnicmer_lib.clips.labels import binary_labels
from ethnicmer_lib.design.classifiers import ABOUT, held_out, majority_rule
from ethnicmer_lib.design.classifiers import classifier as chosen
from ethnicmer_lib.design.folds import Fold, subject_folds
from ethnicmer_lib.errors import StudyError, check_name
from ethnicmer_lib.store import Run

MIXED = "Mixed"
RULE = "majority rule"  #: arm of the rule that always says the more frequent training label, in the Mixed scenario
NEGATIVE, NON_NEGATIVE = BINARY = ("Negative", "Non-negative")


class Part(NamedTuple):
    """Subjects that a scenario takes: a ``share`` of the number that was asked for.

    ``group`` is 'first' or 'second', in alphabetical order; or 'alone', the group that the database with few of the
    other group has, and 'guest', the other one.  ``database`` is 'both', the one that holds both groups, or 'other'.
    """

    group: str
    share: float
    database: str | None = None


_THREE = {
    "{first} only": (Part("first", 1),),
    "{second} only": (Part("second", 1),),
    MIXED: (Part("first", 0.5), Part("second", 0.5)),
}
_ACROSS = {
    "{alone} only": (Part("alone", 0.5, "other"), Part("alone", 0.5, "both")),
    MIXED: (Part("alone", 0.5, "other"), Part("guest", 0.5, "both")),
}


class Control(NamedTuple):
    """One way to draw the scenarios; all but the first hold one thing still."""

    title: str
    scenarios: Mapping[str, tuple[Part, ...]] = _THREE  #: name, with a group's role in braces -> its parts
    #: only from the database that holds both groups, fewer subjects where it has no more
    inside: bool = False
    balanced: bool = False  #: keep as many clips of the more frequent class as there are of the rarer one
    without_largest: bool = False  #: never draw the subject with most clips


CONTROLS: Mapping[str, Control] = {
    "as_described": Control("as described"),
    "one_database": Control("within one database", inside=True),
    "two_databases": Control("same two databases", _ACROSS),
    "balanced": Control("balanced classes", balanced=True),
    "without_largest": Control("without the largest subject", without_largest=True),
}


def draw_scenarios(
    table: pd.DataFrame, n_subjects: int, control: str = "as_described", seed: int = 0, draw: int = 0
) -> dict[str, np.ndarray]:
    """Row numbers of the clips of every scenario in one draw of subjects.

    ``n_subjects`` is the even number of subjects per scenario (a control may have to take fewer), ``control`` a name
    in :data:`CONTROLS`.  Every scenario draws from its own stream ``[seed, draw, scenario]``, so controls that differ
    in one thing draw alike in all else.  StudyError for groups that are not two, or a pool with too few subjects.

    Examples
    --------
    >>> rows = [(f"{g}{s}", g, "x", "Negative") for g in "AB" for s in range(4) for _ in range(2)]
    >>> table = pd.DataFrame(rows, columns=["subject", "group", "database", "label"])
    >>> {name: len(rows) for name, rows in em.draw_scenarios(table, 4).items()}
    {'A only': 8, 'B only': 8, 'Mixed': 8}
    """
    check_name("control", control, CONTROLS)
    if n_subjects < 2 or n_subjects % 2:
        raise StudyError(f"n_subjects={n_subjects} cannot be split half and half; give an even number")
    rules = CONTROLS[control]
    roles, most = _roles(table, rules), n_subjects
    who = table[["subject", "group", "database"]].drop_duplicates()
    if rules.inside:
        who = who[who["database"] == roles["both"]]
        most = min(n_subjects, subjects_in(table).loc[roles["both"]].min() // 2 * 2)
    if rules.without_largest:
        who = who[who["subject"] != table["subject"].value_counts(sort=True).index[0]]
    out = {}
    for number, (scenario, parts) in enumerate(rules.scenarios.items()):
        rng, name, names = np.random.default_rng([seed, draw, number]), scenario.format(**roles), []
        for part in parts:
            group, database, size = roles[part.group], roles.get(part.database), int(part.share * most)
            inside = who[(who["group"] == group) & ((who["database"] == database) | (database is None))]
            pool = np.unique(inside["subject"].astype(str))
            if len(pool) < size:
                raise StudyError(
                    f"the control {control!r} needs {size} subjects of group {group!r}"
                    f"{f' in {database}' if database else ''} for {name!r} and there are {len(pool)}; set n_subjects "
                    f"lower than {n_subjects}"
                )
            names += rng.choice(pool, size, replace=False).tolist()
        rows = np.flatnonzero(table["subject"].isin(names))
        out[name] = _balance(rows, table, rng) if rules.balanced else rows
    return out


def subjects_in(table: pd.DataFrame) -> pd.DataFrame:
    """Subjects of every database (rows) and group (columns)."""
    return table.groupby(["database", "group"])["subject"].nunique().unstack(fill_value=0)


def _roles(table: pd.DataFrame, rules: Control) -> dict[str, str]:
    """Which groups and databases the words of :class:`Part` stand for."""
    groups = sorted(table["group"].unique())
    if len(groups) != 2:
        raise StudyError(f"the comparison needs exactly two groups; the cohort has {groups}")
    roles = dict(zip(("first", "second"), groups, strict=True))
    if not rules.inside and rules.scenarios is _THREE:
        return roles
    counts = subjects_in(table)
    rarer = counts.min(axis=1)
    if len(rarer) != 2 or rarer.max() < 2:
        raise StudyError(
            "controls within a database need two databases, one of them with two subjects of either group; "
            f"subjects of the rarer group: {rarer.to_dict()}"
        )
    both = rarer.idxmax()
    other = rarer.drop(both).index[0]
    alone = min(counts.columns[counts.loc[other] > 0])
    guest = groups[1 - groups.index(alone)]
    return roles | {"both": both, "other": other, "alone": alone, "guest": guest}


def _balance(rows: np.ndarray, table: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    labels = binary_labels(table["label"].iloc[rows]).to_numpy()
    parts = [rows[labels == name] for name in BINARY]
    size = min(len(part) for part in parts)
    if size == 0:
        raise StudyError("a scenario drew clips of one class only; it cannot be balanced, draw more subjects")
    return np.sort(np.concatenate([rng.choice(part, size, replace=False) for part in parts]))


def predict_scenarios(
    model: ClassifierMixin,
    x: np.ndarray,
    table: pd.DataFrame,
    scenarios: Mapping[str, np.ndarray],
    flow_rows: str = "own",
) -> pd.DataFrame:
    """Held-out predictions of one draw, Negative against Non-negative, LOSO inside each scenario.

    ``flow_rows`` is 'own', or 'released': training and test set each take the first rows of ``x``.  One row per
    scenario (``arm``) and clip, as of :func:`classifiers.held_out`; and ``majority``, what the rule that always says
    the more frequent training label would have said.
    """
    if len(x) != len(table):
        raise StudyError(f"{len(x)} rows of features for {len(table)} clips; they must match row by row")
    tables = []
    for name, rows in scenarios.items():
        drawn = table.iloc[rows].assign(label=lambda rows: binary_labels(rows["label"]))
        folds = subject_folds(drawn)
        own = [Fold(rows[fold.train], rows[fold.test]) for fold in folds]
        released = [Fold(np.arange(len(fold.train)), np.arange(len(fold.test))) for fold in folds]
        found = held_out(model, x, drawn, folds, released if flow_rows == "released" else own)
        tables.append(found.assign(arm=name, majority=majority_rule(drawn, folds)["predicted"]))
    return pd.concat(tables, ignore_index=True)


def repeat_scenarios(
    x: np.ndarray,
    table: pd.DataFrame,
    n_subjects: int,
    n_draws: int,
    control: str = "as_described",
    classifier: str | ClassifierMixin = "forest",
    flow_rows: str = "own",
    n_trees: int = 100,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """The study of Table IV repeated with other subjects; every draw is kept, so that more draws add only new ones.

    Arguments as of :func:`draw_scenarios` and :func:`predict_scenarios`; ``classifier`` is 'forest' (of ``n_trees``),
    'svc', or any classifier of scikit-learn.  One row per draw, scenario and clip: arm (the scenario), seed, draw,
    clip_id, subject, database, group, label, predicted, p_<label>, majority.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.released_clips()
    >>> noise = em.features(np.zeros((len(clips), 3, 28, 28)), "noise")
    >>> found = em.repeat_scenarios(noise, clips, 4, n_draws=2, classifier="svc", progress=False)
    >>> em.scores(found, by="draw").shape
    (2, 4)
    """
    model = chosen(classifier, seed, n_trees)
    described = [type(model).__module__, type(model).__qualname__, str(sorted(model.get_params().items()))]
    inputs = {"x": x, "table": table[ABOUT], "n_subjects": n_subjects, "control": control, "seed": seed}
    inputs |= {"flow_rows": flow_rows, "classifier": described}
    run = Run.open("prima_facie", code=("design",), inputs=inputs)

    def one(draw: int) -> pd.DataFrame:
        scenarios = draw_scenarios(table, n_subjects, control, seed, draw)
        found = predict_scenarios(model, x, table, scenarios, flow_rows).assign(seed=seed, draw=draw)
        chances = [name for name in found if name.startswith("p_")]
        return found[["arm", "seed", "draw", *ABOUT, "predicted", *chances, "majority"]]

    bar = tqdm(range(n_draws), desc="draws of subjects", disable=not progress)
    return pd.concat([run.kept(f"draw{n:04d}", lambda n=n: one(n)) for n in bar], ignore_index=True)


def with_rule(predictions: pd.DataFrame) -> pd.DataFrame:
    """The predictions and, as one more arm, the majority rule on the clips of Mixed."""
    rule = predictions[predictions["arm"] == MIXED]
    return pd.concat([predictions, rule.assign(arm=RULE, predicted=rule["majority"])], ignore_index=True)
