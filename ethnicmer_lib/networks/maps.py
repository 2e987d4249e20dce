"""Where plain ResNet-18 looks (Section IV-C, Figs 3-4): the maps of held-out clips, and what is measured on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError, check_name
from ethnicmer_lib.networks.cells import KEPT, MAPPED, enlarged, map_side
from ethnicmer_lib.networks.folds import COLUMNS, fold_tables, planned
from ethnicmer_lib.networks.recipe import AS_PRINTED, Recipe
from ethnicmer_lib.networks.switches import AS_DESCRIBED
from ethnicmer_lib.networks.training import Fold

#: What clips with a map show: Negative mixes several emotions (Section IV-C).
LABELLED = ("Positive", "Surprise")
SIDED = ("brow", "lid", "cheek", "corner")  #: parts of the face that have a region on either side
#: measure of a map -> what it says; left and right are the subject's
MEASURES: Mapping[str, str] = {
    "corner_sides": "|left - right| / (left + right) at the lip corners (AU12), 0 for two equal sides, 1 for one alone",
    "cheek_sides": "|left - right| / (left + right) on the cheeks (AU6), 0 for two equal sides, 1 for one alone",
    "height": "share on brows and lids (AU1+2+5) minus share on the jaw (AU26), from -1 to 1",
    "area": "share of the image's pixels above half the map's maximum, blank maps apart",
}
TILT = "tilt"  #: mean activation on brows and lids (AU1+2+5) minus that on the jaw (AU26), over the map's own mean


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

    ``layer`` is 'layer2', 'layer3' or 'layer4' of ResNet-18; the rest is as of :func:`train_and_predict`.  Raises
    StudyError also when no such clip is tested, or the layer sees the image as a single cell.

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
    check_name("layer", layer, KEPT)
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


def input_maps(maps: Maps, images: np.ndarray, clips: Any) -> Maps:
    """The strain of the same clips as if it were their maps: its mean in the same cells, enlarged and stretched alike.

    What differs between groups here is in the clips or their framing, whatever a network attends to.  ``images`` are
    (n, 3, S, S), those of ``clips``.
    """
    rows = pd.Index(clips.table["clip_id"]).get_indexer(maps.table["clip_id"])
    cells = [cv2.resize(images[i, 2], (maps.side, maps.side), interpolation=cv2.INTER_AREA) for i in rows]
    return replace(maps, array=enlarged(np.stack(cells), images.shape[-1]))


def measure_maps(maps: Maps, regions: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The table of maps with ``correct``, the share of the activation in every region, the :data:`MEASURES`, and
    :data:`TILT`, which is 0 for an even map, however large the regions are.

    ``regions`` are masks in [0, 1] by name, (S, S) for all maps or (n, S, S): brow, lid, cheek and corner with _left
    and _right, and jaw, as ``evidence.regions`` makes them.  NaN where a map is blank, or has nothing on either side.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> from ethnicmer_lib.evidence.regions import au_regions
    >>> clips = em.released_clips().head(2).assign(predicted="Positive")
    >>> maps = em.networks.maps.Maps(np.ones((2, 9, 9)), clips, side=4)
    >>> em.measure_maps(maps, au_regions(9))["corner_sides"].round(1).tolist()
    [0.0, 0.0]
    """
    values = maps.array.astype(np.float64)
    total = values.sum(axis=(1, 2))
    total[total <= 0] = np.nan
    found = {name: (values * mask).sum(axis=(1, 2)) / total for name, mask in regions.items()}
    left, right = ({part: found[f"{part}_{side}"] for part in SIDED} for side in ("left", "right"))
    both = {part: left[part] + right[part] for part in SIDED}
    for part in ("corner", "cheek"):
        seen = np.where(both[part] > 0, both[part], np.nan)
        found[f"{part}_sides"] = np.abs(left[part] - right[part]) / seen
    found["height"] = both["brow"] + both["lid"] - found["jaw"]
    cover = {name: np.asarray(mask).mean(axis=(-2, -1)) for name, mask in regions.items()}
    found[TILT] = tilt_of(found, cover)
    area = (values > values.max(axis=(1, 2), keepdims=True) / 2).mean(axis=(1, 2))
    found["area"] = np.where(np.isnan(total), np.nan, area)
    return maps.table.assign(correct=maps.table["predicted"] == maps.table["label"], **found)


def tilt_of(share: Mapping[str, Any], cover: Mapping[str, Any]) -> Any:
    """:data:`TILT` of maps from the share of their activation in every region, and how much of the image it covers."""
    above, upper = (
        sum(part[f"{name}_{side}"] for name in ("brow", "lid") for side in ("left", "right"))
        for part in (share, cover)
    )
    return above / upper - share["jaw"] / cover["jaw"]
