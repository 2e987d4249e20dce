"""What is calibrated, by name, and what the page Statistics shows and says of it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from ethnicmer_lib.evidence.made_up import PROCESSES, real_clusters
from ethnicmer_lib.paper.numbers import called
from ethnicmer_lib.stats.intervals import PLAIN_TAIL, POWER, Estimate, effective_subjects, tail_probability
from ethnicmer_lib.stats.scoring import MACRO, UAR
from ethnicmer_lib.store import Recording

ACCURACY = "accuracy"
BETTER, EQUAL = "macro F1, better minus worse method", "macro F1, difference of equal methods"
CLIPS = "macro F1, clips resampled"
SWAP = "swap test, equal methods"
#: With runs: names that are followed by the number of runs.
MACRO_RUNS, BETTER_RUNS = "macro F1", "better minus worse network"
SAME, SAME_MOST = "same network, disjoint runs", "same network, disjoint runs that differ most"
SWAP_RUNS, SWAP_MOST = f"swap test, {SAME}", f"swap test, {SAME_MOST}"
POOLED = "runs ignored: subjects only, runs that differ most"
CODED, ACTIVATION = "group test, coded unit (0 or 1)", "group difference of a measure"
ACTIVATION_TEST = "group test, measure"
CROSSED, CROSSED_BETTER = "mixed minus mono, mean over draws", "mixed minus mono, mixed is read better"
#: Of a true difference: how often it is seen.
SEEN, SEEN_TEST = "seen: ", "seen by the swap test: "
SCORES = {MACRO: "macro F1", UAR: "UAR"}
RUNS = (5, 10)  #: training runs of a network, the fewest that decide and twice as many
DRAWS = 40  #: draws of the scenarios in one table


def of_runs(quantity: str, runs: int) -> str:
    """The name of a quantity of so many runs."""
    return f"{quantity}, {runs} runs"


#: What a well calibrated procedure does, and how far it may be from that.
TARGET = {
    "interval": (0.95, 0.02),
    "contrast": (0.95, 0.02),
    "test": (0.05, 0.015),
    "power": (np.nan, np.nan),
}

VERBS = {"interval": "intervals hold the truth", "test": "tests reject"}
WANTED = (
    "Small print: 95 % interval of the rate for so many tables (Wilson). Wanted: intervals hold the truth in 95 ± 2 %, "
    "tests reject in 5 ± 1.5 %."
)

POWER_NOTE = (
    "Small print: 95 % interval of the share (Wilson). Shares of single tests, before Holm's adjustment. detectable: "
    f"mean over tables of the difference that so wide an interval shows with a chance of {100 * POWER:.0f} %."
)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """How often intervals held the truth and tests said no to it, one row per design and quantity.

    design, kind, quantity, tables, truth, mean (of the estimates), width (mean, of the intervals), detectable (mean,
    :attr:`Estimate.detectable`), hits, rate (share of tables whose interval holds the truth, or whose p is at most
    0.05; of kind 'power': whose interval is above zero, or whose p is at most 0.05), rate_low, rate_high (95 %
    interval of the rate for so many tables; Wilson 1927), target, margin.
    """
    held = (rows["low"] <= rows["truth"]) & (rows["truth"] <= rows["high"])
    hit = (rows["p"] <= 0.05) | held.where(rows["kind"] != "power", rows["low"] > 0)
    detectable = [Estimate(*ends).detectable for ends in rows[["value", "low", "high"]].to_numpy()]
    rows = rows.assign(hit=hit, width=rows["high"] - rows["low"], detectable=detectable)
    measures = {"tables": ("hit", "size"), "truth": ("truth", "mean"), "mean": ("value", "mean")}
    measures |= {"width": ("width", "mean"), "detectable": ("detectable", "mean")}
    measures |= {"hits": ("hit", "sum"), "rate": ("hit", "mean")}
    found = rows.groupby(["design", "kind", "quantity"], sort=False).agg(**measures).reset_index()
    intervals = [binomtest(r.hits, r.tables).proportion_ci(method="wilson") for r in found.itertuples()]
    found[["rate_low", "rate_high"]] = np.array(intervals)
    found[["target", "margin"]] = [TARGET[kind] for kind in found["kind"]]
    return found


def in_words(recorded: Recording) -> dict[str, Any]:
    """What the page Statistics says of the recorded calibration and of the clusters, by the names in its prose."""
    clusters, summary = real_clusters(), recorded.table("calibration")
    clips, method = clusters.counts.sum(1), PROCESSES[3][0]
    effective = effective_subjects(clips)
    designs = list(summary["design"].unique())
    rate = summary[summary["design"] == designs[0]].set_index("quantity")["rate"]
    chances = zip(clusters.labels, np.diag(method.expected()), strict=True)
    return {
        "subjects": len(clips),
        "clips": int(clips.sum()),
        "most": int(clips.max()),
        "fewest": int(clips.min()),
        "effective": f"{effective:.0f}",
        "tail": f"{100 * tail_probability(subjects=effective):.1f}",
        "plain_tail": f"{100 * PLAIN_TAIL:.1f}",
        "tail_few": f"{100 * tail_probability(subjects=16):.1f}",
        "n_tables": recorded.parameters["tables"],
        "resamples": recorded.parameters["resamples"],
        "chances": ", ".join(f"{chance:.2f} for {label}" for label, chance in chances),
        "ability": method.ability,
        "bias": method.bias,
        "coverage_note": " ".join(sentence(summary, design) for design in designs),
        "clip_coverage": percent(rate[CLIPS]),
        "ignored": " and ".join(f"{percent(rate[of_runs(POOLED, n)])} ({n} runs)" for n in RUNS),
        "same_runs": " and ".join(f"{percent(rate[of_runs(SAME, n)])} ({n} runs)" for n in RUNS),
        "crossed": _range(summary, (CROSSED, CROSSED_BETTER)),
        "draws": DRAWS,
        "calibration_made": f"commit {recorded.made['commit']}, {recorded.made['time']}",
        **_sizes_in_words(recorded),
    }


def _range(summary: pd.DataFrame, quantities: tuple[str, ...]) -> str:
    found = summary.loc[summary["quantity"].isin(quantities), "rate"]
    return " to ".join(dict.fromkeys((percent(found.min()), percent(found.max()))))


def _sizes_in_words(recorded: Recording) -> dict[str, Any]:
    sizes, variances = recorded.parameters["runs"], recorded.table("runs").set_index("arm")
    networks = (f"{r.common:+.5f} for {called(r.Index)} ({r.runs} runs)" for r in variances.itertuples())
    own = "nothing: the recorded runs differ no more in single subjects than made-up runs do by the chance of a clip"
    return {
        "run_common": f"{sizes['usual'][0]:.2f}",
        "run_common_most": f"{sizes['most'][0]:.2f}",
        "run_own": f"{sizes['usual'][1]:.2f}" if sizes["usual"][1] else own,
        "run_variances": ", ".join(networks),
        "gain": f"{sizes['better']:.3f}",
    }


def sentence(summary: pd.DataFrame, design: str) -> str:
    """What one design shows, in a sentence: the range of rates, and each that is off its target."""
    rows, words = summary[summary["design"] == design], []
    for kind, verb in VERBS.items():
        part = rows[rows["kind"] == kind]
        ends = dict.fromkeys(percent(end) for end in (part["rate"].min(), part["rate"].max()))
        off = part[(part["rate"] - part["target"]).abs() > part["margin"] + 1e-9]
        sides = [
            f"{r.quantity} {'above' if r.rate > r.target else 'below'}, {percent(r.rate)}"
            for r in off.itertuples()
        ]
        outside = f" (outside the band: {'; '.join(sides)})" if sides else ""
        words.append(f"{verb} in {' to '.join(ends)} of the tables{outside}")
    return f"{design[0].upper()}{design[1:]}: {', '.join(words)}."


def percent(share: float) -> str:
    """A share as a text, in per cent to one decimal."""
    return f"{100 * np.round(share, 4):.1f} %"


def rates(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary as a table to show: one row a quantity, tests last, one column of rates in per cent a design."""
    summary = summary[summary["kind"] != "power"]
    shown = summary.assign(rate=_estimates(summary), test=summary["kind"] == "test")
    wide = shown.pivot(index="quantity", columns="design", values="rate")
    order = shown.drop_duplicates("quantity").sort_values("test", kind="stable")["quantity"]
    return wide.loc[order, list(summary["design"].unique())]


def power(summary: pd.DataFrame) -> pd.DataFrame:
    """How often a true difference is seen, one row a design and number of runs.

    ``true``: the difference; ``detectable``: mean of :attr:`Estimate.detectable`; ``interval``, ``swap test``: per cent
    of tables whose interval is above zero, whose p is at most 0.05, before any adjustment.
    """
    seen = summary.assign(seen=_estimates(summary)).set_index(["design", "quantity"])
    rows = []
    for design, n in itertools.product(summary["design"].unique(), RUNS):
        name = of_runs(BETTER_RUNS, n)
        if (design, SEEN + name) in seen.index:
            by_interval, by_test = (seen.loc[(design, prefix + name)] for prefix in (SEEN, SEEN_TEST))
            sizes = {"true": by_interval["truth"], "detectable": by_interval["detectable"]}
            shares = {"interval": by_interval["seen"], "swap test": by_test["seen"]}
            rows.append({"design": design, "runs": n, **sizes, **shares})
    return pd.DataFrame(rows)


def _estimates(summary: pd.DataFrame) -> list[Estimate]:
    return [Estimate(100 * r.rate, 100 * r.rate_low, 100 * r.rate_high) for r in summary.itertuples()]
