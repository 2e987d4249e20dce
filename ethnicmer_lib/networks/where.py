"""Where folds are computed: in this process, in several, or on a cluster; the predictions do not depend on it."""

from __future__ import annotations

import os
import re
import sys
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, ClassVar

import joblib
from tqdm import tqdm

from ethnicmer_lib.errors import StudyError

ENVIRONMENT = "ETHNICMER_ENGINE"
MOST_PROCESSES = 8  #: each holds its own network and images, some 0.7 GB
PAUSE = 2.0  #: seconds for a lost worker to be replaced, before what is left is tried again
PATIENCE = 3  #: so many losses of workers in a row, with no fold finished in between, are too many

#: (task, data, on_epoch) -> what was done, which has its ``task``; importable, so that another process finds it.
#: A task has a ``name`` and pickles.
Work = Callable[..., Any]


@dataclass(frozen=True)
class Serial:
    """One task after the other, here."""

    def check(self) -> None:
        """StudyError when nothing can be computed there: it always can."""

    def run(
        self, work: Work, tasks: Sequence[Any], data: Any, on_epoch: Callable[[], object]
    ) -> Iterator[Any]:
        """What the work on each task returns, as they finish; ``on_epoch`` is called here alone.

        Raises StudyError when workers are lost again and again, and what the work itself raises.
        """
        for task in tasks:
            yield work(task, data, on_epoch)


class Spread(Serial, ABC):
    """Tasks in other processes; what was lost with one of them is tried again, in rounds."""

    lost: ClassVar[tuple[type[Exception], ...]]  #: what says that a process was lost

    @abstractmethod
    def one_round(self, work: Work, tasks: Sequence[Any], data: Any) -> Iterator[Any]:
        """What is done of the tasks until a process is lost."""

    def run(
        self, work: Work, tasks: Sequence[Any], data: Any, on_epoch: Callable[[], object]
    ) -> Iterator[Any]:
        """As of :class:`Serial`, without epochs."""
        left = {task.name: task for task in tasks}
        idle = 0
        while left:
            before = len(left)
            try:
                for done in self.one_round(work, list(left.values()), data):
                    del left[done.task.name]
                    yield done
            except self.lost as error:
                say(
                    f"a worker was killed ({type(error).__name__}); {len(left)} folds are left and tried again"
                )
                time.sleep(PAUSE)
            idle = idle + 1 if len(left) == before else 0
            if left and idle == PATIENCE:
                raise StudyError(
                    f"workers were lost {PATIENCE} times in a row without finishing a fold; {next(iter(left))} is "
                    "the first of those left. Most often memory is short: use fewer processes (--engine processes:1) "
                    "or a smaller image_size or batch_size. What was finished is kept"
                )


@dataclass(frozen=True)
class Processes(Spread):
    """Several processes on this machine, one task each at a time; arrays are mapped, not copied."""

    jobs: int
    lost = (BrokenProcessPool,)  # killed, for example for lack of memory

    def one_round(self, work: Work, tasks: Sequence[Any], data: Any) -> Iterator[Any]:
        """As of :class:`Spread`."""
        # joblib replaces a process whose memory has grown, as training makes it do, and warns of a leak.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        pool = joblib.Parallel(self.jobs, return_as="generator_unordered", batch_size=1)
        yield from pool(joblib.delayed(work)(task, data) for task in tasks)


def chosen(jobs: int = 1) -> Serial:
    """The engine named by ``$ETHNICMER_ENGINE`` (which ``--engine`` sets), else ``jobs`` processes."""
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
    raise StudyError(
        f"engine {name!r} is unknown; allowed: 'serial', 'processes', 'processes:N' or the address of a Dask "
        "scheduler, tcp://host:port"
    )


def use(name: str | None) -> None:
    """Let everything that this process computes, and those that it starts, use an engine; None: as before.

    Raises StudyError at once, not after an hour of preparation, for an unknown name or a silent scheduler.
    """
    if name is not None:
        named(name).check()
        os.environ[ENVIRONMENT] = name


def say(text: str) -> None:
    """A line for the reader that does not break a progress bar."""
    tqdm.write(f"note: {text}", file=sys.stderr)
