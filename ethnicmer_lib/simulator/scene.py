"""The scene: one subject before the camera of its database; frames of its clips as arrays."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.facs import BLINK
from ethnicmer_lib.simulator.anatomy import Sides, deform, identity_shape
from ethnicmer_lib.simulator.appearance import paint
from ethnicmer_lib.simulator.camera import Camera, render
from ethnicmer_lib.simulator.protocol import ClipPlan, SubjectPlan, plan_cohort
from ethnicmer_lib.simulator.recording import encode, recording, sensor
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.simulator.timing import State, frame_stream, state_at

_painted = lru_cache(maxsize=1)(paint)  # the clips of one subject follow each other


class Scene:
    """A subject of a simulated cohort as its database records it.

    Parameters
    ----------
    settings, subject : of the cohort.
    """

    def __init__(self, settings: SimulatorSettings, subject: SubjectPlan):
        self.settings, self.subject = settings, subject
        self.recorded = recording(subject.database, settings.database_shift, settings.without)
        self._full: tuple[str, dict[int, Sides]] = ("", {})

    @cached_property
    def shape(self) -> np.ndarray:
        """The neutral face, (n, 3) float64 in dm."""
        return identity_shape(self.subject.seed)

    @cached_property
    def camera(self) -> Camera:
        """The camera, framed on the neutral face."""
        r = self.recorded
        return Camera.crop(self.shape, r.width, r.height, eye_line=r.eye_line, chin_line=r.chin_line)

    def strengths(self, clip: ClipPlan, state: State) -> dict[int, Sides]:
        """Action Unit strengths (1 = full) in one frame of a clip; the lids' own movement is AU 43."""
        if self._full[0] != clip.clip_id:
            self._full = (clip.clip_id, self.camera.strengths(self.shape, clip.action_units))
        share = state.expression
        shown = {unit: (left * share, right * share) for unit, (left, right) in self._full[1].items()}
        return shown | {BLINK: (state.blink, state.blink)} if state.blink else shown

    def deformed(self, clip: ClipPlan, state: State) -> np.ndarray:
        """The face in one frame of a clip, (n, 3) float64 in dm."""
        return deform(self.shape, self.strengths(clip, state))

    def frame(self, clip: ClipPlan, number: int) -> np.ndarray:
        """Frame ``number`` as the sensor delivers it, uint8 (H, W, 3) RGB, or (H, W) where the database is gray."""
        state = state_at(clip, number, self.settings.without)
        units = self.strengths(clip, state)
        clean = render(
            self.camera,
            deform(self.shape, units),
            _painted(self.subject.seed, self.subject.group, self.settings.texture_cue),
            state.pose,
            action_units=None if "wrinkles" in self.settings.without else units,
            gain=state.gain * self.recorded.gain,
            blur=self.recorded.blur,
        )
        return sensor(clean, frame_stream(clip, number), self.recorded)

    def jpeg(self, clip: ClipPlan, number: int) -> bytes:
        """Frame ``number`` as the bytes of its JPEG file."""
        return encode(self.frame(clip, number), self.recorded)

    def recorded_frame(self, clip: ClipPlan, number: int) -> np.ndarray:
        """Frame ``number`` as a reader of the file sees it: compressed and decoded, uint8 (H, W, 3) RGB or (H, W)."""
        image = cv2.imdecode(np.frombuffer(self.jpeg(clip, number), np.uint8), cv2.IMREAD_UNCHANGED)
        return image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])


def measure(
    settings: SimulatorSettings,
    of: Callable[[Scene, ClipPlan], Any],
    *,
    chosen: Callable[[ClipPlan], bool] | None = None,
    jobs: int | None = None,
    progress: bool = False,
) -> tuple[pd.DataFrame, list[Any]]:
    """What ``of`` makes of every clip of a cohort, without writing any file.

    Parameters
    ----------
    of : function of a module (processes import it) from a subject's scene and a clip to anything.
    chosen : which clips; None for all.
    jobs : processes; None for one per core.

    Returns
    -------
    Table with clip_id, database, subject, group, emotion, label, a row a clip in the cohort's order, and the list
    of results.
    """
    plan = [
        replace(subject, clips=tuple(clip for clip in subject.clips if chosen is None or chosen(clip)))
        for subject in plan_cohort(settings)
    ]
    tasks = [delayed(_measured)(settings, subject, of) for subject in plan]
    pool = Parallel(jobs or os.cpu_count() or 1, backend="loky", return_as="generator")
    results: list[Any] = []
    for found in tqdm(pool(tasks), total=len(plan), desc="simulated subjects", disable=not progress):
        results += found
    rows = [
        {
            "clip_id": clip.clip_id,
            "database": clip.database,
            "subject": f"{clip.database}/{clip.subject}",
            "group": clip.group,
            "emotion": clip.emotion,
            "label": labels.EMOTION_LABEL[clip.emotion],
        }
        for subject in plan
        for clip in subject.clips
    ]
    return pd.DataFrame(rows), results


def _measured(settings: SimulatorSettings, subject: SubjectPlan, of: Callable) -> list[Any]:
    cv2.setNumThreads(1)
    scene = Scene(settings, subject)
    return [of(scene, clip) for clip in subject.clips]
