"""Anatomy of the head: neutral shapes of subjects, and Action Units as movements of the surface.

The surface is the head of the CC0 MakeHuman base mesh (``assets/LICENSE-ASSET.md``).  Units are decimetres;
+x is the subject's left (the right side of the image), +y is up, +z points out of the face.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator.hair import hairstyle, volume
from ethnicmer_lib.simulator.raster import vertex_normals

ASSET = Path(__file__).parent / "assets" / "head.npz"
TARGET_UNIT = 1e-3  # dm per unit of the stored 16-bit displacements

#: Parts a triangle belongs to.
SKIN, EYE, TEETH, LASH = range(4)

#: Centres of the eyeballs of the unmorphed head, subject's left and right, dm.
EYE_CENTRES = np.array([[0.308, 7.284, 1.245], [-0.308, 7.284, 1.245]])

#: Left, right movement of each Action Unit: {AU: (left, right)}.
Sides = tuple[float, float]

#: Action Unit -> {expression unit: share}.  Units exist for the left and the right side, or for the whole
#: face; the latter are split at the midline.  AU 23 and 24 are composites of lip rolls and a pucker.
ACTION_UNITS: dict[int, dict[str, float]] = {
    1: {"browInnerUp": 1.0},
    2: {"browOuterUp": 1.0},
    4: {"browDown": 1.0},
    5: {"eyeWide": 1.0},
    6: {"cheekSquint": 1.0, "eyeSquint": 0.25},
    7: {"eyeSquint": 1.0},
    9: {"noseSneer": 1.0, "mouthUpperUp": 0.15},
    10: {"mouthUpperUp": 1.0},
    12: {"mouthSmile": 1.0},
    14: {"mouthDimple": 1.0},
    15: {"mouthFrown": 1.0},
    16: {"mouthLowerDown": 1.0},
    17: {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.35},
    18: {"mouthPucker": 1.0},
    20: {"mouthStretch": 1.0},
    23: {"mouthPucker": 0.6, "mouthRollLower": 0.4, "mouthRollUpper": 0.4},
    24: {"mouthRollLower": 0.8, "mouthRollUpper": 0.6},
    25: {"mouthLowerDown": 0.7, "mouthUpperUp": 0.25},
    26: {"jawOpen": 1.0},
    43: {"eyeBlink": 1.0},
}

#: Local shape targets that vary between subjects, by the pair of endings that oppose each other.  The list is
#: one for everybody and leaves out every target that MakeHuman names after an origin or that draws an eyelid
#: fold; 'sides' targets take the same value left and right.
LOCAL_TARGETS: dict[tuple[str, str], str] = {
    ("incr", "decr"): """
        nose/nose-hump nose/nose-scale-horiz nose/nose-scale-vert nose/nose-point-width nose/nose-volume
        nose/nose-nostrils-width nose/nose-width1 nose/nose-width2 nose/nose-width3 mouth/mouth-scale-horiz
        mouth/mouth-scale-vert mouth/mouth-lowerlip-volume mouth/mouth-upperlip-volume mouth/mouth-cupidsbow
        mouth/mouth-lowerlip-height mouth/mouth-upperlip-height chin/chin-width chin/chin-height
        chin/chin-prominent cheek/sides-cheek-bones cheek/sides-cheek-volume cheek/sides-cheek-inner
        head/head-scale-horiz head/head-scale-vert head/head-fat forehead/forehead-scale-vert
        forehead/forehead-temple eyes/sides-eye-scale eyes/sides-eye-height2 eyes/sides-eye-bag""",
    ("up", "down"): "nose/nose-base mouth/mouth-trans eyebrows/eyebrows-trans eyebrows/eyebrows-angle",
    ("convex", "concave"): "nose/nose-curve",
}
HEAD_OUTLINES = tuple(f"head/head-{name}" for name in ("oval", "round", "square", "diamond", "triangular"))
MACRO_TARGETS = tuple(f"macro/{sex}-{age}" for sex in ("female", "male") for age in ("young", "old"))
ASYMMETRIES = tuple(
    f"asym/asym-{place}-{side}"
    for place, count in (("brown", 2), ("cheek", 2), ("eye", 8), ("jaw", 3), ("mouth", 2), ("nose", 4))
    for number in range(1, count + 1)
    for side in (f"{number}-l", f"{number}-r")
)


@dataclass(frozen=True)
class Head:
    """The unmorphed head.

    Attributes
    ----------
    vertices : (n, 3) float64, dm
    triangles : (m, 3) int64
    parts : (m,) uint8, SKIN, EYE, TEETH or LASH
    uv : (n, 2) float32, texture coordinates of the base mesh (used for the lashes only)
    lips, mouth : (n,) float32 in 0..1, how far a vertex belongs to the lips, to the inside of the mouth
    openness : (n,) float32 in 0..1, share of the sky that a vertex sees (ambient occlusion, baked)
    targets : name -> (vertex indices, displacements (k, 3) in dm)
    """

    vertices: np.ndarray
    triangles: np.ndarray
    parts: np.ndarray
    uv: np.ndarray
    lips: np.ndarray
    mouth: np.ndarray
    openness: np.ndarray
    targets: Mapping[str, tuple[np.ndarray, np.ndarray]]


@cache
def head() -> Head:
    """The packaged head; StudyError where the installation lacks it."""
    if not ASSET.is_file():
        raise StudyError(f"the simulator's head is missing: {ASSET}; reinstall ethnicmer-lib")
    with np.load(ASSET) as stored:
        data = dict(stored)
    spans = zip(data["target_starts"][:-1], data["target_starts"][1:], strict=True)
    targets = {
        str(name): (data["target_vertices"][a:b].astype(np.int64), data["target_values"][a:b] * TARGET_UNIT)
        for name, (a, b) in zip(data["target_names"], spans, strict=True)
    }
    return Head(
        vertices=data["vertices"].astype(np.float64),
        triangles=data["triangles"].astype(np.int64),
        parts=data["parts"],
        uv=data["uv"],
        lips=data["lips"].astype(np.float32) / 255,
        mouth=data["mouth"].astype(np.float32) / 255,
        openness=data["openness"],
        targets=targets,
    )


def local_pairs() -> list[tuple[list[str], list[str]]]:
    """The opposing local shape targets: (targets that increase, targets that decrease), a name per side."""
    pairs = []
    for endings, stems in LOCAL_TARGETS.items():
        for stem in stems.split():
            sides = [stem.replace("sides-", side) for side in ("l-", "r-")] if "sides-" in stem else [stem]
            pairs.append(tuple([f"{side}-{ending}" for side in sides] for ending in endings))
    return pairs


def identity_shape(seed: int) -> np.ndarray:
    """Neutral face of a subject, (n, 3) float64 in dm.

    Sex and age are mixed at random from four targets, each the equal average of the three that MakeHuman
    labels by origin (never one of them alone); about 40 local targets and slight asymmetries follow.
    """
    rng = np.random.default_rng([seed, 0])
    shape = head().vertices.copy()

    def move(name: str, amount: float) -> None:
        vertices, displacement = head().targets[name]
        shape[vertices] += amount * displacement

    male, old = _sex_and_age(rng)
    for name in MACRO_TARGETS:
        move(name, (male if "/male" in name else 1 - male) * (old if name.endswith("old") else 1 - old))
    for increasing, decreasing in local_pairs():
        spread = 0.2 if increasing[0].startswith("eye") else 0.24
        amount = float(np.clip(rng.normal(), -1.6, 1.6)) * spread
        for name in increasing if amount > 0 else decreasing:
            move(name, abs(amount))
    for name in HEAD_OUTLINES:
        move(name, max(0.0, 0.25 * rng.normal()))
    for name in ASYMMETRIES:
        present, amount = rng.random() < 0.2, 0.15 * rng.random()
        if present:
            move(name, amount)
    x, y, _ = head().vertices.T
    shape += volume(hairstyle(seed), x, y)[:, None] * _scalp_normals()
    lid, squint = rng.uniform(0.07, 0.13), rng.uniform(0, 0.25)  # the mesh stares: rest the lids
    return deform(shape, {43: (lid, lid), 7: (squint, squint)})


def age(seed: int) -> float:
    """How old a subject looks: 0 young, 1 old."""
    return _sex_and_age(np.random.default_rng([seed, 0]))[1]


def _sex_and_age(rng: np.random.Generator) -> tuple[float, float]:
    """The first draws of a subject's shape: share of the male targets, share of the old ones."""
    return rng.beta(1.2, 1.2), 0.55 * rng.beta(1.3, 3)


