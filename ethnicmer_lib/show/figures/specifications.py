"""Specification curves: a difference under all reasonable choices at once, and which choices gave it."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ethnicmer_lib.show.figures import style
from ethnicmer_lib.show.figures.style import CORAL, GREY, INK, TEAL, WIDTH, figure

#: Recorded value of a choice -> words; others say themselves.
_WORDS = {
    "mapping": {"paper": "groups as in the paper"},
    "features": {"flow": "flow image", "resnet18": "ResNet-18"},
    "classifier": {"svc": "SVC(C=100)", "forest": "random forest"},
    "control": {"as_described": "no control"},
    "without_largest": {False: "all subjects", True: "without the largest subject"},
    "score": {"macro": "macro F1", "uar": "UAR"},
}


@figure
def specification_curve(
    table: pd.DataFrame, described: pd.Series, printed: float, ylabel: str, of: Any
) -> Figure:
    """A difference under every specification, ascending, with intervals; its choices as marks below.

    ``table`` is one of ``evidence.specifications``: columns of choices, then the number of repetitions and value, low
    and high.  ``described`` (rows,) bool marks those as the paper describes, drawn in another colour; ``printed`` is
    the difference of the printed table.
    """
    kinds = [*table.columns[: table.columns.get_loc("value") - 1]]
    names = {kind: table[kind].replace(_WORDS.get(kind, {})).astype(str) for kind in kinds}
    named = pd.DataFrame(names).replace("_", " ", regex=True)
    rows = [(kind, name) for kind in kinds for name in sorted(named[kind].unique(), key=str.lower)]
    place = {row: y for y, row in enumerate(rows)}
    shape = {"figsize": (WIDTH, 3 + 0.21 * len(rows)), "height_ratios": (2.6, 0.21 * len(rows))}
    fig, (ax, below) = plt.subplots(2, sharex=True, layout="constrained", **shape)
    for mine, colour, words in ((~described, TEAL, "one specification"), (described, CORAL, "as described")):
        part = table[mine]
        ax.vlines(part.index, part["low"], part["high"], color=colour, lw=1.4, alpha=0.55)
        ax.scatter(part.index, part["value"], color=colour, s=11, zorder=3, label=words)
        for kind in kinds:
            marks = [place[kind, name] for name in named.loc[mine, kind]]
            below.scatter(part.index, marks, color=colour, marker="|", s=26, lw=1.6)
    ax.axhline(0, color=GREY, lw=1, ls=":")
    ax.axhline(printed, color=INK, lw=1.2, ls="--", label="printed table")
    ax.set_ylabel(ylabel)
    style.rows_with_names(below, [name for _, name in rows])
    below.tick_params(axis="y", labelsize=9, length=0)
    for y in range(1, len(rows)):
        if rows[y][0] != rows[y - 1][0]:
            below.axhline(y - 0.5, color=GREY, lw=0.6)
    below.set(xlabel="specifications, in the order of their difference", xticks=[])
    style.legend_above(fig, 3)
    return fig
