"""Table V recorded: rows or controls trained run after run, on the real clips or on simulated ones of known truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ethnicmer_lib.design import forest_baseline, majority_rule, subject_folds
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.extract import apex_images, motion_images
from ethnicmer_lib.networks.arms import ARMS, VARIANTS, left_out
from ethnicmer_lib.networks.folds import train_and_predict
from ethnicmer_lib.networks.recipe import AS_PRINTED, Recipe
from ethnicmer_lib.networks.switches import AS_DESCRIBED
from ethnicmer_lib.store import record, recording

#: Part of the recording -> its networks.
PARTS = {
    "predictions": VARIANTS[:4],
    "controls": tuple(
        name for name in ARMS if ARMS[name].variant in VARIANTS[:4] and name not in VARIANTS[:3]
    ),
}


def record_table_v(
    clips: Any,
    command: str,
    name: str = "table_v",
    part: Literal["predictions", "controls"] = "predictions",
    arms: Sequence[str] | None = None,
    folds: Literal["loso"] | int = "loso",
    n_seeds: int = 3,
    image_size: int = 56,
    flow_method: str = "micro",
    scaling: str = "robust",
    recipe: Recipe = AS_PRINTED,
    weights: str = "none",
    seed: int = 0,
    n_trees: int = 300,
) -> Path:
    """Train Table V, or its controls, and keep the predictions in ``results/<name>``: clips of one source to a name.

    Runs that are recorded there already, of these clips and under these parameters, are taken from it: with a larger
    ``n_seeds`` those that are missing are trained.

    ``arms`` are by default all of the part that these clips allow; ``command`` is what the reader typed.
    """
    images = motion_images(clips, flow_method, scaling, image_size)
    faces = apex_images(clips, image_size) if clips.has_frames else None
    wanted = list(arms or PARTS[part])
    splits = subject_folds(clips.table, folds, seed=seed)
    seeds = range(seed, seed + n_seeds)
    parameters = {"variants": wanted, "folds": folds, "n_seeds": n_seeds, "image_size": image_size}
    parameters |= {"flow_method": flow_method, "scaling": scaling, "weights": weights, "seed": seed}
    parameters |= {"recipe": asdict(recipe), "switches": asdict(AS_DESCRIBED), "n_trees": n_trees}
    done = _recorded(name, part, clips, parameters)
    done = done[done["seed"].isin(seeds) & ~done["arm"].isin(["forest", "majority"])]
    missing = [one for one in seeds if one not in set(done["seed"])]
    about = (images, faces, clips, splits, recipe)
    networks = [train_and_predict(wanted, *about, seeds=missing, weights=weights)] if missing else []
    forests = [forest_baseline(images, clips.table, splits, one, n_trees) for one in seeds]
    table = pd.concat(
        [done, *networks, *forests, majority_rule(clips.table, splits, seed)], ignore_index=True
    )
    left = left_out(wanted, faces)
    return record(name, {part: table}, clips.provenance, command, parameters, left_out=left)


def _recorded(name: str, part: str, clips: Any, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """What is recorded of a part on these clips, where all parameters but the number of runs are these; else no row."""
    try:
        known = recording(name)
        asked = known.parts[part]["parameters"]
    except (StudyError, KeyError):  # nothing is recorded yet
        return pd.DataFrame(columns=["seed", "arm"])
    same = all(asked.get(key) == value for key, value in parameters.items() if key != "n_seeds")
    table = known.table(part)
    return table if same and known.provenance == clips.provenance else table.iloc[:0]
