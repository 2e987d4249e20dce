"""Trials: simulated clips, all their motion scaled to a chosen amplitude, under a chosen noise, with their truth."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ethnicmer_lib.clips.table import Stack, neighbour_steps
from ethnicmer_lib.motion.micro.average import windows
from ethnicmer_lib.simulator.camera import true_flow
from ethnicmer_lib.simulator.protocol import ClipPlan, SubjectPlan, plan_cohort
from ethnicmer_lib.simulator.scene import Scene
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.simulator.timing import state_at

PEAKS = (0.3, 1.0, 3.0)  #: px
_FITS = 2  # scalings until the peak is the one asked for: motion is all but proportional to what drives it


class Trial(NamedTuple):
    """A clip whose longest true displacement of visible skin, head movement included, is ``peak_px``."""

    clip_id: str
    database: str
    peak_px: float
    noise: float  #: standard deviation of the sensor's, grey levels
    onset: Stack  #: the frame and its neighbours
    apex: Stack
    flow: np.ndarray  #: (H, W, 2) float32, the true flow, px
    seen: np.ndarray  #: (H, W) bool, skin that is visible in both frames

    def frames(self, neighbours: bool = False) -> tuple:
        """Onset and apex, with or without neighbours."""
        return (self.onset, self.apex) if neighbours else (self.onset.frames[0], self.apex.frames[0])


def chosen_clips(settings: SimulatorSettings, count: int) -> list[tuple[SubjectPlan, ClipPlan]]:
    """The first clip of ``count`` subjects, spread over the cohort."""
    plan = plan_cohort(settings)
    picked = np.linspace(0, len(plan) - 1, min(count, len(plan))).round().astype(int)
    return [(plan[i], plan[i].clips[0]) for i in picked]


def trial(
    settings: SimulatorSettings, subject: SubjectPlan, clip: ClipPlan, peak: float, noise: float | None = None
) -> Trial:
    """The clip with all its motion, head and face, scaled so that no visible skin moves further than ``peak`` px.

    ``noise`` of the sensor is in grey levels; None for that of the clip's database.
    """
    scene = Scene(settings, subject)
    if noise is not None:
        scene.recorded = replace(scene.recorded, noise=noise)
    flow, seen = scene_flow(scene, clip)
    for _ in range(_FITS):
        clip = _scaled(clip, peak / float(np.hypot(*flow[seen].T).max()))
        known, scene = scene.recorded, Scene(settings, subject)  # a scene remembers clips by their id
        scene.recorded = known
        flow, seen = scene_flow(scene, clip)
    stacks = recorded_stacks(scene, clip)
    longest = float(np.hypot(*flow[seen].T).max())
    return Trial(clip.clip_id, clip.database, longest, scene.recorded.noise, *stacks, flow, seen)


def recorded_stacks(scene: Scene, clip: ClipPlan, neighbours: bool = True) -> tuple[Stack, Stack]:
    """Onset and apex frame, each with the neighbours that may be averaged, or alone."""
    reach = windows(clip.onset, clip.apex, clip.offset) if neighbours else [(0, 0)] * 2
    found = []
    for moment, window in zip((clip.onset, clip.apex), reach, strict=True):
        steps = (0, *neighbour_steps(*window))
        found.append(Stack(np.stack([scene.recorded_frame(clip, moment + step) for step in steps]), steps))
    return tuple(found)


def scene_flow(scene: Scene, clip: ClipPlan) -> tuple[np.ndarray, np.ndarray]:
    """True flow (H, W, 2) px from onset to apex, and (H, W) bool, the skin that is visible in both."""
    states = (state_at(clip, moment, scene.settings.without) for moment in (clip.onset, clip.apex))
    first, second = (scene.deformed(clip, state) for state in states)
    flow, mask, occluded = true_flow(scene.camera, (first, second), clip.poses[:2])
    return flow, (mask == 1) & ~occluded


def _scaled(clip: ClipPlan, factor: float) -> ClipPlan:
    rest = np.array(clip.poses[0])
    poses = tuple(tuple((rest + factor * (np.array(pose) - rest)).tolist()) for pose in clip.poses)
    units = {unit: (factor * left, factor * right) for unit, (left, right) in clip.action_units.items()}
    return replace(clip, action_units=units, blink=factor * clip.blink, poses=poses)
