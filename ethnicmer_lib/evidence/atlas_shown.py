"""The atlas for the reader: how often each rule claims what the paper claims, what it takes to see it, and in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from scipy.stats import binomtest

from ethnicmer_lib.clips.labels import SAMM
from ethnicmer_lib.evidence.atlas import DROP, JOINT, LEVEL, OURS, PAPER
from ethnicmer_lib.evidence.atlas_networks import pairs_of_runs
from ethnicmer_lib.evidence.map_groups import CLAIMS as MAPS
from ethnicmer_lib.paper.facs import CLAIMS as UNITS
from ethnicmer_lib.show.figures.style import CORAL, GOLD, GREY, NARROW, TEAL, figure
from ethnicmer_lib.stats.intervals import POWER, Estimate
from ethnicmer_lib.store import Recording

TRUTH = ["design", "subjects", "negative", "confounding", "shift", "strength"]
#: Rule -> how tables call it.
CALLED = {
    "mixed_drop": "Table IV: Mixed lower",
    "map_sides": "Fig. 3: one-sided",
    "map_size": "Fig. 3: smaller",
    "map_height": "Fig. 4: lower in the face",
    "map_lower": "Fig. 4: jaw, within a group",
    "map_upper": "Fig. 4: brows, within a group",
    "all three maps": "Figs 3-4: all three signs",
    "one_sided_smile": "codes: one-sided AU12",
    "au26_surprise": "codes: AU26",
    "au1_surprise": "codes: AU1",
    "au2_surprise": "codes: AU2",
    "au5_surprise": "codes: AU5",
    "all five units": "codes: all five signs",
}
#: Families of this book's tests in a study -> their rules.
FAMILIES = {
    "Table IV": [DROP],
    "Figs 3-4, maps between groups": [*MAPS],
    "codes": [*UNITS],
}
DECIDES = {PAPER: "as the paper decides", OURS: "as this book decides"}
#: Rules whose power is drawn.
SHOWN = (DROP, "map_height", "one_sided_smile", "au26_surprise")


def share(hits: int, of: int) -> Estimate:
    """A share of studies with its 95 % interval (Clopper & Pearson 1934, which holds its level for every share)."""
    found = binomtest(int(hits), int(of)).proportion_ci(method="exact")
    return Estimate(hits / of, float(found.low), float(found.high))


def rates(studies: pd.DataFrame) -> pd.DataFrame:
    """How often each rule claims, by truth, design and whose rule it is.

    ``studies`` is as of ``atlas_runs.studies``.  Columns: those of TRUTH that it has, by, rule, ``studies``,
    ``claimed`` and ``opposite`` (Estimates of shares); ``value``, the mean of what the rule looks at; ``published``,
    its mean over the studies that claim; ``wrong_sign``, the share of these on the other side than ``value``.
    """
    rows = []
    truth = [name for name in TRUTH if name in studies]
    for key, part in studies.groupby([*truth, "by", "rule"], observed=True, sort=False):
        claimed = part.loc[part["claimed"], "value"]
        mean = float(part["value"].mean())
        rows.append(
            dict(zip([*truth, "by", "rule"], key, strict=True))
            | {"studies": len(part), "claimed": share(part["claimed"].sum(), len(part))}
            | {"opposite": share(part["opposite"].sum(), len(part)), "value": mean}
            | {"published": float(claimed.mean()), "wrong_sign": float((claimed * mean < 0).mean())}
        )
    return pd.DataFrame(rows)


def at(found: pd.DataFrame, **where: Any) -> pd.DataFrame:
    """The rows whose columns have the values that ``where`` says."""
    return found[np.logical_and.reduce([found[name] == value for name, value in where.items()])]


def table_of(found: pd.DataFrame, columns: str, **where: object) -> pd.DataFrame:
    """``claimed`` of :func:`rates`: a row a rule, a column for every value of ``columns``, of the rows that ``where``
    says."""
    wide = at(found, **where).pivot(index="rule", columns=columns, values="claimed")
    return wide.reindex([rule for rule in CALLED if rule in wide.index]).rename(index=CALLED)


def family_alarms(studies: pd.DataFrame, columns: str) -> pd.DataFrame:
    """How often this book says anything, for or against, where there is nothing: a row a family of tests, a column for
    every value of ``columns``.

    ``studies`` are those of truths without an effect.  A family's tests are adjusted together, so that the chance of
    any false alarm is at most the level.
    """
    ours, found = at(studies, by=OURS), {}
    for name, rules in FAMILIES.items():
        rows = ours[ours["rule"].isin(rules)]
        said = (rows["claimed"] | rows["opposite"]).groupby([rows[columns], rows["study"]]).any()
        found[name] = {value: share(one.sum(), len(one)) for value, one in said.groupby(columns)}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("family")


def smallest(strengths: Sequence[float], power: Sequence[float], wanted: float = POWER) -> float:
    """The least strength from which on a rule claims in ``wanted`` of the studies: a line between the strengths tried.

    NaN where it does not up to the largest.

    Examples
    --------
    >>> from ethnicmer_lib.evidence.atlas_shown import smallest
    >>> round(smallest([0, 0.5, 1], [0.05, 0.4, 0.9]), 2)
    0.9
    """
    order = np.argsort(strengths)
    x, y = np.asarray(strengths, float)[order], np.asarray(power, float)[order]
    below = np.flatnonzero(y < wanted)
    if not len(below):
        return float(x[0])
    last = below[-1]
    if last == len(y) - 1:
        return float("nan")
    return float(x[last] + (wanted - y[last]) / (y[last + 1] - y[last]) * (x[last + 1] - x[last]))


@figure
def drop_by_strength(studies: pd.DataFrame, gap: float, of: Any) -> Figure:
    """Mixed minus the mean of the mono scenarios in every study, by strength; ``gap`` is how far below is claimed."""
    size = (NARROW, 0.6 * studies["strength"].nunique() + 1.4)
    fig, ax = plt.subplots(figsize=size, layout="constrained")
    rows = studies.assign(strength=[f"{strength:.0%} of clips" for strength in studies["strength"]])
    look = {"orient": "h", "size": 3, "alpha": 0.45, "jitter": 0.25}
    rows["looks"] = np.where(rows["claimed"], "yes", "no")
    sns.stripplot(
        rows, x="value", y="strength", hue="looks", palette={"yes": CORAL, "no": GREY}, ax=ax, **look
    )
    ax.axvline(-gap, color=CORAL, lw=1, ls=":")
    ax.set(xlabel="macro F1, Mixed minus mean of mono (one draw)", ylabel="effect planted in")
    ax.legend(
        title="as in the paper",
        loc="lower center",
        bbox_to_anchor=(0.5, 1),
        ncols=2,
        frameon=False,
        markerscale=2,
    )
    return fig


@figure
def detection(
    found: pd.DataFrame, rules: Sequence[str], of: Any, panels: Mapping[str, str] = DECIDES
) -> Figure:
    """How often a rule claims, against strength, of rows of :func:`rates` of one design: a panel, with its title, for
    everything that it can rest on."""
    size = (NARROW, 2.5 * len(panels) + 0.5)
    fig, axes = plt.subplots(len(panels), 1, figsize=size, sharex=True, layout="constrained")
    for ax, (by, title) in zip(axes, panels.items(), strict=True):
        for rule, colour in zip(rules, (TEAL, CORAL, GOLD, GREY), strict=False):
            part = at(found, by=by, rule=rule).sort_values("strength")
            value, low, high = np.array([*part["claimed"]]).T
            bars = {"yerr": (value - low, high - value), "capsize": 3, "marker": "o", "ms": 4}
            ax.errorbar(part["strength"], value, color=colour, label=CALLED[rule], **bars)
        ax.set(title=title, ylabel="studies that claim it", ylim=(-0.03, 1.03))
        ax.yaxis.set_major_formatter(PercentFormatter(1))
    axes[-1].set_xlabel("share of clips with the effect")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return fig


def percent(found: Estimate) -> str:
    """A share with its interval, in per cent, as prose has it."""
    value, low, high = (100 * one for one in found)
    return f"{value:.0f} % [{low:.0f}, {high:.0f}]"


def needed_in_words(codes: pd.DataFrame, strength: float, rule: str = "au26_surprise") -> dict[str, str]:
    """The subjects from which on our rule claims in 80 % of the studies of :func:`rates`, by design, for the prose."""
    said = {}
    for design, name in ((JOINT, "needed_joint"), (SAMM, "needed_one")):
        part = at(codes, by=OURS, rule=rule, strength=strength, design=design)
        sizes = part["subjects"].to_list()
        least, *ends = (smallest(sizes, power) for power in zip(*part["claimed"], strict=True))
        said[name] = (
            f"about {least:.0f} [{ends[1]:.0f}, {ends[0]:.0f}]"
            if np.isfinite([least, *ends]).all()
            else f"more than the {max(sizes)} that were tried"
        )
    return said


def in_words(recorded: Recording) -> dict[str, Any]:
    """What the chapter's prose says of the recording, by name."""
    studies, pool, agreement = (recorded.table(part) for part in ("studies", "pool", "agreement"))
    found = rates(studies)
    real = at(found, design=JOINT, confounding=1.0, shift=max(pool["shift"]), negative=0.0)
    claimed = real.set_index(["strength", "by", "rule"])["claimed"]
    most, alike = max(studies["strength"]), recorded.table("table_v").set_index(["truth", "rule"])
    gain = alike.loc[("all networks alike", "gain_size")]
    of = {by: real.loc[real["by"] == by, "studies"] for by in (PAPER, OURS)}
    numbers = {"n_studies": of[PAPER].min(), "n_ours": of[OURS].min(), "n_null": of[OURS].max()}
    return {
        "studies": f"{studies.drop_duplicates([*TRUTH, 'study']).shape[0]:,}",
        **{name: f"{number:,}" for name, number in numbers.items()},
        "pool_subjects": pool["subject"].nunique(),
        "network_cohorts": recorded.parts["networks"]["parameters"]["cohorts"],
        "level": f"{LEVEL:.0%}",
        "held_note": _held(studies),
        "shifts": ", ".join(f"{shift:g}" for shift in sorted(set(pool["shift"]))),
        "alarm_drop": percent(claimed[0.0, PAPER, DROP]),
        "alarm_drop_ours": percent(claimed[0.0, OURS, DROP]),
        "alarm_maps": percent(claimed[0.0, PAPER, "all three maps"]),
        "alarm_au2": percent(claimed[0.0, PAPER, "au2_surprise"]),
        "alarm_au26": percent(claimed[0.0, PAPER, "au26_surprise"]),
        "alarm_au26_ours": percent(claimed[0.0, OURS, "au26_surprise"]),
        "alarm_gain": percent(share(gain["claimed"], gain["tables"])),
        "power_drop": percent(claimed[most, PAPER, DROP]),
        "power_drop_ours": percent(claimed[most, OURS, DROP]),
        "power_au26_ours": percent(claimed[most, OURS, "au26_surprise"]),
        "most": f"{most:.0%}",
        "agreeing": len(agreement),
        "apart": f"{agreement['apart'].max():g}",
    }


