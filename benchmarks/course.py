"""How long each lesson's code runs on two cores, solutions and checks included: writes book/course/timings.csv.

    python benchmarks/course.py [LESSON ...]

To be run in the small installation, without PyTorch; with names of lessons it only prints.  The tiny cohort is rendered
first, so that it is not counted; each lesson then runs in a process of its own.
"""

from __future__ import annotations

import csv
import importlib.util
import os
import subprocess
import sys
import time

from ethnicmer_lib.publish.chapters import LESSONS
from ethnicmer_lib.sources import open_clips
from ethnicmer_lib.store import project_root

RUN = """
import sys
import matplotlib
matplotlib.use("Agg")
from ethnicmer_lib.publish.chapters import chapter, code
space = {}
for source, _ in code(chapter(sys.argv[1])):
    exec(source, space)
"""


def timed(lesson: str) -> tuple[float, float]:
    """Seconds that one waits for a lesson's code, and seconds that its cores compute."""
    start, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, "-c", RUN, lesson], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, os.times()
    return wall, sum(after[2:4]) - sum(before[2:4])


def main(*asked: str) -> None:
    open_clips("tiny")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    small = importlib.util.find_spec("torch") is None
    print(f"in the {'small' if small else 'whole'} installation, on {os.cpu_count()} cores, at most two used")
    rows = []
    for number, one in enumerate(LESSONS, 1):
        if asked and one.path.stem not in asked:
            continue
        wall, busy = timed(one.name)
        rows.append((number, f"{wall:.0f}", f"{busy:.0f}"))
        print(f"{one.name}: {wall:.1f} s, {busy:.1f} s of them computing", flush=True)
    if not asked:
        target = project_root() / "book" / "course" / "timings.csv"
        with target.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerows([("lesson", "seconds on two cores", "seconds of one core"), *rows])
        print(f"written: {target}")


if __name__ == "__main__":
    main(*sys.argv[1:])
