"""Figures of the dataset chapter: the mosaic of clips, and the groups under each mapping of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.show.figures.style import CORAL, GREY, INK, LABEL_COLOURS, TEAL, WIDTH, figure, grey
from ethnicmer_lib.store.provenance import provenance_of

GAIN = 6.0  #: factor on the difference of grey levels of two frames
_GAP = 0.035  # white between two columns, share of the width


@figure
def clips_mosaic(clips: pd.DataFrame, of: Any) -> Figure:
    """Mosaic of database, group and label: one column per database and group, tiles for its labels.

    The width of a column and the area of a tile are shares of all clips, so that a database without one of the
    groups shows as a column without width. In a tile: clips, and subjects in brackets.

    Parameters
    ----------
    clips : the clips table (columns ``database``, ``group``, ``label``, ``subject``).
    """
    databases, groups = sorted(clips["database"].unique()), sorted(clips["group"].unique())
    columns = [(database, group) for database in databases for group in groups]
    widths = clips.groupby(["database", "group"]).size().reindex(columns, fill_value=0) / len(clips)
    fig, ax = plt.subplots(figsize=(WIDTH, 4.6))
    left = 0.0
    for column in columns:
        database, group = column
        width = float(widths[column])
        part = clips[(clips["database"] == database) & (clips["group"] == group)]
        if width:
            _tiles(ax, part, left, width)
        people = part["subject"].nunique()
        words = f"{database}\n{group}\n{people} subjects, {len(part)} clips" if people else ""
        title = words or f"{database}\n{group}\nnobody"
        ax.text(
            left + width / 2,
            1.03,
            title,
            ha="center",
            va="bottom",
            fontsize=8.5,
            color=INK if people else CORAL,
        )
        left += width + (_GAP if width else 0.11)  # room for the words over an empty column
    ax.set(xlim=(0, left), ylim=(0, 1), xticks=[], ylabel="share of the column's clips")
    ax.spines[["bottom", "left"]].set_visible(False)
    fig.legend(
        handles=[Patch(color=LABEL_COLOURS[label], label=label) for label in LABELS],
        loc="lower center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=3,
        frameon=False,
    )
    fig.subplots_adjust(bottom=0.12, top=0.82)
    return fig


def _tiles(ax: plt.Axes, part: pd.DataFrame, left: float, width: float) -> None:
    bottom = 0.0
    for label in LABELS:
        shown = part[part["label"] == label]
        height = len(shown) / len(part)
        ax.bar(
            left,
            height,
            width,
            bottom=bottom,
            align="edge",
            color=LABEL_COLOURS[label],
            edgecolor="white",
            linewidth=1.5,
        )
        if len(shown):
            low = height < 0.05
            ax.text(
                left + width / 2,
                bottom + height / 2 - 0.002 * low,
                f"{len(shown)} ({shown['subject'].nunique()})",
                ha="center",
                va="center",
                fontsize=6.5 if low else 8.5,
                color=INK if label == "Positive" else "white",
            )
        bottom += height


@figure
def mapping_bars(table: pd.DataFrame, of: Any) -> Figure:
    """Clips per group under each mapping of ethnic labels, by database; what a mapping leaves out is hollow.

    Parameters
    ----------
    table : from ``count_checks.mapping_counts``.
    """
    mappings = list(dict.fromkeys(table["mapping"]))
    groups = list(dict.fromkeys(table["group"]))
    databases = list(dict.fromkeys(table["database"]))
    colours = dict(zip(groups, (TEAL, CORAL), strict=True))
    fig, ax = plt.subplots(figsize=(WIDTH, 0.5 * len(mappings) + 1.3))
    for y, mapping in enumerate(mappings):
        rows = table[table["mapping"] == mapping]
        left = 0
        for group in groups:
            for database in databases:
                cell = rows[(rows["group"] == group) & (rows["database"] == database)]
                count = int(cell["clips"].iloc[0])
                hatch = "" if database == databases[0] else "///"
                ax.barh(
                    y,
                    count,
                    0.66,
                    left=left,
                    color=colours[group],
                    hatch=hatch,
                    edgecolor="white",
                    linewidth=1,
                )
                if count:
                    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
                    ax.text(left + count / 2, y, str(count), ha="center", va="center", fontsize=8.5, bbox=box)
                left += count
        gone = int(rows["left_out"].iloc[0])
        if gone:
            ax.barh(y, gone, 0.66, left=left, facecolor="none", edgecolor=GREY, linestyle=":")
        ax.text(
            left + gone + 3,
            y,
            f"V = {rows['association'].iloc[0]:.2f}",
            va="center",
            fontsize=8.5,
            color=INK,
        )
    ax.set(yticks=np.arange(len(mappings)), yticklabels=mappings, xlabel="clips")
    ax.set_xlim(0, 1.12 * int(table.groupby("mapping")["clips"].sum().max()))
    ax.invert_yaxis()
    handles = [
        Patch(
            facecolor=colours[group],
            hatch="" if database == databases[0] else "///",
            edgecolor="white",
            label=f"{group}, {database}",
        )
        for group in groups
        for database in databases
        if table.loc[(table["group"] == group) & (table["database"] == database), "clips"].any()
    ]
    handles.append(Patch(facecolor="none", edgecolor=GREY, linestyle=":", label="left out"))
    fig.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, 0.95),
        ncols=4,
        frameon=False,
        fontsize=9,
    )
    return fig


@figure
def subjects_mosaic(clips: pd.DataFrame, of: Any) -> Figure:
    """Clips per subject as stacked bars: databases side by side, groups in rows, labels as colours.

    Parameters
    ----------
    clips : the clips table (columns ``database``, ``subject``, ``group``, ``label``).
    """
    databases = sorted(clips["database"].unique())
    groups = sorted(clips["group"].unique())
    shape = clips.groupby(["database", "group"])["subject"].nunique().unstack(fill_value=0)
    widths = [max(2, int(shape.loc[d].max())) for d in databases]
    fig, axes = plt.subplots(
        len(groups),
        len(databases),
        figsize=(WIDTH, 4.6),
        sharey=True,
        squeeze=False,
        gridspec_kw={"width_ratios": widths, "wspace": 0.06, "hspace": 0.35},
    )
    top = int(clips.groupby("subject").size().max())
    for i, group in enumerate(groups):
        for j, database in enumerate(databases):
            ax = axes[i, j]
            part = clips[(clips["group"] == group) & (clips["database"] == database)]
            counts = part.groupby(["subject", "label"]).size().unstack(fill_value=0)
            counts = counts.reindex(columns=list(LABELS), fill_value=0)
            counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False).index]
            bottom = np.zeros(len(counts))
            for label in LABELS:
                ax.bar(
                    np.arange(len(counts)),
                    counts[label],
                    bottom=bottom,
                    color=LABEL_COLOURS[label],
                    width=0.86,
                )
                bottom += counts[label].to_numpy()
            ax.set(xlim=(-0.7, widths[j] - 0.3), ylim=(0, top + 1), xticks=[])
            ax.set_title(f"{database}, {group}: {len(counts)} subjects, {len(part)} clips", loc="left")
            if part.empty:
                ax.text(0.5, 0.45, "nobody", transform=ax.transAxes, ha="center", color=GREY, fontsize=11)
            if j == 0:
                ax.set_ylabel("clips")
    fig.legend(
        handles=[Patch(color=LABEL_COLOURS[label], label=label) for label in LABELS],
        loc="upper center",
        bbox_to_anchor=(0.5, 1.03),
        ncols=3,
        frameon=False,
    )
    return fig


@figure
def filmstrip(rows: Sequence[tuple[str, np.ndarray, np.ndarray]], of: Any) -> Figure:
    """Onset, apex and their amplified difference for a few clips.

    Parameters
    ----------
    rows : (caption, onset, apex) with (H, W) or (H, W, 3) uint8 frames.
    of : the clips.  Of licensed ones no face is drawn, whatever is given: its licence does not allow that in general.
    """
    if not provenance_of(of).simulated:
        fig = plt.figure(figsize=(WIDTH * 0.8, 1.0))
        fig.text(0.5, 0.5, "The frames of these clips are not shown.", ha="center", va="center", color=GREY)
        return fig
    ratio = rows[0][1].shape[0] / rows[0][1].shape[1]
    fig, axes = plt.subplots(
        3,
        len(rows),
        figsize=(WIDTH * 0.8, WIDTH * 0.8 * ratio + 0.6),
        squeeze=False,
        layout="constrained",
    )
    fig.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    for column, (caption, onset, apex) in enumerate(rows):
        difference = grey(apex) - grey(onset)
        for ax, image, name in zip(axes[:, column], (onset, apex), ("onset", "apex"), strict=False):
            ax.imshow(image, cmap="gray", vmin=0, vmax=255)
            ax.set_ylabel(name if column == 0 else "")
        axes[2, column].imshow(difference * GAIN, cmap="RdBu_r", vmin=-128, vmax=128)
        axes[2, column].set_ylabel(f"apex - onset, {GAIN:.0f} times" if column == 0 else "")
        axes[0, column].set_title(caption)
    for ax in axes.ravel():
        ax.set(xticks=[], yticks=[])
        sns.despine(ax=ax, left=True, bottom=True)
    return fig
