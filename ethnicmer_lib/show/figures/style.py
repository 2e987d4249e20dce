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
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch

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
        box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": CORAL, "linewidth": 1}
        style = {"ha": "right", "va": "top", "fontsize": 9, "fontweight": "bold", "color": CORAL}
        fig.text(1.0, -0.01, "SIMULATED", bbox=box, **style)
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


def in_words(text: str) -> Figure:
    """A figure that says why there is no picture."""
    fig = plt.figure(figsize=(WIDTH * 0.8, 1.0))
    fig.text(0.5, 0.5, text, ha="center", va="center", color=GREY)
    return fig


def panels(
    rows: int, columns: int, size: tuple[float, float], pad: tuple[float, float] | None = None, **options: Any
) -> tuple[Figure, np.ndarray]:
    """A figure of bare axes (rows, columns) for pictures; ``pad`` inches beside and above each, or as usual."""
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **options)
    if pad is not None:
        fig.get_layout_engine().set(w_pad=pad[0], h_pad=pad[1], wspace=0, hspace=0)
    for ax in axes.ravel():
        ax.set(xticks=[], yticks=[])
        sns.despine(ax=ax, left=True, bottom=True)
    return fig, axes


def draw_map(ax: Axes, values: np.ndarray, top: float, signed: bool) -> AxesImage:
    """A map (H, W) in colours from 0, or where it is signed from ``-top``, to ``top``."""
    return ax.imshow(values, cmap="RdBu_r" if signed else "magma", vmin=-top if signed else 0, vmax=top)


def draw_change(ax: Axes, onset: np.ndarray, apex: np.ndarray, gain: float) -> None:
    """What changed between two frames, (H, W) or (H, W, 3): the difference of their grey levels, ``gain`` times."""
    first, second = (
        frame.astype(np.float32).mean(-1) if frame.ndim == 3 else frame.astype(np.float32)
        for frame in (onset, apex)
    )
    draw_map(ax, (second - first) * gain, 128, signed=True)


def colour_bar(fig: Figure, shown: Any, axes: Any, label: str = "", size: float = 10, **options: Any) -> None:
    """A colour bar without a frame."""
    bar = fig.colorbar(shown, ax=axes, **options)
    bar.set_label(label)
    bar.ax.tick_params(labelsize=size)
    bar.outline.set_visible(False)


def grid_behind(ax: Axes) -> None:
    """Pale lines at the numbers of the horizontal axis."""
    ax.grid(axis="x", color="#e3eaea")
    ax.set_axisbelow(True)


def legend_above(fig: Figure, ncols: int, y: float = 0.97, **options: Any) -> None:
    """A legend over the axes, of ``handles`` or of what has a label."""
    options = {"fontsize": 9, **options}
    fig.legend(loc="lower center", bbox_to_anchor=(0.5, y), ncols=ncols, frameon=False, **options)


def legend_of_labels(fig: Figure, y: float, loc: str) -> None:
    """Which colour is which label."""
    handles = [Patch(color=colour, label=label) for label, colour in LABEL_COLOURS.items()]
    fig.legend(handles=handles, loc=loc, bbox_to_anchor=(0.5, y), ncols=3, frameon=False)


@figure
def intervals(table: pd.DataFrame, of: Any, xlabel: str, zero: float | None = None) -> Figure:
    """Estimates with their intervals, one row each, and the paper's value where it has one.

    ``table`` has the columns ``name``, ``value``, ``low``, ``high``, and ``paper`` (NaN where the paper has none); a
    reference line is drawn at ``zero``.
    """
    fig, ax = plt.subplots(figsize=(WIDTH * 0.9, 0.52 * len(table) + 1.1))
    y = np.arange(len(table))
    ax.hlines(y, table["low"], table["high"], color=TEAL, lw=2.4)
    ax.scatter(table["value"], y, color=TEAL, s=46, zorder=3, label="this study, 95 % interval over subjects")
    if table["paper"].notna().any():
        style = {"marker": "D", "s": 44, "facecolor": "white", "edgecolor": INK, "zorder": 4}
        ax.scatter(table["paper"], y, label="paper (real databases)", **style)
    if zero is not None:
        ax.axvline(zero, color=GREY, lw=1, ls=":")
    ax.set(yticks=y, yticklabels=table["name"], xlabel=xlabel, ylim=(len(table) - 0.5, -0.5))
    grid_behind(ax)
    legend_above(fig, 2)
    return fig
