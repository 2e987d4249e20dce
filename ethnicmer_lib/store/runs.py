"""The run store: results on disk under a key of what they depend on, sealed, whole or not there, reused if valid."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
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
        """The run of ``step``, keyed by the code of some rooms and the identity of whatever else decides the result.

        ``provenance`` (of the clips) and ``planned`` (title of tables -> how many folds of it there will be) are notes
        for whoever lists runs, and no part of the key.
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
        return {"source": "", "simulated": False, "planned": {}} | self._noted("about.json")

    def seconds(self) -> dict[str, float]:
        """Seconds each table or array of this run took when it was computed."""
        return self._noted("seconds.json")

    def kept(self, name: str, compute: Callable[[], Content], timed: bool = True) -> Content:
        """The table or array ``name``, computed once; an array is read-only and mapped from disk.

        Its time is noted, unless it is part of something else that is timed.  One that is damaged or foreign is
        computed again; who finds it missing while another process makes it waits.
        """
        if (content := self.read(name)) is not None:
            return content
        locks = workspace() / "locks"  # beside the runs: their folders hold results and nothing else
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / f"{self.path.name}-{name}.lock"):
            if (content := self.read(name)) is not None:
                return content
            # What is timed meanwhile is part of this one and goes; what a killed process timed before stays.
            before, start = self.seconds(), time.perf_counter()
            content = compute()
            return self.write(name, content, time.perf_counter() - start if timed else None, before)

    def read(self, name: str) -> pd.DataFrame | np.ndarray | None:
        """The table or array ``name``, or None where there is no good one."""
        return seals.read(self.path, f"{self.step}-{self.key}", name)

    def write(
        self,
        name: str,
        content: Content,
        seconds: float | None = None,
        before: Mapping[str, float] | None = None,
    ) -> Content:
        """Keep what was computed elsewhere, with how long that took if known; returned as it will be read."""
        if seconds is not None:
            known = self.seconds() if before is None else before
            self._note("seconds.json", {**known, name: round(seconds, 2)})
        return seals.write(self.path, f"{self.step}-{self.key}", name, content)

    def _noted(self, name: str) -> dict[str, Any]:
        path = self.path / name
        return json.loads(path.read_text()) if path.is_file() else {}

    def _note(self, name: str, content: Mapping[str, Any]) -> None:
        with atomic(self.path / name) as part:
            part.write_text(json.dumps(content, indent=1, default=str))
