"""Where folds are computed: in this process, in several, or on a cluster; the predictions do not depend on it."""

from __future__ import annotations

import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from functools import partial
from typing import Any

import joblib
from tqdm import tqdm

from ethnicmer_lib.errors import StudyError

ENVIRONMENT = "ETHNICMER_ENGINE"
MOST_PROCESSES = 8  #: each holds its own network and images, some 0.7 GB
PAUSE = 2.0  #: seconds for a lost worker to be replaced, before what is left is tried again
PATIENCE = 3  #: so many losses of workers in a row, with no fold finished in between, are too many

#: (task, data) -> what was done, which has its ``task``; importable, so that another process finds it.
#: A task has a ``name`` and pickles.
Work = Callable[[Any, Any], Any]
#: (work, tasks, data) -> what is done of the tasks, until BrokenExecutor or CancelledError says that a process is lost.
Round = Callable[[Work, Sequence[Any], Any], Iterator[Any]]


def engine(name: str) -> Round | None:
    """How 'processes', 'processes:N' or the address of a Dask scheduler compute; None for 'serial', which is here.

    Raises StudyError for anything else, and for a scheduler that does not answer.
    """
    if name == "serial":
        return None
    if found := re.fullmatch(r"processes(?::([1-9]\d{0,2}))?", name):
        return partial(_in_processes, int(found[1] or min(MOST_PROCESSES, joblib.cpu_count())))
    if re.fullmatch(r"(tcp|tls)://(\[[^\]]+\]|[^:/\s]+):\d{1,5}", name):
        from ethnicmer_lib.networks.where_dask import workers_of  # takes seconds to import

        return workers_of(name)
    raise StudyError(
        f"engine {name!r} is unknown; allowed: 'serial', 'processes', 'processes:N' or the address of a Dask "
        "scheduler, tcp://host:port"
    )


def chosen(otherwise: str) -> Round | None:
    """The engine that ``$ETHNICMER_ENGINE`` names (which ``--engine`` sets), or what the study would take otherwise."""
    return engine(os.environ.get(ENVIRONMENT) or otherwise)


def use(name: str | None) -> None:
    """Let everything that this process computes, and those that it starts, use an engine; None: as before.

    Raises StudyError as :func:`engine` does, at once and not after an hour of preparation.
    """
    if name is not None:
        engine(name)
        os.environ[ENVIRONMENT] = name


def run(where: Round | None, work: Work, tasks: Sequence[Any], data: Any) -> Iterator[Any]:
    """What the work on each task returns, as they finish, with an engine of :func:`engine`.

    What was lost with a process is tried again, in rounds.  Raises StudyError when workers are lost again and again,
    and what the work itself raises.
    """
    if where is None:
        yield from (work(task, data) for task in tasks)
        return
    left = {task.name: task for task in tasks}
    idle = 0
    while left:
        before = len(left)
        try:
            for done in where(work, [*left.values()], data):
                del left[done.task.name]
                yield done
        except (BrokenExecutor, CancelledError) as error:
            say(f"a worker was killed ({type(error).__name__}); {len(left)} folds are left and tried again")
            time.sleep(PAUSE)
        idle = idle + 1 if len(left) == before else 0
        if left and idle == PATIENCE:
            raise StudyError(
                f"workers were lost {PATIENCE} times in a row without finishing a fold; {next(iter(left))} is "
                "the first of those left. Most often memory is short: use fewer processes (--engine processes:1) "
                "or a smaller image_size or batch_size. What was finished is kept"
            )


def _in_processes(jobs: int, work: Work, tasks: Sequence[Any], data: Any) -> Iterator[Any]:
    """A round in several processes on this machine, one task each at a time; arrays are mapped, not copied."""
    # joblib replaces a process whose memory has grown, as training makes it do, and warns of a leak.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    pool = joblib.Parallel(jobs, return_as="generator_unordered", batch_size=1)
    return pool(joblib.delayed(work)(task, data) for task in tasks)


def say(text: str) -> None:
    """A line for the reader that does not break a progress bar."""
    tqdm.write(f"note: {text}", file=sys.stderr)