def _held(studies: pd.DataFrame) -> str:
    """Whether the false alarms of this book's families are within their level, in a sentence."""
    null = at(studies, design=JOINT, strength=0.0, confounding=1.0, negative=0.0)
    found = family_alarms(null, "shift")
    shares = {(family, shift): found.loc[family, shift] for family in found.index for shift in found.columns}
    above = [
        f"{family} under a shift of {shift:g}" for (family, shift), one in shares.items() if one.low > LEVEL
    ]
    if above:
        return f"More than that: {', '.join(above)}."
    family, shift = max(shares, key=lambda at: shares[at].value)
    return (
        f"No interval lies above that level; the most is {percent(shares[family, shift])}, {family} under a shift of "
        f"{shift:g}. It is less than the level where a claim asks for more than one test."
    )


def gains_in_words(said: pd.DataFrame) -> str:
    """What ``atlas_networks.said_of_networks`` shows where nothing is planted, for the prose."""
    none, runs = at(said, strength=0.0), said["runs"].max()
    shares = none["printed"]
    ours = (none["ours"] != "not supported").sum()
    return (
        f"So do {shares.mean():.0%} of the {runs**2 * len(none)} pairs, {shares.min():.0%} to {shares.max():.0%} by "
        f"cohort; this book's rule says something in {ours} of {len(none)} cohorts."
    )


