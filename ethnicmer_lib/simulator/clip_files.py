"""The files of a clip: which frames, and writing them and the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ethnicmer_lib.clips.simulated import sealed
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator import layout
from ethnicmer_lib.simulator.camera import true_flow
from ethnicmer_lib.simulator.protocol import ClipPlan, SubjectPlan
from ethnicmer_lib.simulator.scene import Scene
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.simulator.timing import state_at

Frames = Literal["three", "all"]


@dataclass(frozen=True)
class Task:
    """Files of one subject that are missing: (clip, frame number), or (clip, None) for its truth."""

    subject: SubjectPlan
    files: tuple[tuple[ClipPlan, int | None], ...]


def numbers(clip: ClipPlan, frames: Frames = "three", around: int = 0) -> list[int]:
    """The frame numbers of a clip that are asked for, ascending; StudyError where they start below 1."""
    if clip.onset - around < 1:
        raise StudyError(
            f"clip {clip.clip_id}: around={around} asks for frame {clip.onset - around}, but its recording starts "
            f"at 1 and its onset is frame {clip.onset}; ask for at most {clip.onset - 1} around"
        )
    found = {clip.onset, clip.apex, clip.offset}
    for moment in (clip.onset, clip.apex):
        found.update(range(moment - around, moment + around + 1))
    if frames == "all":
        found.update(range(clip.onset, clip.offset + 1))
    return sorted(found)


def write_files(out: Path, settings: SimulatorSettings, task: Task) -> int:
    """Render the files of a task; return how many they are."""
    scene = Scene(settings, task.subject)
    for clip, number in task.files:
        if number is None:
            _write_truth(out, layout.truth_path(out, clip.database, clip.subject, clip.clip), scene, clip)
        else:
            _write_frame(out, layout.frame_path(out, clip, number), scene, clip, number)
    return len(task.files)


def _write_frame(root: Path, path: Path, scene: Scene, clip: ClipPlan, number: int) -> None:
    data = scene.jpeg(clip, number)
    with sealed(root, path) as part:
        part.write_bytes(data)


def _write_truth(root: Path, path: Path, scene: Scene, clip: ClipPlan) -> None:
    """The arrays that ``layout.README`` explains."""
    first, second = (scene.deformed(clip, state_at(clip, number)) for number in (clip.onset, clip.apex))
    flow, mask, occluded = true_flow(scene.camera, (first, second), clip.poses[:2])
    seen = (mask == 1) & ~occluded
    shown = clip.expression[1] - clip.expression[0]
    with sealed(root, path) as part:
        np.savez_compressed(
            part,
            flow=flow.astype(np.float16),
            mask=mask,
            occluded=occluded,
            action_units=np.array(list(clip.action_units), np.uint8),
            sides=shown * np.array(list(clip.action_units.values()), np.float32),
            peak=np.float32(np.hypot(*flow[seen].T).max(initial=0)),
            frames=np.array([clip.onset, clip.apex, clip.offset], np.int32),
            expression=np.array(clip.expression, np.float32),
            blink=np.float32(clip.blink),
            pose=np.array(clip.poses, np.float32),
            gain=np.array(clip.gains, np.float32),
        )
