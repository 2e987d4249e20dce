"""Pictures of the activation chapter: regions of the face, one map over its clip's motion, mean maps by group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ethnicmer_lib.show.figures import style
from ethnicmer_lib.show.figures.style import CORAL, INK, NARROW, figure
from ethnicmer_lib.store.provenance import provenance_of

FEWEST = 5  #: subjects of whom an average is drawn where they are real; a mean of fewer is nearly a portrait


@figure
def regions(face: np.ndarray, masks: Mapping[str, np.ndarray], of: Any) -> Figure:
    """Outlines of masks (S, S) in [0, 1], by their names, over the face (H, W, 3) in [0, 1] that they cover."""
    height, width = face.shape[:2]
    fig, ax = plt.subplots(figsize=(NARROW, NARROW * height / (1.6 * width)), layout="constrained")
    ax.imshow(face)
    ax.set(xlim=(-0.3 * width, 1.3 * width), ylim=(height, 0))
    ax.axis("off")
    for name, mask in masks.items():
        x, y = ((np.arange(len(mask)) + 0.5) * side / len(mask) for side in (width, height))
        at = mask.sum(axis=0) @ x / mask.sum(), mask.sum(axis=1) @ y / mask.sum()
        ax.contour(x, y, mask, [0.5], colors=[CORAL], linewidths=1.6)
        end = width * (1.02 if at[0] > 0.45 * width else -0.02)
        line = {"arrowprops": {"arrowstyle": "-", "color": INK, "lw": 0.7}, "fontsize": 9, "va": "center"}
        ax.annotate(name, at, (end, at[1]), ha="left" if end > 0 else "right", **line)
    return fig


@figure
def map_over_motion(cells: np.ndarray, image: np.ndarray, of: Any) -> Figure:
    """One map over the strain of the clip it is of, beside its three channels.

    ``cells`` is the (S, S) map in [0, 1], ``image`` the (3, S, S) optical flow image.
    """
    fig, axes = style.panels(2, 2, (NARROW, NARROW + 0.4))
    *channels, over = axes.flat
    for ax, channel, name in zip(channels, image, ("u", "v", "strain"), strict=True):
        style.draw_map(ax, channel, float(np.abs(channel).max()) or 1.0, signed=name != "strain")
        ax.set_title(name)
    over.imshow(image[2], cmap="gray")
    over.imshow(cells, cmap="inferno", alpha=0.6, vmin=0, vmax=1)
    over.set_title("map over strain")
    return fig


@figure
def mean_maps(
    maps: Mapping[tuple[str, str], np.ndarray],
    counts: Mapping[tuple[str, str], int],
    background: np.ndarray,
    of: Any,
) -> Figure:
    """Mean class activation map per label (column) and group (row) over a common background.

    ``maps`` holds (label, group) -> (h, w) float32 in [0, 1], ``counts`` the number of clips behind each;
    ``background``, (H, W) or (H, W, 3) in [0, 1], is the same for all panels: a mean over subjects, never one person.
    Of real clips no mean is drawn, neither map nor background, that fewer than FEWEST of the subjects in ``of`` share.
    """
    table = getattr(of, "table", None)
    if isinstance(table, pd.DataFrame) and not provenance_of(of).simulated:
        subjects, of_group = (table.groupby(by)["subject"].nunique() for by in (["label", "group"], "group"))
        maps = {
            cell: one
            for cell, one in maps.items()
            if subjects.get(cell, of_group.get(cell[1], 0)) >= FEWEST  # a column may be no label
        }
        if not maps:
            return style.in_words(f"These means are of fewer than {FEWEST} subjects and not drawn.")
    labels, groups = (list(dict.fromkeys(names)) for names in zip(*maps, strict=True))
    whole = (0, background.shape[1], background.shape[0], 0)
    top = max(float(one.max()) for one in maps.values()) or 1.0
    fig, axes = style.panels(
        len(groups), len(labels), (NARROW, (NARROW / len(labels) + 0.4) * len(groups) + 0.6)
    )
    over = {"cmap": "inferno", "vmin": 0, "vmax": top, "alpha": 0.6, "interpolation": "bilinear"}
    for row, group in zip(axes, groups, strict=True):
        for ax, label in zip(row, labels, strict=True):
            ax.imshow(background, cmap="gray", vmin=0, vmax=1, extent=whole)
            if (label, group) in maps:
                shown = ax.imshow(maps[label, group], extent=whole, **over)
            ax.set_title(f"{label}\n{group}, {counts.get((label, group), 0)} clips")
    style.colour_bar(fig, shown, axes, "mean activation", location="bottom", shrink=0.6, aspect=28)
    return fig
