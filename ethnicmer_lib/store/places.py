"""Where things are kept, how they are written whole or not at all, and on which machine that happened."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import ethnicmer_lib

_LIBRARIES = "numpy pandas opencv-contrib-python-headless scikit-learn torch torchvision timm"


def project_root() -> Path | None:
    """The checkout that holds the book: the nearest folder upwards with a ``_toc.yml``, or None."""
    here = Path.cwd().resolve()
    return next((p for p in (here, *here.parents) if (p / "_toc.yml").is_file()), None)


def workspace() -> Path:
    """Where cohorts, caches, runs and sites go: ``$ETHNICMER_WORKSPACE``, or ``_build`` of the checkout."""
    if named := os.environ.get("ETHNICMER_WORKSPACE"):
        return Path(named).expanduser().resolve()
    return (project_root() or Path.cwd()) / "_build"


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


def commit() -> str:
    """The commit of the checkout, '+' when it has local changes outside ``results/``, 'unknown' outside git."""

    def git(*args: str) -> str:
        root = Path(ethnicmer_lib.__file__).parent.parent
        return subprocess.check_output(["git", *args], cwd=root, stderr=subprocess.DEVNULL, text=True).strip()

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
        "versions": {name: metadata.version(name) for name in _LIBRARIES.split()},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
