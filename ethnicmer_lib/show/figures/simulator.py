"""Pictures of the simulator's chapter: faces, the Action Unit sheet, timing, codes, sizes, traces."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.show.figures import style
from ethnicmer_lib.show.figures.style import CORAL, GREY, INK, LABEL_COLOURS, NARROW, TEAL, figure

COLUMNS = 4  #: faces in a row
_INPUTS = {"colour": GREY, "texture": TEAL, "motion": CORAL}


@figure
def faces(
    pictures: np.ndarray,
    of: Any,
    captions: Sequence[tuple[str, str]] = (),
    arrows: Sequence[np.ndarray] = (),
    step: int = 0,
) -> Figure:
    """Faces (n, H, W, 3) uint8 RGB side by side, four a row; with ``captions``, each with its displacement as arrows.

    ``captions`` are n times (code, name), e.g. ('AU 12', 'lip corner puller'); ``arrows`` is (n, h, w, 2) px: the
    displacement at every ``step``-th pixel from ``step // 2`` on, NaN where none.
    """
    rows, side = -(-len(pictures) // COLUMNS), NARROW / COLUMNS
    height = side * pictures.shape[1] / pictures.shape[2] + (0.5 if captions else 0)
    fig, axes = style.panels(rows, COLUMNS, (NARROW, rows * height), pad=(0.015, 0.015))
    for ax, picture in zip(axes.flat, pictures, strict=False):
        ax.imshow(picture)
    above = {"xy": (0.5, 1), "xycoords": "axes fraction", "textcoords": "offset points", "ha": "center"}
    for ax, field, (code, name) in zip(axes.flat, arrows, captions, strict=False):
        style.draw_arrows(ax, field, step, CORAL)
        name = textwrap.fill(name, 16)
        ax.set_title(name, fontsize=9, fontweight="normal", pad=2.5)
        ax.annotate(code, **above, xytext=(0, 14 + 11 * name.count("\n")), fontweight="bold")
    return fig


@figure
def profile(table: pd.DataFrame, of: Any) -> Figure:
    """What a clip shows frame by frame: expression above, head and lids below, with onset, apex and offset marked.

    ``table`` has the columns ``ms``, ``expression``, ``lids`` (shares), ``shift`` (px), ``moment`` ('' or its name).
    """
    fig, (above, below) = plt.subplots(
        2, 1, figsize=(NARROW, 4.0), sharex=True, layout="constrained", height_ratios=(1.7, 1)
    )
    above.plot(table["ms"], table["expression"], "o-", color=TEAL, lw=1.4, ms=3)
    above.set(ylabel="share of the full\nexpression", ylim=(-0.03, 1.03))
    for row in table[table["moment"] != ""].itertuples():
        for ax in (above, below):
            ax.axvline(row.ms, color=GREY, lw=1, ls=":")
        above.text(row.ms, 1.02, row.moment, ha="center", transform=above.get_xaxis_transform())
    below.plot(table["ms"], table["shift"], color=CORAL, lw=1.4, label="shift of the head, px")
    below.plot(table["ms"], table["lids"], color=INK, lw=1.4, ls="--", label="lids, share of a blink")
    below.set(xlabel="time since onset, ms; one point is one frame")
    below.legend(frameon=False, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1))
    return fig


@figure
def frequencies(table: pd.DataFrame, of: Any) -> Figure:
    """Share of clips that show each Action Unit, simulated and coded, one panel a label.

    ``table`` has the columns ``label``, ``action_unit``, ``simulated``, ``coded`` (shares); units that neither
    shows are left out.
    """
    table = table.rename(columns={"coded": "coded in the real clips"})
    shares = table.pivot(index="action_unit", columns="label").rename(index="AU {}".format)
    shares = shares[(shares > 0).any(axis=1)]
    fig, axes = plt.subplots(
        1, len(LABELS), figsize=(NARROW, 0.225 * len(shares) + 1.2), sharex=True, sharey=True
    )
    fig.subplots_adjust(wspace=0.14)
    for ax, label in zip(axes, LABELS, strict=True):
        rows = shares.xs(label, axis=1, level="label")[["simulated", "coded in the real clips"]]
        rows.plot.barh(ax=ax, color=[CORAL, TEAL], width=0.78, legend=False, ylabel="")
        ax.set_title(label, loc="left")
        ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        style.grid_behind(ax)
        ax.tick_params(labelsize=9)
    axes[0].set(xlim=(0, 1), xticks=(0, 0.5), ylim=(len(shares) - 0.4, -0.6))
    fig.supxlabel("share of the clips of the label", fontsize=10, y=0.01)
    style.legend_above(fig, 2, 0.93, handles=axes[0].get_legend_handles_labels()[0], fontsize=10)
    return fig


@figure
def sizes(peaks: pd.DataFrame, of: Any) -> Figure:
    """How far the most moved Action Unit of each clip goes: one point a clip, the median of each label as a line.

    ``peaks`` has the columns ``label``, ``peak_px``.
    """
    fig, ax = plt.subplots(figsize=(NARROW, 2.9), layout="constrained")
    points = {"order": LABELS, "hue": "label", "palette": LABEL_COLOURS, "legend": False, "jitter": 0.25}
    sns.stripplot(peaks, x="peak_px", y="label", ax=ax, **points, size=4, alpha=0.75)
    style.marks(ax, peaks.groupby("label")["peak_px"].median()[list(LABELS)], lw=2)
    ax.axvline(1, color=GREY, lw=1, ls=":")
    ax.text(1, -0.55, "one pixel", ha="center", va="bottom", color="#5d6b6f", fontsize=9)
    ax.set(xlabel="largest displacement from onset to apex, px", ylabel="", xlim=(0, None), ylim=(2.5, -0.55))
    style.grid_behind(ax)
    return fig


@figure
def traces(table: pd.DataFrame, level: float, of: Any) -> Figure:
    """How well groups are told apart: p of every plain cohort, and the area under the curve against each knob.

    ``table`` has the columns knob, strength, input, auc, p, seed, with knob 'none' for cohorts with every knob at 0; p
    below ``level`` counts as told apart.
    """
    plain = table[table["knob"] == "none"]
    turned = table[table["knob"] != "none"].groupby("knob", sort=False)
    fig, (first, *others) = plt.subplots(
        1 + len(turned), 1, figsize=(NARROW, 2.1 * (1 + len(turned))), layout="constrained"
    )
    for at, (name, colour) in enumerate(_INPUTS.items()):
        values = np.sort(plain.loc[plain["input"] == name, "p"])
        first.scatter(at + np.linspace(-0.28, 0.28, len(values)), values, s=16, color=colour, zorder=3)
    first.axhline(level, color=INK, lw=1, ls=":")
    first.annotate(f"{level:g}", (1, level), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    first.set(xticks=range(len(_INPUTS)), xticklabels=_INPUTS, ylim=(-0.03, 1.03), ylabel="p")
    first.set_title("every knob at 0: one dot a cohort", loc="left")
    for ax, (knob, rows) in zip(others, turned, strict=True):
        zero = plain[plain["seed"].isin(rows["seed"])].assign(strength=0.0)
        means = pd.concat([zero, rows]).pivot_table(index="strength", columns="input", values="auc")
        means[list(_INPUTS)].plot(ax=ax, style="o-", color=_INPUTS, ms=4, legend=False)
        ax.axhline(0.5, color=GREY, lw=1, ls=":")
        ax.set(ylim=(0, 1.05), ylabel="area under curve", xlabel=f"strength of {knob}")
    others[0].legend(frameon=False, fontsize=9, ncols=3, loc="lower right")
    return fig
