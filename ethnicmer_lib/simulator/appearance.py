"""Painted skin, brows, hair and irises: one law for every subject, and the abstract texture that can mark a group.

Everything is painted in a canonical frame of the unmorphed head (x, y in dm), so that paint sticks to the
surface and follows identity and Action Units.  Nothing here depends on the group but ``group_texture``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import fft

from ethnicmer_lib.errors import StudyError

#: The canonical frame: texels per dm, left edge x, top edge y, width and height in texels.
TEXELS, LEFT, TOP, WIDTH, HEIGHT = 400, -1.0, 8.55, 800, 1120
X = np.linspace(LEFT, LEFT + (WIDTH - 1) / TEXELS, WIDTH, dtype=np.float32)[None, :]
Y = np.linspace(TOP, TOP - (HEIGHT - 1) / TEXELS, HEIGHT, dtype=np.float32)[:, None]

#: The group texture is a faint lattice that no skin has, turned by 0 for one group and 45 degrees for the other:
#: frequency, contrast and thus trackability by optical flow are the same for both.  Cycles per texel (a texel is
#: about 0.4 px of a frame; the lattice survives the reduction to the 112 px input of the networks).
GROUP_DIRECTIONS = {"A": 0.0, "B": np.pi / 4}
GROUP_FREQUENCY = 0.022
GROUP_CONTRAST = 0.05  #: standard deviation of log luminance at full strength

IRIS_COLOURS = np.array([[0.10, 0.055, 0.03], [0.06, 0.042, 0.03], [0.085, 0.07, 0.04], [0.07, 0.075, 0.075]])


@dataclass(frozen=True)
class Appearance:
    """What a subject's surface looks like; colours are linear RGB.

    Attributes
    ----------
    surface : (HEIGHT, WIDTH, 7) float32, skin RGB with hair and brows, lip RGB, gloss in 0..1
    iris : (3,) float32
    iris_grain : (64, 256) float32, radius x angle, unit variance
    """

    surface: np.ndarray
    iris: np.ndarray
    iris_grain: np.ndarray


def paint(seed: int, group: str, texture_cue: float) -> Appearance:
    """Paint a subject.  With ``texture_cue`` 0 the result does not depend on ``group``."""
    rng = np.random.default_rng([seed, 1])
    tone = rng.uniform(-1.0, 0.25)  # one spread of skin tones, for every subject alike
    base = np.array([0.50, 0.318, 0.235]) * np.exp(
        tone * np.array([0.75, 1.0, 1.2]) + 0.02 * rng.normal(size=3)
    )
    luminance = _skin_luminance(rng)
    if texture_cue:
        luminance += texture_cue * group_texture(seed, group)
    redness = (
        0.16 * _blob(0.42, 6.98, 0.16, 0.16)
        + 0.14 * _blob(0, 6.93, 0.08, 0.10)
        + 0.05 * _blob(0, 6.2, 0.2, 0.12)
        + 0.05 * noise(rng, 0.003, 0.02, falloff=1)
    )
    tint = np.exp(luminance[..., None] + redness[..., None] * np.array([0.25, -0.55, -0.45], np.float32))
    skin = base.astype(np.float32) * tint
    lip_base = base * [0.86, 0.56, 0.60] * np.exp(0.06 * rng.normal())
    streaks = 0.06 * noise(rng, 0.05, 0.25, direction=0) + 0.05 * noise(rng, 0.01, 0.05, falloff=0.5)
    lips = lip_base.astype(np.float32) * np.exp(streaks)[..., None]

    colour = np.array([0.026, 0.017, 0.012]) * np.exp(0.25 * rng.normal() + 0.06 * rng.normal(size=3))
    brows, hair = _brows(rng), _hair(rng)
    for cover, shade, grain in (
        (brows, 1.15, 0.35 * noise(rng, 0.08, 0.35)),
        (hair, 1.0, 0.30 * noise(rng, 0.02, 0.30, direction=0, spread=0.12)),
    ):
        strands = shade * colour.astype(np.float32) * np.exp(grain)[..., None]
        skin += cover[..., None] * (strands - skin)
    gloss = 1 - 0.85 * np.clip(brows + hair, 0, 1)
    iris = IRIS_COLOURS[rng.integers(len(IRIS_COLOURS))] * np.exp(0.2 * rng.normal())
    grain = noise(rng, 0.02, 0.3, falloff=0.5, shape=(64, 256))
    return Appearance(np.dstack([skin, lips, gloss]).astype(np.float32), iris.astype(np.float32), grain)


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


def noise(
    rng: np.random.Generator,
    low: float,
    high: float,
    *,
    falloff: float = 0.0,
    direction: float | None = None,
    spread: float = 0.35,
    shape: tuple[int, int] = (HEIGHT, WIDTH),
) -> np.ndarray:
    """Band-passed Gaussian noise of unit variance, float32.

    Parameters
    ----------
    low, high : pass band, cycles per texel
    falloff : amplitude falls with frequency to this power
    direction, spread : direction and angular width of the spectrum in radians; None for isotropic noise
    """
    fy, fx = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None]
    frequency = np.hypot(fx, fy) + 1e-9
    band = np.exp(-((low / frequency) ** 4) - (frequency / high) ** 2) * frequency**-falloff
    if direction is not None:
        turn = np.angle(np.exp(2j * (np.arctan2(fy, fx) - direction))) / 2
        band *= np.exp(-((turn / spread) ** 2))
    white = fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    field = fft.irfft2(white * band.astype(np.float32), s=shape)
    return (field / field.std()).astype(np.float32)


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between (``low`` > ``high`` reverses)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _blob(cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
    """A Gaussian spot on both halves of the face."""
    return np.exp(-((np.abs(X) - cx) ** 2) / (2 * sx * sx)) * np.exp(-((Y - cy) ** 2) / (2 * sy * sy))


def _skin_luminance(rng: np.random.Generator) -> np.ndarray:
    """Log luminance of the skin: mottling, blotches, pores, shaded relief, shadowed eyes, moles, freckles."""
    luminance = (
        0.035 * noise(rng, 0.004, 0.03, falloff=1)
        + 0.035 * noise(rng, 0.02, 0.10, falloff=0.6)
        + 0.030 * noise(rng, 0.06, 0.25)
    )
    luminance -= 0.10 * _blob(0.30, 7.10, 0.13, 0.05) + 0.05 * _blob(0.12, 7.25, 0.05, 0.06)
    slope_y, slope_x = np.gradient(noise(rng, 0.05, 0.22))
    luminance -= 0.045 * (0.5 * slope_x + 0.8 * slope_y)
    for _ in range(rng.integers(3, 14)):
        x, y, size, depth = (
            rng.uniform(*r) for r in ((-0.65, 0.65), (6.2, 7.95), (0.004, 0.011), (0.12, 0.4))
        )
        spot = np.exp(-((Y - y) ** 2) / (2 * size**2)) * np.exp(-((X - x) ** 2) / (2 * size**2))
        luminance += np.log1p(-depth * spot)
    freckled, freckles = rng.random() < 0.5, smoothstep(1.9, 2.6, noise(rng, 0.02, 0.09))
    if freckled:
        where = np.clip(freckles * (_blob(0.3, 7.0, 0.25, 0.14) + 0.7 * _blob(0, 7.05, 0.1, 0.1)), 0, 1)
        luminance += np.log1p(-0.22 * where)
    return luminance


def _brows(rng: np.random.Generator) -> np.ndarray:
    """Cover of the eyebrows in 0..1, drawn hair by hair."""
    height, arch = 7.485 + 0.012 * rng.normal(), 0.05 + 0.012 * rng.normal()
    thickness = 0.034 * np.exp(0.2 * rng.normal())
    start, end = 0.125 + 0.012 * rng.normal(), 0.52 + 0.015 * rng.normal()
    canvas = np.zeros((2 * HEIGHT, 2 * WIDTH), np.uint8)
    for _ in range(int(260 * np.exp(0.2 * rng.normal()))):
        t, across = rng.random(), 0.38 * rng.normal()
        width = thickness * (1 - 0.72 * t**1.5) * (0.75 + 0.25 * min(1, t / 0.12))
        x = start + (end - start) * t + 0.008 * rng.normal()
        y = height + arch * np.sin(np.pi * min(1, t / 1.25)) - 0.04 * t * t - 0.01 + across * width
        angle = 1.1 - 1.15 * t - 0.35 * across + 0.16 * rng.normal()
        length = 0.070 * (0.6 + 0.7 * rng.random()) * (1 - 0.35 * t)
        bend = [0.55 * np.cos(angle), 0.6 * np.sin(angle)]
        hair = np.array([x, y]) + length * np.array(
            [[0, 0], bend, [np.cos(angle - 0.25), np.sin(angle - 0.25)]]
        )
        for side in (1, -1):
            points = (hair * [side, 1] + 0.004 * rng.normal(size=2) - [LEFT, TOP]) * [2 * TEXELS, -2 * TEXELS]
            fixed = np.round(16 * points).astype(np.int32)  # OpenCV draws with 4 fractional bits
            cv2.polylines(canvas, [fixed[:, None]], False, 255, 1, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(canvas, (0, 0), 1.6)
    cover = cv2.resize(soft, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.clip(1.25 * cover + 0.6 * cv2.GaussianBlur(cover, (0, 0), 5), 0, 0.9)


def _hair(rng: np.random.Generator) -> np.ndarray:
    """Cover of the cropped hair in 0..1."""
    line = 7.93 + 0.03 * rng.normal()
    line = line - 0.95 * np.clip(np.abs(X) - 0.40, 0, 1) ** 1.3 - 0.015 * np.cos(9 * X)
    ragged = 0.012 * noise(rng, 0.01, 0.06, falloff=0.5) + 0.03 * noise(
        rng, 0.08, 0.35, direction=0, spread=0.2
    )
    return 0.96 * smoothstep(-0.02, 0.20, Y - line + ragged)
