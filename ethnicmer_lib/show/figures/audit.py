"""Pictures of the audit: whose flow a clip is given, the lottery of seeds, and Table IV under controls."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ethnicmer_lib.paper.numbers import CELLS
from ethnicmer_lib.show.figures import style
from ethnicmer_lib.show.figures.style import CORAL, GREY, INK, TEAL, WIDTH, figure

_COLOURS = dict(zip(CELLS["table_iv"], ("#d7dfea", "#f3e0b8"), strict=False))
_X = (0.0, 2.75, 5.5, 8.25)
_BOX = 2.3
#: What a study changes, as its name says after the classifier -> in words.
_KINDS = {
    "": "as described, flow image",
    "ResNet-18": "as described, ResNet-18 features",
    "one_database": "within SAMM",
    "two_databases": "same two databases in both",
    "balanced": "balanced classes",
    "without_largest": "without the largest subject",
    "noise": "noise instead of features",
    "released rows": "rows of the flow as released",
}


@figure
def flow_rows(pairs: pd.DataFrame, of: Any) -> Figure:
    """For one held-out subject: every clip under test, the flow it is given, the training clip with the same flow.

    ``pairs`` has the rows of the subject, columns clip_id, label, given, twin, twin_label, predicted.
    """
    heads = (
        "clip under test\nand its label",
        "flow it is given:\nfirst rows of the array",
        "training clip with\nthe same row",
        "so the prediction\nis that clip's label",
    )
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
            look = {"boxstyle": "round,pad=0.02", "facecolor": colour, "edgecolor": edge}
            ax.add_patch(FancyBboxPatch((x, y - 0.36), _BOX, 0.72, **look))
            ax.text(x + _BOX / 2, y, text, ha="center", va="center", fontsize=8)
        for x in _X[:-1]:
            arrow = {"arrowstyle": "->", "color": GREY}
            ax.annotate("", (x + 2.68, y), (x + _BOX + 0.07, y), arrowprops=arrow)
    ax.set(xlim=(-0.1, _X[-1] + _BOX + 0.1), ylim=(len(pairs) - 0.5, -1.35))
    ax.axis("off")
    return fig


@figure
def lottery(table: pd.DataFrame, printed: pd.Series, of: Any) -> Figure:
    """Macro F1 of the rule on labels for many seeds, one histogram per scenario, the printed value marked.

    ``table`` has a row per seed and a column per scenario; ``printed`` the macro F1 of each that the paper prints.
    """
    fig, axes = plt.subplots(1, len(printed), figsize=(WIDTH, 2.5), sharex=True, sharey=True)
    for ax, (name, value), colour in zip(axes, printed.items(), (TEAL, CORAL, GREY), strict=True):
        sns.histplot(table[name], bins=np.linspace(0.25, 0.75, 51), color=colour, edgecolor="none", ax=ax)
        ax.axvline(value, color=INK, lw=1.6)
        ax.set_title(name, loc="left")
        ax.set(xlabel="macro F1", ylabel="seeds")
        place = {"transform": ax.get_xaxis_transform(), "va": "top", "fontsize": 8}
        ax.text(value + 0.012, 0.98, f"printed\n{value:.4f}", **place)
    fig.subplots_adjust(bottom=0.24)
    return fig


@figure
def studies(table: pd.DataFrame, printed: float, of: Any) -> Figure:
    """Mixed minus mono macro F1 of every study, with its interval, random forests and SVC side by side.

    ``table`` has a row per study, called by its classifier and what it changes ('svc, balanced'), and the column
    ``difference``, an Estimate; ``printed`` is the difference that the printed table gives.
    """
    classifiers, _, changes = zip(*(name.partition(", ") for name in table.index), strict=True)
    kinds = [_KINDS[change] for change in changes]
    titles = list(dict.fromkeys(kinds))
    fig, ax = plt.subplots(figsize=(WIDTH * 0.9, 0.55 * len(titles) + 1.0))
    looks = ((-0.15, "forest", TEAL, "random forest"), (0.15, "svc", CORAL, "SVC(C=100)"))
    for shift, name, colour, words in looks:
        mine = [place for place, classifier in enumerate(classifiers) if classifier == name]
        found = tuple(zip(*table["difference"].iloc[mine], strict=True))
        y = [titles.index(kinds[place]) + shift for place in mine]
        style.dots(ax, y, found, colour, words)
    ax.axvline(0, color=GREY, lw=1, ls=":")
    ax.axvline(printed, color=INK, lw=1.2, ls="--", label="printed table")
    style.rows_with_names(ax, titles)
    ax.set_xlabel("macro F1, Mixed minus the mono scenarios")
    style.grid_behind(ax)
    style.legend_above(fig, 3)
    return fig


def _short(clip_id: str) -> str:
    """A clip's name without its database where the name says it already."""
    _, subject, clip = clip_id.split("/")
    return clip if clip.startswith(subject) else f"{subject} {clip}"
