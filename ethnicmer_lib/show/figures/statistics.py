"""Picture of the statistics page: how often intervals hold the truth and tests reject it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter

from ethnicmer_lib.show.figures.style import CORAL, GOLD, GREY, TEAL, WIDTH, figure

_MARKS = ("o", "s", "^")


@figure
def calibration(summary: pd.DataFrame, of: Any) -> Figure:
    """Coverage of every interval and rejections of every test, by design, with Monte Carlo intervals.

    Parameters
    ----------
    summary : columns design, kind ('interval', 'test', or 'contrast', which is left out), quantity, rate, rate_low,
        rate_high, target, margin.
    """
    designs = list(summary["design"].unique())
    parts = [summary[summary["kind"] == kind] for kind in ("interval", "test")]
    heights = [part["quantity"].nunique() for part in parts]
    fig, axes = plt.subplots(
        2,
        1,
        figsize=(WIDTH * 0.9, 0.42 * sum(heights) + 1.8),
        gridspec_kw={"height_ratios": heights, "hspace": 0.45},
    )
    titles = ("intervals that hold the truth", "tests that reject a true null hypothesis")
    for ax, part, title in zip(axes, parts, titles, strict=True):
        _rates(ax, part, designs)
        ax.set_title(title, loc="left")
    axes[0].legend(loc="lower center", bbox_to_anchor=(0.4, 1.1), ncols=1, frameon=False, fontsize=9)
    return fig


def _rates(ax: Axes, rows: pd.DataFrame, designs: Sequence[str]) -> None:
    names = list(rows["quantity"].unique())
    target, margin = rows["target"].iloc[0], rows["margin"].iloc[0]
    ax.axvspan(target - margin, target + margin, color="#e9f1ef", zorder=0)
    ax.axvline(target, color=GREY, lw=1, ls=":")
    for i, (design, colour, mark) in enumerate(zip(designs, (TEAL, CORAL, GOLD), _MARKS, strict=True)):
        part = rows[rows["design"] == design]
        y = np.array([names.index(name) for name in part["quantity"]]) + (i - 1) * 0.22
        ax.hlines(y, part["rate_low"], part["rate_high"], color=colour, lw=1.6)
        ax.scatter(part["rate"], y, color=colour, marker=mark, s=26, zorder=3, label=design)
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    ax.xaxis.set_major_locator(MultipleLocator(0.01))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
