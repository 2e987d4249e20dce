"""Where plain ResNet-18 looks (Section IV-C, Figs 3-4): the maps of held-out clips, and what is measured on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.cells import MAPPED, enlarged, map_side
from ethnicmer_lib.networks.folds import COLUMNS, fold_tables, planned
from ethnicmer_lib.networks.recipe import AS_PRINTED, Recipe
from ethnicmer_lib.networks.switches import AS_DESCRIBED
from ethnicmer_lib.networks.training import Fold
from ethnicmer_lib.stats import Estimate, group_difference, holm

#: What clips with a map show: Negative mixes several emotions (Section IV-C).
LABELLED = ("Positive", "Surprise")
#: measure of a map -> what it says
MEASURES: Mapping[str, str] = {
    "asymmetry": "|left - right| / (left + right), 0 for two equal sides, 1 for one side only",
    "left_share": "share of the activation in the left half of the image",
    "lower_share": "share of the activation in the lower half of the image",
    "area": "share of the image's pixels above half the map's maximum",
}


@dataclass(frozen=True, eq=False)
class Maps:
    """One map a clip."""

    array: np.ndarray  #: (n, S, S) float32 in [0, 1]
    table: pd.DataFrame  #: row i for map i: clip_id, subject, database, group, label, predicted
    side: int  #: cells along a side of a map before it was enlarged: what it can tell apart

    def mean(self) -> dict[tuple[str, str], np.ndarray]:
        """Mean map (S, S) of every label and group."""
        rows = self.table.groupby(["label", "group"]).indices
        return {key: self.array[found].mean(axis=0) for key, found in sorted(rows.items())}


def activation_maps(
    images: np.ndarray,
    clips: Any,
    splits: Sequence[Fold],
    recipe: Recipe = AS_PRINTED,
    layer: str = "layer4",
    weights: str = "none",
    seed: int = 0,
    progress: bool = True,
) -> Maps:
    """Maps of the Positive and Surprise clips, each from a plain ResNet-18 that has not seen the clip's subject.

    The target is the predicted class, as released.  The networks are those of :func:`folds.train_and_predict`, trained
    wherever that trains: what was trained for Table V is not trained again.  A fold without such a clip is left out.

    ``layer`` is 'layer3' or 'layer4' of ResNet-18; the rest is as of :func:`train_and_predict`.  Raises StudyError
    also when no such clip is tested, or the layer sees the image as a single cell.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.open_clips("tiny", progress=False)
    >>> images = em.motion_images(clips, method="dis", size=64, progress=False)
    >>> folds, recipe = em.subject_folds(clips.table, 2), em.Recipe(epochs=1)
    >>> maps = em.activation_maps(images, clips, folds, recipe, layer="layer3", progress=False)
    >>> sorted(maps.table["label"].unique())
    ['Positive', 'Surprise']
    """
    side = map_side(layer, images.shape[-1])
    networks = [(MAPPED, AS_DESCRIBED)]
    data, run, tasks = planned(networks, images, None, clips, splits, recipe, [seed], weights)
    wanted = data.table.loc[data.table["label"].isin(LABELLED), "clip_id"]
    tasks = [task for task in tasks if wanted.index.isin(task.fold[1]).any()]
    if not tasks:
        raise StudyError(f"no clip labelled {' or '.join(LABELLED)} is tested in any fold; nothing has a map")
    rows = wanted.to_frame().merge(pd.concat(fold_tables(tasks, data, run, progress)), on="clip_id")
    cells = np.frombuffer(b"".join(rows[f"cells_{layer}"]), np.float32).reshape(-1, side, side)
    return Maps(enlarged(cells, images.shape[-1]), rows[[*COLUMNS, "predicted"]], side)


def measure_maps(maps: Maps) -> pd.DataFrame:
    """The table of maps with ``correct`` and the :data:`MEASURES` of each; NaN where a map is blank.

    Left and lower are the image's; a middle row or column counts half for either side.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.released_clips().head(2).assign(predicted="Positive")
    >>> em.measure_maps(em.networks.maps.Maps(np.ones((2, 9, 9)), clips, side=4))["left_share"].tolist()
    [0.5, 0.5]
    """
    values = maps.array.astype(np.float64)
    size = values.shape[-1]
    # Weight of each row or column in the first half: 1, then 1/2 for a middle one, then 0.
    half = np.clip(size / 2 - np.arange(size), 0, 1)
    total = values.sum(axis=(1, 2))
    total[total <= 0] = np.nan
    left = values.sum(axis=1) @ half / total
    area = (values > values.max(axis=(1, 2), keepdims=True) / 2).mean(axis=(1, 2))
    return maps.table.assign(
        correct=maps.table["predicted"] == maps.table["label"],
        asymmetry=np.abs(2 * left - 1),
        left_share=left,
        lower_share=1 - values.sum(axis=2) @ half / total,
        area=np.where(np.isnan(total), np.nan, area),
    )


#: Key of a claim in ``paper/claims.yml`` -> label and measure of Figs 3-4.
CLAIMS = {
    "map_sides": ("Positive", "asymmetry"),
    "map_size": ("Positive", "area"),
    "map_height": ("Surprise", "lower_share"),
}
PAPER_GROUPS = ("Non-Asian", "Asian")  #: first minus second, as Section IV-C compares them


def map_claims(measured: pd.DataFrame, seed: int = 0) -> tuple[dict[str, str], dict[str, Any]]:
    """The names of the two groups, first and second, and what each claim on Figs 3-4 is judged by.

    ``measured`` is as of :func:`measure_maps`.
    """
    found = sorted(measured["group"].unique())
    # Of simulated groups the second is made like the paper's Non-Asian one: whatever is planted is planted in it.
    first, second = PAPER_GROUPS if set(found) == set(PAPER_GROUPS) else reversed(found)
    tested = holm(group_difference(measured, [*MEASURES], by="label", seed=seed)).set_index(
        ["label", "measure"]
    )
    mean = measured.dropna(subset=[*MEASURES]).groupby(["label", "group"])[[*MEASURES]].mean()
    groups = {"first": first, "second": second}
    claims: dict[str, Any] = {}
    for key, (label, measure) in CLAIMS.items():
        if label not in set(measured["label"]) or np.isnan(tested["p"][label, measure]):
            claims[key] = f"The cohort has {label} maps of fewer than two subjects in {first} or in {second}"
            continue
        value, low, high = tested["difference"][label, measure]
        one = Estimate(value, low, high) if first == found[0] else Estimate(-value, -high, -low)
        words = {f"mean_{name}": mean.loc[(label, group), measure] for name, group in groups.items()}
        words |= {"p_holm": tested["p_holm"][label, measure], "family": tested["p"].count(), "seeds": 1}
        words |= {"meaning": MEASURES[measure].split(",")[0]}
        claims[key] = (one, words)
    return groups, claims
