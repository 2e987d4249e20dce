"""True strain of simulated clips, and how far each part of the face really moved; no frame is rendered for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import cv2
import numpy as np
import pandas as pd

from ethnicmer_lib.clips.labels import EMOTION_LABEL
from ethnicmer_lib.clips.table import Clips
from ethnicmer_lib.evidence.endpoint_error import inside
from ethnicmer_lib.evidence.regions import PARTS
from ethnicmer_lib.motion.image import PERCENTILE
from ethnicmer_lib.motion.strain import optical_strain
from ethnicmer_lib.simulator.anatomy import Sides
from ethnicmer_lib.simulator.camera import true_flow
from ethnicmer_lib.simulator.protocol import ClipPlan
from ethnicmer_lib.simulator.scene import Scene, measure
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.simulator.timing import state_at
from ethnicmer_lib.simulator.truth import true_action_units
from ethnicmer_lib.store import kept

# Nothing here reads networks: the processes that work on the clips would import torch.
_LABELS = ("Positive", "Surprise")


@kept("simulator", "motion", "evidence")
def true_strain(settings: SimulatorSettings, size: int, progress: bool = True) -> pd.DataFrame:
    """The true strain of the clips of Positive and Surprise of a cohort; no frame is rendered and no file written.

    Columns: clip_id, database, subject, group, emotion, label, a column of :func:`part_px` for every part of the face,
    and ``strain``, the bytes of (size, size) float32 in [0, 1]: over its 99th percentile, 0 at the outline of the head.
    """
    table, found = measure(settings, partial(_strain, size=size), chosen=_labelled, progress=progress)
    strains, moved = zip(*found, strict=True)
    return pd.concat([table.assign(strain=strains), pd.DataFrame(list(moved))], axis=1)


def _labelled(clip: ClipPlan) -> bool:
    return EMOTION_LABEL[clip.emotion] in _LABELS


def _strain(scene: Scene, clip: ClipPlan, size: int) -> tuple[bytes, dict[str, float]]:
    first, second = (scene.deformed(clip, state_at(clip, number)) for number in (clip.onset, clip.apex))
    flow, mask, _ = true_flow(scene.camera, (first, second), clip.poses[:2])
    # At the outline of the head the flow jumps to the background's zero, which is no strain of the skin.
    strain = np.where(inside(mask > 0), optical_strain(flow), 0)
    strain = np.clip(strain / max(np.percentile(strain, PERCENTILE), 1e-9), 0, 1)
    shown = clip.expression[1] - clip.expression[0]
    sides = {unit: (shown * left, shown * right) for unit, (left, right) in clip.action_units.items()}
    shrunk = cv2.resize(np.float32(strain), (size, size), interpolation=cv2.INTER_AREA)
    return shrunk.tobytes(), part_px(sides)


def part_px(units: Mapping[int, Sides]) -> dict[str, float]:
    """How far the Action Units of every part of the face move it, px: the largest of its units and sides."""
    return {
        f"{part}_px": max((max(units[unit]) for unit in known if unit in units), default=0.0)
        for part, known in PARTS.items()
    }


def clip_px(clips: Clips, table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with the columns of :func:`part_px` of its simulated clips; StudyError for real ones."""
    moved = [part_px(true_action_units(clips, clip_id)) for clip_id in table["clip_id"]]
    return table.assign(**pd.DataFrame(moved, index=table.index))
