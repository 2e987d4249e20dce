"""Shading: the colour of every covered pixel, from two lights, a sky, gloss, paint and the relief of wrinkles."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numba import njit

from ethnicmer_lib.simulator.anatomy import EYE, EYE_CENTRES, TEETH, head
from ethnicmer_lib.simulator.appearance import Appearance
from ethnicmer_lib.simulator.canvas import LEFT, TEXELS, TOP
from ethnicmer_lib.simulator.raster import Raster, interpolate, rasterise, vertex_normals
from ethnicmer_lib.simulator.surface import topology


def _unit(direction: tuple[float, float, float]) -> np.ndarray:
    return np.array(direction) / np.linalg.norm(direction)


KEY_LIGHT, FILL_LIGHT = _unit((-0.35, 0.55, 0.76)), _unit((0.75, 0.25, 0.6))
HALF_WAY = _unit(
    tuple(KEY_LIGHT + np.array([0, 0, 1]))
)  # between the key light and the camera: where gloss shines
_WRAP = np.array([0.45, 0.28, 0.22])  # light wraps further in red: a cheap look of subsurface scatter
_SKY = np.array([0.97, 1, 1.05])
_TEETH, _GUMS, _MOUTH = np.array([[0.52, 0.49, 0.42], [0.30, 0.10, 0.09], [0.17, 0.05, 0.045]])
_SCLERA = np.array([0.50, 0.46, 0.43])
#: Where neighbouring teeth meet, |x| of the unmorphed head in dm: upper row, lower row.
_GAPS = np.array([[0.0, 0.082, 0.146, 0.208, 0.25, 0.28], [0.0, 0.052, 0.108, 0.168, 0.22, 0.26]])
_BITE = 6.615  # height between the rows of teeth, dm
_BULGE = 1.7
_NO_RELIEF = np.zeros((2, 2, 3), np.float32)


def shade(
    raster: Raster, points: np.ndarray, turn: np.ndarray, appearance: Appearance, relief: np.ndarray | None
) -> np.ndarray:
    """Linear RGB of the covered pixels, (pixels, 3) float32.

    Parameters
    ----------
    points : (m, 3) drawn vertices in dm, before the head is turned
    turn : (3, 3) rotation of the head
    relief : (h, w, 3) float32 of ``wrinkles.relief`` over the canonical frame, or None for smooth skin
    """
    drawn = topology()
    normals = vertex_normals(points, drawn.skin).astype(np.float32)
    return _shade(
        raster.faces,
        raster.weights,
        drawn.triangles,
        drawn.parts,
        np.concatenate([normals, _constants()], 1),
        turn,
        EYE_CENTRES,
        appearance.surface,
        _NO_RELIEF if relief is None else relief,
        relief is not None,
        appearance.iris,
        appearance.iris_grain,
    )


def draw_lashes(image: np.ndarray, points: np.ndarray, raster: Raster, width: int, height: int) -> None:
    """Darken the flat ``image`` (pixels, 3) where lashes are in front; ``points`` are projected vertices."""
    drawn = topology()
    lashes = rasterise(points, drawn.lashes, width, height)
    seen = lashes.depth.ravel()[lashes.pixels] < raster.depth.ravel()[lashes.pixels] + 0.004
    along = interpolate(_lash_coordinates(), drawn.lashes, lashes)[seen, 0].astype(np.float64)
    strands = 0.8 + 0.2 * np.sin(2200 * along + 3 * np.sin(400 * along))
    cover = (np.where(drawn.upper[lashes.faces[seen]], 0.55, 0.13) * strands)[:, None].astype(np.float32)
    where = lashes.pixels[seen]
    image[where] += cover * (0.012 - image[where])


def backdrop(height: int, width: int) -> np.ndarray:
    """The wall behind the head, (height * width, 3) float32 linear RGB: grey, darker below."""
    column = np.linspace(0.30, 0.22, height, dtype=np.float32)
    return np.broadcast_to(column[:, None, None], (height, width, 3)).reshape(-1, 3).copy()


def lens(image: np.ndarray, size: tuple[int, int], blur: float) -> np.ndarray:
    """``image`` (h, w, 3) linear, blurred by ``blur`` px, reduced to ``size`` (width, height), with display gamma."""
    image = cv2.resize(cv2.GaussianBlur(image, (0, 0), blur), size, interpolation=cv2.INTER_AREA)
    return np.clip(image / (1 + 0.12 * image), 0, 1) ** np.float32(1 / 2.2)


@cache
def _constants() -> np.ndarray:
    """Of every drawn vertex, (m, 8) float32: texel x and y, openness, lips, mouth, position on the unmorphed head."""
    base = head().vertices
    texels = np.stack([(base[:, 0] - LEFT) * TEXELS, (TOP - base[:, 1]) * TEXELS], 1)
    own = np.stack([head().openness, head().lips, head().mouth], 1)
    return (topology().weights @ np.concatenate([texels, own, base], 1)).astype(np.float32)


@cache
def _lash_coordinates() -> np.ndarray:
    return topology().weights @ head().uv


@njit(cache=True)
def _step(low, high, value):
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@njit(cache=True)
def _corner(size, at, scale):
    """Index and fraction for bilinear sampling along an axis of ``size`` texels at ``at * scale``."""
    at = min(max(at * scale, 0.0), size - 1.001)
    return int(at), at - int(at)


@njit(cache=True)
def _bilinear(image, i, fi, j, fj, k):
    upper = image[i, j, k] + fj * (image[i, j + 1, k] - image[i, j, k])
    lower = image[i + 1, j, k] + fj * (image[i + 1, j + 1, k] - image[i + 1, j, k])
    return upper + fi * (lower - upper)


@njit(cache=True)
def _eye(x, y, z, iris, iris_grain, albedo):
    """Write the colour of an eyeball at the outward unit direction (x, y, z) into ``albedo``."""
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    row = min(max(int(radius * 64 / 0.45), 0), 63)
    column = min(int((angle + np.pi) / (2 * np.pi) * 255), 255)
    lit = 1.15 + 0.35 * iris_grain[row, column] + (0.6 * _step(0.20, 0.40, radius) if y < 0 else 0.0)
    lit *= 1 - 0.75 * _step(0.36, 0.43, radius)
    pupil, inside = 1 - _step(0.16, 0.20, radius), 1 - _step(0.41, 0.46, radius)
    for k in range(3):
        colour = iris[k] * lit
        colour += pupil * (0.006 - colour)
        white = _SCLERA[k] * (1 - (0.25 + 0.06 * k) * _step(0.5, 0.95, radius))
        albedo[k] = (white + inside * (colour - white)) * (
            1 - 0.45 * _step(0.02, 0.34, y)
        )  # the upper lid's shadow


@njit(cache=True)
def _tooth(x, y, z, albedo):
    """Write the colour of the teeth at (x, y, z) of the unmorphed head into ``albedo``; return how lit they are."""
    row = 0 if y > _BITE else 1
    seam = 0.0
    for k in range(_GAPS.shape[1]):
        seam = max(seam, np.exp(-(((abs(x) - _GAPS[row, k]) / 0.007) ** 2)))
    gum = _step(0.105, 0.135, abs(y - _BITE) + 0.02 * seam)
    for k in range(3):
        colour = _TEETH[k] * (1 - 0.45 * seam)
        albedo[k] = colour + gum * (_GUMS[k] - colour)
    return 0.05 + 0.55 * _step(1.28, 1.50, z) * (1 - 0.9 * _step(0.09, 0.24, abs(x)))


@njit(cache=True)
def _lean(relief, v, rows, columns):
    """Lean the normal, the first three of ``v``, by the slopes of wrinkles; return how deep the skin lies in one."""
    i, fi = _corner(relief.shape[0], v[4], rows)
    j, fj = _corner(relief.shape[1], v[3], columns)
    x, y = _bilinear(relief, i, fi, j, fj, 0), _bilinear(relief, i, fi, j, fj, 1)
    into = x * v[0] + y * v[1]  # slopes lean the normal within the tangent plane
    v[0], v[1], v[2] = v[0] - x + into * v[0], v[1] - y + into * v[1], v[2] + into * v[2]
    return _bilinear(relief, i, fi, j, fj, 2)


@njit(cache=True)
def _glint(m):
    """How far an eyeball of normal ``m`` faces half way between light and camera, its cornea bulging."""
    x, y, z = _BULGE * m[0], _BULGE * m[1], m[2]
    return (x * HALF_WAY[0] + y * HALF_WAY[1] + z * HALF_WAY[2]) / np.sqrt(x * x + y * y + z * z)


@njit(cache=True)
def _light(k, key, fill, up, openness):
    """Light of channel ``k``: two lamps at cosines ``key`` and ``fill``, and the sky, ``up`` being the normal's y."""
    wrap = _WRAP[k]
    light = 1.45 * max((key + wrap) / (1 + wrap), 0.0) * (0.45 + 0.55 * openness)
    light += 0.42 * max((fill + wrap) / (1 + wrap), 0.0) * openness
    return light + (0.30 + 0.16 * up) * openness * _SKY[k]


