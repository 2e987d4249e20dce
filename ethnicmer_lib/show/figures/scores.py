"""Pictures of scores: estimates with their intervals, every draw of subjects, what intervals and tests promise."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter

from ethnicmer_lib.paper.numbers import called
from ethnicmer_lib.show.figures import style
from ethnicmer_lib.show.figures.style import CORAL, GOLD, GREY, INK, NARROW, TEAL, figure


@figure
def intervals(table: pd.DataFrame, of: Any, xlabel: str, zero: float | None = None) -> Figure:
    """Estimates with their intervals, one row each, and the paper's value where it has one.

    ``table`` has the columns ``name``, ``value``, ``low``, ``high``, and ``paper`` (NaN where the paper has none); a
    reference line is drawn at ``zero``.
    """
    fig, ax = plt.subplots(figsize=(NARROW, 0.52 * len(table) + 1.1), layout="constrained")
    y = np.arange(len(table))
    found = (table["value"], table["low"], table["high"])
    style.dots(ax, y, found, TEAL, "this study, 95 % interval")
    if table["paper"].notna().any():
        look = {"marker": "D", "s": 44, "facecolor": "white", "edgecolor": INK, "zorder": 4}
        ax.scatter(table["paper"], y, label="paper (real databases)", **look)
    if zero is not None:
        ax.axvline(zero, color=GREY, lw=1, ls=":")
    style.rows_with_names(ax, table["name"].map(called))
    ax.set_xlabel(xlabel)
    ax.locator_params(axis="x", nbins=4)
    style.grid_behind(ax)
    style.legend_above(fig, 2)
    return fig


@figure
def scenario_draws(
    macro: pd.DataFrame, rule: Mapping[str, float], of: Any, paper: Mapping[str, float] | None = None
) -> Figure:
    """Macro F1 of every draw of subjects per scenario, with the median, the majority rule's and the paper's value.

    ``macro`` has a row per draw and a column per scenario; ``rule`` and ``paper`` hold, by scenario, the macro F1 of
    always answering the larger class, and that printed in Table IV.
    """
    fig, ax = plt.subplots(figsize=(NARROW, 3.6), layout="constrained")
    colours = dict(zip(macro.columns, (TEAL, CORAL, GREY), strict=False))
    size, alpha = (5, 0.75) if len(macro) < 30 else (3, 0.45)
    sns.stripplot(macro, orient="h", palette=colours, ax=ax, jitter=0.16, size=size, alpha=alpha)
    ax.scatter([], [], color=GREY, label="one draw of subjects")
    style.marks(ax, macro.median(), lw=2, label="median of the draws")
    style.marks(ax, [rule[name] for name in macro], lw=1.2, ls=":", label="always the larger class")
    if paper is not None:
        look = {"marker": "D", "s": 44, "facecolor": "white", "edgecolor": INK, "zorder": 5}
        ax.scatter(
            [paper[name] for name in macro], range(len(macro.columns)), label="paper, Table IV", **look
        )
    ax.set(xlabel="macro F1 (negative / non-negative)", ylabel="", xlim=(0.15, 1.0))
    style.grid_behind(ax)
    style.legend_above(fig, 2)
    return fig


@figure
def calibration(summary: pd.DataFrame, of: Any) -> Figure:
    """Coverage of every interval and rejections of every test, by design, with Monte Carlo intervals.

    ``summary`` has the columns design, kind ('interval', 'test', or 'contrast', which is left out), quantity, rate,
    rate_low, rate_high, target, margin.
    """
    designs = list(summary["design"].unique())
    parts = [summary[summary["kind"] == kind] for kind in ("interval", "test")]
    heights = [part["quantity"].nunique() for part in parts]
    size = (NARROW, 0.46 * sum(heights) + 1.8)
    fig, axes = plt.subplots(2, 1, figsize=size, height_ratios=heights, layout="constrained")
    titles = ("intervals that hold the truth", "tests that reject what is true")
    for ax, part, title in zip(axes, parts, titles, strict=True):
        _rates(ax, part, designs)
        ax.set_title(title, loc="left")
    style.legend_above(fig, 1, handles=axes[0].get_legend_handles_labels()[0])
    return fig


def _rates(ax: Axes, rows: pd.DataFrame, designs: Sequence[str]) -> None:
    names = list(rows["quantity"].unique())
    target, margin = rows["target"].iloc[0], rows["margin"].iloc[0]
    ax.axvspan(target - margin, target + margin, color="#e9f1ef", zorder=0)
    ax.axvline(target, color=GREY, lw=1, ls=":")
    for i, (design, colour, mark) in enumerate(zip(designs, (TEAL, CORAL, GOLD), "os^", strict=True)):
        part = rows[rows["design"] == design]
        y = np.array([names.index(name) for name in part["quantity"]]) + (i - 1) * 0.22
        style.dots(ax, y, (part["rate"], part["rate_low"], part["rate_high"]), colour, design, marker=mark)
    style.rows_with_names(ax, [textwrap.fill(name, 28) for name in names])
    ax.tick_params(axis="y", labelsize=9)
    ax.xaxis.set_major_locator(MultipleLocator(0.02))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
