"""Table IV under every control and switch: sixteen studies of the scenarios as data, recorded, scored side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin

from ethnicmer_lib.clips.table import Clips
from ethnicmer_lib.design.classifiers import classifier as chosen
from ethnicmer_lib.design.features import FLOW_SIZE, features
from ethnicmer_lib.design.permutation import permutation_test, permute_scenarios
from ethnicmer_lib.design.scenarios import (
    CONTROLS,
    MIXED,
    NEGATIVE,
    NON_NEGATIVE,
    RULE,
    repeat_scenarios,
    with_rule,
)
from ethnicmer_lib.motion.extract import motion_images
from ethnicmer_lib.stats.draws import mean_over_draws, middle_of_draws, per_draw, sign_test
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.stats.scoring import MACRO, scores
from ethnicmer_lib.store import record


class Study(NamedTuple):
    """One way to make Table IV; what it does not say is as in the first one."""

    title: str
    features: str = "flow"
    classifier: str = "forest"
    control: str = "as_described"
    flow_rows: str = "own"


_CLASSIFIERS = {"forest": "random forest", "svc": "SVC(C=100)"}
_FEATURES = {"flow": "the flow image", "resnet18": "ResNet-18 features", "noise": "noise"}
_WORDS = {"flow": "flow image", "resnet18": "ResNet-18 features", "noise": "noise instead of features"}
_MARKS = {"flow": "", "resnet18": ", ResNet-18", "noise": ", noise"}
STUDIES: Mapping[str, Study] = {
    **{
        f"{name}{_MARKS[kind]}": Study(f"{title} on {words}", kind, name)
        for kind, words in _FEATURES.items()
        for name, title in _CLASSIFIERS.items()
    },
    **{
        f"{name}, released rows": Study(f"{title}, rows as released", classifier=name, flow_rows="released")
        for name, title in _CLASSIFIERS.items()
    },
    **{
        f"{name}, {control}": Study(f"{title}, {CONTROLS[control].title}", classifier=name, control=control)
        for name, title in _CLASSIFIERS.items()
        for control in CONTROLS
        if control != "as_described"
    },
}
DESCRIBED = "forest, ResNet-18"  #: the study that is what the paper describes
TESTED = ("as_described", "one_database")  #: controls with a permutation test


def scenario_differences(predictions: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """What Table IV's scenarios differ in: means over draws, with intervals over subjects and draws together.

    Parameters
    ----------
    predictions : of one study, as of :func:`scenarios.repeat_scenarios`.

    Returns
    -------
    One row per comparison, by name: ``title``; ``estimate``; ``below``, draws below zero, ``draws``, and ``p_sign`` of
    the sign test on single draws, where it is a difference.  The last row, the largest gap of the shares of Negative
    between scenarios, has no subjects to resample: mean and middle 95 % of draws.
    """
    rows = with_rule(predictions)
    arms = [arm for arm in rows["arm"].unique() if arm != RULE]
    mono = [arm for arm in arms if arm != MIXED]
    # Weight 0: every comparison is made on the resamples in which all arms have all labels.
    none, drop = dict.fromkeys([*arms, RULE], 0), {**dict.fromkeys(mono, -1 / len(mono)), MIXED: 1}
    compared = {
        "mixed_minus_mono": ("mixed minus mono", drop, MACRO),
        "mixed_minus_mono_non_negative": ("mixed minus mono, Non-negative F1", drop, NON_NEGATIVE),
        "second_minus_first": ("mono: second minus first group", dict(zip(sorted(mono), (-1, 1))), MACRO),  # noqa: B905
        "mixed_non_negative": ("mixed, Non-negative F1", {MIXED: 1}, NON_NEGATIVE),
        "mixed_minus_rule": ("mixed minus majority rule", {MIXED: 1, RULE: -1}, MACRO),
    }
    if len(mono) < 2:
        del compared["second_minus_first"]
    found = {}
    for name, (title, weights, classes) in compared.items():
        single = per_draw(rows, weights, classes)
        found[name] = {
            "title": title, "estimate": mean_over_draws(rows, none | weights, classes, seed), "draws": len(single)
        }  # fmt: skip
        if sum(weights.values()) == 0:
            found[name] |= {"below": int((single < 0).sum()), "p_sign": sign_test(single)}
    gap = shares_of_negative(predictions).groupby("draw").agg(np.ptp)
    ends = middle_of_draws(gap)._replace(value=float(gap.mean()))
    found["gap_of_negative"] = {
        "title": "largest gap of Negative shares",
        "estimate": ends,
        "draws": len(gap),
    }
    return pd.DataFrame.from_dict(found, orient="index").astype({"draws": "Int64", "below": "Int64"})


def shares_of_negative(predictions: pd.DataFrame) -> pd.Series:
    """Share of Negative clips of every draw and scenario."""
    return (predictions["label"] == NEGATIVE).groupby([predictions["draw"], predictions["arm"]]).mean()


def middle_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """Table IV with its spread: median and middle 95 % of single draws, one row per scenario.

    Returns
    -------
    Estimates of ``share_negative``, the F1 of both labels, ``macro``, and ``majority``, the macro F1 of the rule that
    always says the more frequent training label; the median of ``clips``.
    """
    by_draw = scores(predictions, ["draw", "arm"]).drop(columns="uar")
    by_draw["majority"] = scores(predictions.assign(predicted=predictions["majority"]), ["draw", "arm"])[
        MACRO
    ]
    by_draw.insert(0, "share_negative", shares_of_negative(predictions))
    grouped = by_draw.groupby("arm", sort=False)
    middle = pd.DataFrame(
        {name: grouped[name].agg(lambda draws: [middle_of_draws(draws)]) for name in by_draw}
    )
    clips = predictions.groupby(["draw", "arm"]).size().groupby("arm").median()
    return middle.map(lambda cell: cell[0]).assign(clips=clips.round().astype(int)).rename_axis("scenario")


def studies_table(predictions: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """All studies side by side, from a recording's predictions (column ``study``).

    Returns
    -------
    One row per study: ``title``; ``draws``; ``median <scenario>``; ``majority``, that of the rule on Mixed;
    ``difference``, the mean of Mixed minus the mono scenarios over subjects and draws; ``below``, the share of draws in
    which Mixed is below every mono scenario.
    """
    found = {}
    for study, part in predictions.groupby("study", sort=False):
        wide = scores(part, ["draw", "arm"])[MACRO].unstack("arm")
        mono = wide.drop(columns=MIXED)
        rule = part[part["arm"] == MIXED]
        weights = {**dict.fromkeys(mono, -1 / mono.shape[1]), MIXED: 1, RULE: 0}
        found[study] = {
            "title": STUDIES[study].title,
            "draws": len(wide),
            **{f"median {arm}": float(wide[arm].median()) for arm in wide},
            "majority": float(scores(rule.assign(predicted=rule["majority"]), "draw")[MACRO].median()),
            "difference": mean_over_draws(with_rule(part), weights, seed=seed),
            "below": float((wide[MIXED] < mono.min(axis=1)).mean()),
        }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("study")


def scenario_claims(
    differences: pd.DataFrame,
    predictions: pd.DataFrame,
    features: str = "resnet18",
    classifier: str | ClassifierMixin = "forest",
    control: str = "as_described",
) -> dict[str, tuple[Estimate, dict[str, Any]]]:
    """What ``paper.judge`` asks of the chapter prima facie: its keys, with the names that the words need.

    Parameters
    ----------
    differences : of :func:`scenario_differences`.
    predictions : what it was made of.
    features, classifier, control : how they were made; what is not as the paper describes is a departure.
    """
    mono = sorted(set(predictions["arm"]) - {MIXED})
    shares = shares_of_negative(predictions).groupby("arm").median()
    model, described = chosen(classifier), chosen("forest")
    forest = type(model) is type(described)
    departures = {"control": control, "classifier": classifier if isinstance(classifier, str) else model}
    usual = {"classifier": forest, "control": control == "as_described"}
    words = {
        "first": mono[0].removesuffix(" only"),
        "second": mono[-1].removesuffix(" only"),
        "draws": predictions["draw"].nunique(),
        "subjects": int(predictions.groupby(["draw", "arm"])["subject"].nunique().max()),
        "features": _WORDS[features],
        "classifier": f"forest of {model.n_estimators} trees" if forest else str(model).replace(".0", ""),
        "shares": ", ".join(f"{arm} {shares[arm]:.0%}" for arm in [*mono, MIXED]),
        "departures": ", ".join(f"{name}={departures[name]}" for name in usual if not usual[name])
        + (", features=noise" if features == "noise" else ""),
    }
    keys = {
        "mixed_drop": "mixed_minus_mono",
        "minority_f1": "mixed_non_negative",
        "mono_consistent": "second_minus_first",
        "same_distribution": "gap_of_negative",
    }
    found = {}
    for key, name in keys.items():
        if name in differences.index:
            row = differences.loc[name]
            found[key] = (row["estimate"], words | {"draws_below": row["below"], "sign_p": row["p_sign"]})
    return found


def record_table_iv(
    clips: Clips,
    command: str,
    n_subjects: int = 16,
    n_draws: int = 200,
    control_draws: int = 10,
    permutations: int = 199,
    image_size: int = 56,
    weights: str = "none",
    scaling: str = "robust",
    seed: int = 0,
) -> Path:
    """Compute every study and permutation test, draw by draw in the run store, and write ``results/table_iv/``.

    Parameters
    ----------
    clips : with the published flow, say.
    n_draws, control_draws : draws of SVCs and of the study as described; of the other forests, which are slow.
    permutations : of each test, on the first ten draws.
    """
    images = {size: motion_images(clips, scaling=scaling, size=size) for size in (FLOW_SIZE, image_size)}
    tables, draws = [], {}
    for name, study in STUDIES.items():
        sized = images[image_size if study.features == "resnet18" else FLOW_SIZE]
        x = features(sized, study.features, weights, seed)
        draws[name] = n_draws if study.classifier == "svc" or name == DESCRIBED else control_draws
        how = {"control": study.control, "classifier": study.classifier, "flow_rows": study.flow_rows}
        found = repeat_scenarios(x, clips.table, n_subjects, draws[name], **how, seed=seed)
        found = found.drop(columns=[column for column in found if column.startswith("p_")])
        tables.append(found.assign(study=name))
    x = features(images[FLOW_SIZE], "flow")
    tests = [
        {"control": control}
        | permutation_test(
            permute_scenarios(x, clips.table, n_subjects, min(10, n_draws), permutations, control, seed)
        )
        for control in TESTED
    ]
    predictions = pd.concat(tables, ignore_index=True)
    predictions.insert(0, "study", predictions.pop("study"))
    return record(
        "table_iv",
        {"predictions": predictions, "permutations": pd.DataFrame(tests)},
        clips.provenance,
        command,
        {"n_subjects": n_subjects, "seed": seed, "weights": weights, "n_trees": 100, "scaling": scaling}
        | {"image_size": image_size, "draws": draws},
    )
