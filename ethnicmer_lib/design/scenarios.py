"""The scenarios of Table IV: subjects drawn from one group or both, under controls, and predicted with LOSO."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from tqdm import tqdm

from ethnicmer_lib.clips.labels import binary_labels
from ethnicmer_lib.design.classifiers import ABOUT, held_out, majority_rule
from ethnicmer_lib.design.classifiers import classifier as chosen
from ethnicmer_lib.design.folds import subject_folds
from ethnicmer_lib.errors import StudyError, check_name
from ethnicmer_lib.store import Run

MIXED = "Mixed"
RULE = "majority rule"  #: arm of the rule that always says the more frequent training label, in the Mixed scenario
NEGATIVE, NON_NEGATIVE = BINARY = ("Negative", "Non-negative")
ABOUT_WHOM = ["subject", "group", "database"]

#: Ways to draw the scenarios: all but the first hold one thing still.
CONTROLS = (
    "as_described",
    "one_database",  # all from the database with both groups, fewer subjects where it has no more
    "two_databases",  # each scenario is half of either database
    "balanced",  # as many clips of the more frequent class as of the rarer one
    "without_largest",  # never the subject with most clips
)


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
    subject, of_group, of_database = (table[name].astype(str).to_numpy() for name in ABOUT_WHOM)
    out, allowed = {}, np.ones(len(table), dtype=bool)
    if control == "without_largest":
        allowed = subject != str(table["subject"].value_counts().index[0])
    for number, (name, parts) in enumerate(_parts(table, n_subjects, control).items()):
        rng, names = np.random.default_rng([seed, draw, number]), []
        for group, database, size in parts:
            inside = allowed & (of_group == str(group))
            pool = np.unique(subject[inside if database is None else inside & (of_database == str(database))])
            if len(pool) < size:
                raise StudyError(
                    f"the control {control!r} needs {size} subjects of group {group!r}"
                    f"{f' in {database}' if database else ''} for {name!r} and there are {len(pool)}; set n_subjects "
                    f"lower than {n_subjects}"
                )
            names += rng.choice(pool, size, replace=False).tolist()
        rows = np.flatnonzero(np.isin(subject, names))
        out[name] = _balance(rows, table, rng) if control == "balanced" else rows
    return out


def subjects_in(table: pd.DataFrame) -> pd.DataFrame:
    """Subjects of every database (rows) and group (columns)."""
    return table.groupby(["database", "group"])["subject"].nunique().unstack(fill_value=0)


def _parts(table: pd.DataFrame, n: int, control: str) -> dict[str, list[tuple[str, str | None, int]]]:
    """Scenario -> what it takes: group, database (None: any) and number of subjects."""
    groups, database = sorted(table["group"].unique()), None
    if len(groups) != 2:
        raise StudyError(f"the comparison needs exactly two groups; the cohort has {groups}")
    if control in ("one_database", "two_databases"):
        counts = subjects_in(table)
        rarer = counts.min(axis=1)
        if len(rarer) != 2 or rarer.max() < 2:
            raise StudyError(
                "controls within a database need two databases, one of them with two subjects of either group; "
                f"subjects of the rarer group: {rarer.to_dict()}"
            )
        database = rarer.idxmax()
    if control == "two_databases":
        other = rarer.drop(database).index[0]
        alone = min(counts.columns[counts.loc[other] > 0])
        guest, half = groups[1 - groups.index(alone)], (alone, other, n // 2)
        return {f"{alone} only": [half, (alone, database, n // 2)], MIXED: [half, (guest, database, n // 2)]}
    if control == "one_database":
        n = min(n, rarer[database] // 2 * 2)
    mono = {f"{group} only": [(group, database, n)] for group in groups}
    return mono | {MIXED: [(group, database, n // 2) for group in groups]}


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
    tables, released = [], flow_rows == "released"
    for name, rows in scenarios.items():
        drawn = table.iloc[rows].assign(label=lambda rows: binary_labels(rows["label"]))
        folds = subject_folds(drawn)
        found = held_out(model, x if released else x[rows], drawn, folds, first_rows=released)
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
    seed: int = 0,
    progress: bool = True,
    first: int = 0,
) -> pd.DataFrame:
    """The study of Table IV repeated with other subjects; every draw is kept, so that more draws add only new ones.

    Arguments as of :func:`draw_scenarios` and :func:`predict_scenarios`; ``classifier`` is 'forest', 'svc' or any
    classifier of scikit-learn.  Draws are numbered from ``first`` up to ``n_draws``.  One row per draw, scenario and
    clip: arm (the scenario), seed, draw, clip_id, subject, database, group, label, predicted, p_<label>, majority.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.released_clips()
    >>> noise = em.features(np.zeros((len(clips), 3, 28, 28)), "noise")
    >>> found = em.repeat_scenarios(noise, clips, 4, n_draws=2, classifier="svc", progress=False)
    >>> em.scores(found, by="draw").shape
    (2, 4)
    """
    model = chosen(classifier, seed)
    described = [type(model).__module__, type(model).__qualname__, str(sorted(model.get_params().items()))]
    inputs = {"x": x, "table": table[ABOUT], "n_subjects": n_subjects, "control": control, "seed": seed}
    inputs |= {"flow_rows": flow_rows, "classifier": described}
    run = Run.open("prima_facie", code=("design",), inputs=inputs)

    def one(draw: int) -> pd.DataFrame:
        scenarios = draw_scenarios(table, n_subjects, control, seed, draw)
        found = predict_scenarios(model, x, table, scenarios, flow_rows).assign(seed=seed, draw=draw)
        chances = [name for name in found if name.startswith("p_")]
        return found[["arm", "seed", "draw", *ABOUT, "predicted", *chances, "majority"]]

    bar = tqdm(range(first, n_draws), desc="draws of subjects", disable=not progress)
    return pd.concat([run.kept(f"draw{n:04d}", lambda n=n: one(n)) for n in bar], ignore_index=True)


def with_rule(predictions: pd.DataFrame) -> pd.DataFrame:
    """The predictions and, as one more arm, the majority rule on the clips of Mixed."""
    rule = predictions[predictions["arm"] == MIXED]
    return pd.concat([predictions, rule.assign(arm=RULE, predicted=rule["majority"])], ignore_index=True)
