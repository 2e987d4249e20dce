"""The activation page: mean maps by label and group, and the measures that replace hand-picked pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from IPython.display import HTML

from ethnicmer_lib.clips.table import Cohort
from ethnicmer_lib.motion.extract import apex_images, motion_images
from ethnicmer_lib.networks.activation import MEASURES, ActivationResult
from ethnicmer_lib.show import tables as notebook
from ethnicmer_lib.show.figures import style as figures

_SIDE = 168  #: px of the background of the maps


def values(result: ActivationResult, cohort: Cohort) -> dict[str, Any]:
    """Figures and texts of the page."""
    p, table = result.parameters, result.table
    background, note = _background(cohort, p)
    correct = table.groupby("label")["correct"].mean()
    blank = int(table[list(MEASURES)].isna().any(axis=1).sum())
    return {
        "training_note": (
            "The network is a ResNet-18 without ethnic context, trained for "
            f"{p.epochs} epoch{'s' * (p.epochs != 1)} at {p.image_size} pixels "
            + ("leaving one subject out." if p.folds == "loso" else f"in {p.folds} folds of whole subjects.")
        ),
        "maps": figures.activation_grid(result.mean_maps(), result.counts(), background, result.provenance),
        "background_note": note,
        "resolution_note": (
            f"The maps come from {p.layer}, where the image is {result.map_side} × {result.map_side} cells; they are "
            "enlarged smoothly, so finer detail than a cell is not in them."
        ),
        "correct_note": (
            "The maps explain the class that the network predicted. It predicted the right one for "
            + " and ".join(f"{share:.0%} of {label}" for label, share in correct.items())
            + " clips; the map of a wrong prediction shows where the evidence for the wrong class was."
            + (f" {blank} maps are blank and have no measures." if blank else "")
        ),
    }


def _background(cohort: Cohort, p: Any) -> tuple[np.ndarray, str]:
    """What the maps are drawn over: a mean over all clips, so that no page shows one person."""
    if cohort.has_frames:
        mean = apex_images(cohort, _SIDE).mean(axis=(0, 1))
        return np.asarray(mean), "the mean of all apex frames"
    strain = motion_images(cohort, p.flow_method, p.normalisation, _SIDE)[:, 2].mean(axis=0)
    return np.asarray(strain / strain.max()), "the mean optical strain of all clips"


def measures(result: ActivationResult) -> HTML:
    """Means of the measures by label and group, with their differences."""
    first, second = result.groups
    rows = result.differences.copy()
    means = result.means.set_index(["label", "measure", "group"])
    for group in result.groups:
        cells = [means.loc[(row.label, row.measure, group)] for row in rows.itertuples()]
        rows[group] = [notebook.with_interval(c["mean"], c["low"], c["high"], 2) for c in cells]
    rows["shown"] = [notebook.with_interval(r.value, r.low, r.high, 2) for r in rows.itertuples()]
    rows["p"] = [f"{value:.3f}" for value in rows["p"]]
    rows["measure"] = rows["measure"].str.replace("_", " ")
    columns = {
        "label": "label",
        "measure": "measure",
        first: first,
        second: second,
        "shown": f"{first} − {second}",
        "p": "p",
    }
    key = "; ".join(f"<em>{name.replace('_', ' ')}</em>: {meaning}" for name, meaning in MEASURES.items())
    return notebook.table(
        rows,
        "Measures of the activation maps, 95 % intervals over subjects, p by permutation of groups.",
        result.provenance,
        columns=columns,
        note=key,
    )
