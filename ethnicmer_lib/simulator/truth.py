"""What really moved in a simulated clip: the true motion, and the Action Units behind it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ethnicmer_lib.clips.table import Clips
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator.layout import truth_path


class Truth(NamedTuple):
    """What really moved between onset and apex, on the pixels of the onset frame.

    Attributes
    ----------
    flow : (H, W, 2) float32, px, x right and y down; 0 in the background
    mask : (H, W) uint8, 0 background, 1 skin, 2 eyes, 3 teeth
    occluded : (H, W) bool, True where the surface is hidden at the apex
    """

    flow: np.ndarray
    mask: np.ndarray
    occluded: np.ndarray


def truth(clips: Clips, clip_id: str) -> Truth:
    """The true motion of a clip; StudyError for an unknown clip or where the clips are not simulated."""
    with np.load(_stored(clips, clip_id)) as stored:
        return Truth(stored["flow"].astype(np.float32), stored["mask"], stored["occluded"])


def true_action_units(clips: Clips, clip_id: str) -> dict[int, tuple[float, float]]:
    """{AU: (left, right)} peak displacement in px from onset to apex, however small; StudyError as in `truth`."""
    with np.load(_stored(clips, clip_id)) as stored:
        pairs = zip(stored["action_units"], stored["sides"], strict=True)
        return {int(unit): (float(left), float(right)) for unit, (left, right) in pairs}


def _stored(clips: Clips, clip_id: str) -> Path:
    row = clips.row(clip_id)
    root = getattr(clips, "root", None)
    if not clips.provenance.simulated or root is None:
        raise StudyError(
            f"clip {clip_id}: the true motion is known for simulated clips only, and these are "
            f"{clips.provenance.source}; use source='simulated'"
        )
    path = truth_path(Path(root), row["database"], row["subject"], row["clip"])
    if not path.is_file():
        raise StudyError(
            f"clip {clip_id}: {path} is missing; delete the folder {root} and open the clips again"
        )
    return path
