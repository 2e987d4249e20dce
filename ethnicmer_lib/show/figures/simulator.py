"""Pictures of the simulator's chapter: faces, the Action Unit sheet, clips with their truth, timing, codes, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.show.figures.style import CORAL, GREY, INK, LABEL_COLOURS, TEAL, WIDTH, figure, grey

#: Half of a screen's column: a phone shows these figures at about this size, so that their text stays legible.
NARROW = WIDTH * 0.72
COLUMNS = 4
_SHORTEST = 0.2  # share of the longest displacement: shorter ones have no arrow
_SHARP = 140  # dots per inch of figures with faces, for screens with fine pixels


@figure
def faces(pictures: np.ndarray, of: Any) -> Figure:
    """Faces side by side, four in a row.

    Parameters
    ----------
    pictures : (n, H, W, 3) uint8 RGB
    """
    fig, axes = _grid(pictures, 0.0)
    for ax, picture in zip(axes, pictures, strict=False):
        ax.imshow(picture)
    return fig


@figure
def action_units(
    pictures: np.ndarray,
    arrows: np.ndarray,
    captions: Sequence[tuple[str, str]],
    step: int,
    of: Any,
) -> Figure:
    """One face in every Action Unit, with its displacement as arrows.

    Parameters
    ----------
    pictures : (n, H, W, 3) uint8 RGB
    arrows : (n, h, w, 2) px, displacement at every ``step``-th pixel from ``step // 2`` on; NaN where none
    captions : n times (code, name), e.g. ('AU 12', 'lip corner puller')
    """
    fig, axes = _grid(pictures, 0.36)
    for ax, picture, field, (code, name) in zip(axes, pictures, arrows, captions, strict=False):
        ax.imshow(picture)
        _draw_arrows(ax, field, step, CORAL)
        ax.set_title(name, fontsize=8.5, fontweight="normal", pad=2.5)
        above = {
            "xy": (0.5, 1),
            "xycoords": "axes fraction",
            "xytext": (0, 13),
            "textcoords": "offset points",
        }
        ax.annotate(code, **above, ha="center", fontsize=10, fontweight="bold")
    return fig


def _grid(pictures: np.ndarray, title: float) -> tuple[Figure, np.ndarray]:
    """Bare axes for pictures of one size, ``COLUMNS`` a row, with ``title`` inches above each."""
    rows = -(-len(pictures) // COLUMNS)
    ratio = pictures.shape[1] / pictures.shape[2]
    side = NARROW / COLUMNS
    fig, axes = plt.subplots(
        rows,
        COLUMNS,
        figsize=(NARROW, rows * (side * ratio + title)),
        squeeze=False,
        layout="constrained",
        dpi=_SHARP,
    )
    fig.get_layout_engine().set(w_pad=0.015, h_pad=0.015, wspace=0, hspace=0)
    for ax in axes.ravel():
        ax.axis("off")
    return fig, axes.ravel()


def _draw_arrows(ax: Axes, field: np.ndarray, step: int, colour: str, top: float | None = None) -> None:
    """Arrows on a grid of ``step`` px; a displacement of ``top`` (by default the longest) is 1.6 steps long."""
    length = np.nan_to_num(np.hypot(*np.moveaxis(field, -1, 0)))
    top = top or float(length.max())
    rows, columns = np.nonzero(length > _SHORTEST * top)
    if not len(rows):
        return
    u, v = field[rows, columns].T * (1.6 * step / top)
    shape = {"width": 0.008, "headwidth": 3.6, "headlength": 3.8, "headaxislength": 3.4, "minlength": 0}
    x, y = columns * step + step // 2, rows * step + step // 2
    ax.quiver(x, y, u, v, angles="xy", scale_units="xy", scale=1, color=colour, **shape)


@figure
def clip_panels(
    examples: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]],
    of: Any,
    gain: float,
) -> Figure:
    """Onset, apex, their amplified difference, true motion and true strain; one clip a column.

    Parameters
    ----------
    examples : (caption, onset, apex, flow, strain); frames (H, W) or (H, W, 3) uint8, flow (H, W, 2) px, strain
        (H, W) px per px
    gain : factor on the difference of grey levels
    """
    names = ("onset", "apex", f"apex - onset, {gain:g} times", "true motion, px", "true strain, px/px")
    lengths = [np.hypot(*np.moveaxis(flow, -1, 0)) for *_, flow, _ in examples]
    top = (
        max(float(np.percentile(length[length > 0], 99)) if length.any() else 0.0 for length in lengths)
        or 1.0
    )
    strains = [strain for *_, strain in examples]
    top_strain = max(float(np.percentile(strain, 98)) for strain in strains) or 1.0
    ratio = max(onset.shape[0] / onset.shape[1] for _, onset, *_ in examples)
    side = (NARROW - 0.85) / len(examples)  # beside the labels and the colour bars
    size = (NARROW, len(names) * (side * ratio + 0.04) + 0.45)
    fig, axes = plt.subplots(
        len(names), len(examples), figsize=size, squeeze=False, layout="constrained", dpi=_SHARP
    )
    fig.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    for j, (caption, onset, apex, flow, strain) in enumerate(examples):
        axes[0, j].set_title(caption, fontsize=9)
        for i, frame in enumerate((onset, apex)):
            axes[i, j].imshow(frame, cmap="gray", vmin=0, vmax=255)
        axes[2, j].imshow((grey(apex) - grey(onset)) * gain, cmap="RdBu_r", vmin=-128, vmax=128)
        moved = axes[3, j].imshow(lengths[j], cmap="YlGnBu", vmin=0, vmax=top)
        step = 22
        _draw_arrows(axes[3, j], flow[step // 2 :: step, step // 2 :: step], step, INK, top)
        strained = axes[4, j].imshow(strain, cmap="magma", vmin=0, vmax=top_strain)
    for i, name in enumerate(names):
        axes[i, 0].set_ylabel(name, fontsize=9)
    for row, shown in ((3, moved), (4, strained)):
        bar = fig.colorbar(shown, ax=axes[row, :], location="right", shrink=0.85, aspect=22, pad=0.01)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8)
    for ax in axes.ravel():
        ax.set(xticks=[], yticks=[])
        sns.despine(ax=ax, left=True, bottom=True)
    return fig


@figure
def profile(table: pd.DataFrame, of: Any) -> Figure:
    """What a clip shows frame by frame: expression above, head and lids below, with onset, apex and offset marked.

    Parameters
    ----------
    table : columns ``ms``, ``expression``, ``lids`` (shares), ``shift`` (px), ``moment`` ('' or the moment's name)
    """
    fig, (above, below) = plt.subplots(
        2, 1, figsize=(NARROW, 4.0), sharex=True, layout="constrained", height_ratios=(1.7, 1)
    )
    above.plot(table["ms"], table["expression"], color=TEAL, lw=1.4)
    above.scatter(table["ms"], table["expression"], color=TEAL, s=9, zorder=3)
    above.set(ylabel="share of the full\nexpression", ylim=(-0.03, 1.03))
    for row in table[table["moment"] != ""].itertuples():
        for ax in (above, below):
            ax.axvline(row.ms, color=GREY, lw=1, ls=":")
        above.text(row.ms, 1.02, row.moment, ha="center", transform=above.get_xaxis_transform())
    below.plot(table["ms"], table["shift"], color=CORAL, lw=1.4, label="shift of the head, px")
    below.plot(table["ms"], table["lids"], color=INK, lw=1.4, ls="--", label="lids, share of a blink")
    below.set(xlabel="time since onset, ms; one point is one frame")
    below.legend(frameon=False, fontsize=8.5, loc="best")
    return fig


@figure
def frequencies(table: pd.DataFrame, of: Any) -> Figure:
    """Share of clips that show each Action Unit, simulated and coded, one panel a label.

    Parameters
    ----------
    table : columns ``label``, ``action_unit``, ``simulated``, ``coded`` (shares); units that neither shows are left out
    """
    seen = table.groupby("action_unit")[["simulated", "coded"]].max().max(axis=1) > 0
    units = [unit for unit in seen.index if seen[unit]]
    places = np.arange(len(units))
    fig, axes = plt.subplots(
        1, len(LABELS), figsize=(NARROW, 0.225 * len(units) + 1.2), sharex=True, sharey=True
    )
    fig.subplots_adjust(wspace=0.14)
    for ax, label in zip(axes, LABELS, strict=True):
        rows = table[table["label"] == label].set_index("action_unit").loc[units]
        ax.barh(places - 0.2, rows["simulated"], 0.38, color=CORAL, label="simulated")
        ax.barh(places + 0.2, rows["coded"], 0.38, color=TEAL, label="coded in the real clips")
        ax.set_title(label, loc="left")
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        ax.grid(axis="x", color="#e3eaea")
        ax.set_axisbelow(True)
        ax.tick_params(labelsize=8.5)
    axes[0].set(xlim=(0, 1), xticks=(0, 0.5))
    axes[0].set(yticks=places, yticklabels=[f"AU {unit}" for unit in units])
    axes[0].set_ylim(len(units) - 0.4, -0.6)
    fig.supxlabel("share of the clips of the label", fontsize=10, y=0.01)
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="lower center", bbox_to_anchor=(0.5, 0.93), ncols=2, frameon=False)
    return fig


@figure
def sizes(peaks: pd.DataFrame, of: Any) -> Figure:
    """How far the most moved Action Unit of each clip goes: one point a clip, the median of each label as a line.

    Parameters
    ----------
    peaks : columns ``label``, ``peak_px``
    """
    rng = np.random.default_rng(0)  # of the points' vertical places, which mean nothing
    fig, ax = plt.subplots(figsize=(NARROW, 2.9), layout="constrained")
    for place, label in enumerate(LABELS):
        values = peaks.loc[peaks["label"] == label, "peak_px"].to_numpy()
        heights = place + rng.uniform(-0.25, 0.25, len(values))
        ax.scatter(values, heights, s=14, color=LABEL_COLOURS[label], alpha=0.75, lw=0)
        ax.plot([np.median(values)] * 2, [place - 0.34, place + 0.34], color=INK, lw=2)
    ax.axvline(1, color=GREY, lw=1, ls=":")
    ax.text(1, -0.55, "one pixel", ha="center", va="bottom", color="#5d6b6f", fontsize=8.5)
    ax.set(
        yticks=range(len(LABELS)),
        yticklabels=LABELS,
        xlabel="largest displacement from onset to apex, px",
    )
    ax.set_ylim(len(LABELS) - 0.5, -0.55)
    ax.set_xlim(left=0)
    ax.grid(axis="x", color="#e3eaea")
    ax.set_axisbelow(True)
    return fig


@figure
def traces(table: pd.DataFrame, level: float, of: Any) -> Figure:
    """How well groups are told apart: p of every plain cohort, and the area under the curve against each knob.

    Parameters
    ----------
    table : columns knob, strength, input, auc, p; knob 'none' for cohorts with every knob at 0
    level : p below it counts as told apart
    """
    inputs = {"colour": GREY, "texture": TEAL, "motion": CORAL}
    knobs = [name for name in table["knob"].unique() if name != "none"]
    fig, axes = plt.subplots(
        1 + len(knobs), 1, figsize=(NARROW, 2.1 * (1 + len(knobs))), layout="constrained"
    )
    for at, (name, colour) in enumerate(inputs.items()):
        values = np.sort(table.loc[(table["knob"] == "none") & (table["input"] == name), "p"])
        across = at + np.linspace(-0.28, 0.28, len(values))
        axes[0].scatter(across, values, s=16, color=colour, zorder=3)
    axes[0].axhline(level, color=INK, lw=1, ls=":")
    axes[0].annotate(f"{level:g}", (1, level), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    axes[0].set(xticks=range(len(inputs)), xticklabels=inputs, ylim=(-0.03, 1.03), ylabel="p")
    axes[0].set_title("every knob at 0: one dot a cohort", loc="left")
    for ax, knob in zip(axes[1:], knobs, strict=True):
        rows = table[table["knob"].isin([knob])]
        zero = table[(table["knob"] == "none") & table["seed"].isin(rows["seed"])]
        means = pd.concat([zero.assign(strength=0.0), rows]).groupby(["input", "strength"])["auc"].mean()
        for name, colour in inputs.items():
            ax.plot(means[name].index, means[name], "o-", color=colour, label=name, ms=4)
        ax.axhline(0.5, color=GREY, lw=1, ls=":")
        ax.set(ylim=(0, 1.05), ylabel="area under curve", xlabel=f"strength of {knob}")
    axes[1].legend(frameon=False, fontsize=8.5, ncols=3, loc="lower right")
    return fig
