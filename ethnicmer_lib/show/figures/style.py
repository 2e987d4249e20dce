"""Every picture of the book: plain tables and arrays in, a stamped matplotlib figure out.

All figures are drawn on white, carry their data source at the bottom, and the word SIMULATED inside the
figure when the cohort is a simulated one.
"""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from matplotlib.text import Text

from ethnicmer_lib.clips.origin import refuse
from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store.provenance import provenance_of

INK = "#24343a"
TEAL, CORAL, GREY, GOLD = "#2f7f86", "#c8553d", "#8a969a", "#d9a441"
#: Colours of the labels.
LABEL_COLOURS = dict(zip(LABELS, ("#5b6f8f", GOLD, "#8d5a97"), strict=True))
WIDTH = 6.7  #: inches that the column of a page has
NARROW = 4.7  #: inches that a phone has; what is wider scrolls there
SMALLEST = (
    9  #: pt of type: pages show an inch of a figure in 72 px or more, and so type in as many px or more
)
CHARACTERS, STAMP = 14, 1.05  #: of that type in an inch; inches of SIMULATED

_STYLE = {
    "text.color": INK,
    "axes.edgecolor": "#b9c4c6",
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlecolor": INK,
    "axes.titleweight": "bold",
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "savefig.bbox": "tight",
}


def figure(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Decorate a function that draws and takes ``of``: one style, and the source of ``of`` under the figure; for
    simulated data with SIMULATED in its corner."""
    signature = inspect.signature(draw)

    @functools.wraps(draw)
    def drawn(*args: Any, **options: Any) -> Figure:
        of = provenance_of(signature.bind(*args, **options).arguments["of"])
        with plt.rc_context(_STYLE):
            fig = draw(*args, **options)
            if (least := min(text.get_fontsize() for text in fig.findobj(Text))) < SMALLEST:
                raise StudyError(
                    f"figure {draw.__name__}: type of {least:g} pt cannot be read on a phone; take {SMALLEST} or more"
                )
            for image in (image for ax in fig.axes for image in ax.images):
                refuse(image.get_array(), "into a figure")
            left = STAMP / fig.get_figwidth() if of.simulated else 0.0
            words = textwrap.fill(f"Source: {of.source}", int((1 - left) * fig.get_figwidth() * CHARACTERS))
            fig.text(left, -0.01, words, ha="left", va="top", fontsize=SMALLEST, color="#5d6b6f")
            if of.simulated:  # at the left, where it is seen on a phone before a wide figure is scrolled
                box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": CORAL, "linewidth": 1}
                look = {"ha": "left", "va": "top", "fontsize": SMALLEST, "fontweight": "bold", "color": CORAL}
                fig.text(0.0, -0.01, "SIMULATED", bbox=box, **look)
            plt.close(fig)
        return fig

    return drawn


def in_words(text: str) -> Figure:
    """A figure that says why there is no picture."""
    fig = plt.figure(figsize=(NARROW, 1.0))
    fig.add_axes((0, 0, 1, 1)).axis("off")  # Jupyter shows no figure without axes
    fig.text(0.5, 0.5, textwrap.fill(text, 50), ha="center", va="center", color=GREY)
    return fig


def panels(
    rows: int, columns: int, size: tuple[float, float], pad: tuple[float, float] | None = None, **options: Any
) -> tuple[Figure, np.ndarray]:
    """A figure of bare axes (rows, columns) for pictures; ``pad`` inches beside and above each, or as usual."""
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **options)
    if pad is not None:
        fig.get_layout_engine().set(w_pad=pad[0], h_pad=pad[1], wspace=0, hspace=0)
    for ax in axes.ravel():
        ax.set(xticks=[], yticks=[])
        sns.despine(ax=ax, left=True, bottom=True)
    return fig, axes


def draw_map(ax: Axes, values: np.ndarray, top: float, signed: bool) -> AxesImage:
    """A map (H, W) in colours from 0, or where it is signed from ``-top``, to ``top``."""
    return ax.imshow(values, cmap="RdBu_r" if signed else "magma", vmin=-top if signed else 0, vmax=top)


def draw_arrows(ax: Axes, field: np.ndarray, step: int, colour: str, top: float | None = None) -> None:
    """Arrows on a grid of ``step`` px; a displacement of ``top`` (by default the longest) is 1.6 steps long, one
    shorter than a fifth of it has none."""
    length = np.nan_to_num(np.hypot(*np.moveaxis(field, -1, 0)))
    top = top or float(length.max())
    rows, columns = np.nonzero(length > 0.2 * top)
    if not len(rows):
        return
    u, v = field[rows, columns].T * (1.6 * step / top)
    shape = {"width": 0.008, "headwidth": 3.6, "headlength": 3.8, "headaxislength": 3.4, "minlength": 0}
    x, y = columns * step + step // 2, rows * step + step // 2
    ax.quiver(x, y, u, v, angles="xy", scale_units="xy", scale=1, color=colour, **shape)


def colour_bar(fig: Figure, shown: Any, axes: Any, label: str = "", size: float = 10, **options: Any) -> None:
    """A colour bar without a frame."""
    bar = fig.colorbar(shown, ax=axes, **options)
    bar.set_label(label)
    bar.ax.tick_params(labelsize=size)
    bar.outline.set_visible(False)


def grid_behind(ax: Axes) -> None:
    """Pale lines at the numbers of the horizontal axis."""
    ax.grid(axis="x", color="#e3eaea")
    ax.set_axisbelow(True)


def legend_above(fig: Figure, ncols: int, y: float = 1.0, **options: Any) -> None:
    """A legend over the axes, of ``handles`` or of what has a label."""
    options = {"fontsize": 9, **options}
    fig.legend(loc="lower center", bbox_to_anchor=(0.5, y), ncols=ncols, frameon=False, **options)


def legend_of_labels(fig: Figure, y: float, loc: str) -> None:
    """Which colour is which label."""
    handles = [Patch(color=colour, label=label) for label, colour in LABEL_COLOURS.items()]
    fig.legend(handles=handles, loc=loc, bbox_to_anchor=(0.5, y), ncols=3, frameon=False)


def rows_with_names(ax: Axes, names: Sequence[str]) -> None:
    """An axis of rows from above, one a name."""
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))


def dots(ax: Axes, places: Any, found: tuple[Any, Any, Any], colour: str, label: str, **style: Any) -> None:
    """Values with their intervals, ``found`` = (values, lows, highs), at the rows ``places``."""
    values, lows, highs = found
    ax.hlines(places, lows, highs, color=colour, lw=2.2)
    ax.scatter(values, places, color=colour, zorder=3, label=label, **{"s": 36, **style})


def marks(ax: Axes, values: Any, **look: Any) -> None:
    """A short upright line at the value of every row of an axis."""
    places = np.arange(len(values))
    ax.vlines(values, places - 0.3, places + 0.3, color=INK, zorder=4, **look)
