"""Recorded maps: the measures of Figs 3-4 on them, and whether a map can be believed.

Beside the maps of trained networks stand those of networks that cannot know (Adebayo et al. 2018) and the strain that
both were given, in the same cells.  The tables are those of ``results/maps``, as ``evidence.map_recording`` makes them.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
from scipy.ndimage import shift
from scipy.stats import rankdata

from ethnicmer_lib.evidence.map_groups import CLAIMS, map_differences, tilts
from ethnicmer_lib.evidence.map_runs import LAYERS, SHUFFLED, STAGES, TRAINED
from ethnicmer_lib.evidence.regions import PUBLISHED, clip_regions
from ethnicmer_lib.networks.cells import enlarged
from ethnicmer_lib.networks.fold_task import COLUMNS
from ethnicmer_lib.networks.maps import TILT, Maps, measure_maps
from ethnicmer_lib.stats.means import bootstrap_mean
from ethnicmer_lib.store import Recording

STRAIN = "input"
GRADIENT, OCCLUSION = "gradient", "occlusion"
#: What chooses a quarter of the image, as of ``map_runs.drops`` -> its name in tables.
QUARTERS = {
    "map": "its map's",
    "random": "any",
    "strain": "most strain",
    "shuffled": "by a network of shuffled labels",
    "new": "by a network of new weights",
}
ADDED = "what the labels add: another run minus shuffled"  #: row of :func:`likeness`


def recorded(real: Recording, arm: str, layer: str) -> Maps:
    """The maps of an arm at a layer, or its input 'gradient' or 'occlusion', or the 'input': the strain of the clips in
    these cells.

    A clip has a map for every training run, ``seed`` in the table; the input has one.
    """
    size = real.parameters["image_size"]
    rows = real.table("maps").query("arm == @arm")
    if arm == STRAIN:
        rows = real.table("strain").assign(predicted=lambda table: table["label"])
    cells = _cells(rows, layer)
    names = [name for name in (*COLUMNS, "predicted", "seed") if name in rows]
    return Maps(enlarged(cells, size), rows[names].reset_index(drop=True), cells.shape[-1])


def _cells(rows: pd.DataFrame, layer: str) -> np.ndarray:
    """(n, side, side) float32 cells of recorded rows: of a layer, of the input gradient, or of occlusion."""
    column, kind = (
        f"cells_{layer}" if layer in LAYERS else layer,
        np.float16 if layer == GRADIENT else np.float32,
    )
    values = np.frombuffer(b"".join(rows[column]), kind).reshape(len(rows), -1).astype(np.float32)
    side = int(values.shape[1] ** 0.5)
    return values.reshape(-1, side, side)


def measured(real: Recording, arm: str, layer: str) -> pd.DataFrame:
    """:func:`measure_maps` of :func:`recorded`, in the crop of the published flow."""
    return _measured(recorded(real, arm, layer))


def _measured(maps: Maps) -> pd.DataFrame:
    crops = dict.fromkeys(maps.table["database"], PUBLISHED)
    return measure_maps(maps, clip_regions(maps.table, maps.array.shape[-1], crops))


def readings(real: Recording, layer: str, within: str = "SAMM", seed: int = 0) -> pd.DataFrame:
    """The claims' measures read in other ways: of the clips that were recognised, within the one database that holds
    both groups, moved to where the network centres the cells, and at every layer.  A row a reading; a column for every
    difference, first minus second group, and for the tilt of either group; Estimates, without a test.
    """
    judged = recorded(real, TRAINED, layer)
    off = (
        judged.array.shape[-1] / judged.side - 1
    ) / 2  # a cell is drawn that far below and right of its centre
    moved = shift(judged.array, (0, -off, -off), order=1, mode="nearest")
    tables = {f"{layer}, all clips": _measured(judged)}
    table = tables[f"{layer}, all clips"]
    tables[f"{layer}, recognised"] = table[table["correct"]]
    tables[f"{layer}, {within} alone"] = table[table["database"] == within]
    tables[f"{layer}, moved by {off:g} px"] = _measured(replace(judged, array=moved))
    others = [one for one in (*LAYERS, GRADIENT, OCCLUSION) if one != layer]
    names = {GRADIENT: "input gradient"}
    tables |= {names.get(one, one): measured(real, TRAINED, one) for one in others}
    found = {}
    for name, table in tables.items():
        rows = map_differences({name: table}, seed).set_index(["label", "measure"])["difference"]
        found[name] = {
            f"{measure}, {label}": rows.get((label, measure)) for label, measure in CLAIMS.values()
        }
        leans = tilts({name: table}, seed).set_index("group")[TILT]
        found[name] |= {f"{TILT}, {group}": value for group, value in leans.items()}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("maps of")


def likeness(real: Recording, layer: str) -> dict[str, np.ndarray]:
    """Spearman's correlation of every trained network's map of every clip with others, (runs, clips) by what is other.

    Where several others are meant, it is their mean; 0 where one of the two is blank.
    """
    arms = dict(list(real.table("maps").groupby("arm")))
    ranks = {arm: _ranks(rows, layer) for arm, rows in arms.items()}
    ours, theirs = ranks[TRAINED], ranks[SHUFFLED]
    runs, clips, _ = ours.shape
    others = {
        "the same clip, another run": (ours.sum(0) - ours) / (runs - 1),
        "another clip": (ours.sum(1, keepdims=True) - ours) / (clips - 1),
        "labels shuffled, another run": (theirs.sum(0) - theirs) / (runs - 1),
        "labels shuffled, the same start": theirs,
        **{f"new weights down to {stage}": ranks[f"random from {stage}"] for stage in STAGES},
        "its own input gradient": _ranks(arms[TRAINED], layer, GRADIENT),
        "its own occlusion": _ranks(arms[TRAINED], layer, OCCLUSION),
        "strain of the clip": _ranks(real.table("strain").assign(seed=0), layer),
    }
    found = {name: (ours * other).sum(-1) for name, other in others.items()}
    of_labels = found["the same clip, another run"] - found["labels shuffled, another run"]
    return found | {ADDED: of_labels}


def _ranks(rows: pd.DataFrame, layer: str, of: str | None = None) -> np.ndarray:
    """(runs, clips, cells) ranks of the cells of maps, or of what else a network says of its input averaged in these
    cells, of mean 0 and length 1; all 0 where a map is blank."""
    rows = rows.sort_values(["seed", "clip_id"])
    cells = _cells(rows, layer)
    if of:
        shape = cells.shape[1:]
        cells = np.stack([cv2.resize(one, shape, interpolation=cv2.INTER_AREA) for one in _cells(rows, of)])
    cells = cells.reshape(rows["seed"].nunique(), rows["clip_id"].nunique(), -1)
    ranks = rankdata(cells, axis=-1) - (cells.shape[-1] + 1) / 2
    length = np.sqrt((ranks**2).sum(-1, keepdims=True))
    return ranks / np.where(length > 0, length, 1)


def likeness_table(real: Recording, seed: int = 0) -> pd.DataFrame:
    """Mean over clips of :func:`likeness` at every layer, Estimates over subjects and runs."""
    subjects = real.table("strain").sort_values("clip_id")["subject"]
    found = {
        layer: {name: bootstrap_mean(r, subjects, seed=seed) for name, r in likeness(real, layer).items()}
        for layer in LAYERS
    }
    return pd.DataFrame(found).rename_axis("trained map beside that of")


def deletion_table(real: Recording, way: str = "drop", seed: int = 0) -> pd.DataFrame:
    """How far the probability of the predicted class falls when a quarter of the image shows no motion ('drop'), or
    when nothing else shows any ('alone'), at every layer (columns).

    A row for everything that may choose the quarter (:data:`QUARTERS`), and for the map's minus every other's.
    Estimates over subjects and runs; a blank map, which chooses no place, counts as choosing any.
    """
    rows = real.table("maps").query("arm == @TRAINED").sort_values(["seed", "clip_id"])
    runs = rows["seed"].nunique()
    subjects = rows["subject"].to_numpy()[: len(rows) // runs]
    found = {}
    for layer in LAYERS:
        fell = {name: rows[f"{way}_{by}_{layer}"] for by, name in QUARTERS.items()}
        fell = {name: one.fillna(fell[QUARTERS["random"]]) for name, one in fell.items()}
        own = fell[QUARTERS["map"]]
        fell |= {f"map - {by}": own - fell[name] for by, name in QUARTERS.items() if by != "map"}
        found[layer] = {
            name: bootstrap_mean(one.to_numpy().reshape(runs, -1), subjects, seed=seed)
            for name, one in fell.items()
        }
    return pd.DataFrame(found).rename_axis("quarter")
