"""Scores of the scenarios of Table IV: every draw, the middle of draws, differences, the printed cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from ethnicmer_lib.design.forest import BINARY, NEGATIVE
from ethnicmer_lib.design.scenarios import MIXED
from ethnicmer_lib.paper.numbers import paper_results
from ethnicmer_lib.stats.bootstrap import MACRO, bootstrap_f1
from ethnicmer_lib.stats.confusions import class_f1, counted
from ethnicmer_lib.stats.old_draws import crossed_scores

RESAMPLES = 2000


def draw_scores(predictions: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """One row per draw and scenario: subjects, clips, share_negative, F1 per class, macro, majority's macro."""
    draws = sorted(predictions["draw"].unique())
    predictions = predictions[predictions["scenario"].isin(list(names))]
    columns = {"draw": draws, "scenario": names, "label": BINARY}
    f1 = np.nan_to_num(class_f1(counted(predictions, {**columns, "predicted": BINARY})))
    rule = np.nan_to_num(class_f1(counted(predictions, {**columns, "majority": BINARY})))
    clips = counted(predictions, columns)
    subjects = predictions.groupby(["draw", "scenario"])["subject"].nunique()
    rows = []
    for i, draw in enumerate(draws):
        for j, name in enumerate(names):
            scores = dict(zip(BINARY, f1[i, j].tolist(), strict=True))
            total = int(clips[i, j].sum())
            rows.append(
                {"draw": draw, "scenario": name, "subjects": int(subjects[draw, name]), "clips": total,
                 "share_negative": float(clips[i, j, BINARY.index(NEGATIVE)] / total), **scores,
                 MACRO: float(f1[i, j].mean()), "majority": float(rule[i, j].mean())}
            )  # fmt: skip
    return pd.DataFrame(rows)


def first_draw_scores(predictions: pd.DataFrame, names: Sequence[str], seed: int) -> pd.DataFrame:
    """One row per scenario and score (F1 per class, macro, UAR) of draw 0, with its subject interval."""
    first = predictions[predictions["draw"] == 0]
    rows = []
    for name in names:
        estimates = bootstrap_f1(first[first["scenario"] == name], BINARY, RESAMPLES, seed)
        rows += [{"scenario": name, "score": key, **e._asdict()} for key, e in estimates.items()]
    return pd.DataFrame(rows)


def scenario_table(draws: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Median and middle 95 % of draws, scenario by scenario, beside the printed cells."""
    paper = paper_results()["table_iv"]
    columns = dict(zip((*BINARY, MACRO), paper["columns"], strict=True))
    printed = _printed(names)
    rows = []
    for name in names:
        part = draws[draws["scenario"] == name]
        row: dict[str, Any] = {"scenario": name, "paper_row": printed[name][0]}
        for score in ("subjects", "clips", "share_negative", *columns, "majority"):
            low, middle, high = np.quantile(part[score], [0.025, 0.5, 0.975])
            row |= {score: middle, f"{score}_low": low, f"{score}_high": high}
        row |= {f"{s}_paper": printed[name][1][i] for i, s in enumerate(columns)}
        rows.append(row)
    return pd.DataFrame(rows)


def _printed(names: Sequence[str]) -> dict[str, tuple[str, list[float]]]:
    """Scenario -> the paper's row name and cells; groups A, B stand where Asian, Non-Asian do."""
    first, second, mixed = paper_results()["table_iv"]["rows"].items()
    return {name: mixed if name == MIXED else (first, second)[place] for place, name in enumerate(names)}


def differences(
    predictions: pd.DataFrame, draws: pd.DataFrame, names: Sequence[str], seed: int
) -> pd.DataFrame:
    """Differences between scenarios, and of Mixed to the rule that always says the majority."""
    rule = predictions[predictions["scenario"] == MIXED].assign(
        scenario="rule", predicted=lambda t: t["majority"]
    )
    scores = crossed_scores(
        pd.concat([predictions, rule]).rename(columns={"scenario": "arm"}), [*names, "rule"], BINARY,
        RESAMPLES, seed,
    )  # fmt: skip
    printed = np.asarray([cells for _, cells in _printed(names).values()])
    both, minority = slice(None), slice(1, 2)
    mono = [name for name in names if name != MIXED]
    drop, mixed = (*[-1 / len(mono)] * len(mono), 1, 0), (*[0] * len(mono), 1, 0)
    comparisons = {
        "mixed minus mono": (drop, both, 2),
        "mixed minus mono, Non-negative F1": (drop, minority, 1),
        "mono: second minus first group": ((-1, 1, 0, 0), both, 2),
        "mixed, Non-negative F1": (mixed, minority, 1),
        "mixed minus majority rule": ((*mixed[:-1], -1), both, None),
    }
    if len(mono) < 2:
        del comparisons["mono: second minus first group"]
    rows = []
    for name, (combination, classes, column) in comparisons.items():
        single = scores.per_draw(combination, classes)
        below, above = int((single < 0).sum()), int((single > 0).sum())
        is_difference = sum(combination) == 0
        low, high = np.quantile(single, [0.025, 0.975])
        rows.append(
            {
                "comparison": name,
                **scores.mean(combination, classes)._asdict(),
                "draw_low": low,
                "draw_high": high,
                "draws_below_zero": below if is_difference else np.nan,
                "draws": len(single),
                "sign_p": _sign_test(below, above) if is_difference else np.nan,
                "paper": np.nan if column is None else float(np.dot(combination[:-1], printed[:, column])),
            }
        )
    gap = draws.groupby("draw")["share_negative"].agg(lambda shares: shares.max() - shares.min())
    low, high = np.quantile(gap, [0.025, 0.975])
    rows.append(
        {"comparison": "largest gap of Negative shares", "value": gap.mean(), "low": low, "high": high,
         "draw_low": low, "draw_high": high, "draws": len(gap)}
    )  # fmt: skip
    return pd.DataFrame(rows)


def _sign_test(below: int, above: int) -> float:
    """Two-sided exact sign test; ties count for neither side."""
    return float(binomtest(below, below + above).pvalue) if below + above else 1.0
