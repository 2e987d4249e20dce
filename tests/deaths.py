"""Work that dies as a killed process does: no exception, no clean-up.  Importable, so that other processes find it."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ethnicmer_lib.errors import StudyError


@dataclass(frozen=True)
class Job:
    """A task without a network."""

    name: str
    number: int = 0


@dataclass(frozen=True)
class Box:
    """Shared data without images."""

    values: np.ndarray = field(default_factory=lambda: np.arange(5.0))


@dataclass(frozen=True)
class Answer:
    task: Job
    value: float
    process: int


def work(task: Job, data: Box) -> Answer:
    """The sum of the shared values, plus the task's number."""
    time.sleep(0.01)
    return Answer(task, float(data.values.sum()) + task.number, os.getpid())


def dies_once(inner, marker: str, task, data):
    """``inner``, but the process of whoever comes first to fold 1 is killed in the middle of it."""
    if getattr(task, "tasks", [task])[0].number == 1:
        try:
            Path(marker).touch(exist_ok=False)
        except FileExistsError:
            return inner(task, data)
        os.kill(os.getpid(), signal.SIGKILL)
    return inner(task, data)


def always_dies(task: Job, data: Box) -> Answer:
    """Fold 1 kills every process that takes it."""
    if task.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return work(task, data)


def refuses(task: Job, data: Box) -> Answer:
    """The reader's mistake, seen by a worker."""
    raise StudyError(f"{task.name}: this clip is wrong")
