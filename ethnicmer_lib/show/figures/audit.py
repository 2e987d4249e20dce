"""Pictures of the audit: whose flow a clip is given, the lottery of seeds, and Table IV under controls."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ethnicmer_lib.paper.numbers import CELLS
from ethnicmer_lib.show.figures import style
from ethnicmer_lib.show.figures.style import CORAL, GREY, INK, NARROW, TEAL, WIDTH, figure

_COLOURS = dict(zip(CELLS["table_iv"], ("#d7dfea", "#f3e0b8"), strict=False))


@figure
def flow_rows(pairs: pd.DataFrame, of: Any) -> Figure:
    """For one held-out subject: every clip under test, the flow it is given, the training clip with the same flow.

    ``pairs`` has the rows of the subject, columns clip_id, label, given, twin, twin_label, predicted.
    """
    heads = (
        "clip under test\nand its label",
        "→ flow it is given:\nfirst rows of the array",
        "→ training clip with\nthe same row",
        "→ so the prediction\nis that clip's label",
    )
    texts, colours = [], [["white"] * 4]
    for y, row in enumerate(pairs.itertuples()):
        right = row.predicted == row.label
        agrees, colour = ("as", _COLOURS[row.predicted]) if right else ("not as", "#f6cfc6")
        clips = (f"{_short(row.clip_id)}\n{row.label}", f"row {y}: flow of\n{_short(row.given)}")
        texts.append(
            [*clips, f"{_short(row.twin)}\n{row.twin_label}", f"{row.predicted}\n{agrees} its label says"]
        )
        colours.append([_COLOURS[row.label], "#eef2f2", _COLOURS[row.twin_label], colour])
    fig, ax = plt.subplots(figsize=(WIDTH, 0.62 * len(texts)), layout="constrained")
    ax.axis("off")
    drawn = ax.table([heads, *texts], colours, cellLoc="center", bbox=(0, 0, 1, 1))
    drawn.auto_set_font_size(False)
    for (row, _), cell in drawn.get_celld().items():
        cell.set(edgecolor="white", linewidth=6)
        cell.set_text_props(size=9, color=INK, weight="normal" if row else "bold")
    return fig


@figure
def lottery(table: pd.DataFrame, printed: pd.Series, of: Any) -> Figure:
    """Macro F1 of the rule on labels for many seeds, one histogram per scenario, the printed value marked.

    ``table`` has a row per seed and a column per scenario; ``printed`` the macro F1 of each that the paper prints.
    """
    size = (NARROW, 1.3 * len(printed) + 0.6)
    fig, axes = plt.subplots(len(printed), 1, figsize=size, sharex=True, sharey=True, layout="constrained")
    for ax, (name, value), colour in zip(axes, printed.items(), (TEAL, CORAL, GREY), strict=True):
        sns.histplot(table[name], bins=np.linspace(0.25, 0.75, 51), color=colour, edgecolor="none", ax=ax)
        ax.axvline(value, color=INK, lw=1.6)
        ax.set_title(name, loc="left")
        ax.set(xlabel="macro F1" if ax is axes[-1] else "", ylabel="seeds")
        place = {"transform": ax.get_xaxis_transform(), "va": "top", "fontsize": 9}
        ax.text(value + 0.012, 0.98, f"printed\n{value:.4f}", **place)
    return fig


@figure
def studies(table: pd.DataFrame, printed: float, of: Any) -> Figure:
    """Mixed minus mono macro F1 of every study, with its interval, random forests and SVC side by side.

    ``table`` has a row per study, called by its classifier and what it changes ('svc, balanced'), and the column
    ``difference``, an Estimate; ``printed`` is the difference that the printed table gives.
    """
    called = table.index.str.extract("(forest|svc)(?:, )?(.*)")
    changes = called[1].replace("", "flow image").str.replace("_", " ")
    names = list(changes.unique())
    fig, ax = plt.subplots(figsize=(NARROW, 0.55 * len(names) + 1.0), layout="constrained")
    looks = ((-0.15, "forest", TEAL, "random forest"), (0.15, "svc", CORAL, "SVC(C=100)"))
    for shift, classifier, colour, words in looks:
        mine = called[0].eq(classifier).to_numpy()
        y = [names.index(change) + shift for change in changes[mine]]
        style.dots(ax, y, tuple(zip(*table["difference"][mine], strict=True)), colour, words)
    ax.axvline(0, color=GREY, lw=1, ls=":")
    ax.axvline(printed, color=INK, lw=1.2, ls="--", label="printed table")
    style.rows_with_names(ax, names)
    ax.set_xlabel("macro F1, Mixed minus the mono scenarios")
    style.grid_behind(ax)
    style.legend_above(fig, 3)
    return fig


def _short(clip_id: str) -> str:
    """A clip's name without its database where the name says it already."""
    _, subject, clip = clip_id.split("/")
    return clip if clip.startswith(subject) else f"{subject} {clip}"
