"""Networks trained fold by fold: one task per network, seed and fold, computed anywhere, every finished one kept."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import where
from ethnicmer_lib.networks.arms import RGB_VARIANTS, left_out, networks
from ethnicmer_lib.networks.fold_task import COLUMNS, Data, Task, computed, timed
from ethnicmer_lib.networks.models import EthnicNet, build_network
from ethnicmer_lib.networks.recipe import AS_PRINTED, Recipe
from ethnicmer_lib.networks.switches import AS_DESCRIBED, Switches
from ethnicmer_lib.networks.training import CODE, LAYOUT, Fold
from ethnicmer_lib.store import Run, identity, weights_identity

# Below so many image passes (clips x epochs x folds) starting the processes takes longer than they save.
WORTH_PROCESSES = 3000


def train_and_predict(
    arms: Sequence[str],
    images: np.ndarray,
    faces: np.ndarray | None,
    clips: Any,
    splits: Sequence[Fold],
    recipe: Recipe = AS_PRINTED,
    switches: Switches = AS_DESCRIBED,
    seeds: Sequence[int] = (0,),
    weights: str = "none",
    progress: bool = True,
) -> pd.DataFrame:
    """Train every arm anew in every fold, and predict the clips that it has not seen.

    Finished folds are kept: a killed run goes on with the next one and ends with the same predictions, wherever they
    are computed (``--engine``).  Arms that differ in the switches of the test alone share their trained networks.

    Parameters
    ----------
    arms : variants of Table V ('resnet18', 'dual_motion', 'dual_rgb', 'tinyvit') or arms of its controls.  Those that
        :func:`arms.left_out` names cannot be trained on these clips; they are left out, and that is said.
    images : (n, 3, S, S) float32 optical flow images.
    faces : (n, 3, S, S) float32 apex frames in [0, 1], or None where there are none.
    clips : Clips, or a table of them: row i for image i.
    splits : (train, test) rows of each fold; whole subjects.  A fold's start depends on its place among them.
    recipe, weights : how networks are trained, and what they start from.
    switches : what an arm's own are added to.
    seeds : one repetition each.

    Returns
    -------
    One row per arm, seed, fold and test clip: arm, seed, fold, clip_id, subject, database, group, label, predicted,
    p_<label>; what the ethnic branch was ``taught`` and says (``predicted_group``; '' without one); and what linear
    probes read off the features.

    Raises
    ------
    StudyError
        When images and clips do not match, a subject is on both sides of a fold, or training diverges.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.open_clips("tiny", progress=False)
    >>> images = em.motion_images(clips, method="dis", size=28, progress=False)
    >>> folds = em.subject_folds(clips.table, 2)
    >>> found = em.train_and_predict(
    ...     ["resnet18"], images, None, clips, folds, em.Recipe(epochs=1), progress=False
    ... )
    >>> len(found) == len(clips)
    True
    """
    missing = left_out(arms, faces, switches)
    for name, why in missing.items():
        where.say(f"{name} is left out: {why}")
    trainings: dict[tuple[str, Switches], dict[Switches, list[str]]] = {}
    chosen = [arm for arm in networks(arms) if arm.name not in missing]
    for arm in chosen:
        way = arm.switches(switches)
        trainings.setdefault((arm.variant, way.training), {}).setdefault(way, []).append(arm.name)
    tasks = [
        task
        for (variant, _), ways in trainings.items()
        for task in tasks_of(variant, tuple(ways), recipe, weights, seeds, splits, faces)
    ]
    data, run = opened(clips, images, faces, recipe, weights, {task.title: len(splits) for task in tasks})
    names = {
        (task.name, number): same
        for task in tasks
        for number, same in enumerate(trainings[task.variant, task.switches].values())
    }
    parts: dict[str, list[pd.DataFrame]] = {arm.name: [] for arm in chosen}
    for task, table in zip(tasks, fold_tables(tasks, data, run, progress), strict=True):
        for number, rows in table.groupby("way"):
            for name in names[task.name, number]:
                parts[name].append(rows.assign(arm=name))
    found = pd.concat([rows for part in parts.values() for rows in part], ignore_index=True)
    first = ["arm", "seed", "fold"]
    return found[[*first, *(c for c in found if c not in (*first, "way") and not c.startswith("cells_"))]]


def trained(
    variant: str,
    images: np.ndarray,
    clips: Any,
    split: Fold,
    recipe: Recipe = AS_PRINTED,
    weights: str = "none",
    seed: int = 0,
    faces: np.ndarray | None = None,
    number: int = 0,
) -> EthnicNet:
    """The network of one fold, in eval mode: the very one whose predictions :func:`train_and_predict` gives.

    It is kept, and the fold's predictions with it, so that neither is computed twice.

    Parameters
    ----------
    split, number : (train, test) rows of the fold, and its place among the folds.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.open_clips("tiny", progress=False)
    >>> images = em.motion_images(clips, method="dis", size=28, progress=False)
    >>> fold = em.subject_folds(clips.table, 2)[0]
    >>> network = em.trained("resnet18", images, clips, fold, em.Recipe(epochs=1))
    >>> network.training
    False
    """
    data, run = opened(clips, images, faces, recipe, weights)
    check_folds([split], data.table)
    folds = [split] * (number + 1)
    task = tasks_of(variant, (AS_DESCRIBED,), recipe, weights, [seed], folds, faces)[number]

    def train() -> np.ndarray:
        start = time.perf_counter()
        table, network = computed(task, data)
        if run.read(task.name) is None:
            run.write(task.name, table, time.perf_counter() - start)
        return torch.cat([value.cpu().float().ravel() for value in network.state_dict().values()]).numpy()

    flat = torch.from_numpy(np.array(run.array(f"{task.name}-weights", train)))
    groups = max(2, data.table[AS_DESCRIBED.context].nunique())
    network = build_network(variant, n_groups=groups).to(memory_format=LAYOUT)
    sizes = [value.numel() for value in network.state_dict().values()]
    for value, part in zip(network.state_dict().values(), flat.split(sizes), strict=True):
        value.copy_(part.view(value.shape))
    return network.eval()


def fold_tables(tasks: Sequence[Task], data: Data, run: Run, progress: bool = False) -> list[pd.DataFrame]:
    """The table of every task, in the order of ``tasks``; finished ones are taken from ``run``.

    Raises
    ------
    StudyError
        As :func:`train_and_predict`; for an unknown engine; when workers are lost again and again.
    """
    check_folds([task.fold for task in tasks], data.table)
    tables = {task.name: run.read(task.name) for task in tasks}
    missing = [task for task in tasks if tables[task.name] is None]
    passes = sum(len(task.fold[0]) * task.recipe.epochs for task in missing)
    # One fold is not worth a process, but who names an engine gets it.
    engine = where.chosen(1 if len(missing) <= 1 else processes(passes))
    epochs = sum(task.recipe.epochs for task in tasks)
    with tqdm(total=epochs, desc="networks", unit="epoch", disable=not progress) as bar:
        bar.update(epochs - sum(task.recipe.epochs for task in missing))
        for done in engine.run(timed, missing, data, bar.update):
            tables[done.task.name] = run.write(done.task.name, done.table, done.seconds)
            if not engine.tells_epochs:
                bar.update(done.task.recipe.epochs)
    return [tables[task.name] for task in tasks]


def processes(passes: int) -> int:
    """How many processes are worth it for so many image passes on this machine: 1 on a GPU, which they would share."""
    if passes < WORTH_PROCESSES or torch.cuda.is_available():
        return 1
    return min(where.MOST_PROCESSES, joblib.cpu_count())


def check_folds(splits: Sequence[Fold], table: pd.DataFrame) -> None:
    """StudyError when there is no fold, one tests nothing, or a subject is on both sides of one."""
    if not len(splits):
        raise StudyError("there are no folds to train; give at least one (train, test) pair")
    subjects = table["subject"].to_numpy()
    for number, (train, test) in enumerate(splits):
        if not len(test):
            raise StudyError(f"fold {number} tests no clip; leave it out")
        if both := sorted(set(subjects[train]) & set(subjects[test])):
            raise StudyError(
                f"fold {number}: subject {both[0]} is in training and test; split whole subjects"
            )


def opened(
    clips: Any,
    images: np.ndarray,
    faces: np.ndarray | None,
    recipe: Recipe,
    weights: str,
    planned: Mapping[str, int] | None = None,
) -> tuple[Data, Run]:
    """The data of all tasks, and the run that keeps their tables: its key is what they share, names are the rest."""
    table = getattr(clips, "table", clips).reset_index(drop=True)
    inputs = {
        "clips": table[COLUMNS],
        "labels": LABELS,
        "images": images,
        "recipe": recipe,
        "weights": weights_identity(weights),
    }
    source = getattr(clips, "provenance", None)
    run = Run.open("networks", code=CODE, inputs=inputs, provenance=source, planned=planned)
    return Data(table, images, faces), run


def tasks_of(
    variant: str,
    ways: tuple[Switches, ...],
    recipe: Recipe,
    weights: str,
    seeds: Sequence[int],
    splits: Sequence[Fold],
    faces: np.ndarray | None = None,
) -> list[Task]:
    """The tasks of one network: for every seed all folds."""
    seen = str(identity(faces)) if variant in RGB_VARIANTS else ""
    return [
        Task(variant, ways, recipe, weights, seed, number, fold, seen)
        for seed in seeds
        for number, fold in enumerate(splits)
    ]
