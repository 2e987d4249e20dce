"""Where folds are computed: in this process, in several, or on a cluster; the predictions do not depend on it."""

from __future__ import annotations

import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import joblib
from tqdm import tqdm

from ethnicmer_lib.errors import StudyError

ENVIRONMENT = "ETHNICMER_ENGINE"
ALLOWED = "'serial', 'processes', 'processes:N' or the address of a Dask scheduler, tcp://host:port"
MOST_PROCESSES = 8  #: each holds its own network and images, some 0.7 GB
PAUSE = 2.0  #: seconds for a lost worker to be replaced, before what is left is tried again
PATIENCE = 3  #: so many losses of workers in a row, with no fold finished in between, are too many

#: (task, data, on_epoch) -> what was done, which has its ``task``; importable, so that another process finds it.
#: A task has a ``name`` and pickles.
Work = Callable[..., Any]
OnEpoch = Callable[[], object]


@dataclass(frozen=True)
class Serial:
    """One task after the other, here."""

    tells_epochs = True  #: whether ``on_epoch`` is called; else only that a task has finished is known

    def check(self) -> None:
        """StudyError when nothing can be computed there: it always can."""

    def run(self, work: Work, tasks: Sequence[Any], data: Any, on_epoch: OnEpoch) -> Iterator[Any]:
        """What the work on each task returns, as they finish, in any order.

        Raises
        ------
        StudyError
            When workers are lost again and again; and what the work itself raises.
        """
        for task in tasks:
            yield work(task, data, on_epoch)


@dataclass(frozen=True)
class Processes(Serial):
    """Several processes on this machine, one task each at a time; arrays are mapped, not copied."""

    jobs: int
    tells_epochs = False

    def run(self, work: Work, tasks: Sequence[Any], data: Any, on_epoch: OnEpoch) -> Iterator[Any]:
        """As of :class:`Serial`; a killed process is replaced."""
        left = {task.name: task for task in tasks}
        # joblib replaces a process whose memory has grown, as training makes it do, and warns of a leak.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        for _ in rounds(left):
            pool = joblib.Parallel(self.jobs, return_as="generator_unordered", batch_size=1)
            try:
                for done in pool(joblib.delayed(work)(task, data) for task in list(left.values())):
                    del left[done.task.name]
                    yield done
            except BrokenProcessPool:  # killed, for example for lack of memory
                say(f"a process was killed; {len(left)} folds are left and tried again in new processes")


def rounds(left: Mapping[str, object]) -> Iterator[None]:
    """One round after the other until nothing is left.

    Raises
    ------
    StudyError
        After ``PATIENCE`` rounds in a row in which nothing was finished.
    """
    idle = 0
    while left:
        before = len(left)
        yield
        idle = idle + 1 if len(left) == before else 0
        if idle == PATIENCE:
            raise StudyError(
                f"workers were lost {PATIENCE} times in a row without finishing a fold; {next(iter(left))} is the "
                "first of those left. Most often memory is short: use fewer processes (--engine processes:1) or a "
                "smaller image_size or batch_size. What was finished is kept"
            )
        if left:
            time.sleep(PAUSE)


def chosen(jobs: int = 1) -> Serial:
    """The engine named by ``$ETHNICMER_ENGINE`` (which ``--engine`` sets), else ``jobs`` processes.

    Raises
    ------
    StudyError
        For an unknown name.
    """
    if name := os.environ.get(ENVIRONMENT):
        return named(name)
    return Serial() if jobs == 1 else Processes(jobs)


def named(name: str) -> Serial:
    """'serial', 'processes', 'processes:N', or the address of a Dask scheduler; StudyError for anything else."""
    if name == "serial":
        return Serial()
    if name == "processes":
        return Processes(min(MOST_PROCESSES, joblib.cpu_count()))
    if found := re.fullmatch(r"processes:([1-9]\d{0,2})", name):
        return Processes(int(found[1]))
    if re.fullmatch(r"(tcp|tls)://(\[[^\]]+\]|[^:/\s]+):\d{1,5}", name):
        from ethnicmer_lib.networks.where_dask import Dask  # takes seconds to import

        return Dask(name)
    raise StudyError(f"engine {name!r} is unknown; allowed: {ALLOWED}")


def use(name: str | None) -> None:
    """Let everything that this process computes, and those that it starts, use an engine; None: as before.

    Raises
    ------
    StudyError
        For an unknown name, or a scheduler that does not answer: at once, not after an hour of preparation.
    """
    if name is not None:
        named(name).check()
        os.environ[ENVIRONMENT] = name


def say(text: str) -> None:
    """A line for the reader that does not break a progress bar."""
    tqdm.write(f"note: {text}", file=sys.stderr)
