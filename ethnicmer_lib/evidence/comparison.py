"""Flow methods compared: their accuracy on trials, and what a plain forest recognises from the motion they see."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ethnicmer_lib.clips.table import Stack
from ethnicmer_lib.design import forest_baseline, subject_folds
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence.endpoint_error import flow_error
from ethnicmer_lib.evidence.trials import PEAKS, Trial, chosen_clips, recorded_stacks, trial
from ethnicmer_lib.motion.extract import resize
from ethnicmer_lib.motion.flow import METHODS, optical_flow
from ethnicmer_lib.motion.image import flow_image
from ethnicmer_lib.simulator.camera import true_flow
from ethnicmer_lib.simulator.protocol import ClipPlan
from ethnicmer_lib.simulator.scene import Scene, measure
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.simulator.timing import state_at
from ethnicmer_lib.store import Run

TRUE = "true flow"  #: not a method: what the simulator knows
SIDE, TREES = 28, 100  #: of the flow image that the forest sees, px; in the forest
#: Another seed than the default cohort's, on which the settings of 'micro' were chosen.
TEST = SimulatorSettings(seed=2026)
CLIPS = 12


class Way(NamedTuple):
    """A way to compute flow: a method, from two frames or from their neighbours, too."""

    method: str
    neighbours: bool = False

    @property
    def label(self) -> str:
        """As tables call it."""
        return f"{self.method}, neighbours" if self.neighbours else self.method


def ways() -> list[Way]:
    """Every method from two frames; from neighbours 'micro', and those that most gain from less noise."""
    averaged = [Way(name, True) for name in ("dis", "deepflow", "micro") if name in METHODS]
    return [Way(name) for name in METHODS] + averaged


def accuracy(
    compared: Sequence[Way] | None = None,
    *,
    peaks: Sequence[float] = PEAKS,
    noises: Sequence[float | None] = (None,),
    count: int = CLIPS,
    settings: SimulatorSettings = TEST,
    progress: bool = False,
) -> pd.DataFrame:
    """Errors and cost of ways on trials; resumes after the last amplitude and noise that was finished.

    Parameters
    ----------
    noises : of the sensor, grey levels; None for that of the clip's database
    count : clips, each of another subject

    Returns
    -------
    One row per arm and trial: arm, clip_id, database, peak (asked for, px), noise, error_px, zero_px, strain_r
    (``endpoint_error.FlowError``), seconds (of CPU time).
    """
    compared = list(ways() if compared is None else compared)
    picked = chosen_clips(settings, count)
    tables = []
    conditions = [(peak, noise) for peak in peaks for noise in noises]
    for peak, noise in tqdm(conditions, desc="accuracy of flow", disable=not progress):
        inputs = {"settings": settings, "peak": peak, "noise": noise, "count": count, "ways": compared}
        run = Run.open("motion-accuracy", code=("motion", "simulator", "evidence"), inputs=inputs)

        def compute(peak: float = peak, noise: float | None = noise) -> pd.DataFrame:
            trials = (trial(settings, subject, clip, peak, noise=noise) for subject, clip in picked)
            rows = [row for one in trials for row in rows_of(one, compared)]
            return pd.DataFrame(rows).assign(peak=peak)

        tables.append(run.table("errors", compute))
    return pd.concat(tables, ignore_index=True)


def rows_of(one: Trial, compared: Sequence[Way]) -> list[dict[str, object]]:
    """A row for each way on one trial; see :func:`accuracy`."""
    rows = []
    for way in compared:
        frames = (one.onset, one.apex) if way.neighbours else one.pair
        flow, seconds = timed(*frames, way.method)
        error = flow_error(flow, one.flow, one.seen)
        row = {"arm": way.label, "clip_id": one.clip_id, "database": one.database, "noise": one.noise}
        rows.append(row | error._asdict() | {"seconds": seconds})
    return rows


def timed(onset: np.ndarray | Stack, apex: np.ndarray | Stack, method: str) -> tuple[np.ndarray, float]:
    """(flow, CPU-seconds) of one clip on one core."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1):
            start = time.process_time()
            flow = optical_flow(onset, apex, method)
            return flow, time.process_time() - start
    finally:
        cv2.setNumThreads(before)


def downstream(
    compared: Sequence[Way] | None = None,
    *,
    settings: SimulatorSettings | None = None,
    jobs: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Three-class predictions of the plain forest (LOSO) from each way's motion, and from the true one.

    A method that is finished is kept; the frames are rendered anew for each, with the bytes that a written cohort has.

    Returns
    -------
    One row per arm and clip: arm, clip_id, subject, label, predicted, p_<label>, seconds (CPU time of its flow).
    """
    settings = settings or SimulatorSettings()
    compared = [*(ways() if compared is None else compared), Way(TRUE)]
    tables = []
    for way in compared:
        inputs = {"settings": settings, "way": way, "side": SIDE, "trees": TREES}
        run = Run.open("motion-downstream", code=("motion", "simulator", "design", "evidence"), inputs=inputs)
        table = run.table("predictions", lambda way=way: _predicted(way, settings, jobs, progress))
        tables.append(table.assign(arm=way.label))
    return pd.concat(tables, ignore_index=True)


def _predicted(way: Way, settings: SimulatorSettings, jobs: int | None, progress: bool) -> pd.DataFrame:
    of = partial(clip_image, method=way.method, neighbours=way.neighbours)
    clips, found = measure(settings, of, jobs=jobs, progress=progress)
    images, seconds = zip(*found, strict=True)
    table = forest_baseline(np.stack(images), clips, subject_folds(clips), 0, TREES)
    return table.assign(seconds=seconds)


def clip_image(scene: Scene, clip: ClipPlan, method: str, neighbours: bool) -> tuple[np.ndarray, float]:
    """(optical flow image (3, SIDE, SIDE) float32, CPU-seconds of its flow) of a clip, normalisation 'robust'."""
    if method == TRUE:
        states = (state_at(clip, moment, scene.settings.without) for moment in (clip.onset, clip.apex))
        first, second = (scene.deformed(clip, state) for state in states)
        flow, seconds = true_flow(scene.camera, (first, second), clip.poses[:2])[0], 0.0
    elif method not in METHODS:
        raise StudyError(f"flow_method={method!r} is unknown; allowed: {', '.join(METHODS)}")
    else:
        stacks = recorded_stacks(scene, clip, neighbours)
        flow, seconds = timed(*stacks, method)
    return resize(flow_image(flow, "robust"), SIDE), seconds
