"""Kill a command at random moments, again and again, and compare what it ends with.

`python tools/kills.py 20 -- rerun prima_facie --profile tiny` kills `ethnicmer rerun ...` twenty times, half of them by
SIGTERM.  After each kill no process and no half-written file may be left; at the end, tables and arrays are those of
a run that nobody touched.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from ethnicmer_lib.store.identity import file_digest

PROGRAM = [sys.executable, "-c", "from ethnicmer_lib.publish.cli import main; main()"]
PATIENCE = 30.0  #: seconds until everything must be gone


def start(command: list[str], workspace: Path, **other: str) -> subprocess.Popen:
    """A command of ours in a workspace, in silence; ``other`` are variables of its environment."""
    environment = os.environ | {"ETHNICMER_WORKSPACE": str(workspace), **other}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([*PROGRAM, *command], env=environment, **quiet)


def left(workspace: Path) -> list[str]:
    """Processes of this workspace, and half-written files in it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("ETHNICMER_WORKSPACE") == str(workspace):
                found.append(f"process {process.pid}")
        except (psutil.Error, OSError):
            continue
    hidden = [path for path in workspace.rglob(".*.*") if path.is_file() and ".stage" not in path.parts]
    return found + [str(path) for path in hidden]


def results(workspace: Path) -> dict[str, str]:
    """Every table and array of the store by its content."""
    files = [path for kind in ("parquet", "npy") for path in (workspace / "runs").rglob(f"[!.]*.{kind}")]
    return {str(path.relative_to(workspace)): file_digest(path) for path in files}


def main(kills: int, command: list[str]) -> None:
    """Run untouched, then with kills; exit code 1 where anything differs or is left."""
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        begun = time.perf_counter()
        if start(command, whole).wait():
            sys.exit(f"`ethnicmer {' '.join(command)}` fails")
        seconds = time.perf_counter() - begun
        moments, done, litter = random.Random(7), 0, []
        while done < kills:
            process = start(command, killed)
            time.sleep(moments.uniform(0, seconds))
            if process.poll() is not None:  # it had come to its end: from the beginning
                subprocess.run(["rm", "-rf", str(killed)], check=True)
                continue
            process.terminate() if done % 2 else process.kill()
            process.wait()
            done += 1
            until = time.monotonic() + PATIENCE
            while (litter := left(killed)) and time.monotonic() < until:
                time.sleep(0.2)
            print(
                f"kill {done}: {len(results(killed))} of {len(results(whole))} files, left: {litter or 'nothing'}"
            )
            if litter:
                sys.exit(1)
        assert start(command, killed).wait() == 0
        same = results(killed) == results(whole)
        print(f"{done} kills, {len(results(whole))} files: {'the same bytes' if same else 'OTHER BYTES'}")
        sys.exit(not same)


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[2] != "--":
        sys.exit(__doc__)
    main(int(sys.argv[1]), sys.argv[3:])
