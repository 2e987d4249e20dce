"""How long each lesson's code runs on two cores, solutions and checks included: writes book/course/timings.csv.

    python benchmarks/course.py

The tiny cohort is rendered first, so that it is not counted; each lesson then runs in a process of its own.
"""

from __future__ import annotations

import csv
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


def main() -> None:
    open_clips("tiny")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    target = project_root() / "book" / "course" / "timings.csv"
    with target.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["lesson", "seconds of one core"])
        for number, one in enumerate(LESSONS, 1):
            start, before = time.perf_counter(), os.times()
            subprocess.run([sys.executable, "-c", RUN, one.name], check=True, stdout=subprocess.DEVNULL)
            wall, after = time.perf_counter() - start, os.times()
            busy = sum(after[2:4]) - sum(before[2:4])
            rows.writerow([number, f"{busy:.0f}"])
            print(one.name, f"{wall:.1f} s, {busy:.1f} s of them computing")


if __name__ == "__main__":
    main()
