"""Folds on the workers of a running Dask scheduler: a laptop's, a cluster's, or Slurm's through dask-jobqueue."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import fields, is_dataclass
from functools import cache, partial
from typing import Any

import distributed
from distributed.scheduler import KilledWorker

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.training import CODE
from ethnicmer_lib.networks.where import Round, Work, say
from ethnicmer_lib.store import environment, fingerprint

CONNECT = 10  #: seconds until a scheduler that does not answer is an error
# A worker with several threads would train several networks at once in one process, whose random state and
# number of threads are the process's: they take turns.
_TURN = threading.Lock()


def workers_of(address: str) -> Round:
    """A round on the workers of the scheduler at ``address``; StudyError when none answers there."""
    _client(address).close()
    return partial(_on_workers, address)


@cache  # asked for every task
def identity() -> dict[str, str]:
    """What must be the same on every worker: versions that can change a prediction, and this library's code."""
    return environment()["versions"] | {"ethnicmer_lib code": fingerprint(*CODE)}


def _on_workers(address: str, work: Work, tasks: Sequence[Any], data: Any) -> Iterator[Any]:
    """Dask itself replaces a lost worker; a round ends with a task that took several with it, or with lost data."""
    with _client(address) as client:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            # A queue may take hours, and silence would look like a hang.
            say(f"no worker at {address} yet; waiting for the first (Ctrl-C ends this, folds are kept)")
            client.wait_for_workers(1)
        parts = fields(data) if is_dataclass(data) else ()  # a table
        sent = [part.name for part in parts if getattr(data, part.name) is not None] or ["table"]
        say(f"{address} gets of these clips: {', '.join(sent)}")
        shared = client.scatter(data, broadcast=True, hash=False)
        expected = identity()
        waiting = [client.submit(_turn, work, task, shared, expected, pure=False) for task in tasks]
        try:
            for future in distributed.as_completed(waiting, loop=client.loop):
                yield future.result()
        except KilledWorker as error:
            raise BrokenExecutor from error


def _client(address: str) -> distributed.Client:
    try:
        return distributed.Client(address, timeout=CONNECT, set_as_default=False)
    # A wrong host, a port where something else listens, another version: each fails in its own way.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise StudyError(
            f"engine {address!r}: no Dask scheduler answers there ({reason}). Start one with "
            f"`dask scheduler --host HOST` of version {distributed.__version__} (127.0.0.1 for one machine alone), "
            "and give the address that it prints"
        ) from error


def _turn(work: Work, task: Any, data: Any, expected: dict[str, str]) -> Any:
    """The work on a task, on a worker of the same versions; StudyError on another."""
    with _TURN:
        others = sorted(identity().items() - expected.items())
        if what := ", ".join(f"{name} {found} (here {expected[name]})" for name, found in others):
            raise StudyError(
                f"worker {distributed.get_worker().address} has {what}: its predictions would differ; install the "
                "same requirements.lock and the same commit there"
            )
        return work(task, data)
