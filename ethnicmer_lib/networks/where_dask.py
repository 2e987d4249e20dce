"""Folds on the workers of a running Dask scheduler: a laptop's, a cluster's, or Slurm's through dask-jobqueue."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import distributed
from distributed.scheduler import KilledWorker

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.training import CODE
from ethnicmer_lib.networks.where import Spread, Work, say
from ethnicmer_lib.store import fingerprint

CONNECT = 10  #: seconds until a scheduler that does not answer is an error
#: Packages whose version can change a prediction.
_DECIDING = ("numpy", "pandas", "scikit-learn", "timm", "torch", "torchvision")
# A worker with several threads would train several networks at once in one process, whose random state and
# number of threads are the process's: they take turns.
_TURN = threading.Lock()


@dataclass(frozen=True)
class Dask(Spread):
    """The workers of the scheduler at ``address``.

    Dask itself replaces a lost worker; a new round is for a task that took several workers with it, or data that
    went with the last worker that had them.
    """

    address: str
    lost = (KilledWorker, CancelledError, distributed.client.FutureCancelledError)

    def check(self) -> None:
        """StudyError when no scheduler answers there."""
        self._client().close()

    def one_round(self, work: Work, tasks: Sequence[Any], data: Any) -> Iterator[Any]:
        """As of :class:`Spread`."""
        with closing(self._client()) as client:
            if not client.scheduler_info(n_workers=-1)["workers"]:
                # A queue may take hours, and silence would look like a hang.
                say(
                    f"no worker at {self.address} yet; waiting for the first (Ctrl-C ends this, folds are kept)"
                )
                client.wait_for_workers(1)
            shared = client.scatter(data, broadcast=True, hash=False)
            expected = identity()
            waiting = [client.submit(_on_worker, work, task, shared, expected, pure=False) for task in tasks]
            for future in distributed.as_completed(waiting, loop=client.loop):
                yield future.result()

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
