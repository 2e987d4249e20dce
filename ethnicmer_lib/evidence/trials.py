"""Trials: simulated clips, all their motion scaled to a chosen amplitude, under a chosen noise, with their truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

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


@dataclass(frozen=True, eq=False)
class Trial:
    """One trial.

    Attributes
    ----------
    clip_id, database : of the clip it was made from
    peak_px : longest true displacement of visible skin, head movement included
    noise : standard deviation of the sensor's noise, grey levels
    onset, apex : the frame and its neighbours
    flow : (H, W, 2) float32, the true flow, px
    seen : (H, W) bool, skin that is visible in both frames
    """

    clip_id: str
    database: str
    peak_px: float
    noise: float
    onset: Stack
    apex: Stack
    flow: np.ndarray
    seen: np.ndarray

    @property
    def pair(self) -> tuple[np.ndarray, np.ndarray]:
        """The two frames without neighbours."""
        return self.onset.frames[0], self.apex.frames[0]


def chosen_clips(settings: SimulatorSettings, count: int) -> list[tuple[SubjectPlan, ClipPlan]]:
    """The first clip of ``count`` subjects, spread over the cohort."""
    plan = plan_cohort(settings)
    picked = np.linspace(0, len(plan) - 1, min(count, len(plan))).round().astype(int)
    return [(plan[i], plan[i].clips[0]) for i in picked]


def trial(
    settings: SimulatorSettings,
    subject: SubjectPlan,
    clip: ClipPlan,
    peak: float,
    *,
    noise: float | None = None,
    neighbours: bool = True,
) -> Trial:
    """The clip with all its motion, head and face, scaled so that no visible skin moves further than ``peak`` px.

    Parameters
    ----------
    noise : of the sensor, grey levels; None for that of the clip's database
    neighbours : also render the frames around onset and apex that method 'micro' averages
    """
    scene = Scene(settings, subject)
    if noise is not None:
        scene.recorded = replace(scene.recorded, noise=noise)
    flow, seen = _truth(scene, clip)
    for _ in range(_FITS):
        clip = _scaled(clip, peak / float(np.hypot(*flow[seen].T).max()))
        scene = _same(scene)
        flow, seen = _truth(scene, clip)
    onset, apex = recorded_stacks(scene, clip, neighbours)
    longest = float(np.hypot(*flow[seen].T).max())
    return Trial(clip.clip_id, clip.database, longest, scene.recorded.noise, onset, apex, flow, seen)


def recorded_stacks(scene: Scene, clip: ClipPlan, neighbours: bool = True) -> tuple[Stack, Stack]:
    """Onset and apex frame, each with the neighbours that may be averaged, or alone."""
    reach = windows(clip.onset, clip.apex, clip.offset) if neighbours else [(0, 0)] * 2
    found = []
    for moment, window in zip((clip.onset, clip.apex), reach, strict=True):
        steps = (0, *neighbour_steps(*window))
        found.append(Stack(np.stack([scene.recorded_frame(clip, moment + step) for step in steps]), steps))
    return tuple(found)


def _same(scene: Scene) -> Scene:
    """The scene without what it remembers of the clip before: it knows clips by their id."""
    fresh = Scene(scene.settings, scene.subject)
    fresh.recorded = scene.recorded
    return fresh


def _truth(scene: Scene, clip: ClipPlan) -> tuple[np.ndarray, np.ndarray]:
    states = (state_at(clip, moment, scene.settings.without) for moment in (clip.onset, clip.apex))
    first, second = (scene.deformed(clip, state) for state in states)
    flow, mask, occluded = true_flow(scene.camera, (first, second), clip.poses[:2])
    return flow, (mask == 1) & ~occluded


def _scaled(clip: ClipPlan, factor: float) -> ClipPlan:
    rest = np.array(clip.poses[0])
    poses = tuple(tuple((rest + factor * (np.array(pose) - rest)).tolist()) for pose in clip.poses)
    units = {unit: (factor * left, factor * right) for unit, (left, right) in clip.action_units.items()}
    return replace(clip, action_units=units, blink=factor * clip.blink, poses=poses)
