"""The run store: results on disk under a key of parameters, cohort and code, written atomically, reused if valid."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from filelock import FileLock

import ethnicmer_lib

PACKAGE = "ethnicmer_lib"
Content = TypeVar("Content")
_LIBRARIES = (
    "numpy",
    "pandas",
    "opencv-contrib-python-headless",
    "scikit-learn",
    "torch",
    "torchvision",
    "timm",
)


def project_root() -> Path | None:
    """The checkout that holds the book: the nearest folder upwards with a ``_toc.yml``, or None."""
    here = Path.cwd().resolve()
    return next((p for p in (here, *here.parents) if (p / "_toc.yml").is_file()), None)


def workspace() -> Path:
    """Where cohorts, caches, runs and sites go: ``$ETHNICMER_WORKSPACE``, or ``_build`` of the checkout."""
    if named := os.environ.get("ETHNICMER_WORKSPACE"):
        return Path(named).expanduser().resolve()
    return (project_root() or Path.cwd()) / "_build"


def digest(value: Any) -> str:
    """16 hex digits of the SHA-256 of ``value`` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _imports(module: str) -> set[str]:
    """Modules of this package that ``module`` imports, at any depth of its source."""
    path = _source(module)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.split(".")[0] == PACKAGE and _source(name) is not None}


def _source(module: str) -> Path | None:
    base = Path(ethnicmer_lib.__file__).parent.parent / Path(*module.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


@functools.cache
def code_fingerprint(module: str) -> str:
    """Fingerprint of the library version and of the source of ``module`` and all it imports from here.

    Editing anything that a result was computed with changes the key of that result; editing a plot does not.
    """
    seen: set[str] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue += _imports(name)
    sources = {name: hashlib.sha256(_source(name).read_bytes()).hexdigest() for name in sorted(seen)}
    return digest([ethnicmer_lib.__version__, sources])


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # a temporary file is private, a result is not
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class Run:
    """One result folder: ``<workspace>/runs/<step>-<key>``."""

    step: str
    key: str
    path: Path

    @classmethod
    def open(cls, step: str, *, module: str, cohort: str, parameters: Mapping[str, Any]) -> Run:
        """The run of ``step``: keyed by its parameters, the cohort's fingerprint and the code of ``module``."""
        content = {"parameters": dict(parameters), "cohort": cohort, "code": code_fingerprint(module)}
        key = digest(content)
        path = workspace() / "runs" / f"{step}-{key}"
        path.mkdir(parents=True, exist_ok=True)
        if not (path / "run.json").exists():
            with atomic(path / "run.json") as part:
                part.write_text(json.dumps({"step": step, **content, **environment()}, indent=1, default=str))
        return cls(step, key, path)

    def table(self, name: str, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """The table ``name``, computed once and kept as Parquet; an unreadable file is computed again."""

        def write(path: Path) -> None:
            compute().to_parquet(path, index=False)

        return self._kept(name, ".parquet", pd.read_parquet, write)

    def array(self, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """The array ``name``, computed once and kept as ``.npy``; an unreadable file is computed again."""

        def read(path: Path) -> np.ndarray:
            return np.load(path, mmap_mode="r", allow_pickle=False)

        def write(path: Path) -> None:
            with path.open("wb") as stream:
                np.save(stream, compute(), allow_pickle=False)

        return self._kept(name, ".npy", read, write)

    def _kept(
        self, name: str, suffix: str, read: Callable[[Path], Content], write: Callable[[Path], None]
    ) -> Content:
        """What a file of the run holds; who finds it missing while another process makes it waits for that one."""
        path = self.path / f"{name}{suffix}"

        def found() -> Content | None:
            try:
                return read(path)
            except FileNotFoundError:
                return None
            except (OSError, ValueError):  # truncated or foreign: never trusted
                path.unlink(missing_ok=True)
                return None

        if (content := found()) is not None:
            return content
        locks = workspace() / "locks"  # not in the run, which holds results alone
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / f"{self.path.name}-{name}.lock"):
            if (content := found()) is None:
                with self.timed(name), atomic(path) as part:
                    write(part)
                content = read(path)
        return content

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the block's wall-clock seconds to the run's ``seconds.json``.

        What was timed inside the block is part of it and goes; what an earlier, killed process timed stays.
        """
        before, start = self.seconds(), time.perf_counter()
        yield
        seconds = before | {name: round(time.perf_counter() - start, 2)}
        with atomic(self.path / "seconds.json") as part:
            part.write_text(json.dumps(seconds, indent=1))

    def seconds(self) -> dict[str, float]:
        """Seconds each table or array of this run took when it was computed."""
        path = self.path / "seconds.json"
        return json.loads(path.read_text()) if path.exists() else {}


def commit() -> str:
    """The commit of the checkout, '+' when it has local changes outside ``results/``, 'unknown' outside git."""
    root = Path(ethnicmer_lib.__file__).parent.parent

    def git(*args: str) -> str:
        return subprocess.run(
            ["git", *args], cwd=root, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "-uno", "--", ".", ":(exclude)results")
        return git("rev-parse", "--short=10", "HEAD") + "+" * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def environment() -> dict[str, Any]:
    """Versions, hardware, commit and time: the part of provenance that does not depend on the chapter."""
    return {
        "library": ethnicmer_lib.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in _LIBRARIES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
