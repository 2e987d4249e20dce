"""Every picture of the book: plain tables and arrays in, a stamped matplotlib figure out.

All figures are drawn on white, carry their data source at the bottom, and the word SIMULATED inside the
figure when the cohort is a simulated one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.store.provenance import Provenance, provenance_of

INK = "#24343a"
TEAL, CORAL, GREY, GOLD = "#2f7f86", "#c8553d", "#8a969a", "#d9a441"
#: Colours of the labels.
LABEL_COLOURS = dict(zip(LABELS, ("#5b6f8f", GOLD, "#8d5a97"), strict=True))
WIDTH = 8.0

_STYLE = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.edgecolor": "#b9c4c6",
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlecolor": INK,
    "axes.titleweight": "bold",
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "savefig.bbox": "tight",
    "svg.hashsalt": "ethnicmer",
}


def stamp(fig: Figure, provenance: Provenance) -> Figure:
    """Write the source under the figure and, for simulated data, SIMULATED into its corner; close it."""
    fig.text(0.0, -0.01, f"Source: {provenance.source}", ha="left", va="top", fontsize=8, color="#5d6b6f")
    if provenance.simulated:
        fig.text(
            1.0,
            -0.01,
            "SIMULATED",
            ha="right",
            va="top",
            fontsize=9,
            fontweight="bold",
            color=CORAL,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": CORAL, "linewidth": 1},
        )
    plt.close(fig)
    return fig


def figure(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Decorate a function that draws and takes ``of``: one style, and the source of ``of`` stamped on the figure."""
    signature = inspect.signature(draw)

    @functools.wraps(draw)
    def drawn(*args: Any, **options: Any) -> Figure:
        of = signature.bind(*args, **options).arguments["of"]
        with plt.rc_context(_STYLE):
            return stamp(draw(*args, **options), provenance_of(of))

    return drawn


def grey(image: np.ndarray) -> np.ndarray:
    """(H, W) float32 of a frame (H, W) or (H, W, 3): the mean of its channels."""
    return image.astype(np.float32).mean(-1) if image.ndim == 3 else image.astype(np.float32)


def message(text: str, provenance: Provenance) -> Figure:
    """A figure that says in words why there is no picture."""
    with plt.rc_context(_STYLE):
        fig = plt.figure(figsize=(WIDTH * 0.8, 1.0))
        fig.text(0.5, 0.5, text, ha="center", va="center", wrap=True, color=GREY)
        return stamp(fig, provenance)


def intervals(table: pd.DataFrame, provenance: Provenance, xlabel: str, zero: float | None = None) -> Figure:
    """Estimates with their intervals, one row each, and the paper's value where it has one.

    Parameters
    ----------
    table : columns ``name``, ``value``, ``low``, ``high``, and ``paper`` (NaN where the paper has none).
    zero : where to draw a reference line.
    """
    with plt.rc_context(_STYLE):
        fig, ax = plt.subplots(figsize=(WIDTH * 0.9, 0.52 * len(table) + 1.1))
        y = np.arange(len(table))
        ax.hlines(y, table["low"], table["high"], color=TEAL, lw=2.4)
        ax.scatter(
            table["value"], y, color=TEAL, s=46, zorder=3, label="this study, 95 % interval over subjects"
        )
        if table["paper"].notna().any():
            ax.scatter(
                table["paper"],
                y,
                marker="D",
                s=44,
                facecolor="white",
                edgecolor=INK,
                zorder=4,
                label="paper (real databases)",
            )
        if zero is not None:
            ax.axvline(zero, color=GREY, lw=1, ls=":")
        ax.set(yticks=y, yticklabels=table["name"], xlabel=xlabel, ylim=(len(table) - 0.5, -0.5))
        ax.grid(axis="x", color="#e3eaea")
        ax.set_axisbelow(True)
        fig.legend(loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=2, frameon=False, fontsize=9)
        return stamp(fig, provenance)
