"""What flow methods cost and how wrong they are: endpoint error, strain correlation and CPU-seconds of every method.

    python benchmarks/motion.py                        all amplitudes and noise levels, some minutes
    python benchmarks/motion.py --quick                two clips, one noise level; under a minute
    python benchmarks/motion.py --methods dis,micro    these only
    python benchmarks/motion.py --cohort dis,micro     also extract the motion of the whole simulated cohort

Amplitude is the longest true displacement of visible skin, head included.  On golden pairs (../shared, or
$ETHNICMER_SHARED) the truth is known, too, and the flow of the original Classic+NL-fast is listed beside.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ethnicmer_lib.clips.table import Stack
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence.comparison import ALL_WAYS, CLIPS, TEST, Way, rows_of, timed
from ethnicmer_lib.evidence.endpoint_error import flow_error
from ethnicmer_lib.evidence.trials import PEAKS, Trial, chosen_clips, trial

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("ETHNICMER_SHARED", ROOT.parent / "shared"))
NOISES = (0.5, 2.0, 4.0)
_WARM = np.tile(np.arange(64, dtype=np.uint8), (64, 1))


def golden() -> list[tuple[Trial, np.ndarray]]:
    """The synthetic pairs of the reference data as trials, and the original's flow; none where they are not."""
    found = []
    for path in sorted((SHARED / "golden" / "flow").glob("*.npz")):
        with np.load(path) as pair:
            frames = [
                Stack(np.uint8(np.clip(np.rint(pair[name]), 0, 255))[None], (0,))
                for name in ("frame1", "frame2")
            ]
            true = pair["flow_true"].astype(np.float32)
            seen = np.ones(true.shape[:2], bool)
            peak = float(np.hypot(*np.moveaxis(true, 2, 0)).max())
            one = Trial(path.stem, "golden", peak, float("nan"), *frames, true, seen)
            found.append((one, pair["flow_classic_nl_fast"]))
    return found


def show(title: str, table: pd.DataFrame) -> None:
    """Print a row a way, a column an amplitude: error in px and correlation of strain; and CPU-seconds."""
    print(f"\n{title}")
    nothing = table.drop_duplicates(["clip_id", "peak"]).groupby("peak")["zero_px"].mean()
    peaks = list(nothing.index)
    print(f"{'':<26}" + "".join(f"{f'{peak:g} px':>16}" for peak in peaks) + f"{'CPU-s':>9}")
    print(f"{'no motion':<26}" + "".join(f"{nothing[peak]:>10.3f}{'':>6}" for peak in peaks))
    for way, rows in table.groupby("arm", sort=False):
        means = rows.groupby("peak")[["error_px", "strain_r"]].mean()
        cells = "".join(f"{means.error_px[peak]:>10.4f}{means.strain_r[peak]:>6.2f}" for peak in peaks)
        print(f"{way:<26}{cells}{rows['seconds'].mean():>9.3f}", flush=True)


def pairs(compared: list[Way]) -> None:
    """Print the golden pairs."""
    found = golden()
    if not found:
        print(f"no golden pairs in {SHARED / 'golden' / 'flow'}: set ETHNICMER_SHARED to compare with them")
        return
    rows = []
    for one, original in found:
        error = flow_error(original, one.flow, one.seen)._asdict()
        known = {"arm": "the original, Octave", "clip_id": one.clip_id, "seconds": float("nan")}
        two_frames = [way for way in compared if not way.neighbours]
        rows += [row | {"peak": one.peak_px} for row in (known | error, *rows_of(one, two_frames))]
    show("golden pairs: endpoint error in px, correlation of strain", pd.DataFrame(rows))


def simulated(compared: list[Way], noises: list[float | None], count: int) -> None:
    """Print the simulated trials, a table a noise level."""
    picked = chosen_clips(TEST, count)
    for noise in noises:
        rows = []
        for peak in PEAKS:
            for subject, clip in picked:
                one = trial(TEST, subject, clip, peak, noise)
                rows += [row | {"peak": peak} for row in rows_of(one, compared)]
        name = "of the databases" if noise is None else f"{noise:g} grey levels"
        show(
            f"{count} simulated clips, noise {name}: endpoint error in px, correlation of strain",
            pd.DataFrame(rows),
        )


def cohort(methods: list[str]) -> None:
    """Print seconds for the motion images of the whole simulated cohort, all cores."""
    from ethnicmer_lib.motion import extract
    from ethnicmer_lib.motion.image import flow_image
    from ethnicmer_lib.sources import open_clips

    clips = open_clips("simulated")
    names = clips.table["clip_id"].tolist()
    print(f"\nmotion of {len(names)} clips, frames on disk, {os.cpu_count()} cores")
    for method in methods:
        wall, cpu = time.perf_counter(), time.process_time()
        with extract.pool() as each:
            made = sum(
                1 for _ in each(lambda name, m=method: flow_image(extract.clip_flow(clips, name, m)), names)
            )
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"{method:<26}{wall:8.1f} s{cpu:9.1f} CPU-s{cpu / made:9.3f} CPU-s a clip", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two clips, one noise level")
    parser.add_argument("--methods", help="comma-separated; default all")
    parser.add_argument("--cohort", metavar="METHODS", help="also extract the whole cohort by these methods")
    options = parser.parse_args()
    wanted = options.methods.split(",") if options.methods else None
    compared = [way for way in ALL_WAYS if wanted is None or way.method in wanted]
    if wanted and (unknown := set(wanted) - {way.method for way in compared}):
        raise SystemExit(f"error: unknown method {', '.join(sorted(unknown))}")
    cv2.setNumThreads(1)
    for way in compared:  # compiled code and caches are not counted
        timed(_WARM, np.roll(_WARM, 1, 1), way.method)
    try:
        pairs(compared)
        simulated(compared, [None] if options.quick else [None, *NOISES], 2 if options.quick else CLIPS)
        if options.cohort:
            cohort(options.cohort.split(","))
    except StudyError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
