"""Pictures of the activation chapter: one map over its clip's motion, mean maps by label and group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from ethnicmer_lib.show.figures.style import WIDTH, figure


@figure
def map_over_motion(cells: np.ndarray, image: np.ndarray, of: Any) -> Figure:
    """One map over the strain of the clip it is of, beside its three channels.

    Parameters
    ----------
    cells : (S, S) map in [0, 1].
    image : (3, S, S) optical flow image.
    """
    fig, axes = plt.subplots(1, 4, figsize=(WIDTH, WIDTH / 4 + 0.3), layout="constrained")
    for ax, channel, name in zip(axes, image, ("u", "v", "strain"), strict=False):
        top = float(np.abs(channel).max()) or 1.0
        signed = name != "strain"
        ax.imshow(channel, cmap="RdBu_r" if signed else "magma", vmin=-top if signed else 0, vmax=top)
        ax.set_title(name)
    axes[3].imshow(image[2], cmap="gray")
    axes[3].imshow(cells, cmap="inferno", alpha=0.6, vmin=0, vmax=1)
    axes[3].set_title("map over strain")
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        sns.despine(ax=ax, left=True, bottom=True)
    return fig


@figure
def mean_maps(
    maps: Mapping[tuple[str, str], np.ndarray],
    counts: Mapping[tuple[str, str], int],
    background: np.ndarray,
    of: Any,
) -> Figure:
    """Mean class activation map per label (column) and group (row) over a common background.

    Parameters
    ----------
    maps : (label, group) -> (h, w) float32 in [0, 1].
    counts : (label, group) -> number of clips behind the mean.
    background : (H, W) or (H, W, 3) in [0, 1], the same for all panels: a mean over subjects, never one person.
    """
    labels = list(dict.fromkeys(label for label, _ in maps))
    groups = list(dict.fromkeys(group for _, group in maps))
    height, width = background.shape[:2]
    top = max(float(one.max()) for one in maps.values()) or 1.0
    fig, axes = plt.subplots(
        len(groups),
        len(labels),
        figsize=(WIDTH * 0.8, 2.9 * len(groups)),
        squeeze=False,
        layout="constrained",
    )
    for i, group in enumerate(groups):
        for j, label in enumerate(labels):
            ax = axes[i, j]
            ax.imshow(background, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
            if (label, group) in maps:
                shown = ax.imshow(
                    maps[label, group],
                    cmap="inferno",
                    vmin=0,
                    vmax=top,
                    alpha=0.6,
                    interpolation="bilinear",
                    extent=(0, width, height, 0),
                )
            ax.set(xticks=[], yticks=[])
            sns.despine(ax=ax, left=True, bottom=True)
            ax.set_title(f"{label}, {group} ({counts.get((label, group), 0)} clips)")
    bar = fig.colorbar(shown, ax=axes, shrink=0.6, aspect=28)
    bar.set_label("mean activation")
    bar.outline.set_visible(False)
    return fig
