"""What the simulator costs: its floor of work, seconds and memory by size of the cohort, and where the time goes.

    python benchmarks/simulator.py                    cohorts of 12, 52 and 290 clips
    python benchmarks/simulator.py --sizes 6,12       others; --large adds the 2,030 clips of seven rosters
    python benchmarks/simulator.py --jobs 1           by one process (default: one per core, at most 4)

Every cohort is written by a process of its own, so that the peaks of memory do not mix.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

CLIPS_OF_ROSTER = 290
LARGE = 7 * CLIPS_OF_ROSTER
SEED = 2025
PROFILED_CLIPS = 12
_ROW = "{:>6}  {:>8}  {:>9}  {:>10}  {:>9}  {:>15}  {:>17}  {:>10}  {:>8}  {:>13}"


def planned(clips: int):
    """The first subjects of as many rosters as are needed, with ``clips`` clips together, and their settings."""
    from ethnicmer_lib.simulator.protocol import plan_cohort
    from ethnicmer_lib.simulator.settings import SimulatorSettings

    settings = SimulatorSettings(seed=SEED, repeats=-(-clips // CLIPS_OF_ROSTER))
    subjects, left = [], clips
    for subject in plan_cohort(settings):
        if left <= 0:
            break
        subjects.append(replace(subject, clips=subject.clips[:left]))
        left -= len(subjects[-1].clips)
    if left > 0:
        raise SystemExit(f"error: the plan holds {clips - left} clips, {clips} were asked for; ask for fewer")
    return subjects, settings


def written(clips: int, jobs: int) -> dict[str, float]:
    """Write a cohort; seconds, CPU seconds of all its processes, files and bytes."""
    from joblib.externals.loky import get_reusable_executor

    from ethnicmer_lib.simulator import write

    subjects, settings = planned(clips)
    write.plan_cohort = lambda _: subjects
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        out = write.write_cohort(Path(folder) / "cohort", settings, jobs=jobs)
        seconds = time.perf_counter() - start
        get_reusable_executor().shutdown(wait=True)  # only processes that have ended are counted
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        cpu = sum(one.ru_utime + one.ru_stime for one in used)
        files = [path for path in out.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
    return {
        "clips": clips, "subjects": len(subjects), "seconds": seconds, "cpu": cpu, "files": len(files), "bytes": size
    }  # fmt: skip


def apart(clips: int, jobs: int) -> dict[str, float]:
    """``written`` in a process of its own, with the peak of its memory and that of its workers in MB.

    ``rss_mb`` counts pages that processes share once for each; ``pss_mb`` (Linux) counts them once altogether.
    """
    command = [sys.executable, __file__, "--one", str(clips), "--jobs", str(jobs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak, stop = {"Rss": 0, "Pss": 0}, threading.Event()

    def watch() -> None:
        while not stop.wait(0.5):
            now = Counter()
            for pid in family(process.pid):
                now.update(memory(pid))
            for kind in peak:
                peak[kind] = max(peak[kind], now[kind])

    watcher = threading.Thread(target=watch)
    watcher.start()
    text, _ = process.communicate()
    stop.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(
            f"error: writing {clips} clips ended with {process.returncode}; see the message above"
        )
    return json.loads(text) | {"rss_mb": peak["Rss"] / 1024, "pss_mb": peak["Pss"] / 1024}


def family(pid: int) -> list[int]:
    """A process and all that descend from it (Linux)."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it ended meanwhile
            continue
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def memory(pid: int) -> Counter[str]:
    """Resident and proportional set size of a process, kB; nothing where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return Counter()
    values = (line.split() for line in lines[1:])
    return Counter({words[0].rstrip(":"): int(words[1]) for words in values if words[0] in ("Rss:", "Pss:")})


class Profile:
    """Seconds and calls of functions while they stand in for themselves; an inner one counts to the outer."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    def watch(self, module, name: str, step: str) -> None:
        inner = getattr(module, name)

        def timed(*args, **kwargs):
            start = time.perf_counter()
            try:
                return inner(*args, **kwargs)
            finally:
                self.seconds[step] += time.perf_counter() - start
                self.calls[step] += 1

        setattr(module, name, timed)


