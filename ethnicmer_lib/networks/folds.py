"""Networks trained fold by fold: one task per network, seed and fold, computed anywhere, every finished one kept."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import where
from ethnicmer_lib.networks.arms import RGB_VARIANTS, left_out, networks
from ethnicmer_lib.networks.fold_task import COLUMNS, Data, Done, Task, Training, predicted, trainings
from ethnicmer_lib.networks.models import EthnicNet, build_network
from ethnicmer_lib.networks.recipe import AS_PRINTED, Recipe
from ethnicmer_lib.networks.switches import AS_DESCRIBED, Switches
from ethnicmer_lib.networks.training import CODE, Fold
from ethnicmer_lib.store import Run, identity, weights_identity

# Below so many pixels that pass a network (pixels x clips x epochs x folds) starting the processes takes longer than
# they save: some 30 s of one core.
WORTH_PROCESSES = 3000 * 56**2


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

    ``arms`` are variants of Table V ('resnet18', 'dual_motion', 'dual_rgb', 'tinyvit') or arms of its controls; it is
    said which of them :func:`arms.left_out` leaves out.  ``images`` are (n, 3, S, S) float32 optical flow, ``faces``
    the apex frames in [0, 1] or None, for row i of ``clips`` (Clips, or a table of them).  ``splits`` are (train, test)
    rows of each fold, whole subjects; a fold's start depends on its place among them.  An arm's own switches are added
    to ``switches``.

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
    nets = {arm.name: (arm.variant, arm.switches(switches)) for arm in networks(arms)}
    for name, why in left_out(arms, faces, switches).items():
        where.say(f"{name} is left out: {why}")
        del nets[name]
    data, run, tasks = planned([*nets.values()], images, faces, clips, splits, recipe, seeds, weights)
    tables = fold_tables(tasks, data, run, progress)
    names = np.repeat([*nets], len(splits) * len(seeds))
    found = pd.concat(tables, keys=names, names=["arm", None]).reset_index("arm").reset_index(drop=True)
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
    all_folds: bool = False,
) -> EthnicNet:
    """The network of fold ``number``, in eval mode: the very one whose predictions :func:`train_and_predict` gives.

    It is kept, and the fold's predictions with it; with ``all_folds`` also the predictions of the other folds, which
    then train beside it.  The arguments are as of :func:`train_and_predict`.

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

    def train() -> np.ndarray:
        others = [one for one in tasks if all_folds and one != task and run.read(one.name) is None]
        jobs = [Training((one,)) for one in (task, *others)]
        for done in _done(jobs, data, keep=jobs[0].name):
            run.write(done.task.tasks[0].name, done.tables[0], done.seconds[0])
            if done.network:
                torch.save(done.network.state_dict(), stream := io.BytesIO())
        return np.frombuffer(stream.getvalue(), np.uint8)

    kept = run.kept(f"{task.name}-network", train, timed=False)  # the time is that of the fold
    state = torch.load(io.BytesIO(kept), "cpu", weights_only=True)
    network = build_network(variant, n_groups=max(2, data.table[AS_DESCRIBED.context].nunique()))
    network.load_state_dict(state, assign=True)  # in the memory format that it predicted in
    return network.eval()


def fold_tables(tasks: Sequence[Task], data: Data, run: Run, progress: bool = False) -> list[pd.DataFrame]:
    """The table of every task, in the order of ``tasks``; finished ones are taken from ``run``.

    Raises StudyError as :func:`train_and_predict` does, and :func:`where.run`.
    """
    tables = {task.name: run.read(task.name) for task in tasks}
    missing = trainings({task.name: task for task in tasks if tables[task.name] is None}.values())
    for one in tqdm(_done(missing, data), "networks", len(missing), unit="fold", disable=not progress):
        for task, table, seconds in zip(one.task.tasks, one.tables, one.seconds, strict=True):
            tables[task.name] = run.write(task.name, table, seconds)
    return [tables[task.name] for task in tasks]


def _done(jobs: Sequence[Training], data: Data, keep: str = "") -> Iterator[Done]:
    """What is done of the trainings, as they finish: in processes where that pays; ``keep`` names one whose network
    comes along."""
    work = partial(predicted, keep=keep) if keep else predicted
    firsts = [job.tasks[0] for job in jobs]
    passes = sum(len(task.fold[0]) * task.recipe.epochs for task in firsts) * data.motion[0, 0].size
    here = (
        len(jobs) == 1 or passes < WORTH_PROCESSES or torch.cuda.is_available()
    )  # processes would share the GPU
    return where.run(where.chosen("serial" if here else "processes"), work, jobs, data)


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

    The run's key is what the tasks share, their names are the rest. ``networks`` are (variant, switches).  StudyError
    when a subject is on both sides of a fold.
    """
    table = getattr(clips, "table", clips).reset_index(drop=True)
    for number, sides in enumerate(splits):
        train, test = (set(table["subject"].iloc[rows]) for rows in sides)
        for subject in sorted(train & test):
            raise StudyError(
                f"fold {number}: subject {subject} is in training and test; split whole subjects"
            )
    seen = str(identity(faces))
    tasks = [
        Task(variant, switches, recipe, weights, seed, i, split, seen if variant in RGB_VARIANTS else "")
        for variant, switches in networks
        for seed in seeds
        for i, split in enumerate(splits)
    ]
    inputs = {"clips": table[COLUMNS], "labels": LABELS, "images": images, "recipe": recipe}
    inputs["weights"] = weights_identity(weights)
    provenance, counts = getattr(clips, "provenance", None), {task.title: len(splits) for task in tasks}
    run = Run.open("networks", code=CODE, inputs=inputs, provenance=provenance, planned=counts)
    return Data(table, images, faces), run, tasks
