"""A process beside a command: if the command is killed, it ends the workers and removes the half-written files left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from ethnicmer_lib.store.places import SESSION, project_root, workspace

try:
    import psutil
except ImportError:  # in a library without chapters
    psutil = None

_WATCHERS: list[subprocess.Popen] = []  # of this process: none or one


@contextmanager
def watched() -> Iterator[None]:
    """Watch this process while the block runs, and whatever it starts; after a kill, nothing of it stays for long.

    What it starts is known by a word in the environment that is handed on, so that kernels, their workers and those of
    workers are found, too.
    """
    if psutil is None or SESSION in os.environ:  # a command that another one started
        yield
        return
    os.environ[SESSION] = session = uuid4().hex[:12]
    command = [sys.executable, "-m", __name__, session]
    # It is in a session of its own, since Ctrl-C in a terminal reaches all of one, and is not among those that it ends.
    without = {name: value for name, value in os.environ.items() if name != SESSION}
    watcher = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=without, start_new_session=True)
    _WATCHERS.append(watcher)
    writes_to(workspace())
    writes_to(project_root() / "results")
    done = False
    try:
        yield
        done = True
    except SystemExit as end:
        done = not end.code
        raise
    finally:
        _WATCHERS.clear()
        del os.environ[SESSION]
        with suppress(OSError):  # somebody has ended it
            watcher.stdin.write("\n" * done)
            watcher.stdin.close()


def writes_to(folder: Path) -> None:
    """Say that this process writes into a folder, where half-written files are looked for after a kill."""
    for watcher in _WATCHERS:
        with suppress(OSError):
            watcher.stdin.write(f"{folder.expanduser().resolve()}\n")
            watcher.stdin.flush()


def started() -> Iterator[Any]:
    """The processes that this one has started, and those that they have: each a psutil.Process, no watcher."""
    watchers = {watcher.pid for watcher in _WATCHERS}
    return (one for one in psutil.Process().children(recursive=True) if one.pid not in watchers)


def _of(session: str) -> Iterator[Any]:
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            # The resource tracker of joblib tidies up when its processes are gone, and ends then.
            if process.environ().get(SESSION) == session and "resource_tracker" not in str(process.cmdline()):
                yield process


def _tidy(session: str, folders: Sequence[str]) -> None:
    """End what is left of a session, and remove what it was about to write."""
    for _ in range(50):  # one may have started another
        for process in (left := list(_of(session))):
            with suppress(psutil.Error):
                process.kill()
        if not left:
            break
        time.sleep(0.1)
    for folder in folders:
        for path in Path(folder).rglob(f".*.{session}*"):
            path.unlink(missing_ok=True)
    for path in Path("/tmp" if os.name == "posix" else tempfile.gettempdir()).glob(f"ethnicmer-{session}*"):
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    *said, _ = sys.stdin.read().split("\n")
    if "" not in said:  # which is the last word of a command that has ended by itself
        _tidy(sys.argv[1], said)
