"""Evidence for the default image size, recorded: macro F1 against size and cost on the published flow features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ethnicmer_lib.design import subject_folds
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.extract import motion_images
from ethnicmer_lib.networks.folds import planned, train_and_predict
from ethnicmer_lib.networks.recipe import AS_PRINTED, Recipe
from ethnicmer_lib.networks.switches import AS_DESCRIBED
from ethnicmer_lib.stats import MACRO, difference, scores
from ethnicmer_lib.store import record

SIZES = (28, 56, 112, 224)  #: px; the published features have 28
VARIANT = "resnet18"


def size_table(predictions: pd.DataFrame, seconds: pd.DataFrame) -> pd.DataFrame:
    """What a size gives and costs.

    Arms of ``predictions`` are sizes in px, as text; ``seconds`` has arm, seed, fold, seconds on one core.  One row a
    size: size, macro (an Estimate), change (against the largest, paired; None there), minutes (of one core, all folds),
    share (of the largest one's minutes).
    """
    sizes = sorted(predictions["arm"].unique(), key=int)
    changes = difference(predictions, [(size, sizes[-1]) for size in sizes[:-1]]).set_index("a")["difference"]
    minutes = seconds.groupby("arm")["seconds"].sum() / 60
    macro = scores(predictions, interval=True)[MACRO]
    rows = [
        (int(size), macro[size], changes.get(size), minutes[size], minutes[size] / minutes[sizes[-1]])
        for size in sizes
    ]
    return pd.DataFrame(rows, columns=["size", "macro", "change", "minutes", "share"])


def record_image_size(
    clips: Any,
    command: str,
    sizes: Sequence[int] = SIZES,
    folds: Literal["loso"] | int = 10,
    n_seeds: int = 1,
    recipe: Recipe = AS_PRINTED,
    seed: int = 0,
) -> Path:
    """Train plain ResNet-18 at every size under the same folds and seeds, and keep it in ``results/image_size``."""
    if len(set(sizes)) < 2:
        raise StudyError(f"sizes={list(sizes)}: give at least two, for example 28 and 112")
    splits = subject_folds(clips.table, folds, seed=seed)
    seeds = range(seed, seed + n_seeds)
    predictions, seconds = [], []
    for size in sorted(set(sizes)):
        images = motion_images(clips, size=size)
        found = train_and_predict([VARIANT], images, None, clips, splits, recipe, seeds=seeds)
        predictions.append(found.assign(arm=str(size)))
        networks = [(VARIANT, AS_DESCRIBED)]
        _, run, tasks = planned(networks, images, None, clips, splits, recipe, seeds, "none")
        spent = run.seconds()
        seconds += [
            {"arm": str(size), "seed": task.seed, "fold": task.number, "seconds": spent[task.name]}
            for task in tasks
        ]
    tables = {"predictions": pd.concat(predictions, ignore_index=True), "seconds": pd.DataFrame(seconds)}
    parameters = {"sizes": list(sizes), "folds": folds, "n_seeds": n_seeds, "seed": seed}
    return record("image_size", tables, clips.provenance, command, parameters | {"recipe": asdict(recipe)})
