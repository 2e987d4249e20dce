"""The run store: results on disk under a key of what they depend on, sealed, whole or not there, reused if valid."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from filelock import FileLock

from ethnicmer_lib.store import seals
from ethnicmer_lib.store.identity import digest, fingerprint, identity
from ethnicmer_lib.store.places import atomic, environment, workspace
from ethnicmer_lib.store.provenance import Provenance

Content = TypeVar("Content", pd.DataFrame, np.ndarray)
_USED: dict[Path, Run] = {}


def used_runs() -> list[Run]:
    """The runs that this process has opened, in that order: where the numbers of a page come from."""
    return list(_USED.values())


@dataclass(frozen=True)
class Run:
    """One result folder: ``<workspace>/runs/<step>-<key>``."""

    step: str
    key: str
    path: Path

    @classmethod
    def open(
        cls,
        step: str,
        *,
        code: Sequence[str],
        inputs: Mapping[str, Any],
        provenance: Provenance | None = None,
        planned: Mapping[str, int] | None = None,
    ) -> Run:
        """The run of ``step``: keyed by the identity of its inputs and the code of some rooms.

        Parameters
        ----------
        step : what is computed; the first part of the folder's name.
        code : rooms whose code decides the result.
        inputs : everything else that does, see :func:`identity.identity`.
        provenance, planned : where the clips come from, and title of tables -> how many folds of it there will be.
            Notes for whoever lists runs; no part of the key.
        """
        content = {"inputs": identity(inputs), "code": {room: fingerprint(room) for room in code}}
        key = digest([step, content])
        run = cls(step, key, workspace() / "runs" / f"{step}-{key}")
        run.path.mkdir(parents=True, exist_ok=True)
        if not (run.path / "run.json").exists():
            run._note("run.json", {"step": step, **content, **environment()})
        if provenance or planned:
            known = run.about()
            named = {"source": provenance.source, "simulated": provenance.simulated} if provenance else {}
            new = known | named | {"planned": known["planned"] | dict(planned or {})}
            if new != known:
                run._note("about.json", new)
        _USED[run.path] = run
        return run

    def about(self) -> dict[str, Any]:
        """What the run's folder says of itself: source (''), simulated, planned folds by title of tables."""
        path = self.path / "about.json"
        found = json.loads(path.read_text()) if path.is_file() else {}
        return {"source": "", "simulated": False, "planned": {}} | found

    def table(self, name: str, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """The table ``name``, computed and timed once; one that is damaged or foreign is computed again."""
        return self._kept(name, compute, seals.read_table, seals.write_table)

    def array(self, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """The array ``name``, read-only and mapped from disk, computed once; else as :meth:`table`."""
        return self._kept(name, compute, seals.read_array, seals.write_array)

    def result(self, compute: Callable[[], Content], name: str = "result") -> Content:
        """The one table or array of a run, whichever ``compute`` makes."""
        if (self.path / f"{name}.npy").exists():
            return self.array(name, compute)
        if (self.path / f"{name}.parquet").exists():
            return self.table(name, compute)
        with self._alone(f"{name}-either"):
            made = None if any(self.path.glob(f"{name}.*")) else self._timed_value(name, compute)
            if isinstance(made, np.ndarray):
                return self.array(name, lambda: made)
            if made is not None:
                return self.table(name, lambda: made)
        return self.result(compute, name)  # another process has made it meanwhile

    def read(self, name: str) -> pd.DataFrame | None:
        """The table ``name``, or None where there is no good one."""
        return seals.read_table(self.path, self._owner, name)

    def write(self, name: str, table: pd.DataFrame, seconds: float | None = None) -> pd.DataFrame:
        """Keep a table that was computed elsewhere, with how long that took; returned as it will be read."""
        kept = seals.write_table(self.path, self._owner, name, table)
        if seconds is not None:
            self._note("seconds.json", self.seconds() | {name: round(seconds, 2)})
        return kept

    def drop(self, pattern: str) -> None:
        """Remove parts that are not needed any more, with their seals; ``pattern`` as of ``Path.glob``."""
        for path in self.path.glob(pattern):
            path.unlink(missing_ok=True)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the block's wall-clock seconds to the run's ``seconds.json``.

        What was timed inside the block is part of it and goes; what an earlier, killed process timed stays.
        """
        before, start = self.seconds(), time.perf_counter()
        yield
        self._note("seconds.json", before | {name: round(time.perf_counter() - start, 2)})

    def seconds(self) -> dict[str, float]:
        """Seconds each table or array of this run took when it was computed."""
        path = self.path / "seconds.json"
        return json.loads(path.read_text()) if path.exists() else {}

    @property
    def _owner(self) -> str:
        return f"{self.step}-{self.key}"

    def _kept(self, name: str, compute: Callable[[], Content], read: Callable, write: Callable) -> Content:
        """What a file of the run holds; who finds it missing while another process makes it waits for that one."""
        if (content := read(self.path, self._owner, name)) is not None:
            return content
        with self._alone(name):
            if (content := read(self.path, self._owner, name)) is None:
                content = write(self.path, self._owner, name, self._timed_value(name, compute))
        return content

    def _timed_value(self, name: str, compute: Callable[[], Content]) -> Content:
        with self.timed(name):
            return compute()

    def _alone(self, name: str) -> FileLock:
        locks = workspace() / "locks"  # beside the runs: their folders hold results and nothing else
        locks.mkdir(parents=True, exist_ok=True)
        return FileLock(locks / f"{self.path.name}-{name}.lock")

    def _note(self, name: str, content: Mapping[str, Any]) -> None:
        with atomic(self.path / name) as part:
            part.write_text(json.dumps(content, indent=1, default=str))
