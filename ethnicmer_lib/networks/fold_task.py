"""One fold: train the network of a task and predict the clips it has not seen.

The code of this module and of what it imports is part of every run's key.  Where and when tasks are computed is not:
that is ``engine`` and ``executors``, and predictions do not depend on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import prediction, training
from ethnicmer_lib.networks.heap import kept_memory
from ethnicmer_lib.networks.probes import probe_columns
from ethnicmer_lib.networks.switches import Switches, taught
from ethnicmer_lib.networks.training import Fold, TrainingSettings


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


@dataclass(frozen=True)
class Done:
    """A finished task."""

    task: Task
    table: pd.DataFrame  #: as of :func:`compute`
    seconds: float  #: wall clock


def timed(task: Task, data: Data, on_epoch: Callable[[], object] | None = None) -> Done:
    """:func:`compute` with its time."""
    start = time.perf_counter()
    table = compute(task, data, on_epoch)
    return Done(task, table, time.perf_counter() - start)


def compute(task: Task, data: Data, on_epoch: Callable[[], object] | None = None) -> pd.DataFrame:
    """Train the network of a task and predict with it: variant, seed, fold, arm and the columns of
    :func:`prediction.table`, with those of the probes where asked for."""
    train, test = task.fold
    clips = data.clips.iloc[test]
    seed, size = task.settings.seed, task.settings.batch_size
    with _one_thread(), kept_memory():
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


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