def explorer(
    rows: pd.DataFrame, bars: pd.DataFrame, networks: pd.DataFrame, printed: Mapping[str, float]
) -> HTML:
    """Two sliders, strength and confounding, over what recorded studies show; ``_static/atlas.js`` draws it.

    ``rows`` are studies by the paper's rule on Table IV under one database shift, ``bars`` macro F1 of every scenario
    in some of them (``atlas_runs.bars_of``), ``networks`` the predictions of ``atlas_networks``, of groups confounded
    as the real ones; ``printed`` has the paper's ``gap`` and ``gain``.
    """
    strengths, confoundings = (sorted(set(rows[name])) for name in ("strength", "confounding"))
    gains = {
        one: [
            round(float(gain), 3)
            for _, cohort in part.groupby("cohort")
            for gain in pairs_of_runs(cohort).ravel()
        ]
        for one, part in networks.groupby("strength")
    }
    scenarios = [name for name in bars if name not in ("strength", "confounding", "study")]

    def cell(strength: float, confounding: float) -> dict[str, Any]:
        here = {"strength": strength, "confounding": confounding}
        drawn, shown = at(rows, **here), at(bars, **here)
        of = gains.get(strength, []) if confounding == 1 else []
        often = np.mean(np.array(of) >= printed["gain"]) if of else 0
        return {
            "bars": {name: [round(float(one), 3) for one in shown[name]] for name in scenarios},
            "differences": [round(float(one), 3) for one in drawn["value"]],
            "claimed": percent(share(drawn["claimed"].sum(), len(drawn))),
            "gains": of,
            "gained": f"Of {len(of)} pairs of runs of trained networks {often:.0%} gain as printed."
            if of
            else "",
        }

    cells = [[cell(strength, confounding) for strength in strengths] for confounding in confoundings]
    data = {"strengths": strengths, "confoundings": confoundings, "cells": cells, **printed}
    note = "SIMULATED studies. Without JavaScript the figures of this page say the same."
    content = f"<script type='application/json'>{json.dumps(data)}</script><noscript>{note}</noscript>"
    return HTML(f"<div class='atlas-explorer'><span class='simulated-badge'>SIMULATED</span>{content}</div>")
