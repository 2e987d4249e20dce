"""Folds on the workers of a running Dask scheduler: a laptop's, a cluster's, or Slurm's through dask-jobqueue."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import distributed
import numpy as np
from distributed.scheduler import KilledWorker

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.training import CODE
from ethnicmer_lib.networks.where import OnEpoch, Serial, Work, rounds, say
from ethnicmer_lib.store import fingerprint

CONNECT = 10  #: seconds until a scheduler that does not answer is an error
LOOK = 20  #: seconds between two looks at whether there is any worker
#: Packages whose version can change a prediction.
_DECIDING = ("numpy", "pandas", "scikit-learn", "timm", "torch", "torchvision")
# A worker with several threads would train several networks at once in one process, whose random state and
# number of threads are the process's: they take turns.
_TURN = threading.Lock()


@dataclass(frozen=True)
class Dask(Serial):
    """The workers of the scheduler at ``address``.

    A worker that is lost is replaced by another one (Dask does that), and where a task took several workers with
    it, or the data went with the last worker that had them, what is left is sent again.
    """

    address: str
    tells_epochs = False

    def check(self) -> None:
        """StudyError when no scheduler answers there."""
        with closing(self._client()):
            pass

    def run(self, work: Work, tasks: Sequence[Any], data: Any, on_epoch: OnEpoch) -> Iterator[Any]:
        """As of :class:`Serial`; lost workers are replaced."""
        left = {task.name: task for task in tasks}
        for _ in rounds(left):
            with closing(self._client()) as client:
                try:
                    for done in _one_round(client, work, list(left.values()), data, self.address):
                        del left[done.task.name]
                        yield done
                except (KilledWorker, CancelledError, distributed.client.FutureCancelledError) as error:
                    say(
                        f"Dask lost workers ({type(error).__name__}); {len(left)} folds are left and sent again"
                    )

    def _client(self) -> distributed.Client:
        try:
            return distributed.Client(self.address, timeout=CONNECT, set_as_default=False)
        # A wrong host, a port where something else listens, another version: each fails in its own way.
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise StudyError(
                f"engine {self.address!r}: no Dask scheduler answers there ({reason}). Start one with "
                f"`dask scheduler` of version {distributed.__version__}, and give the address that it prints"
            ) from error


def identity() -> dict[str, str]:
    """What must be the same on every worker: versions that can change a prediction, and this library's code."""
    return {name: metadata.version(name) for name in _DECIDING} | {"ethnicmer_lib code": fingerprint(*CODE)}


def _one_round(
    client: distributed.Client, work: Work, tasks: Sequence[Any], data: Any, address: str
) -> Iterator[Any]:
    _await_worker(client, address)
    shared = client.scatter(_plain(data), broadcast=True, hash=False)
    expected = identity()
    waiting = {client.submit(_on_worker, work, task, shared, expected, pure=False) for task in tasks}
    while waiting:
        try:
            with client.as_current():
                finished, waiting = distributed.wait(waiting, timeout=LOOK, return_when="FIRST_COMPLETED")
        except TimeoutError:
            _await_worker(client, address)
            continue
        for future in finished:
            try:
                yield future.result()
            except (ModuleNotFoundError, RuntimeError) as error:
                raise _lacking(error, address) from error
            future.release()


def _lacking(error: Exception, address: str) -> Exception:
    """A clear error where a scheduler or worker cannot even read what it is sent; any other as it is."""
    if isinstance(error, ModuleNotFoundError):
        who = f"a worker lacks {error.name}"
    elif "deserialization of the task graph" in str(error):  # Dask's words
        who = "the scheduler cannot read the tasks, it lacks this study or has other versions"
    else:
        return error
    return StudyError(
        f"engine {address!r}: {who}; install this study there, the same requirements.lock and the same commit"
    )


def _await_worker(client: distributed.Client, address: str) -> None:
    """Wait until there is a worker, and say so: a queue may take hours, and silence would look like a hang."""
    if not client.scheduler_info(n_workers=-1)["workers"]:
        say(
            f"the scheduler at {address} has no worker; waiting for the first (Ctrl-C ends this, folds are kept)"
        )
        client.wait_for_workers(1)


def _plain(data: Any) -> Any:
    """The shared data with arrays in memory: a worker elsewhere cannot map a file of this machine."""
    arrays = {
        field.name: np.asarray(value)
        for field in dataclasses.fields(data)
        if isinstance(value := getattr(data, field.name), np.ndarray)
    }
    return dataclasses.replace(data, **arrays)


def _on_worker(work: Work, task: Any, data: Any, expected: dict[str, str]) -> Any:
    with _TURN:
        found = identity()
        if differing := [name for name in expected if found[name] != expected[name]]:
            what = ", ".join(f"{name} {found[name]} (here {expected[name]})" for name in differing)
            raise StudyError(
                f"worker {distributed.get_worker().address} has {what}: its predictions would differ; install the "
                "same requirements.lock and the same commit there"
            )
        return work(task, data)
