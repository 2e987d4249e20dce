"""Table V recorded: rows or controls trained run after run, on the real clips or on simulated ones of known truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ethnicmer_lib.design import forest_baseline, majority_rule, subject_folds
from ethnicmer_lib.motion.extract import apex_images, motion_images
from ethnicmer_lib.networks.arms import ARMS, VARIANTS, left_out
from ethnicmer_lib.networks.fold_task import fold_name
from ethnicmer_lib.networks.folds import train_and_predict
from ethnicmer_lib.networks.recipe import AS_PRINTED, Recipe
from ethnicmer_lib.networks.switches import AS_DESCRIBED
from ethnicmer_lib.store import record, recorded_before, used_runs

#: Part of the recording -> its networks: rows of Table V; what the second branch is taught; what the release changes.
#: The last part needs images of more than 32 px, as a subject with one clip is normalised by itself there.
PARTS = {
    "predictions": VARIANTS[:4],
    "controls": ("plain", "dual", "no_ethnic_loss", "shuffled", "database"),
    "released": (
        *("plain", "dual", "shared", "batch_norm", "saved_after", "imagenet"),
        *("plain_released", "dual_released", "tinyvit", "tinyvit_batch_norm"),
    ),
}


def record_table_v(
    clips: Any,
    command: str,
    name: str = "table_v",
    part: Literal["predictions", "controls", "released"] = "predictions",
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

    Runs that are recorded there already, of these clips and under these parameters, stay: of ``arms`` and ``n_seeds``
    only what is missing is trained.

    ``arms`` are by default all of the part that these clips allow; ``command`` is what the reader typed.
    """
    images = motion_images(clips, flow_method, scaling, image_size)
    faces = apex_images(clips, image_size) if clips.has_frames else None
    wanted = list(arms or PARTS[part])
    left = left_out(wanted, faces)
    splits = subject_folds(clips.table, folds, seed=seed)
    seeds = range(seed, seed + n_seeds)
    wanted = [arm for arm in wanted if arm not in left]
    parameters = {"folds": folds, "image_size": image_size}
    parameters |= {"flow_method": flow_method, "scaling": scaling, "weights": weights, "seed": seed}
    parameters |= {"recipe": asdict(recipe), "switches": asdict(AS_DESCRIBED), "n_trees": n_trees}
    done, seconds = recorded_before(name, part, clips.provenance, parameters)
    done = pd.DataFrame(columns=["seed", "arm"]) if done is None else done
    done = done[done["arm"].isin([arm for arm, net in ARMS.items() if net.variant in VARIANTS])]
    known, networks = set(zip(done["arm"], done["seed"], strict=True)), []
    missing = {one: [arm for arm in wanted if (arm, one) not in known] for one in seeds}
    for one, new in missing.items():
        if new:
            about = (images, faces, clips, splits, recipe)
            networks.append(train_and_predict(new, *about, seeds=[one], weights=weights))
    cuts = [fold_name(number, fold) for number, fold in enumerate(splits)]
    trained = {f"seed{one}-{cut}" for one, new in missing.items() if new for cut in cuts}
    spent = [entry for run in used_runs() for entry in run.seconds().items()]
    seconds += sum(time for fold, time in spent if fold.split("-", 2)[-1] in trained)
    table = pd.concat([done, *networks], ignore_index=True)
    parameters |= {"variants": [arm for arm in ARMS if arm in set(table["arm"])]}
    parameters |= {"n_seeds": table["seed"].nunique()}
    forests = [
        forest_baseline(images, clips.table, splits, one, n_trees) for one in sorted(set(table["seed"]))
    ]
    table = pd.concat([table, *forests, majority_rule(clips.table, splits, seed)], ignore_index=True)
    more = {"left_out": left, "seconds": round(seconds)}
    return record(name, {part: table}, clips.provenance, command, parameters, **more)
