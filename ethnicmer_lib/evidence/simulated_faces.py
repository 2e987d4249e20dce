"""Pictures of simulated faces without a clip: subjects at rest, and one face in every Action Unit, exaggerated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from ethnicmer_lib.simulator.anatomy import Sides, deform, identity_shape
from ethnicmer_lib.simulator.appearance import paint
from ethnicmer_lib.simulator.camera import Camera, render, true_flow
from ethnicmer_lib.simulator.protocol import SubjectPlan

#: Action Units of the sheet, by their FACS number; 0 is the neutral face.
SHEET_UNITS = (0, 1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26)
ONE_SIDED = 12  #: the Action Unit that the sheet shows on each side alone, too
#: Peak displacement in the sheet, px; far more than a micro-expression, so that it can be seen.
SHEET_PX = 10.0
ARROW_STEP = 14  #: px between the arrows of the sheet


class Picture(NamedTuple):
    """One picture of the sheet: the Action Unit (0: none) and which side moves ('', 'L' or 'R')."""

    action_unit: int
    side: str


SHEET = (*(Picture(unit, "") for unit in SHEET_UNITS), Picture(ONE_SIDED, "L"), Picture(ONE_SIDED, "R"))


def neutral_faces(subjects: Sequence[SubjectPlan], texture_cue: float, progress: bool = False) -> np.ndarray:
    """The faces of ``subjects`` at rest by the common camera, without noise: (n, H, W, 3) uint8 RGB."""
    faces = []
    for subject in tqdm(subjects, desc="neutral faces", disable=not progress):
        shape = identity_shape(subject.seed)
        look = paint(subject.seed, subject.group, texture_cue)
        faces.append(_bytes(render(Camera.crop(shape), shape, look)))
    return np.stack(faces)


def action_unit_sheet(subject: SubjectPlan, texture_cue: float) -> np.ndarray:
    """One face in the pictures of :data:`SHEET`: (len(SHEET), H, W, 3) uint8 RGB."""
    look = paint(subject.seed, subject.group, texture_cue)
    pictures = [
        render(camera, deform(shape, units), look, action_units=units)
        for camera, shape, units in _states(subject)
    ]
    return np.stack([_bytes(picture) for picture in pictures])


def displacements(subject: SubjectPlan) -> np.ndarray:
    """True displacement in the pictures of :data:`SHEET`, at every ``ARROW_STEP``-th pixel of the neutral face.

    (len(SHEET), h, w, 2) float32, px, x right and y down; NaN where there is no face.
    """
    fields = []
    for camera, shape, units in _states(subject):
        flow, mask, _ = true_flow(camera, (shape, deform(shape, units)))
        every = slice(ARROW_STEP // 2, None, ARROW_STEP)
        fields.append(np.where((mask > 0)[every, every, None], flow[every, every], np.float32(np.nan)))
    return np.stack(fields)


def _states(subject: SubjectPlan) -> Iterator[tuple[Camera, np.ndarray, dict[int, Sides]]]:
    """Camera, neutral shape and Action Unit strengths of every picture of the sheet."""
    shape = identity_shape(subject.seed)
    camera = Camera.crop(shape)
    for unit, side in SHEET:
        asked = {unit: (SHEET_PX * (side != "R"), SHEET_PX * (side != "L"))} if unit else {}
        yield camera, shape, camera.strengths(shape, asked)


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.rint(image * 255).astype(np.uint8)