def profile() -> None:
    """Print where one process spends its time, and how much work the frames are at the least."""
    from ethnicmer_lib.simulator import camera, clip_files, raster, scene, write

    subjects, settings = planned(PROFILED_CLIPS)
    write.plan_cohort = lambda _: subjects
    drawn = Counter()
    rasterise = raster.rasterise

    def counted(points, triangles, width, height):
        found = rasterise(points, triangles, width, height)
        drawn["triangles"] += len(triangles)
        drawn["pixels"] += len(found.pixels)
        return found

    with tempfile.TemporaryDirectory() as folder:
        write.write_cohort(
            Path(folder) / "warm", settings, jobs=1
        )  # compiled code and caches are not counted
        scene._painted.cache_clear()
        for module in (
            camera,
            *(m for m in sys.modules.values() if getattr(m, "rasterise", None) is rasterise),
        ):
            module.rasterise = counted
        steps = Profile()
        for module, name, step in (
            (scene, "_painted", "paint skin, brows, hair"),
            (scene, "render", "raster and shade"),
            (clip_files, "_write_truth", "truth"),
            (scene, "encode", "JPEG"),
            (scene, "sensor", "sensor"),
        ):
            steps.watch(module, name, step)
        start = time.perf_counter()
        out = write.write_cohort(Path(folder) / "cohort", settings, jobs=1)
        whole = time.perf_counter() - start
        frames = [path.stat().st_size for path in out.rglob("*.jpg")]
        truth = [path.stat().st_size for path in out.rglob("*.npz")]
    print(f"\nfloor per frame, over {PROFILED_CLIPS} clips of {len(subjects)} subjects (truth included)")
    print(f"  pixels shaded          {drawn['pixels'] / len(frames):>12,.0f}")
    print(f"  triangles rasterised   {drawn['triangles'] / len(frames):>12,.0f}")
    print(f"  bytes of a JPEG        {sum(frames) / len(frames):>12,.0f}")
    print(f"  bytes of a clip's truth{sum(truth) / len(truth):>12,.0f}")
    print(f"\nwhere {whole:.1f} s of one process go ({whole / PROFILED_CLIPS:.2f} s a clip)")
    rest = whole - sum(steps.seconds.values())
    for step, seconds in [*steps.seconds.most_common(), ("everything else", rest)]:
        calls = steps.calls[step]
        each = f"{calls:>5} x {1000 * seconds / calls:7.1f} ms" if calls else ""
        print(f"  {step:<26}{seconds / whole:>6.1%}  {seconds:7.2f} s  {each}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="12,52,290", help="clips, comma-separated")
    parser.add_argument("--large", action="store_true", help=f"also {LARGE:,} clips")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count(), 4), help="processes")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(written(options.one, options.jobs)))
        return
    sizes = sorted({int(size) for size in options.sizes.split(",")} | ({LARGE} if options.large else set()))
    print(f"{options.jobs} processes, {os.cpu_count()} cores; memory of all processes together, peak")
    print(
        _ROW.format(
            "clips",
            "subjects",
            "s",
            "s a clip",
            "to first",
            "s a clip more",
            "CPU s a clip more",
            "MB on disk",
            "RSS MB",
            "PSS MB (Linux)",
        )
    )
    first, before = None, {"clips": 0, "seconds": 0.0, "cpu": 0.0}
    for size in sizes:
        found = apart(size, options.jobs)
        each = found["seconds"] / size
        first = first or each
        # Per clip beyond the size before: free of the start-up.
        marginal, busy = ((found[key] - before[key]) / (size - before["clips"]) for key in ("seconds", "cpu"))
        before = found
        print(
            _ROW.format(
                size,
                found["subjects"],
                f"{found['seconds']:.1f}",
                f"{each:.3f}",
                f"{each / first:.2f}",
                f"{marginal:.3f}",
                f"{busy:.3f}",
                f"{found['bytes'] / 1e6:.1f}",
                f"{found['rss_mb']:.0f}",
                f"{found['pss_mb']:.0f}",
            ),
            flush=True,
        )
    profile()


if __name__ == "__main__":
    main()
