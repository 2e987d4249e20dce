"""A command that is killed leaves nothing behind: no process, no half-written file, and one line where it can speak."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ethnicmer_lib.store.places import SESSION

#: A child that has a child, a file that is never finished, and a folder as those of kernels.
WORK = """\
import os, subprocess, sys, tempfile, time
from ethnicmer_lib.publish.watch import watched
from ethnicmer_lib.store import atomic, workspace
from ethnicmer_lib.store.places import SESSION
WAIT = "import time; time.sleep(600)"
CHILD = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {WAIT!r}]).wait()"
with watched():
    subprocess.Popen([sys.executable, "-c", CHILD])
    with atomic(workspace() / "runs" / "step-0" / "result.parquet") as part:
        part.write_text("half of it")
        print("ready", tempfile.mkdtemp(prefix="ethnicmer-" + os.environ[SESSION], dir="/tmp"), sep="\\n", flush=True)
        time.sleep(600)
"""
#: A run of 24 parts on two workers of joblib, each of which is kept.
RUN = """\
import sys, time
import joblib, numpy as np
from ethnicmer_lib.publish.watch import watched
from ethnicmer_lib.store import Run
def part(number):
    def compute():
        time.sleep(0.02)
        return np.random.default_rng(number).normal(size=500)
    Run.open("step", code=("stats",), inputs={"seed": 1}).kept(f"part{number:02d}", compute, timed=False)
print("ready", flush=True)
with watched():
    joblib.Parallel(2)(joblib.delayed(part)(number) for number in range(24))
"""
#: The entry point, with a command that takes its time.
COMMAND = """\
import time
from ethnicmer_lib.publish import cli
def app(**options):
    print("ready", flush=True)
    {}
cli.app = app
cli.main()
"""
WAITS = "time.sleep(600)"
WORKERS = "import joblib; joblib.Parallel(2)(joblib.delayed(time.sleep)(600) for _ in range(4))"


def start(code: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def in_workspace(folder: str) -> set[int]:
    """The processes that somebody started with this workspace, and then marked as their own."""
    found = set()
    for process in psutil.process_iter():
        try:
            values = process.environ()
        except (psutil.Error, OSError):
            continue
        if values.get("ETHNICMER_WORKSPACE") == folder and SESSION in values:
            found.add(process.pid)
    return found


def soon(true) -> bool:
    until = time.monotonic() + 300
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()


@pytest.mark.skipif(os.name != "posix", reason="signals are another thing there")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_after_a_kill_no_process_and_no_file_is_left(workspace, end):
    process = start(WORK)
    assert soon(lambda: len(in_workspace(str(workspace))) == 2), "a child and its child"
    assert [path for path in workspace.rglob(".*") if path.is_file()]
    kernel = Path(process.stdout.readline().strip())
    assert kernel.is_dir()
    process.send_signal(end)
    process.wait(300)
    assert soon(lambda: not in_workspace(str(workspace)))
    assert soon(lambda: not [path for path in workspace.rglob("*") if path.is_file()])
    assert soon(lambda: not kernel.exists())


@pytest.mark.skipif(os.name != "posix", reason="signals are another thing there")
def test_a_run_that_was_killed_ends_with_the_bytes_of_one_that_was_not(tmp_path, monkeypatch):
    """Three kills; ``tools/kills.py`` does it with a command, and as often as it is told."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(killed))
    for number, end in enumerate([signal.SIGKILL, signal.SIGTERM, signal.SIGKILL]):
        interrupt(killed, end, 7 * number)
    assert 0 < len(arrays(killed)) < 24
    assert start(RUN).wait(300) == 0
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(whole))
    assert start(RUN).wait(300) == 0
    kept = [{path.name: path.read_bytes() for path in folder.rglob("part*")} for folder in (whole, killed)]
    assert len(kept[0]) == 48, "arrays and their seals"
    assert kept[0] == kept[1]


def interrupt(folder: Path, end: signal.Signals, least: int) -> None:
    """Start the run and end it once more than so many arrays are there; then nothing else is left."""
    process = start(RUN)
    soon(lambda: process.poll() is not None or len(arrays(folder)) > least)
    process.send_signal(end)
    assert process.wait(300) == -end, "the run had ended before it was killed"
    assert soon(lambda: not in_workspace(str(folder)))
    assert soon(lambda: not list(folder.rglob(".*")))


def arrays(folder: Path) -> list[Path]:
    """The arrays that are kept whole."""
    return list(folder.glob("runs/*/[!.]*.npy"))


@pytest.mark.skipif(os.name != "posix", reason="signals are another thing there")
@pytest.mark.parametrize("work", [WAITS, WORKERS], ids=["alone", "with busy workers"])
def test_sigterm_is_one_line_and_an_exit_code(workspace, work):
    process = start(COMMAND.format(work))
    assert soon(lambda: len(in_workspace(str(workspace))) >= 2 * (work == WORKERS))
    process.terminate()
    _, said = process.communicate(timeout=300)
    assert process.returncode == 143
    assert said.startswith("terminated; what was computed is kept, the same command goes on from there\n")
    assert "Traceback" not in said
    assert soon(lambda: not in_workspace(str(workspace)))


@pytest.mark.parametrize(
    ("number", "hint"),
    [("ENOSPC", "make room"), ("EROFS", "a place that you may"), ("EACCES", "a place that you may")],
)  # fmt: skip
def test_a_full_or_read_only_disk_is_one_line(workspace, number, hint):
    raises = f"import errno, os; raise OSError(errno.{number}, os.strerror(errno.{number}), 'runs/a.npy')"
    process = start(COMMAND.format(raises))
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1
    assert said.count("\n") == 1
    assert said.startswith("error: ")
    assert "runs/a.npy" in said
    assert hint in said
