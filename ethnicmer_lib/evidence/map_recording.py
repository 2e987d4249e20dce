"""Activation maps recorded run after run, with what their clips show in the same cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.design import subject_folds
from ethnicmer_lib.evidence.map_runs import LAYERS, mapped
from ethnicmer_lib.motion.extract import motion_images
from ethnicmer_lib.networks import where
from ethnicmer_lib.networks.cells import MAPPED, map_side
from ethnicmer_lib.networks.fold_task import COLUMNS
from ethnicmer_lib.networks.folds import planned
from ethnicmer_lib.networks.maps import LABELLED
from ethnicmer_lib.networks.recipe import AS_PRINTED, Recipe
from ethnicmer_lib.networks.switches import AS_DESCRIBED
from ethnicmer_lib.networks.training import CODE, Fold
from ethnicmer_lib.store import Run, record


def record_maps(
    clips: Any,
    command: str,
    folds: Literal["loso"] | int = "loso",
    n_seeds: int = 5,
    image_size: int = 28,
    flow_method: str = "micro",
    scaling: str = "robust",
    recipe: Recipe = AS_PRINTED,
    weights: str = "none",
    seed: int = 0,
) -> Path:
    """Keep the maps of every held-out Positive and Surprise clip in ``results/maps``, as of :func:`mapped`, and the
    strain in the same cells; finished folds are kept, and an interrupted run goes on with the next."""
    images = motion_images(clips, flow_method, scaling, image_size)
    splits = subject_folds(clips.table, folds, seed=seed)
    maps, spent = kept_maps(clips, images, splits, recipe, range(seed, seed + n_seeds), weights)
    parameters = {
        "folds": folds,
        "n_seeds": n_seeds,
        "image_size": image_size,
        "seed": seed,
        "weights": weights,
    }
    parameters |= {"flow_method": flow_method, "scaling": scaling, "layers": LAYERS}
    parameters |= {"recipe": asdict(recipe), "switches": asdict(AS_DESCRIBED)}
    shown = clips.table["label"].isin(LABELLED)
    tables = {"maps": maps, "strain": strain_cells(images, clips.table, np.flatnonzero(shown))}
    tables["mean_strain"] = pd.DataFrame({"cells": [images[:, 2].mean(axis=0).tobytes()]})
    return record("maps", tables, clips.provenance, command, parameters, seconds=round(spent))


def kept_maps(
    clips: Any,
    images: np.ndarray,
    splits: Sequence[Fold],
    recipe: Recipe = AS_PRINTED,
    seeds: Sequence[int] = (0,),
    weights: str = "none",
    checks: bool = True,
) -> tuple[pd.DataFrame, float]:
    """The maps of every fold and run, as of :func:`mapped`, and the seconds that they took; finished folds are kept.

    ``clips`` (Clips, or a table of them), ``images`` and ``splits`` are as of ``networks.train_and_predict``.
    """
    networks = [(MAPPED, AS_DESCRIBED)]
    data, _, tasks = planned(networks, images, None, clips, splits, recipe, seeds, weights)
    shown = data.table["label"].isin(LABELLED).to_numpy()
    tasks = [task for task in tasks if shown[task.fold[1]].any()]
    inputs = {"clips": data.table[COLUMNS], "images": images, "recipe": recipe, "weights": weights}
    inputs |= {} if checks else {"checks": checks}
    run = Run.open(
        "maps",
        code=(*CODE, "evidence/map_runs"),
        inputs=inputs,
        provenance=getattr(clips, "provenance", None),
    )
    missing = [task for task in tasks if run.read(task.name) is None]
    done = where.run(where.chosen("processes"), partial(mapped, checks=checks), missing, data)
    for one in tqdm(done, "folds", len(missing)):
        run.write(one.task.name, one.table, one.seconds)
    seconds = run.seconds()
    maps = pd.concat([run.read(task.name) for task in tasks], ignore_index=True)
    return maps, sum(seconds[task.name] for task in tasks)


def strain_cells(images: np.ndarray, table: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """The strain of some clips, averaged in the cells of the maps of every layer: ``cells_<layer>``, as of maps."""
    found = {}
    for layer in LAYERS:
        side = map_side(layer, images.shape[-1])
        cells = [cv2.resize(images[i, 2], (side, side), interpolation=cv2.INTER_AREA) for i in rows]
        found[f"cells_{layer}"] = [one.tobytes() for one in cells]
    return table[COLUMNS].iloc[rows].reset_index(drop=True).assign(**found)
