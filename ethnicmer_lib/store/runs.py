"""The run store: results on disk under a key of what they depend on, sealed, whole or not there, reused if valid."""

from __future__ import annotations

import functools
import inspect
import json
import re
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store.identity import digest, file_digest, fingerprint, identity, weights_identity
from ethnicmer_lib.store.places import atomic, environment, lock, workspace
from ethnicmer_lib.store.provenance import Provenance

Content = TypeVar("Content", pd.DataFrame, np.ndarray)
Slow = TypeVar("Slow", bound=Callable[..., pd.DataFrame | np.ndarray])
_READ = {".npy": functools.partial(np.load, mmap_mode="r"), ".parquet": pd.read_parquet}
_USED: dict[Path, Run] = {}
#: What a note holds at least.
_NOTED = {*["inputs", "code", "source", "simulated", "planned", "library", "time"]}
_TIME = re.compile(r"\d+\.\d\d")


def used_runs() -> list[Run]:
    """The runs that this process has opened, in that order: where the numbers of a page come from."""
    return list(_USED.values())


@dataclass(frozen=True)
class Run:
    """One result folder, ``<workspace>/runs/<step>-<key>``: tables and arrays, a seal beside each, and a note."""

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
        run = cls(workspace() / "runs" / f"{step}-{digest({'step': step, **content})}")
        known = run.about()
        about = known or {**content, "source": "", "simulated": False, "planned": {}, **environment()}
        if provenance:
            about = about | {"source": provenance.source, "simulated": provenance.simulated}
        about = about | {"planned": about["planned"] | dict(planned or {})}
        if provenance and not provenance.simulated:  # images of faces may come to lie there
            run.path.mkdir(parents=True, exist_ok=True)
            run.path.chmod(0o700)
        if about != known:
            with atomic(run.path / "run.json") as part:
                part.write_text(json.dumps(about, indent=1, default=str))
        _USED[run.path] = run
        return run

    def about(self) -> dict[str, Any]:
        """The note: inputs, code, source (''), simulated, planned folds by title of tables, and the environment."""
        with suppress(OSError, ValueError):
            found = json.loads((self.path / "run.json").read_text())
            if isinstance(found, dict) and set(found) >= _NOTED:
                return found
        return {}  # not there, or left by something else than this library: it is written anew

    def seconds(self) -> dict[str, float]:
        """Seconds each table or array of this run took when it was computed, where that was noted."""
        seals = {path.stem: path.read_text().split()[1:] for path in self.path.glob("[!.]*.seal")}
        return {name: float(noted[0]) for name, noted in seals.items() if noted and _TIME.fullmatch(noted[0])}

    def kept(self, name: str, compute: Callable[[], Content], timed: bool = True) -> Content:
        """The table or array ``name``, computed once; an array is read-only and mapped from disk.

        Its time is noted, unless it is part of something else that is timed.  One that is damaged or foreign is
        computed again; who finds it missing while another process makes it waits.
        """
        with lock(f"{self.path.name}-{name}"):
            if (content := self.read(name)) is not None:
                return content
            start = time.perf_counter()
            content = compute()
            return self.write(name, content, time.perf_counter() - start if timed else None)

    def read(self, name: str) -> pd.DataFrame | np.ndarray | None:
        """The table or array ``name``; None where there is none.

        One that is damaged, was changed, or belongs to another run or name is deleted with a warning, and None is
        returned: it is computed again, never trusted.
        """
        seal = self.path / f"{name}.seal"
        for suffix, load in _READ.items():
            if (path := self.path / f"{name}{suffix}").exists():
                if seal.exists() and seal.read_text().split()[:1] == [self._seal(name, path)]:
                    return load(path)
                warnings.warn(f"{path} is damaged or of another run; it is computed again", stacklevel=3)
                path.unlink()
        return None

    def write(self, name: str, content: Content, seconds: float | None = None) -> Content:
        """Keep what was computed elsewhere, with how long that took if known; returned as it will be read."""
        suffix = ".npy" if isinstance(content, np.ndarray) else ".parquet"
        if suffix == ".npy" and (origin := getattr(content, "origin", "")):
            # What is made of frames is kept, for networks that see faces; frames stay where they are.
            raise StudyError(
                f"{origin} is a frame of a licensed clip, and a run holds none: keep what is computed"
            )
        with atomic(self.path / f"{name}{suffix}") as part:
            if suffix == ".npy":
                np.save(part, content, allow_pickle=False)
            else:
                content.to_parquet(part, index=False)
            with atomic(self.path / f"{name}.seal") as seal:
                seal.write_text(self._seal(name, part) + ("" if seconds is None else f" {seconds:.2f}"))
        return _READ[suffix](self.path / f"{name}{suffix}")

    def _seal(self, name: str, path: Path) -> str:
        return digest([self.path.name, name, file_digest(path)])


def kept(*rooms: str) -> Callable[[Slow], Slow]:
    """Decorate a function of arrays, tables and keywords that returns one table or one array.

    The result is computed once for every identity of the arguments and of the code in ``rooms`` (the function's own
    and those it calls with more than its arguments), and read back sealed: a table from Parquet, an array mapped from
    disk.  An argument ``progress`` does not count; ``weights`` are 'none', 'imagenet' or a file, which counts by its
    content.
    """

    def decorate(function: Slow) -> Slow:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> pd.DataFrame | np.ndarray:
            bound = signature.bind(*args, **options)
            bound.apply_defaults()
            inputs = {name: value for name, value in bound.arguments.items() if name != "progress"}
            if "weights" in inputs:
                inputs["weights"] = weights_identity(inputs["weights"])
            sources = [value.provenance for value in inputs.values() if hasattr(value, "provenance")]
            run = Run.open(function.__name__, code=rooms, inputs=inputs, provenance=next(iter(sources), None))
            return run.kept("result", lambda: function(*args, **options))

        return call

    return decorate
