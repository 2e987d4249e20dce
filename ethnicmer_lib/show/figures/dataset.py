"""Figures of the dataset chapter: the mosaic of clips, and the groups under each mapping of labels."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ethnicmer_lib.clips.table import LABELS, Provenance
from ethnicmer_lib.show.figures.style import _STYLE, CORAL, GREY, INK, LABEL_COLOURS, TEAL, WIDTH, stamp

_GAP = 0.035  # white between two columns, share of the width


def clips_mosaic(clips: pd.DataFrame, provenance: Provenance) -> Figure:
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
    with plt.rc_context(_STYLE):
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
        return stamp(fig, provenance)


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


def mapping_bars(table: pd.DataFrame, provenance: Provenance) -> Figure:
    """Clips per group under each mapping of ethnic labels, by database; what a mapping leaves out is hollow.

    Parameters
    ----------
    table : from ``count_checks.mapping_counts``.
    """
    mappings = list(dict.fromkeys(table["mapping"]))
    groups = list(dict.fromkeys(table["group"]))
    databases = list(dict.fromkeys(table["database"]))
    colours = dict(zip(groups, (TEAL, CORAL), strict=True))
    with plt.rc_context(_STYLE):
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
                        ax.text(
                            left + count / 2, y, str(count), ha="center", va="center", fontsize=8.5, bbox=box
                        )
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
        return stamp(fig, provenance)
