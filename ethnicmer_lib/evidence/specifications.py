"""All reasonable ways to measure a contrast at once: Mixed minus mono of Table IV, two branches minus one of V."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.labels import ETHNIC_MAPPINGS
from ethnicmer_lib.design.scenarios import NEGATIVE, NON_NEGATIVE
from ethnicmer_lib.design.studies import STUDIES, mixed_minus_mono
from ethnicmer_lib.stats import MACRO, UAR, mean_over_draws
from ethnicmer_lib.stats.confusions import labels_in, paired_confusions
from ethnicmer_lib.stats.scoring import difference_interval
from ethnicmer_lib.store import kept

#: A subject's clips by class, and how many were right.
COUNTS = ["negative", "negative_right", "other", "other_right"]
_CONTROLS = ("as_described", "two_databases", "balanced")
_RESAMPLES = 2000
#: Arm with a second branch, arm without -> what that branch is taught.
_BRANCHES = {
    ("dual_motion", "resnet18"): "the group",
    ("dual", "plain"): "the group",
    ("no_ethnic_loss", "plain"): "nothing",
    ("shuffled", "plain"): "groups dealt at random",
    ("database", "plain"): "the database",
    ("shared", "plain"): "the group, shared backbone",
    ("dual_released", "plain_released"): "the group, as released",
}


class Specification(NamedTuple):
    """One set of choices: how ethnic labels become groups, what is classified by what, and what is held still."""

    mapping: str
    features: str
    classifier: str
    control: str
    without_largest: bool  #: the subject with most clips is left out before anything is drawn


def specifications() -> list[Specification]:
    """The recorded ones: all choices with SVC, and the study as described, by a forest, under every other mapping.

    Forests with the paper's mapping are among the studies of Table IV.  The largest subject is not of the database of
    'one_database', where leaving it out changes nothing.
    """
    controls = [(control, left_out) for control in _CONTROLS for left_out in (False, True)]
    svc = [
        Specification(mapping, kind, "svc", *control)
        for mapping in ETHNIC_MAPPINGS
        for control in [*controls, ("one_database", False)]
        for kind in ("flow", "resnet18")
    ]
    others = list(ETHNIC_MAPPINGS)[1:]
    return svc + [Specification(name, "resnet18", "forest", "as_described", False) for name in others]


def counts(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions by clip as one row per arm, subject, group and draw, with :data:`COUNTS`."""
    negative, said = predictions["label"] == NEGATIVE, predictions["predicted"] == NEGATIVE
    marks = dict(zip(COUNTS, (negative, negative & said, ~negative, ~negative & ~said), strict=True))
    by = ["arm", "subject", "group", "draw"]
    return (
        predictions[by].assign(**marks).groupby(by, observed=True)[COUNTS].sum().astype("uint8").reset_index()
    )


def by_clip(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`counts` as predictions again, one per clip: arm, subject, group, draw, label, predicted."""
    right, wrong = table[["negative_right", "other_right"]], table[["negative", "other"]]
    often = np.hstack([right, wrong.to_numpy().astype(int) - right.to_numpy()]).ravel()
    rows = table[["arm", "subject", "group", "draw"]].astype({"arm": str, "subject": str, "group": str})
    found = rows.loc[rows.index.repeat(4).repeat(often)]
    kinds = np.tile(np.arange(4), len(rows)).repeat(often)
    labels = np.array([NEGATIVE, NON_NEGATIVE], dtype=object)
    return found.assign(label=labels[kinds % 2], predicted=labels[(kinds % 2) ^ (kinds // 2)]).reset_index(
        drop=True
    )


@kept("design", "evidence", "stats")
def specification_table(predictions: pd.DataFrame, mappings: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Mixed minus mono macro F1 under every specification, ascending.

    ``predictions`` are those of Table IV's recording, whose forests on real features in the clips' own rows are taken;
    ``mappings`` is the recorded part of that name.  One row per specification: the fields of :class:`Specification`,
    draws, value, and low and high, the ends of the 95 % interval over subjects and draws.
    """
    parts = [
        (Specification(*key), by_clip(part))
        for key, part in mappings.groupby(list(Specification._fields), sort=False, observed=True)
    ]
    for name, study in STUDIES.items():
        if study.classifier == "forest" and study.features != "noise" and study.flow_rows == "own":
            left_out = study.control == "without_largest"
            control = "as_described" if left_out else study.control
            of = Specification("paper", study.features, "forest", control, left_out)
            parts.append((of, predictions[predictions["study"] == name]))
    rows = []
    for of, part in parts:
        value, low, high = mean_over_draws(part, mixed_minus_mono(part), seed=seed, resamples=_RESAMPLES)
        rows.append(
            {**of._asdict(), "draws": part["draw"].nunique(), "value": value, "low": low, "high": high}
        )
    return pd.DataFrame(rows).sort_values("value", kind="stable", ignore_index=True)


@kept("evidence", "stats")
def branch_table(runs: Mapping[str, pd.DataFrame], seed: int = 0) -> pd.DataFrame:
    """A network of two branches minus a plain one, in every way that recorded predictions allow, ascending.

    ``runs`` are predictions of Table V and its controls by a name for how they were made.  One row per specification:
    what the second branch is ``taught``, ``run``, scored ``clips``, ``score``, how many training ``runs``, value, and
    low and high, the ends of the 95 % interval over subjects and runs.
    """
    rows = []
    for run, predictions in runs.items():
        there = set(predictions["arm"])
        pairs = {pair: taught for pair, taught in _BRANCHES.items() if {*pair} <= there}
        for (clips, part), (pair, taught) in product(_scored(predictions).items(), pairs.items()):
            sides = [part[part["arm"] == arm] for arm in pair]
            stacks = paired_confusions(*sides, labels_in(sides[0]))
            about = {"taught": taught, "run": run, "clips": clips}
            for score in (MACRO, UAR):
                value, low, high = difference_interval(*stacks, _RESAMPLES, seed, score)
                found = {"runs": len(stacks[0]), "value": value, "low": low, "high": high}
                rows.append({**about, "score": score, **found})
    return pd.DataFrame(rows).sort_values("value", kind="stable", ignore_index=True)


def _scored(predictions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Name of the clips that are scored -> their predictions: all, without the largest subject, each database alone."""
    largest = predictions.drop_duplicates("clip_id")["subject"].value_counts().index[0]
    parts = {"all clips": predictions}
    parts["without the largest subject"] = predictions[predictions["subject"] != largest]
    return parts | {f"{name} alone": part for name, part in predictions.groupby("database")}
