"""Networks trained fold by fold: one task per network, seed and fold, computed anywhere, every finished one kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
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
    are computed (``--engine``).

    ``arms`` are variants of Table V ('resnet18', 'dual_motion', 'dual_rgb', 'tinyvit') or arms of its controls; those
    that :func:`arms.left_out` names cannot be trained on these clips, and it is said that they are left out.
    ``images`` are (n, 3, S, S) float32 optical flow, ``faces`` the apex frames in [0, 1] or None, for row i of
    ``clips`` (Clips, or a table of them).  ``splits`` are (train, test) rows of each fold, whole subjects; a fold's
    start depends on its place among them.  ``switches`` are what an arm's own are added to; each of ``seeds`` is one
    repetition.

    Returns one row per arm, seed, fold and test clip: arm, seed, fold, clip_id, subject, database, group, label,
    predicted, p_<label>; what the ethnic branch was ``taught`` and says (``predicted_group``; '' without one); and
    what linear probes read off the features.

    Raises StudyError when images and clips do not match, a subject is on both sides of a fold, or training diverges.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.open_clips("tiny", progress=False)
    >>> images = em.motion_images(clips, method="dis", size=28, progress=False)
    >>> folds = em.subject_folds(clips.table, 2)
    >>> found = em.train_and_predict(["resnet18"], images, None, clips, folds, em.Recipe(epochs=1), progress=False)
    >>> len(found) == len(clips)
    True
    """
    missing = left_out(arms, faces, switches)
    for name, why in missing.items():
        where.say(f"{name} is left out: {why}")
    nets = {
        arm.name: (arm.variant, arm.switches(switches)) for arm in networks(arms) if arm.name not in missing
    }
    data, run, tasks = planned([*nets.values()], images, faces, clips, splits, recipe, seeds, weights)
    tables = fold_tables(tasks, data, run, progress)
    names = [name for name in nets for _ in range(len(splits) * len(seeds))]
    parts = [table.assign(arm=name) for name, table in zip(names, tables, strict=True)]
    found = pd.concat(parts, ignore_index=True)
    found.insert(0, "arm", found.pop("arm"))
    return found.loc[:, ~found.columns.str.startswith("cells_")]


def trained(
    variant: str,
    images: np.ndarray,
    clips: Any,
    splits: Sequence[Fold],
    recipe: Recipe = AS_PRINTED,
    weights: str = "none",
    seed: int = 0,
    number: int = 0,
) -> EthnicNet:
    """The network of fold ``number``, in eval mode: the very one whose predictions :func:`train_and_predict` gives.

    It is kept, and the fold's predictions with it, so that neither is computed twice.  The arguments are as of
    :func:`train_and_predict`.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.open_clips("tiny", progress=False)
    >>> images = em.motion_images(clips, method="dis", size=28, progress=False)
    >>> folds = em.subject_folds(clips.table, 2)
    >>> em.trained("resnet18", images, clips, folds, em.Recipe(epochs=1), number=1).training
    False
    """
    nets = [(variant, AS_DESCRIBED)]
    data, run, tasks = planned(nets, images, None, clips, splits, recipe, [seed], weights)
    task = tasks[number]
    check_folds([task.fold], data.table)

    def train() -> np.ndarray:
        start = time.perf_counter()
        table, network = computed(task, data)
        if run.read(task.name) is None:
            run.write(task.name, table, time.perf_counter() - start)
        return torch.cat([value.cpu().float().ravel() for value in network.state_dict().values()]).numpy()

    flat = torch.from_numpy(np.array(run.kept(f"{task.name}-weights", train)))
    groups = max(2, data.table[AS_DESCRIBED.context].nunique())
    network = build_network(variant, n_groups=groups).to(memory_format=LAYOUT)
    values = list(network.state_dict().values())
    for value, part in zip(values, flat.split([value.numel() for value in values]), strict=True):
        value.copy_(part.view(value.shape))
    return network.eval()


def fold_tables(tasks: Sequence[Task], data: Data, run: Run, progress: bool = False) -> list[pd.DataFrame]:
    """The table of every task, in the order of ``tasks``; finished ones are taken from ``run``.

    Raises StudyError as :func:`train_and_predict`, for an unknown engine, and when workers are lost again and again.
    """
    check_folds([task.fold for task in tasks], data.table)
    tables = {task.name: run.read(task.name) for task in tasks}
    missing = [*{task.name: task for task in tasks if tables[task.name] is None}.values()]
    passes = sum(len(task.fold[0]) * task.recipe.epochs for task in missing)
    # One fold is not worth a process, but who names an engine gets it.
    engine = where.chosen(1 if len(missing) <= 1 else processes(passes))
    finished, epochs = 0, sum(task.recipe.epochs for task in missing)
    with tqdm(total=epochs, desc="networks", unit="epoch", disable=not progress) as bar:
        for done in engine.run(timed, missing, data, bar.update):
            tables[done.task.name] = run.write(done.task.name, done.table, done.seconds)
            finished += done.task.recipe.epochs
            bar.update(finished - bar.n)  # nothing, where every epoch was told
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


def planned(
    networks: Sequence[tuple[str, Switches]],
    images: np.ndarray,
    faces: np.ndarray | None,
    clips: Any,
    splits: Sequence[Fold],
    recipe: Recipe,
    seeds: Sequence[int],
    weights: str,
) -> tuple[Data, Run, list[Task]]:
    """The tasks of every network, for every seed all folds; their data; and the run that keeps their tables.

    The run's key is what the tasks share, their names are the rest. ``networks`` are (variant, switches).
    """
    table = getattr(clips, "table", clips).reset_index(drop=True)
    seen = str(identity(faces))
    tasks = [
        Task(variant, switches, recipe, weights, seed, i, split, seen if variant in RGB_VARIANTS else "")
        for variant, switches in networks
        for seed in seeds
        for i, split in enumerate(splits)
    ]
    inputs = {"clips": table[COLUMNS], "labels": LABELS, "images": images, "recipe": recipe}
    inputs["weights"] = weights_identity(weights)
    run = Run.open(
        "networks",
        code=CODE,
        inputs=inputs,
        provenance=getattr(clips, "provenance", None),
        planned={task.title: len(splits) for task in tasks},
    )
    return Data(table, images, faces), run, tasks
