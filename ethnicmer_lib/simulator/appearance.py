"""The look of a subject: painted skin, hair, irises and folds, and the abstract texture that can mark a group.

One law for every subject, drawn from the seed alone; nothing here depends on the group but ``group_texture``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator.anatomy import age
from ethnicmer_lib.simulator.canvas import TEXELS, Band, X, Y, noise
from ethnicmer_lib.simulator.hair import hair_colour, hairstyle, paint_brows, paint_hair
from ethnicmer_lib.simulator.skin import paint_lips, paint_skin, skin_tone
from ethnicmer_lib.simulator.wrinkles import Wrinkles, fold_skin

#: The group texture is a faint lattice that no skin has, turned by 0 for one group and 45 degrees for the other:
#: frequency, contrast and thus trackability by optical flow are the same for both.  Cycles per texel (a texel is
#: about 0.4 px of a frame; the lattice survives the reduction to the 112 px input of the networks).
GROUP_DIRECTIONS = {"A": 0.0, "B": np.pi / 4}
GROUP_FREQUENCY = 0.022
GROUP_CONTRAST = 0.05  #: standard deviation of log luminance at full strength

#: Linear RGB of irises at pigment 0, 0.5 and 1; subjects lie between.
IRIS_COLOURS = np.array([[0.115, 0.145, 0.160], [0.105, 0.080, 0.042], [0.036, 0.020, 0.012]])
_IRIS_GRAIN = Band(1.0, 0.02, 0.3, falloff=0.5)


@dataclass(frozen=True)
class Appearance:
    """What a subject's surface looks like; colours are linear RGB.

    Attributes
    ----------
    surface : (HEIGHT, WIDTH, 7) float32, skin RGB with hair and brows, lip RGB, gloss in 0..1
    iris : (3,) float32
    iris_grain : (64, 256) float32, radius x angle, unit variance
    wrinkles : the folds that Action Units draw
    """

    surface: np.ndarray
    iris: np.ndarray
    iris_grain: np.ndarray
    wrinkles: Wrinkles


def paint(seed: int, group: str, texture_cue: float) -> Appearance:
    """Paint a subject.  With ``texture_cue`` 0 the result does not depend on ``group``."""
    rng, style, years = np.random.default_rng([seed, 1]), hairstyle(seed), age(seed)
    melanin, tone = skin_tone(rng)
    (hair_rgb, brow_rgb), iris = hair_colour(rng, years), _iris(rng)
    skin = paint_skin(rng, melanin, tone, texture_cue * group_texture(seed, group) if texture_cue else None)
    lips = paint_lips(rng, melanin, tone)
    brows = paint_brows(skin, brow_rgb, rng)
    hair = paint_hair(skin, style, hair_rgb, rng)
    gloss = 1 - np.clip(0.85 * brows + 0.7 * hair, 0, 0.9)
    grain = noise(rng, _IRIS_GRAIN, shape=(64, 256))
    return Appearance(np.dstack([skin, lips, gloss]), iris, grain, fold_skin(seed))


def group_texture(seed: int, group: str) -> np.ndarray:
    """The abstract texture of a group, (HEIGHT, WIDTH) float32 of log luminance at full strength.

    Phase and a slight extra turn are the subject's own; they have their own random stream, so that nothing
    else about the subject changes with the texture.
    """
    if group not in GROUP_DIRECTIONS:
        raise StudyError(f"simulated group {group!r} is unknown; allowed: {sorted(GROUP_DIRECTIONS)}")
    rng = np.random.default_rng([seed, 99])
    turn = GROUP_DIRECTIONS[group] + rng.uniform(-0.12, 0.12)
    wave = 2 * np.pi * GROUP_FREQUENCY * TEXELS
    waves = [
        np.cos(wave * (X * np.cos(angle) + Y * np.sin(angle)) + rng.uniform(0, 2 * np.pi))
        for angle in (turn, turn + np.pi / 2)
    ]
    return (GROUP_CONTRAST * sum(waves)).astype(np.float32)


def _iris(rng: np.random.Generator) -> np.ndarray:
    """Linear RGB of the irises, (3,) float32: pigment from light to dark."""
    pigment = rng.beta(1.2, 0.9)
    logs = np.array([np.interp(pigment, [0, 0.5, 1], channel) for channel in np.log(IRIS_COLOURS).T])
    return np.exp(logs + 0.12 * rng.normal()).astype(np.float32)
