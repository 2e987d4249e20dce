"""Pictures of the motion chapter: flow and strain of clips, methods side by side, released strain, errors."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from ethnicmer_lib.show.figures import style
from ethnicmer_lib.show.figures.style import GOLD, GREY, NARROW, TEAL, WIDTH, figure


@figure
def motion_panels(rows: Sequence[tuple[str, np.ndarray, np.ndarray]], of: Any) -> Figure:
    """Maps of u, v and strain, one row per clip and method; one colour scale per quantity.

    Each of ``rows`` is (caption, flow (H, W, 2) px, its strain (H, W) px per px).
    """
    px = max(0.5, *(round(float(np.percentile(np.abs(flow[..., 1]), 99.5)), 1) for _, flow, _ in rows))
    most = float(np.percentile(np.concatenate([strain.ravel() for *_, strain in rows]), 99.5)) or 1.0
    fig, axes = style.panels(len(rows), 3, (NARROW, 1.7 * len(rows) + 0.8))
    for row, (caption, flow, strain) in zip(axes, rows, strict=True):
        row[0].set_ylabel(caption)
        shown = [
            style.draw_map(ax, part, px, signed=True)
            for ax, part in zip(row[:2], np.moveaxis(flow, -1, 0), strict=True)
        ]
        shown.append(style.draw_map(row[2], strain, most, signed=False))
    titles = {"u, to the right": "pixels", "v, downwards": "pixels", "optical strain": "pixels per pixel"}
    for column, last, (title, unit) in zip(axes.T, shown, titles.items(), strict=True):
        column[0].set_title(title)
        style.colour_bar(fig, last, column, unit, location="bottom", shrink=0.8, aspect=30)
    return fig


@figure
def error_against_amplitude(table: pd.DataFrame, of: Any) -> Figure:
    """Endpoint error of the flow against the size of the true motion, one point per clip.

    ``table`` has the columns ``peak_px`` (99th percentile of the true displacement), ``error_px``, ``zero_px`` (the
    error of predicting no motion), ``database``; without a row the figure says why.
    """
    if table.empty:
        return style.in_words("What really moved in these clips is not known, so that no error can be shown.")
    fig, ax = plt.subplots(figsize=(NARROW, 3.9), layout="constrained")
    shown = table.assign(of="flow, " + table["database"]).sort_values("of")
    look = {"palette": [TEAL, GOLD][: shown["of"].nunique()], "s": 16, "alpha": 0.75, "lw": 0}
    sns.scatterplot(shown, x="peak_px", y="error_px", hue="of", ax=ax, **look)
    order = table.sort_values("peak_px")
    smooth = order["zero_px"].rolling(max(3, len(order) // 12), center=True, min_periods=1).median()
    ax.plot(order["peak_px"], smooth, color=GREY, lw=1.5, label="no motion at all (running median)")
    ax.set(xlim=(0, None), xlabel="true motion of the clip (99th percentile), px")
    ax.set(ylim=(0, None), ylabel="mean endpoint error on the face, px")
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1))
    return fig


@figure
def method_grid(
    rows: Sequence[tuple[str, float, Mapping[str, np.ndarray]]], quantity: str, of: Any
) -> Figure:
    """What each method sees of the same motion at several sizes: a row a size, a column a method.

    Each of ``rows`` is (caption, end of its colour scale, {method: (H, W) map}), with the same methods; ``quantity`` is
    'v' (displacement downwards, px; the scale has both signs) or 'strain' (px per px).
    """
    names = list(rows[0][2])
    height, width = rows[0][2][names[0]].shape
    size = (WIDTH, 0.9 * len(rows) * WIDTH / len(names) * height / width + 0.7)
    fig, axes = style.panels(len(rows), len(names), size, pad=(0.01, 0.02))
    for row, (caption, top, maps) in zip(axes, rows, strict=True):
        for ax, name in zip(row, names, strict=True):
            shown = style.draw_map(ax, maps[name], top, signed=quantity == "v")
        row[0].set_ylabel(caption, fontsize=9)
        style.colour_bar(fig, shown, row, size=9, shrink=0.85, aspect=12, pad=0.01)
    for ax, name in zip(axes[0], names, strict=True):
        ax.set_title(textwrap.fill(name.replace("_", " "), 11), fontsize=9)
    return fig


@figure
def strain_pair(
    rows: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]], titles: Sequence[str], of: Any
) -> Figure:
    """Three maps a row: a component of a flow, then two ways to compute its strain; ``titles`` of the three columns.

    Each of ``rows`` is (caption, flow component (h, w), first strain (h, w), second strain (h, w)); its strains share
    one scale, from 0 to the largest of both, stretched at its lower end (power 0.4).
    """
    heights = [row[1].shape[0] / row[1].shape[1] for row in rows]
    size = (WIDTH, 1.8 * sum(heights) + 0.6)
    fig, axes = style.panels(len(rows), 3, size, gridspec_kw={"height_ratios": heights})
    for row, (caption, component, *strains) in zip(axes, rows, strict=True):
        flow = style.draw_map(row[0], component, float(np.abs(component).max()) or 1.0, signed=True)
        largest = max(float(strain.max()) for strain in strains) or 1.0
        for ax, strain in zip(row[1:], strains, strict=True):
            shown = ax.imshow(strain, cmap="magma", norm=PowerNorm(0.4, 0, largest))
        for ax, drawn in ((row[0], flow), (row[2], shown)):
            style.colour_bar(fig, drawn, ax, size=9, shrink=0.8, aspect=18, pad=0.02)
        row[0].set_ylabel(caption)
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title)
    return fig
