"""What the measures of activation maps see where the truth is known: true motion, the paper's effect planted or not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pandas as pd

from ethnicmer_lib.evidence.map_groups import CLAIMS, map_differences
from ethnicmer_lib.evidence.regions import PARTS, REGIONS, au_regions, clip_regions, simulated_crops
from ethnicmer_lib.evidence.true_strain import true_strain
from ethnicmer_lib.networks.cells import enlarged
from ethnicmer_lib.networks.maps import Maps, measure_maps
from ethnicmer_lib.paper import rules_of
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.stats.intervals import Estimate, effective_subjects, interval, subject_weights
from ethnicmer_lib.stats.means import bootstrap_mean
from ethnicmer_lib.store import Provenance

#: The cohort that measures are tried on.
TRIED = SimulatorSettings(size="tiny", repeats=2)
OF = Provenance(f"true motion of simulated cohorts (seed {TRIED.seed})", True, "")
_RESAMPLES = 2000
#: How faces move -> components of realism that are left out.
MOTION = {"as recorded": (), "head and lids still": ("head", "lids")}


def measured_truth(strains: pd.DataFrame, settings: SimulatorSettings, side: int) -> pd.DataFrame:
    """:func:`measure_maps` of :func:`true_strain`, as a map of ``side`` cells would show it."""
    size = int((len(strains["strain"].iloc[0]) // 4) ** 0.5)
    arrays = np.frombuffer(b"".join(strains["strain"]), np.float32).reshape(-1, size, size)
    cells = np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in arrays])
    # Strain predicts nothing: every clip counts as recognised.
    table = strains.drop(columns="strain").assign(predicted=strains["label"])
    return measure_maps(
        Maps(enlarged(cells, size), table, side), clip_regions(table, size, simulated_crops(settings))
    )


def planted(size: int, side: int, seed: int = 0, progress: bool = True) -> pd.DataFrame:
    """What Figs 3-4 claim, measured on true strain with the paper's effect in no clip and in every clip of a cohort.

    A row for every claim (``label``, ``measure``, ``subjects``) and :data:`MOTION` of a face; ``none`` and ``planted``
    are B minus A, Estimates over subjects, ``paper`` is the sign that the claim has, ``seen`` whether ``planted`` is
    on that side of zero with its whole interval.  Maps of ``side`` cells.
    """
    rows = []
    for motion, without in MOTION.items():
        found = {}
        for name, effect in (("none", 0.0), ("planted", 1.0)):
            settings = replace(TRIED, action_unit_effect=effect, without=without)
            measured = measured_truth(true_strain(settings, size, progress), settings, side)
            table = map_differences({name: measured}, seed).set_index(["label", "measure"])
            found[name], subjects = table["difference"], measured["subject"].nunique()
        for key, (label, name) in CLAIMS.items():
            both = {effect: one[label, name] for effect, one in found.items()}
            sign = rules_of("activation_maps")[key]["direction"]
            both |= {"paper": "+" if sign > 0 else "-", "seen": both["planted"].side == sign}
            rows.append({"label": label, "measure": name, "motion": motion, "subjects": subjects, **both})
    return pd.DataFrame(rows)


def pointing(size: int, side: int, seed: int = 0, progress: bool = True) -> pd.DataFrame:
    """:func:`pointed` for the true strain of every :data:`MOTION`, as it is and as a map of ``side`` cells."""
    rows = []
    for motion, without in MOTION.items():
        settings = replace(TRIED, action_unit_effect=1.0, without=without)
        strains = true_strain(settings, size, progress)
        rows += [
            {"of": f"true strain, {cells} cells a side", "motion": motion}
            | pointed(measured_truth(strains, settings, cells), seed)
            for cells in (size, side)
        ]
    return pd.DataFrame(rows)


def pointed(measured: pd.DataFrame, seed: int = 0) -> dict[str, Any]:
    """The pointing game (Zhang et al. 2018) by region: is a map densest in the part of the face that moved most?

    ``measured`` has the shares of :func:`measure_maps` and the columns of :func:`part_px`.  Clips of which no part
    moved, and blank maps, are left out.  ``clips`` is how many there are, ``hits`` the share of them where it is,
    ``exchanged`` what is expected when maps are dealt to other clips, ``beyond`` the first minus the second.
    ``mass``, ``mass_exchanged`` and ``mass_beyond`` are the same for the share of a map on the parts that moved half as
    far as the most or further (relevance mass; Arras et al. 2022).  Estimates over subjects.
    """
    point, true, shares, most, subjects = _beside_truth(measured)
    names, counts = np.unique(subjects, return_inverse=True, return_counts=True)[1:]
    weights = subject_weights(len(counts), _RESAMPLES, np.random.default_rng([seed, _RESAMPLES]))[:, names]
    weights /= weights.sum(axis=1, keepdims=True)

    def both(maps: pd.DataFrame, truth: pd.DataFrame) -> list[Estimate]:
        """Of (clips, parts): the mean of what maps have where the truth is, of other clips' truth, and the first minus
        the second."""
        one, other = maps.to_numpy(dtype=float), truth.to_numpy(dtype=float)
        own = weights @ (one * other).sum(axis=1)
        dealt = ((weights @ one) * (weights @ other)).sum(axis=1)
        return [interval(scores, effective_subjects(counts)) for scores in (own, dealt, own - dealt)]

    pointed_at, truth = (pd.get_dummies(one).reindex(columns=[*PARTS], fill_value=0) for one in (point, true))
    hits, mass = both(pointed_at, truth), both(shares, most)
    marks = ("", "_exchanged", "_beyond")
    found = dict(zip(("hits", "exchanged", "beyond"), hits, strict=True))
    found |= dict(zip((f"mass{mark}" for mark in marks), mass, strict=True))
    return {"clips": len(point), **found}


def pointed_apart(one: pd.DataFrame, other: pd.DataFrame, seed: int = 0) -> dict[str, Any]:
    """Hits and mass of :func:`pointed` of some maps minus those of other maps of the same clips, where neither is
    blank: ``clips``, and Estimates over subjects."""
    sides = []
    for measured in (one, other):
        point, true, shares, most, subjects = _beside_truth(measured)
        about = {
            "hits": (point == true).astype(float),
            "mass": (shares * most).sum(axis=1),
            "subject": subjects,
        }
        sides.append(pd.DataFrame(about).set_index(measured["clip_id"].loc[point.index]))
    both = sides[0].merge(sides[1], on="clip_id", suffixes=("", "_other"))
    apart = {name: both[name] - both[f"{name}_other"] for name in ("hits", "mass")}
    found = {name: bootstrap_mean(value, both["subject"], seed=seed) for name, value in apart.items()}
    return {"clips": len(both), **found}


def _beside_truth(
    measured: pd.DataFrame,
) -> tuple[pd.Series, pd.Series, pd.DataFrame, pd.DataFrame, pd.Series]:
    """Of every clip that counts: where its map points, what moved most, the map's shares by part, the parts that moved
    at least half as far, and the subject."""
    cover = {name: float(mask.mean()) for name, mask in au_regions(112).items()}
    regions = {part: [name for name in REGIONS if name.partition("_")[0] == part] for part in PARTS}
    shares = {part: measured[names].sum(axis=1, skipna=False) for part, names in regions.items()}
    shares, moved = (
        pd.DataFrame(shares),
        measured[[f"{part}_px" for part in PARTS]].set_axis([*PARTS], axis=1),
    )
    counted = (moved.max(axis=1) > 0) & shares.notna().all(axis=1)
    shares, moved, subjects = shares[counted], moved[counted], measured.loc[counted, "subject"]
    dense = shares / pd.Series({part: sum(cover[name] for name in names) for part, names in regions.items()})
    point, true = dense.idxmax(axis=1), moved.idxmax(axis=1)
    most = moved.ge(moved.max(axis=1) / 2, axis=0)
    return point, true, shares, most, subjects
