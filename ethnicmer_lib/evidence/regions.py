"""Regions of the face that an Action Unit moves, as masks, from the simulator's own displacement fields.

They are the same for everybody: those of the unmorphed head, in the crop of a database.  Left and right are the
subject's, so left is the right half of an image.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ethnicmer_lib.clips.labels import SAMM
from ethnicmer_lib.clips.simulated import read_marker
from ethnicmer_lib.clips.table import Clips
from ethnicmer_lib.errors import StudyError, check_name
from ethnicmer_lib.evidence.simulated_faces import neutral_faces
from ethnicmer_lib.simulator.anatomy import SKIN, Sides, deform, head
from ethnicmer_lib.simulator.camera import Camera, true_flow
from ethnicmer_lib.simulator.protocol import plan_cohort
from ethnicmer_lib.simulator.recording import COMMON, LOOKS, Recording, recording
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.store import kept

#: Part of the face -> Action Units that move it: those that the paper names for Positive and Surprise (Figs 3-4).
#: What else their clips are coded with is rare, or moves most of the same skin: AU4 the brows, AU7 the cheeks, AU14 and
#: AU15 the lip corners, AU17 and AU25 the jaw.
PARTS: dict[str, tuple[int, ...]] = {
    "brow": (1, 2),
    "lid": (5,),
    "cheek": (6,),
    "corner": (12,),
    "jaw": (26,),
}
WHOLE = {"jaw"}  #: parts that have no sides
_SIDES: dict[str, Sides] = {"_left": (1.0, 0.0), "_right": (0.0, 1.0)}
#: Region -> Action Units and how far either side moves.
REGIONS: dict[str, tuple[tuple[int, ...], Sides]] = {
    f"{part}{side}": (units, moves)
    for part, units in PARTS.items()
    for side, moves in ({"": (1.0, 1.0)} if part in WHOLE else _SIDES).items()
}
#: The crop of the published flow, tight in both databases: near the lines of eyes and chin (of a grid) where the
#: strain in the regions of AU1+2, AU12 and AU26 most exceeds, in clips coded with these, that of other clips.
PUBLISHED = LOOKS[SAMM]
_STEP = 0.05  # share of the full movement: small, so that what is measured is where the skin is and not where it goes


def au_regions(size: int, recorded: Recording = COMMON) -> dict[str, np.ndarray]:
    """Masks of :data:`REGIONS` on an image of ``size`` px a side: {region: (size, size) float32}.

    A value is the share of the pixel that the region covers: a lid is lower than a pixel of a small image.  Frames of
    ``recorded`` are framed by eyes and chin, and squeezed to a square as :func:`motion_images` does.

    A point of the visible skin belongs to a region if its Action Units displace it by more than half of the largest
    displacement in the region, and to no region that it moves further with, by the same measure.  Half of the largest
    is the usual width of a peak (at half its maximum): with less, AU12 reaches the ears and meets its other side;
    with more, little of a cheek is left.  Because a point has one region, shares of a map add up to at most 1.  The
    inside of the mouth is not seen on a face at rest.  StudyError for a size below 1.

    Examples
    --------
    >>> from ethnicmer_lib.evidence.regions import au_regions
    >>> masks = au_regions(56)
    >>> sorted(masks)[:3], bool(sum(masks.values()).max() <= 1)
    (['brow_left', 'brow_right', 'cheek_left'], True)
    """
    if size < 1:
        raise StudyError(f"regions on an image of {size} px: must be at least 1")
    owner = _owners(recorded.width, recorded.height, recorded.eye_line, recorded.chin_line)
    shrunk = {"dsize": (size, size), "interpolation": cv2.INTER_AREA}
    return {name: cv2.resize(np.float32(owner == k), **shrunk) for k, name in enumerate(REGIONS)}


def clip_regions(table: pd.DataFrame, size: int, crops: Mapping[str, Recording]) -> dict[str, np.ndarray]:
    """:func:`au_regions` for every row of ``table`` in the crop of its database: {region: (n, size, size) float32}.

    ``crops`` are by database, as of :func:`crops_of` or :func:`simulated_crops`; StudyError for a database without one.
    """
    names = table["database"].to_numpy()
    for name in sorted(set(names)):
        check_name("database", name, crops)
    masks = {name: au_regions(size, crops[name]) for name in sorted(set(names))}
    return {region: np.stack([masks[name][region] for name in names]) for region in REGIONS}


def crops_of(clips: Clips) -> dict[str, Recording]:
    """How each database frames the face: as a simulated cohort was made, else by eye; no face is searched for."""
    if clips.provenance.simulated:
        settings = read_marker(Path(clips.root))["settings"]
        return simulated_crops(SimulatorSettings(**settings | {"without": tuple(settings["without"])}))
    return {name: look if clips.has_frames else PUBLISHED for name, look in LOOKS.items()}


def simulated_crops(settings: SimulatorSettings) -> dict[str, Recording]:
    """How each database of a simulated cohort frames the face."""
    return {name: recording(name, settings.database_shift, settings.without) for name in LOOKS}


@kept("simulator", "evidence")
def mean_face(n_faces: int = 12) -> np.ndarray:
    """The mean of simulated subjects at rest, framed by the common camera: (H, W, 3) float32 RGB in [0, 1]."""
    plan = plan_cohort(SimulatorSettings())
    shown = [plan[i] for i in np.linspace(0, len(plan) - 1, n_faces).round().astype(int)]
    return np.float32(neutral_faces(shown, 0.0).mean(axis=0) / 255)


def region_names() -> dict[str, str]:
    """Region -> its name in a figure: its Action Units, and the subject's side."""
    return {
        name: f"AU{'+'.join(map(str, units))} {name.partition('_')[2]}".strip()
        for name, (units, _) in REGIONS.items()
    }


@cache
def _owners(width: int, height: int, eye_line: float, chin_line: float) -> np.ndarray:
    """(height, width) int8: the number of the region that a pixel belongs to, -1 for none."""
    shape = head().vertices
    camera = Camera.crop(shape, width, height, eye_line=eye_line, chin_line=chin_line)
    moved = []
    for units, (left, right) in REGIONS.values():
        asked = dict.fromkeys(units, (_STEP * left, _STEP * right))
        flow, mask, _ = true_flow(camera, (shape, deform(shape, asked)))
        length = np.hypot(*np.moveaxis(flow, -1, 0)) * (mask == 1 + SKIN)
        moved.append(length / length.max())
    owner = np.where(np.max(moved, axis=0) > 0.5, np.argmax(moved, axis=0), -1).astype(np.int8)
    owner.flags.writeable = False
    return owner
