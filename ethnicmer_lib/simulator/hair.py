"""Hair: hairlines, the volume that hair adds to the head, its paint, and brows; one law for every subject."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ethnicmer_lib.simulator.canvas import HEIGHT, LEFT, TEXELS, TOP, WIDTH, Band, X, Y, noise, smoothstep

#: Linear RGB of hair, from no pigment to full pigment.
_FAIR, _DARK = np.array([0.26, 0.165, 0.085]), np.array([0.012, 0.009, 0.0075])
_GREY = np.array([0.30, 0.30, 0.30])
_EAR_TOP, _EAR = 7.45, 0.735  # the ears lie below and outside of this, dm


@dataclass(frozen=True)
class Hairstyle:
    """How a subject wears its hair; lengths in dm of the unmorphed head.

    Attributes
    ----------
    line : height of the hairline on the midline
    peak : how far it dips there
    recession : how far the temples recede
    temple : |x| of the hairline beside the eyes
    sideburn : height at which the hair beside the ears ends
    fade : width of the transition from skin to hair
    thickness : how far the hair stands off the scalp
    cover : share of the scalp hidden by it
    lean : direction of the strands in radians from vertical
    curl : 0 straight .. 1 curly
    """

    line: float
    peak: float
    recession: float
    temple: float
    sideburn: float
    fade: float
    thickness: float
    cover: float
    lean: float
    curl: float


def hairstyle(seed: int) -> Hairstyle:
    """Draw a subject's hair from a random stream of its own: shaved, cropped, or up to 3 cm thick."""
    rng = np.random.default_rng([seed, 5])
    length = rng.beta(1.0, 1.2)
    receding = rng.random() < 0.35
    return Hairstyle(
        line=float(np.clip(7.91 + 0.045 * rng.normal(), 7.80, 8.03)),
        peak=float(max(0.0, 0.03 * rng.normal())),
        recession=float(rng.uniform(0.07, 0.20) if receding else rng.uniform(0.0, 0.05)),
        temple=float(rng.uniform(0.600, 0.655)),
        sideburn=float(rng.uniform(7.05, 7.48)),
        fade=float(0.17 - 0.11 * length),
        thickness=float(0.03 + 0.28 * max(0.0, length - 0.12)),
        cover=float(np.clip(0.72 + 0.5 * length, 0.72, 0.97)),
        lean=float(rng.choice([0.0, 0.45, -0.45, 1.0, -1.0])),
        curl=float(rng.beta(0.7, 0.9)),
    )


