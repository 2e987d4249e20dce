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
from ethnicmer_lib.evidence.endpoint_error import flow_error
from ethnicmer_lib.evidence.trials import PEAKS, Trial, chosen_clips, recorded_stacks, scene_flow, trial
from ethnicmer_lib.motion.extract import resize
from ethnicmer_lib.motion.flow import METHODS, optical_flow
from ethnicmer_lib.motion.image import flow_image
from ethnicmer_lib.simulator.protocol import ClipPlan
from ethnicmer_lib.simulator.scene import Scene, measure
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.store import kept

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


#: Every method as the chapters use it; 'micro' from two frames, too.
WAYS = (*(Way(name) for name in METHODS), Way("micro", True))
#: From neighbours 'micro', and those that most gain from less noise.
ALL_WAYS = (*WAYS[:-1], Way("dis", True), Way("deepflow", True), WAYS[-1])


def accuracy(
    compared: Sequence[Way] = ALL_WAYS,
    peaks: Sequence[float] = PEAKS,
    count: int = CLIPS,
    settings: SimulatorSettings = TEST,
    progress: bool = False,
) -> pd.DataFrame:
    """Errors and cost of ways on trials of ``count`` clips, each of another subject; kept amplitude by amplitude.

    One row per arm and trial: arm, clip_id, database, noise, error_px, zero_px, strain_r (``FlowError``), seconds (CPU
    time), peak (asked for, px).
    """
    bar = tqdm(peaks, desc="accuracy of flow", disable=not progress)
    return pd.concat([_errors(compared, peak, count, settings) for peak in bar], ignore_index=True)


@kept("motion", "simulator", "evidence")
def _errors(compared: Sequence[Way], peak: float, count: int, settings: SimulatorSettings) -> pd.DataFrame:
    trials = (trial(settings, subject, clip, peak) for subject, clip in chosen_clips(settings, count))
    return pd.DataFrame([row for one in trials for row in rows_of(one, compared)]).assign(peak=peak)


def rows_of(one: Trial, compared: Sequence[Way]) -> list[dict[str, object]]:
    """A row for each way on one trial; see :func:`accuracy`."""
    rows = []
    for way in compared:
        flow, seconds = timed(*one.frames(way.neighbours), way.method)
        error = flow_error(flow, one.flow, one.seen)._asdict()
        row = {"arm": way.label, "clip_id": one.clip_id, "database": one.database, "noise": one.noise}
        rows.append(row | error | {"seconds": seconds})
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
    compared: Sequence[Way] = WAYS,
    settings: SimulatorSettings | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Three-class predictions of the plain forest (LOSO) from each way's motion, and from the true one.

    A method that is finished is kept; the frames are rendered anew for each, with the bytes that a written cohort has.
    One row per arm and clip: clip_id, subject, label, predicted, p_<label>, seconds (CPU time of its flow), arm.
    """
    settings = settings or SimulatorSettings()
    tables = [_predicted(way, settings, progress).assign(arm=way.label) for way in (*compared, Way(TRUE))]
    return pd.concat(tables, ignore_index=True)


@kept("motion", "simulator", "design", "evidence")
def _predicted(way: Way, settings: SimulatorSettings, progress: bool) -> pd.DataFrame:
    of = partial(clip_image, method=way.method, neighbours=way.neighbours)
    clips, found = measure(settings, of, progress=progress)
    images, seconds = zip(*found, strict=True)
    table = forest_baseline(np.stack(images), clips, subject_folds(clips), 0, TREES)
    return table.assign(seconds=seconds)


def clip_image(scene: Scene, clip: ClipPlan, method: str, neighbours: bool) -> tuple[np.ndarray, float]:
    """(optical flow image (3, SIDE, SIDE) float32, CPU-seconds of its flow) of a clip, normalisation 'robust'."""
    if method == TRUE:
        flow, seconds = scene_flow(scene, clip)[0], 0.0
    else:
        flow, seconds = timed(*recorded_stacks(scene, clip, neighbours), method)
    return resize(flow_image(flow, "robust"), SIDE), seconds
