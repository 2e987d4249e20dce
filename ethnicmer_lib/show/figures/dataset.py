"""Figures of the dataset chapter: mosaics of clips, the groups under each mapping of labels, frames of clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ethnicmer_lib.clips.labels import CASME2, GROUPS
from ethnicmer_lib.show.figures import style
from ethnicmer_lib.show.figures.style import (
    CORAL,
    GREY,
    INK,
    LABEL_COLOURS,
    NARROW,
    TEAL,
    WIDTH,
    figure,
)
from ethnicmer_lib.store.provenance import provenance_of

GAIN = 6.0  #: factor on the difference of grey levels of two frames
_STEP = 22  # px between two arrows over a clip
_GAP = 0.035  # white between two columns, share of the width


@figure
def clips_mosaic(clips: pd.DataFrame, of: Any) -> Figure:
    """Mosaic of database, group and label: one column per database and group, tiles for its labels.

    The width of a column and the area of a tile are shares of all clips, so that a database without one of the
    groups shows as a column without width. In a tile: clips, and subjects in brackets.
    """
    fig, ax = plt.subplots(figsize=(WIDTH, 5.8))
    left = 0.0
    for database in sorted(clips["database"].unique()):
        for group in sorted(clips["group"].unique()):
            part = clips[(clips["database"] == database) & (clips["group"] == group)]
            width = len(part) / len(clips)
            if width:
                _tiles(ax, part, left, width)
            counted = f"{part['subject'].nunique()} subjects,\n{len(part)} clips" if width else "nobody"
            look = {"ha": "center", "va": "bottom", "fontsize": 9, "color": INK if width else CORAL}
            ax.text(left + width / 2, 1.03, f"{database}\n{group}\n{counted}", **look)
            left += width + (_GAP if width else 0.11)  # room for the words over an empty column
    ax.set(xlim=(0, left), ylim=(0, 1), xticks=[], ylabel="share of the column's clips")
    ax.spines[["bottom", "left"]].set_visible(False)
    style.legend_of_labels(fig, -0.01, "lower center")
    fig.subplots_adjust(bottom=0.1, top=0.84)
    return fig


def _tiles(ax: Axes, part: pd.DataFrame, left: float, width: float) -> None:
    bottom = 0.0
    for label, colour in LABEL_COLOURS.items():
        shown = part[part["label"] == label]
        height = len(shown) / len(part)
        look = {"color": colour, "edgecolor": "white", "linewidth": 1.5, "align": "edge"}
        bar = ax.bar(left, height, width, bottom=bottom, **look)
        if len(shown):
            colour = INK if label == "Positive" else "white"
            said = f"{len(shown)} ({shown['subject'].nunique()})"
            ax.bar_label(bar, [said], label_type="center", fontsize=9, color=colour)
        bottom += height


@figure
def mapping_bars(table: pd.DataFrame, of: Any) -> Figure:
    """Clips per group under each mapping of ethnic labels, by database; what a mapping leaves out is hollow.

    ``table`` is that of ``paper.counted.mapping_counts``.
    """
    mappings = table.drop_duplicates("mapping").set_index("mapping")
    clips = table.pivot(index="mapping", columns=["group", "database"], values="clips").loc[mappings.index]
    fig, ax = plt.subplots(figsize=(NARROW, 0.5 * len(mappings) + 1.0), layout="constrained")
    colours = dict(zip(GROUPS, (TEAL, CORAL), strict=True))
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
    left = 0 * mappings["left_out"]
    for (group, database), counts in clips.loc[:, clips.any()].items():
        look = {"color": colours[group], "hatch": "" if database == CASME2 else "///", "edgecolor": "white"}
        bars = ax.barh(clips.index, counts, 0.66, left=left, lw=1, label=f"{group}, {database}", **look)
        ax.bar_label(bars, label_type="center", fontsize=9, bbox=box)
        left = left + counts
    gone = mappings.loc[mappings["left_out"] > 0, "left_out"]
    look = {"facecolor": "none", "edgecolor": GREY, "linestyle": ":"}
    ax.barh(gone.index, gone, 0.66, left=left[gone.index], label="left out", **look)
    for mapping, row in mappings.iterrows():
        words = f"V = {row['association']:.2f}"
        ax.text(left[mapping] + row["left_out"] + 3, mapping, words, va="center", fontsize=9, color=INK)
    ax.set(xlabel="clips", xlim=(0, 1.12 * left.max()))
    ax.invert_yaxis()
    style.legend_above(fig, 2)
    return fig


@figure
def subjects_mosaic(clips: pd.DataFrame, of: Any) -> Figure:
    """Clips per subject as stacked bars: databases side by side, groups in rows, labels as colours."""
    databases, groups = (sorted(clips[name].unique()) for name in ("database", "group"))
    people = clips.groupby(["database", "group"])["subject"].nunique().groupby("database").max().clip(lower=2)
    fig, axes = plt.subplots(
        len(groups), len(databases), figsize=(WIDTH, 4.6), sharey=True, squeeze=False,
        gridspec_kw={"width_ratios": people[databases], "wspace": 0.06, "hspace": 0.35},
    )  # fmt: skip
    top = int(clips.groupby("subject").size().max())
    for row, group in zip(axes, groups, strict=True):
        for ax, database in zip(row, databases, strict=True):
            part = clips[(clips["group"] == group) & (clips["database"] == database)]
            counts = pd.crosstab(part["subject"], part["label"])
            counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False).index]
            if part.empty:
                ax.text(0.5, 0.45, "nobody", transform=ax.transAxes, ha="center", color=GREY, fontsize=11)
            else:
                shown = counts.reindex(columns=list(LABEL_COLOURS), fill_value=0)
                shown.plot.bar(ax=ax, stacked=True, color=LABEL_COLOURS, width=0.86, legend=False, xlabel="")
            ax.set(xlim=(-0.7, people[database] - 0.3), ylim=(0, top + 1), xticks=[])
            ax.set_title(f"{database}, {group}: {len(counts)} subjects, {len(part)} clips", loc="left")
        row[0].set_ylabel("clips")
    style.legend_of_labels(fig, 1.03, "upper center")
    return fig


@figure
def filmstrip(clips: Sequence[tuple[Any, ...]], of: Any) -> Figure:
    """Onset, apex and their amplified difference, one clip a column; below, where given, true motion and true strain.

    Each of ``clips`` is (caption, onset, apex) or (caption, onset, apex, flow, strain): frames (H, W) or (H, W, 3)
    uint8, flow (H, W, 2) px, strain (H, W) px per px. Of licensed clips no face is drawn but of subjects that the
    reader has listed, whatever is given: their licence does not allow that in general.
    """
    shown = [getattr(frame, "shown", False) for _, onset, apex, *_ in clips for frame in (onset, apex)]
    if not (provenance_of(of).simulated or (shown and all(shown))):
        return style.in_words("The frames of these clips are not shown.")
    captions, onsets, apexes, *motion = zip(*clips, strict=True)
    names = ["onset", "apex", f"apex - onset, {GAIN:.0f} times", "true motion, px", "true strain, px/px"]
    names = names[: 3 + len(motion)]
    side = (NARROW - (0.85 if motion else 0.3)) / len(clips)  # beside the labels and the colour bars
    height = side * max(onset.shape[0] / onset.shape[1] for onset in onsets) + 0.04
    size = (NARROW, len(names) * height + 0.45)
    fig, axes = style.panels(len(names), len(clips), size, pad=(0.02, 0.02))
    for column, caption, *frames in zip(axes.T, captions, onsets, apexes, strict=True):
        column[0].set_title(caption, fontsize=9, fontweight="normal")
        for ax, frame in zip(column[:2], frames, strict=True):
            ax.imshow(frame, cmap="gray", vmin=0, vmax=255)
        onset, apex = (np.atleast_3d(frame).mean(-1) for frame in frames)
        style.draw_map(column[2], (apex - onset) * GAIN, 128, signed=True)
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.set_ylabel(name, fontsize=9)
    if motion:
        _draw_motion(fig, axes[3:], *motion)
    return fig


def _draw_motion(fig: Figure, rows: np.ndarray, flows: Sequence[Any], strains: Sequence[Any]) -> None:
    """True motion and true strain of the clips in two rows of axes, each on one scale."""
    lengths = [np.hypot(*np.moveaxis(flow, -1, 0)) for flow in flows]
    top = max(float(np.percentile(one[one > 0], 99)) if one.any() else 0.0 for one in lengths) or 1.0
    most = max(float(np.percentile(strain, 98)) for strain in strains) or 1.0
    for (above, below), length, flow, strain in zip(rows.T, lengths, flows, strains, strict=True):
        moved = above.imshow(length, cmap="YlGnBu", vmin=0, vmax=top)
        style.draw_arrows(above, flow[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP], _STEP, INK, top)
        strained = style.draw_map(below, strain, most, signed=False)
    for row, shown in zip(rows, (moved, strained), strict=True):
        style.colour_bar(fig, shown, row, size=9, location="right", shrink=0.85, aspect=22, pad=0.01)
