"""Pictures of the motion chapter: flow and strain of clips, methods side by side, released strain, errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from ethnicmer_lib.show.figures.style import GOLD, GREY, TEAL, WIDTH, figure


@figure
def motion_panels(rows: Sequence[tuple[str, np.ndarray, np.ndarray]], of: Any) -> Figure:
    """Maps of u, v and strain, one row per clip and method; one colour scale per quantity.

    Parameters
    ----------
    rows : (caption, flow (H, W, 2) px, its strain (H, W) px per px).
    of : the clips.
    """
    px = max(0.5, *(round(float(np.percentile(np.abs(flow[..., 1]), 99.5)), 1) for _, flow, _ in rows))
    rows = [
        (caption, {"u": flow[..., 0], "v": flow[..., 1], "strain": strain}) for caption, flow, strain in rows
    ]
    names = {"u": "u, to the right", "v": "v, downwards", "strain": "optical strain"}
    strain_top = (
        float(np.percentile(np.concatenate([maps["strain"].ravel() for _, maps in rows]), 99.5)) or 1.0
    )
    height = 2.45 * len(rows) + 0.6
    fig, axes = plt.subplots(
        len(rows), 3, figsize=(WIDTH * 0.86, height), squeeze=False, layout="constrained"
    )
    for i, (caption, maps) in enumerate(rows):
        for j, name in enumerate(names):
            ax = axes[i, j]
            if name == "strain":
                shown = ax.imshow(maps[name], cmap="magma", vmin=0, vmax=strain_top)
            else:
                shown = ax.imshow(maps[name], cmap="RdBu_r", vmin=-px, vmax=px)
            ax.set(xticks=[], yticks=[])
            sns.despine(ax=ax, left=True, bottom=True)
            if i == 0:
                ax.set_title(names[name])
            if j == 0:
                ax.set_ylabel(caption)
            if i == len(rows) - 1:
                bar = fig.colorbar(shown, ax=axes[:, j], location="bottom", shrink=0.8, aspect=30)
                bar.set_label("pixels" if name != "strain" else "pixels per pixel")
                bar.outline.set_visible(False)
    return fig


@figure
def error_against_amplitude(table: pd.DataFrame, of: Any) -> Figure:
    """Endpoint error of the flow against the size of the true motion, one point per clip.

    Parameters
    ----------
    table : columns ``peak_px`` (99th percentile of the true displacement), ``error_px``, ``zero_px`` (the error of
        predicting no motion), ``database``; without a row the figure says why.
    of : the clips.
    """
    if table.empty:
        fig = plt.figure(figsize=(WIDTH * 0.8, 1.0))
        why = "What really moved in these clips is not known, so that no error can be shown."
        fig.text(0.5, 0.5, why, ha="center", va="center", color=GREY)
        return fig
    fig, ax = plt.subplots(figsize=(WIDTH * 0.8, 3.9))
    for database, colour in zip(sorted(table["database"].unique()), (TEAL, GOLD), strict=False):
        part = table[table["database"] == database]
        ax.scatter(
            part["peak_px"],
            part["error_px"],
            s=16,
            color=colour,
            alpha=0.75,
            lw=0,
            label=f"flow, {database}",
        )
    order = table.sort_values("peak_px")
    smooth = order["zero_px"].rolling(max(3, len(order) // 12), center=True, min_periods=1).median()
    ax.plot(order["peak_px"], smooth, color=GREY, lw=1.5, label="no motion at all (running median)")
    ax.set(
        xlabel="true motion of the clip (99th percentile), px",
        ylabel="mean endpoint error on the face, px",
        ylim=(0, None),
    )
    ax.set_xlim(left=0)
    ax.legend(frameon=False, loc="upper left")
    return fig


@figure
def method_grid(
    rows: Sequence[tuple[str, float, Mapping[str, np.ndarray]]], quantity: str, of: Any
) -> Figure:
    """What each method sees of the same motion at several sizes: a row a size, a column a method.

    Parameters
    ----------
    rows : (caption, end of the row's colour scale, {method: (H, W) map}); the same methods in every row.
    quantity : 'v' (displacement downwards, px; the scale has both signs) or 'strain' (px per px).
    """
    names = list(rows[0][2])
    signed = quantity == "v"
    ratio = next(iter(rows[0][2].values())).shape
    side = WIDTH / len(names)
    fig, axes = plt.subplots(
        len(rows),
        len(names),
        figsize=(WIDTH, len(rows) * side * ratio[0] / ratio[1] + 0.7),
        squeeze=False,
        layout="constrained",
    )
    fig.get_layout_engine().set(w_pad=0.01, h_pad=0.02, wspace=0, hspace=0)
    for i, (caption, top, maps) in enumerate(rows):
        for j, name in enumerate(names):
            ax = axes[i, j]
            shown = ax.imshow(
                maps[name], cmap="RdBu_r" if signed else "magma", vmin=-top if signed else 0, vmax=top
            )
            ax.set(xticks=[], yticks=[])
            sns.despine(ax=ax, left=True, bottom=True)
            if i == 0:
                ax.set_title(name.replace(", ", ",\n"), fontsize=8)
            if j == 0:
                ax.set_ylabel(caption, fontsize=9)
        bar = fig.colorbar(shown, ax=axes[i, :], shrink=0.85, aspect=12, pad=0.01)
        bar.ax.tick_params(labelsize=7)
        bar.outline.set_visible(False)
    return fig


@figure
def strain_pair(
    rows: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]], titles: Sequence[str], of: Any
) -> Figure:
    """Three maps a row: a component of a flow, then two ways to compute its strain.

    Parameters
    ----------
    rows : (caption, flow component (h, w), first strain (h, w), second strain (h, w)); the strains of a row
        share one scale, from 0 to the largest of both, stretched at its lower end (power 0.4).
    titles : of the three columns.
    """
    heights = [row[1].shape[0] / row[1].shape[1] for row in rows]
    fig, axes = plt.subplots(
        len(rows),
        3,
        figsize=(WIDTH * 0.86, 2.2 * sum(heights) + 0.8),
        squeeze=False,
        layout="constrained",
        gridspec_kw={"height_ratios": heights},
    )
    for i, (caption, component, *strains) in enumerate(rows):
        top = float(np.abs(component).max()) or 1.0
        flow = axes[i, 0].imshow(component, cmap="RdBu_r", vmin=-top, vmax=top)
        largest = max(float(strain.max()) for strain in strains) or 1.0
        for ax, strain in zip(axes[i, 1:], strains, strict=True):
            shown = ax.imshow(strain, cmap="magma", norm=PowerNorm(0.4, 0, largest))
        for ax, drawn in ((axes[i, 0], flow), (axes[i, 2], shown)):
            bar = fig.colorbar(drawn, ax=ax, shrink=0.8, aspect=18, pad=0.02)
            bar.ax.tick_params(labelsize=8)
            bar.outline.set_visible(False)
        axes[i, 0].set_ylabel(caption)
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title)
    for ax in axes.ravel():
        ax.set(xticks=[], yticks=[])
        sns.despine(ax=ax, left=True, bottom=True)
    return fig
