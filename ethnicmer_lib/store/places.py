"""Where things are kept, how they are written whole or not at all, and on which machine that happened."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock

import ethnicmer_lib

SESSION = "ETHNICMER_SESSION"  #: variable with a word for everything that one command starts and writes
_LIBRARIES = "numpy pandas opencv-contrib-python-headless scikit-learn torch torchvision timm"


def project_root() -> Path:
    """The checkout that holds the book: the nearest folder upwards with a ``_toc.yml``; else this folder."""
    here = Path.cwd().resolve()
    return next((p for p in (here, *here.parents) if (p / "_toc.yml").is_file()), here)


def workspace() -> Path:
    """Where cohorts, caches, runs and sites go: ``$ETHNICMER_WORKSPACE``, or ``_build`` of the checkout."""
    if named := os.environ.get("ETHNICMER_WORKSPACE"):
        return Path(named).expanduser().resolve()
    return project_root() / "_build"


def lock(name: str) -> FileLock:
    """A lock between processes, beside what it guards: folders of results hold nothing else."""
    folder = workspace() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{name}.lock")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.environ.get(SESSION, '')}{uuid4().hex}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def commit() -> str:
    """The commit of the checkout, '+' when it has local changes outside ``results/``, 'unknown' outside git."""
    said = partial(subprocess.check_output, cwd=Path(__file__).parent, stderr=subprocess.DEVNULL, text=True)
    try:
        changed = said(["git", "status", "--porcelain", "-uno", "--", ":/", ":(top,exclude)results"])
        return said(["git", "rev-parse", "--short=10", "HEAD"]).strip() + "+" * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _versions() -> Iterator[tuple[str, str]]:
    for name in _LIBRARIES.split():
        with suppress(metadata.PackageNotFoundError):  # the small installation has no PyTorch
            yield name, metadata.version(name)


def environment() -> dict[str, Any]:
    """Versions, hardware, commit and time: the part of provenance that does not depend on the chapter."""
    return {
        "library": ethnicmer_lib.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "versions": dict(_versions()),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
