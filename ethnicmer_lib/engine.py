"""The LOSO engine: one task per variant, seed and fold, in this process or in several, every finished one kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ethnicmer_lib import prediction, training
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.probes import probe_columns
from ethnicmer_lib.runs import Run, atomic
from ethnicmer_lib.switches import AS_DESCRIBED, Switches, taught
from ethnicmer_lib.training import Fold, TrainingSettings

# Below so many image passes (clips × epochs × folds) starting the processes takes longer than they save.
WORTH_PROCESSES = 3000
MOST_PROCESSES = 8  #: each holds its own network and images, some 0.7 GB


@dataclass(frozen=True)
class Data:
    """What all tasks share: the clips table and, row by row, its images."""

    clips: pd.DataFrame
    motion: np.ndarray  #: (n, 3, S, S) float32 optical flow images
    rgb: np.ndarray | None = None  #: (n, 3, S, S) float32 apex frames in [0, 1]


@dataclass(frozen=True)
class Task:
    """One network to train, and the ways in which it then predicts the clips it has not seen.

    Attributes
    ----------
    name : of its table in the run.
    variant : row of Table V.
    settings : the training parameters; ``settings.seed`` is the seed of this repetition.
    number : of the fold.
    fold : (train, test) rows of the clips table; whole subjects.
    arms : (name, switches) of every way of predicting; they differ in the switches of the test alone.
    probes : whether linear probes of the features are added to the rows of the first arm.
    """

    name: str
    variant: str
    settings: TrainingSettings
    number: int
    fold: Fold
    arms: tuple[tuple[str, Switches], ...]
    probes: bool = False

    @property
    def switches(self) -> Switches:
        """The switches of the training."""
        return self.arms[0][1].training

    def __post_init__(self) -> None:
        if len({switches.training for _, switches in self.arms}) != 1:
            raise StudyError(f"task {self.name}: its arms need different trainings; make one task of each")


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
    jobs : processes, one fold each; the predictions do not depend on it.

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

    Every task computes on one thread, here or in another process: the sums of several threads add up in another
    order, and with them predictions would depend on the machine's cores.

    Parameters
    ----------
    jobs : processes; 1 computes here.

    Raises
    ------
    StudyError
        As :func:`predict_folds`.
    """
    check_folds([task.fold for task in tasks], data.clips)
    tables = {task.name: _stored(run, task.name) for task in tasks}
    missing = [task for task in tasks if tables[task.name] is None]
    epochs = sum(task.settings.epochs for task in tasks)
    with tqdm(total=epochs, desc=title, unit="epoch", disable=not progress) as bar:
        bar.update(epochs - sum(task.settings.epochs for task in missing))
        # An epoch at a time can only be told from here; another process tells when it has finished.
        serial = jobs == 1 or len(missing) == 1
        on_epoch = bar.update if serial else None
        for task, table, seconds in _each(missing, data, 1 if serial else jobs, on_epoch):
            tables[task.name] = _keep(run, task.name, table, seconds)
            if not serial:
                bar.update(task.settings.epochs)
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


def compute(task: Task, data: Data, on_epoch: Callable[[], object] | None = None) -> pd.DataFrame:
    """Train the network of a task and predict with it: variant, seed, fold, arm and the columns of
    :func:`prediction.table`, with those of the probes where asked for."""
    train, test = task.fold
    clips = data.clips.iloc[test]
    seed, size = task.settings.seed, task.settings.batch_size
    with _one_thread():
        inputs = training.prepare(task.variant, data.motion, data.rgb, data.clips, task.switches, seed)
        model = training.train_fold(
            task.variant, inputs, train, task.settings, task.number, on_epoch or (lambda: None), task.switches
        )
        said = taught(data.clips, task.switches.context, seed)[test]
        tables = []
        for arm, switches in task.arms:
            outputs = prediction.predict_held_out(
                model, inputs, test, data.clips, size, switches, (seed, task.number)
            )
            tables.append(prediction.table(outputs, clips, said, inputs.context, switches).assign(arm=arm))
        if task.probes:
            both = {
                branch: (known, asked)
                for branch, known, asked in zip(
                    ("emotion", "ethnic"),
                    prediction.features(model, inputs, train, size),
                    prediction.features(model, inputs, test, size),
                    strict=True,
                )
                if known is not None
            }
            tables[0] = tables[0].assign(**probe_columns(both, data.clips.iloc[train], clips))
    table = pd.concat(tables, ignore_index=True)
    for place, (name, value) in enumerate(
        (("variant", task.variant), ("seed", seed), ("fold", task.number), ("arm", table.pop("arm")))
    ):
        table.insert(place, name, value)
    return table


def _each(
    tasks: Sequence[Task], data: Data, jobs: int, on_epoch: Callable[[], object] | None
) -> Iterator[tuple[Task, pd.DataFrame, float]]:
    """Tasks with their tables and seconds, as they finish."""
    pool = joblib.Parallel(jobs, return_as="generator_unordered", batch_size=1)
    yield from pool(joblib.delayed(_timed)(task, data, on_epoch) for task in tasks)


def _timed(task: Task, data: Data, on_epoch: Callable[[], object] | None) -> tuple[Task, pd.DataFrame, float]:
    start = time.perf_counter()
    table = compute(task, data, on_epoch)
    return task, table, time.perf_counter() - start


class _NotThereError(Exception):
    """A table is not in the run."""


def _stored(run: Run, name: str) -> pd.DataFrame | None:
    def absent() -> pd.DataFrame:
        raise _NotThereError

    try:
        return run.table(name, absent)
    except _NotThereError:
        return None


def _keep(run: Run, name: str, table: pd.DataFrame, seconds: float) -> pd.DataFrame:
    """Write a table that another process may have made, with the seconds it took there."""
    kept = run.table(name, lambda: table)
    with atomic(run.path / "seconds.json") as part:
        part.write_text(json.dumps(run.seconds() | {name: round(seconds, 2)}, indent=1))
    return kept


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