@njit(cache=True)
def _shade(faces, weights, triangles, parts, values, turn, eyes, surface, relief, wrinkled, iris, iris_grain):
    out = np.empty((faces.size, 3), np.float32)
    v, albedo, m = np.empty(11), np.empty(3), np.empty(3)
    height, width = surface.shape[:2]
    rows, columns = relief.shape[0] / height, relief.shape[1] / width
    for p in range(faces.size):
        face = faces[p]
        a, b, c = triangles[face, 0], triangles[face, 1], triangles[face, 2]
        second, third = weights[p, 0], weights[p, 1]
        first = 1 - second - third
        for k in range(11):
            v[k] = first * values[a, k] + second * values[b, k] + third * values[c, k]
        part, openness, inner, cavity, shine = parts[face], v[5], 0.0, 0.0, 0.0
        if part == EYE:
            side = 0 if v[8] > 0 else 1
            x, y, z = v[8] - eyes[side, 0], v[9] - eyes[side, 1], v[10] - eyes[side, 2]
            length = np.sqrt(x * x + y * y + z * z) + 1e-9
            v[0], v[1], v[2] = x / length, y / length, z / length
            _eye(v[0], v[1], v[2], iris, iris_grain, albedo)
        elif part == TEETH:
            openness = _tooth(v[8], v[9], v[10], albedo)
            v[0], v[1], v[2] = 0.9 * v[8] / 0.3, 0.0, 1.0
        else:
            i, fi = _corner(height, v[4], 1.0)
            j, fj = _corner(width, v[3], 1.0)
            lips, inner = _step(0.25, 0.85, v[6]), v[7]
            for k in range(3):
                skin = _bilinear(surface, i, fi, j, fj, k)
                colour = skin + lips * (_bilinear(surface, i, fi, j, fj, 3 + k) - skin)
                albedo[k] = colour + 0.85 * inner * (_MOUTH[k] - colour)
            shine = (0.08 + 0.07 * lips) * _bilinear(surface, i, fi, j, fj, 6)
            # The openness is that of a closed mouth: deep inside stays in shadow when the jaw opens.
            openness = openness + inner * (0.22 * _step(0.8, 1.45, v[10]) - openness)
            if wrinkled:
                cavity = _lean(relief, v, rows, columns)
        length = 1e-9
        for k in range(3):
            m[k] = turn[k, 0] * v[0] + turn[k, 1] * v[1] + turn[k, 2] * v[2]
            length += m[k] * m[k]
        key, fill, facing = 0.0, 0.0, 0.0
        for k in range(3):
            m[k] /= np.sqrt(length)
            key += m[k] * KEY_LIGHT[k]
            fill += m[k] * FILL_LIGHT[k]
            facing += m[k] * HALF_WAY[k]
        if part == EYE:  # the cornea bulges: its glint lies nearer to the pupil than a sphere's
            facing = _glint(m)
            shine = 0.7 * max(facing, 0.0) ** 160
        else:
            shine *= max(facing, 0.0) ** 18 * openness * (0.6 + 0.4 * openness) * (1 - inner)
        own_shadow = 1 - min(cavity, 0.7)
        for k in range(3):
            light = _light(k, key, fill, m[1], openness)
            if part == TEETH:
                light *= openness
            else:
                light *= 1 - 0.55 * inner
            out[p, k] = albedo[k] * light * own_shadow ** (1 - 0.25 * (k == 0)) + shine * own_shadow
    return out