@cache
def displacement(action_unit: int) -> np.ndarray:
    """Movement of the surface at full strength, (2, n, 3) float64 in dm: left side, right side.

    Raises StudyError for an Action Unit the head does not know.
    """
    if action_unit not in ACTION_UNITS:
        raise StudyError(f"the simulated head has no AU {action_unit!r}; it has {sorted(ACTION_UNITS)}")
    base = head().vertices
    field = np.zeros((2, *base.shape))
    for unit, share in ACTION_UNITS[action_unit].items():
        for side, (ending, sign) in enumerate((("Left", 1), ("Right", -1))):
            if f"fu/{unit}" in head().targets:
                vertices, moved = head().targets[f"fu/{unit}"]
                ramp = 0.5 * (1 + np.tanh(sign * base[vertices, 0] / 0.05))
                moved = moved * ramp[:, None]
            else:
                vertices, moved = head().targets[f"fu/{unit}{ending}"]
            field[side, vertices] += share * moved
    field.flags.writeable = False
    return field


def deform(shape: np.ndarray, strengths: Mapping[int, Sides]) -> np.ndarray:
    """``shape`` (n, 3) with Action Units at the given strengths (1 = full), left and right apart."""
    moved = shape.copy()
    for action_unit, sides in strengths.items():
        for strength, field in zip(sides, displacement(action_unit), strict=True):
            if strength:
                moved += strength * field
    return moved


@cache
def peak_displacement(action_unit: int) -> float:
    """Largest movement in the image plane (x, y) at full strength of both sides, dm, inside of the mouth apart."""
    both = displacement(action_unit).sum(0)[_outside(), :2]
    return float(np.hypot(*both.T).max())


@cache
def _scalp_normals() -> np.ndarray:
    """Unit normals (n, 3) of the unmorphed skin, zero elsewhere: where hair grows to."""
    return vertex_normals(head().vertices, head().triangles[head().parts == SKIN])


@cache
def _outside() -> np.ndarray:
    skin = np.unique(head().triangles[head().parts == SKIN])
    return skin[head().mouth[skin] < 0.5]


def eye_centres(shape: np.ndarray) -> np.ndarray:
    """Centres of the left and right eyeball, (2, 3) dm."""
    eyes = np.unique(head().triangles[head().parts == EYE])
    left = head().vertices[eyes, 0] > 0
    return np.stack([shape[eyes[left]].mean(0), shape[eyes[~left]].mean(0)])


def chin(shape: np.ndarray) -> np.ndarray:
    """The lowest point of the chin on the midline, (3,) dm."""
    base = head().vertices
    midline = np.flatnonzero((np.abs(base[:, 0]) < 0.02) & (base[:, 2] > 1.2) & (base[:, 1] < 6.5))
    return shape[midline[np.argmin(np.abs(base[midline, 1] - 6.05))]]
