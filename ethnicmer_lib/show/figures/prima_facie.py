"""Picture of the prima facie chapter: every draw of subjects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ethnicmer_lib.show.figures.style import CORAL, GREY, INK, TEAL, WIDTH, figure, grid_behind, legend_above


@figure
def scenario_draws(
    macro: pd.DataFrame, rule: Mapping[str, float], of: Any, paper: Mapping[str, float] | None = None
) -> Figure:
    """Macro F1 of every draw of subjects per scenario, with the median, the majority rule's and the paper's value.

    Parameters
    ----------
    macro : one row per draw, one column per scenario.
    rule, paper : scenario -> macro F1 of always answering the larger class, and as printed in Table IV.
    """
    fig, ax = plt.subplots(figsize=(WIDTH * 0.85, 3.6))
    colours = dict(zip(macro.columns, (TEAL, CORAL, GREY), strict=False))
    size, alpha = (5, 0.75) if len(macro) < 30 else (3, 0.45)
    sns.stripplot(macro, orient="h", palette=colours, ax=ax, jitter=0.16, size=size, alpha=alpha)
    for place, scenario in enumerate(macro):
        ends = [place - 0.3, place + 0.3]
        ax.plot([macro[scenario].median()] * 2, ends, color=INK, lw=2, zorder=4)
        ax.plot([rule[scenario]] * 2, ends, color=INK, lw=1.2, ls=":", zorder=4)
        if paper is not None:
            ax.scatter(paper[scenario], place, marker="D", s=44, facecolor="white", edgecolor=INK, zorder=5)
    ax.set(xlabel="macro F1 (negative / non-negative)", ylabel="", xlim=(0.15, 1.0))
    grid_behind(ax)
    handles = [
        plt.Line2D([], [], marker="o", ls="", color=GREY, label="one draw of subjects"),
        plt.Line2D([], [], color=INK, lw=2, label="median of the draws"),
        plt.Line2D([], [], color=INK, lw=1.2, ls=":", label="always the larger class"),
    ]
    if paper is not None:
        handles.append(plt.Line2D([], [], marker="D", ls="", mfc="white", mec=INK, label="paper, Table IV"))
    legend_above(fig, 2, handles=handles)
    return fig
