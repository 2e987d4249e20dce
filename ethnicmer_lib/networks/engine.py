"""The LOSO engine: one task per variant, seed and fold, computed wherever that is, every finished one kept."""

from __future__ import annotations

from collections.abc import Sequence

import joblib
import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import executors
from ethnicmer_lib.networks.executors import MOST_PROCESSES
from ethnicmer_lib.networks.fold_task import Data, Task, timed
from ethnicmer_lib.networks.switches import AS_DESCRIBED, Switches
from ethnicmer_lib.networks.training import Fold, TrainingSettings
from ethnicmer_lib.store import old_sealed as sealed
from ethnicmer_lib.store.old_runs import Run

# Below so many image passes (clips × epochs × folds) starting the processes takes longer than they save.
WORTH_PROCESSES = 3000


def predict_folds(
    variant: str,
    motion: np.ndarray,
    rgb: np.ndarray | None,
    clips: pd.DataFrame,
    folds: Sequence[Fold],
    settings: TrainingSettings,
    run: Run,
    progress: bool = False,
    switches: Switches = AS_DESCRIBED,
    jobs: int = 1,
) -> pd.DataFrame:
    """Held-out predictions of one variant and seed (Table V), trained anew in every fold.

    A finished fold is kept in ``run`` as ``<variant>-seed<seed>-fold<number>``; a run that was killed
    continues with the next one and ends with the same predictions.

    Parameters
    ----------
    variant : row of Table V.
    motion : (n, 3, S, S) float32 optical flow images, row i for row i of ``clips``.
    rgb : (n, 3, S, S) float32 apex frames in [0, 1]; needed by 'dual_rgb' and 'tinyvit', else unused.
    clips : the clips table.
    folds : (train, test) rows; whole subjects.
    settings : the training parameters; ``settings.seed`` is the seed of this repetition.
    run : where finished folds are kept; its key must tell apart everything above but ``variant`` and the seed.
    switches : how the network is taught and tested.
    jobs : processes, one fold each; ``$ETHNICMER_ENGINE`` (``--engine``) goes before it. The predictions do not
        depend on it.

    Returns
    -------
    One row per fold and test clip: variant, seed, fold, clip_id, subject, database, label, predicted, p_<label>
    (softmax of the fusion logits; of the emotion logits for 'resnet18'), group, taught, predicted_group (the last
    two '' for 'resnet18').

    Raises
    ------
    StudyError
        When images and clips do not match, a subject is on both sides of a fold, RGB is missing, or training
        diverges.
    """
    tasks = fold_tasks(variant, folds, settings, switches)
    title = f"{variant}, seed {settings.seed}"
    tables = predict_tasks(tasks, Data(clips, motion, rgb), run, jobs, progress, title)
    return pd.concat(tables, ignore_index=True).drop(columns="arm")


def fold_tasks(
    variant: str, folds: Sequence[Fold], settings: TrainingSettings, switches: Switches = AS_DESCRIBED
) -> list[Task]:
    """The tasks of one variant and seed, in the order of the folds; their arm is the variant."""
    title = f"{variant}-seed{settings.seed}"
    arms = ((variant, switches),)
    return [
        Task(f"{title}-fold{number:03d}", variant, settings, number, fold, arms)
        for number, fold in enumerate(folds)
    ]


def predict_tasks(
    tasks: Sequence[Task],
    data: Data,
    run: Run,
    jobs: int = 1,
    progress: bool = False,
    title: str = "networks",
) -> list[pd.DataFrame]:
    """The table of every task, in the order of ``tasks``; finished ones are taken from ``run``.

    Every task computes on one thread, here or elsewhere: the sums of several threads add up in another order, and
    with them predictions would depend on the machine's cores.

    Parameters
    ----------
    jobs : processes; 1 computes here.  ``$ETHNICMER_ENGINE`` (``--engine``) goes before it.

    Raises
    ------
    StudyError
        As :func:`predict_folds`; for an unknown engine; when workers are lost again and again.
    """
    check_folds([task.fold for task in tasks], data.clips)
    tables = {task.name: sealed.read(run, task.name) for task in tasks}
    missing = [task for task in tasks if tables[task.name] is None]
    # One fold is not worth a process, but who names an engine gets it.
    executor = executors.chosen(1 if len(missing) <= 1 else jobs)
    epochs = sum(task.settings.epochs for task in tasks)
    with tqdm(total=epochs, desc=title, unit="epoch", disable=not progress) as bar:
        bar.update(epochs - sum(task.settings.epochs for task in missing))
        for done in executor.run(timed, missing, data, bar.update):
            tables[done.task.name] = sealed.write(run, done.task.name, done.table, done.seconds)
            if not executor.tells_epochs:
                bar.update(done.task.settings.epochs)
    return [tables[task.name] for task in tasks]


def processes(images: int) -> int:
    """How many processes are worth it for so many image passes on this machine: 1 on a GPU, which they would share."""
    if images < WORTH_PROCESSES or torch.cuda.is_available():
        return 1
    return min(MOST_PROCESSES, joblib.cpu_count())


def check_folds(folds: Sequence[Fold], clips: pd.DataFrame) -> None:
    """StudyError when there is no fold, one tests nothing, or a subject is on both sides of one."""
    if not len(folds):
        raise StudyError("there are no folds to train; give at least one (train, test) pair")
    subjects = clips["subject"].to_numpy()
    for number, (train, test) in enumerate(folds):
        if not len(test):
            raise StudyError(f"fold {number} tests no clip; leave it out")
        if both := sorted(set(subjects[train]) & set(subjects[test])):
            raise StudyError(
                f"fold {number}: subject {both[0]} is in training and test; split whole subjects"
            )