def depth_in_hair(style: Hairstyle, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far (x, y) of the canonical frame lies inside the hairline, dm; negative on bare skin."""
    x = np.abs(x)
    drop = 1.3 * np.clip(x - 0.42, 0, None) ** 1.5
    temples = style.recession * np.exp(-(((x - 0.37) / 0.15) ** 2))
    above = y - (style.line - style.peak * np.exp(-((x / 0.10) ** 2)) + temples - drop)
    beside = x - style.temple - 0.12 * np.clip(7.60 - y, 0, None)
    rounding = 0.03
    inside = rounding * np.logaddexp(above / rounding, beside / rounding)
    inside = np.minimum(inside, y - style.sideburn)
    return np.minimum(inside, np.maximum(y - _EAR_TOP, _EAR - x))


def volume(style: Hairstyle, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far the hair lifts the outline of the head at (x, y) of the canonical frame, dm: fuller on top."""
    fuller = 0.55 + 0.45 * smoothstep(7.7, 8.2, y)
    return (
        style.thickness * fuller * smoothstep(0.0, 0.16 + 0.4 * style.thickness, depth_in_hair(style, x, y))
    )


def hair_colour(rng: np.random.Generator, years: float) -> tuple[np.ndarray, np.ndarray]:
    """Linear RGB (3,) of hair and of brows: pigment from fair to dark, some red, grey with age; brows keep longer."""
    pigment, red = rng.beta(2.2, 1.0), max(0.0, 0.25 * rng.normal())
    colour = np.exp((1 - pigment) * np.log(_FAIR) + pigment * np.log(_DARK))
    colour = colour * np.exp(red * (1 - pigment) * np.array([0.6, -0.4, -0.9]))
    grey = np.clip(2.2 * (years - 0.22) * rng.random(), 0, 0.8)
    brows = 0.9 * colour * np.exp(-0.5 * (1 - pigment))
    return colour + grey * (_GREY - colour), brows + 0.15 * grey * (_GREY - brows)


def paint_hair(
    skin: np.ndarray, style: Hairstyle, colour: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Paint the hair over ``skin`` (HEIGHT, WIDTH, 3) in place; return its cover in 0..1."""
    inside = depth_in_hair(style, X, Y).astype(np.float32)
    straight = 1 - style.curl
    ragged = noise(
        rng,
        Band(0.012, 0.01, 0.06, falloff=0.5),
        Band(0.020 + 0.015 * straight, 0.06, 0.30, direction=style.lean, spread=0.25 + 0.6 * style.curl),
    )
    cover = style.cover * smoothstep(-0.3 * style.fade, style.fade, inside + ragged)
    shadow = 0.9 * style.thickness * np.exp(-np.maximum(-inside, 0) / 0.05) * (1 - cover)
    skin *= (1 - shadow)[..., None]
    locks = noise(
        rng,
        Band(0.10 + 0.20 * straight, 0.02, 0.30, direction=style.lean, spread=0.14 + 0.25 * style.curl),
        Band(0.12 * straight, 0.004, 0.03, direction=style.lean, spread=0.30),
        Band(0.06 + 0.28 * style.curl, 0.015, 0.06, falloff=0.4),
    )
    roots = 0.35 * smoothstep(0.0, 0.25, inside) - 0.15
    strands = np.exp(locks + roots)[..., None] * colour.astype(np.float32)
    skin += cover[..., None] * (strands - skin)
    return cover


def paint_brows(skin: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paint the brows over ``skin`` (HEIGHT, WIDTH, 3) in place; return their cover in 0..1."""
    cover = _brows(rng)
    grain = np.exp(noise(rng, Band(0.35, 0.08, 0.35)))[..., None]
    skin += cover[..., None] * (grain * colour.astype(np.float32) - skin)
    return cover


def _brows(rng: np.random.Generator) -> np.ndarray:
    """Cover of the eyebrows in 0..1, drawn hair by hair."""
    height, arch = 7.485 + 0.012 * rng.normal(), 0.05 + 0.014 * rng.normal()
    thickness = 0.034 * np.exp(0.25 * rng.normal())
    start, end = 0.125 + 0.014 * rng.normal(), 0.52 + 0.018 * rng.normal()
    top, rows = 7.75, int(0.5 * TEXELS)  # only this strip of the frame holds brows
    canvas = np.zeros((2 * rows, 2 * WIDTH), np.uint8)
    for _ in range(int(250 * np.exp(0.3 * rng.normal()))):
        t, across = rng.random() ** 0.9, 0.38 * rng.normal()
        if rng.random() > 0.35 + 0.65 * min(1, t / 0.22):  # sparser at the root of the nose
            continue
        width = thickness * (1 - 0.72 * t**1.5) * (0.75 + 0.25 * min(1, t / 0.12))
        x = start + (end - start) * t + 0.014 * rng.normal()
        y = height + arch * np.sin(np.pi * min(1, t / 1.25)) - 0.04 * t * t - 0.01 + across * width
        angle = 1.1 - 1.15 * t - 0.35 * across + 0.16 * rng.normal()
        length = 0.070 * (0.6 + 0.7 * rng.random()) * (1 - 0.35 * t)
        bend = [0.55 * np.cos(angle), 0.6 * np.sin(angle)]
        tip = [np.cos(angle - 0.25), np.sin(angle - 0.25)]
        hair = np.array([x, y]) + length * np.array([[0, 0], bend, tip])
        for side in (1, -1):
            points = (hair * [side, 1] + 0.004 * rng.normal(size=2) - [LEFT, top]) * [2 * TEXELS, -2 * TEXELS]
            fixed = np.round(16 * points).astype(np.int32)  # OpenCV draws with 4 fractional bits
            cv2.polylines(canvas, [fixed[:, None]], False, 255, 1, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(canvas, (0, 0), 1.6)
    strip = cv2.resize(soft, (WIDTH, rows), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    cover = np.zeros((HEIGHT, WIDTH), np.float32)
    above = round((TOP - top) * TEXELS)
    cover[above : above + rows] = np.clip(1.25 * strip + 0.6 * cv2.GaussianBlur(strip, (0, 0), 5), 0, 0.9)
    return cover
