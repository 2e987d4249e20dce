"""Pictures of the audit: whose flow a clip is given, the lottery of seeds, and Table IV under controls."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.design.forest import BINARY
from ethnicmer_lib.show.figures.style import _STYLE, CORAL, GREY, INK, TEAL, WIDTH, stamp

_COLOURS = dict(zip(BINARY, ("#d7dfea", "#f3e0b8"), strict=True))
_X = (0.0, 2.75, 5.5, 8.25)
_BOX = 2.3


def flow_rows(pairs: pd.DataFrame, provenance: Provenance) -> Figure:
    """For one held-out subject: every clip under test, the flow it is given, the training clip with the same flow.

    Parameters
    ----------
    pairs : rows of one subject, columns clip_id, label, given, twin, twin_label, predicted.
    """
    heads = (
        "clip under test\nand its label",
        "flow it is given:\nfirst rows of the array",
        "training clip with\nthe same row",
        "so the prediction\nis that clip's label",
    )
    with plt.rc_context(_STYLE):
        fig, ax = plt.subplots(figsize=(WIDTH, 0.62 * len(pairs) + 1.0))
        for x, head in zip(_X, heads, strict=True):
            ax.text(x + _BOX / 2, -0.75, head, ha="center", va="bottom", fontsize=8.5, fontweight="bold")
        for y, row in enumerate(pairs.itertuples()):
            right = row.predicted == row.label
            agrees = "as its label says" if right else "not as its label says"
            texts = (
                (f"{_short(row.clip_id)}\n{row.label}", _COLOURS[row.label]),
                (f"row {y}: flow of\n{_short(row.given)}", "white"),
                (f"{_short(row.twin)}\n{row.twin_label}", _COLOURS[row.twin_label]),
                (f"{row.predicted}\n{agrees}", _COLOURS[row.predicted]),
            )
            for x, (text, colour) in zip(_X, texts, strict=True):
                edge = CORAL if x == _X[-1] and not right else "#b9c4c6"
                box = FancyBboxPatch(
                    (x, y - 0.36), _BOX, 0.72, boxstyle="round,pad=0.02", facecolor=colour, edgecolor=edge
                )
                ax.add_patch(box)
                ax.text(x + _BOX / 2, y, text, ha="center", va="center", fontsize=8)
            for x in _X[:-1]:
                ax.annotate(
                    "", (x + 2.68, y), (x + _BOX + 0.07, y), arrowprops={"arrowstyle": "->", "color": GREY}
                )
        ax.set(xlim=(-0.1, _X[-1] + _BOX + 0.1), ylim=(len(pairs) - 0.5, -1.35))
        ax.axis("off")
        return stamp(fig, provenance)


def lottery(table: pd.DataFrame, printed: pd.Series, provenance: Provenance) -> Figure:
    """Macro F1 of the rule on labels for many seeds, one histogram per scenario, the printed value marked.

    Parameters
    ----------
    table : one row per seed, a column per scenario.
    printed : scenario -> the macro F1 that the paper prints.
    """
    with plt.rc_context(_STYLE):
        fig, axes = plt.subplots(1, len(printed), figsize=(WIDTH, 2.5), sharex=True, sharey=True)
        bins = np.linspace(0.25, 0.75, 51)
        for ax, (name, value), colour in zip(axes, printed.items(), (TEAL, CORAL, GREY), strict=True):
            ax.hist(table[name], bins=bins, color=colour, alpha=0.85)
            ax.axvline(value, color=INK, lw=1.6)
            ax.set_title(name, loc="left")
            ax.set_xlabel("macro F1")
            ax.text(
                value + 0.012,
                0.98,
                f"printed\n{value:.4f}",
                transform=ax.get_xaxis_transform(),
                va="top",
                fontsize=8,
            )
        axes[0].set_ylabel("seeds")
        fig.subplots_adjust(bottom=0.24)
        return stamp(fig, provenance)


def controls(table: pd.DataFrame, provenance: Provenance, paper: float) -> Figure:
    """Mixed minus mono macro F1 under every arm, with its interval, random forests and SVC side by side.

    Parameters
    ----------
    table : columns title, classifier ('forest', 'svc'), value, low, high; one row per arm.
    paper : the difference that the printed table gives.
    """
    titles: Sequence[str] = list(dict.fromkeys(table["title"]))
    with plt.rc_context(_STYLE):
        fig, ax = plt.subplots(figsize=(WIDTH * 0.9, 0.55 * len(titles) + 1.0))
        for shift, (name, colour, words) in zip(
            (-0.15, 0.15), (("forest", TEAL, "random forest"), ("svc", CORAL, "SVC(C=100)")), strict=True
        ):
            part = table[table["classifier"] == name]
            y = np.array([titles.index(title) for title in part["title"]]) + shift
            ax.hlines(y, part["low"], part["high"], color=colour, lw=2.2)
            ax.scatter(part["value"], y, s=34, color=colour, zorder=3, label=words)
        ax.axvline(0, color=GREY, lw=1, ls=":")
        ax.axvline(paper, color=INK, lw=1.2, ls="--", label="printed table")
        ax.set(
            yticks=range(len(titles)),
            yticklabels=titles,
            ylim=(len(titles) - 0.5, -0.5),
            xlabel="macro F1, Mixed minus the mono scenarios",
        )
        ax.grid(axis="x", color="#e3eaea")
        ax.set_axisbelow(True)
        fig.legend(loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=3, frameon=False, fontsize=9)
        return stamp(fig, provenance)


def _short(clip_id: str) -> str:
    """A clip's name without its database where the name says it already."""
    _, subject, clip = clip_id.split("/")
    return clip if clip.startswith(subject) else f"{subject} {clip}"
