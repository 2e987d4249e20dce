"""The camera: projection, rendered frames, sensor, and the exact optical flow between two states of a head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from ethnicmer_lib.simulator.anatomy import (
    EYE,
    EYE_CENTRES,
    LASH,
    SKIN,
    TEETH,
    Sides,
    chin,
    displacement,
    eye_centres,
    head,
)
from ethnicmer_lib.simulator.appearance import LEFT, TEXELS, TOP, Appearance, smoothstep
from ethnicmer_lib.simulator.raster import Raster, interpolate, rasterise, sample, vertex_normals

#: Head pose: yaw, pitch, roll in radians, shift right and down in px.
Pose = tuple[float, float, float, float, float]
STILL: Pose = (0.0, 0.0, 0.0, 0.0, 0.0)

BACKGROUND = 0  #: value of the face mask where no part is; a part's value is its number + 1
FACE_FRONT = 1.3  # z of the front of the face, dm: one dm there is ``scale`` px
_TURN_POINT = np.array([0, 6.9, 0.3])  # the head turns about this point, dm
_OCCLUDED = 0.03  # dm: a surface this far behind the nearest one is hidden

KEY_LIGHT, FILL_LIGHT = np.array([-0.35, 0.55, 0.76]), np.array([0.75, 0.25, 0.6])
_WRAP = np.array(
    [0.45, 0.28, 0.22], np.float32
)  # light wraps further in red: a cheap look of subsurface scatter


@dataclass(frozen=True)
class Camera:
    """A camera in front of the face: frame size in px, px per dm, centre of view in dm, distance in dm."""

    width: int = 280
    height: int = 340
    scale: float = 168.0
    centre: tuple[float, float] = (0.0, 7.02)
    distance: float = 9.0

    @classmethod
    def crop(cls, shape: np.ndarray, width: int = 280, height: int = 340) -> Camera:
        """Frame a neutral face as the cropped databases do: eyes at 38.5 % and chin at 95 % of the height."""
        eyes, eye_line, chin_line = eye_centres(shape).mean(0), 0.385, 0.95
        scale = (chin_line - eye_line) * height / (eyes[1] - chin(shape)[1])
        centre = (float(eyes[0]), float(eyes[1] - (0.5 - eye_line) * height / scale))
        return cls(width, height, float(scale), centre)

    def project(self, points: np.ndarray, pose: Pose = STILL, supersampling: int = 1) -> np.ndarray:
        """Image position of ``points`` (n, 3) dm: (n, 3) with x, y in px (pixel centres at whole numbers), depth."""
        turned = (points - _TURN_POINT) @ rotation(pose).T + _TURN_POINT
        depth = self.distance + FACE_FRONT - turned[:, 2]
        scale = self.distance / depth * self.scale
        x = (turned[:, 0] - self.centre[0]) * scale + self.width / 2 + pose[3]
        y = self.height / 2 - (turned[:, 1] - self.centre[1]) * scale + pose[4]
        return np.stack([x * supersampling - 0.5, y * supersampling - 0.5, depth], 1)

    def strengths(self, shape: np.ndarray, pixels: Mapping[int, Sides]) -> dict[int, Sides]:
        """Action Unit strengths that move the visible skin of ``shape`` by the asked peak in px, left and right."""
        raster = rasterise(self.project(shape), _drawn()[0], self.width, self.height)
        visible = np.unique(_drawn()[0][raster.faces[_drawn()[1][raster.faces] == SKIN]])
        rest = self.project(shape)[visible, :2]
        strengths = {}
        for action_unit, (left, right) in pixels.items():
            step = 1e-3 * displacement(action_unit).sum(0)  # first order: expressions are a few px of 1500
            moved = self.project(shape + step)[visible, :2] - rest
            full = float(np.hypot(*moved.T).max()) / 1e-3
            strengths[action_unit] = (left / full, right / full)
        return strengths


def rotation(pose: Pose) -> np.ndarray:
    """Rotation matrix (3, 3) of a head pose: roll after pitch after yaw."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(pose[:3]), np.sin(pose[:3])
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return roll @ pitch @ yaw


def true_flow(
    camera: Camera, shapes: tuple[np.ndarray, np.ndarray], poses: tuple[Pose, Pose] = (STILL, STILL)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exact optical flow from the first state of a head to the second, on the pixels of the first.

    Returns
    -------
    flow : (H, W, 2) float32, px, x right and y down; 0 in the background
    mask : (H, W) uint8, BACKGROUND, or 1 + the part (skin 1, eye 2, teeth 3)
    occluded : (H, W) bool, True where the surface seen first is hidden in the second frame
    """
    triangles, parts = _drawn()
    width, height = camera.width, camera.height
    before, after = (camera.project(shape, pose) for shape, pose in zip(shapes, poses, strict=True))
    first = rasterise(before, triangles, width, height)
    second = rasterise(after, triangles, width, height)
    moved = np.concatenate([(after - before)[:, :2], after[:, 2:]], 1)
    at = interpolate(moved, triangles, first)
    flow, mask = np.zeros((height * width, 2), np.float32), np.full(height * width, BACKGROUND, np.uint8)
    flow[first.pixels], mask[first.pixels] = at[:, :2], 1 + parts[first.faces]
    x = np.clip(np.rint(first.pixels % width + at[:, 0]), 0, width - 1).astype(int)
    y = np.clip(np.rint(first.pixels // width + at[:, 1]), 0, height - 1).astype(int)
    occluded = np.zeros(height * width, bool)
    occluded[first.pixels] = at[:, 2] > second.depth[y, x] + _OCCLUDED
    return flow.reshape(height, width, 2), mask.reshape(height, width), occluded.reshape(height, width)


def render(
    camera: Camera,
    shape: np.ndarray,
    appearance: Appearance,
    pose: Pose = STILL,
    *,
    gain: float = 1.0,
    supersampling: int = 2,
    blur: float = 0.55,
) -> np.ndarray:
    """A noise-free frame, (H, W, 3) float32 in 0..1 with display gamma.

    ``gain`` scales the light; ``blur`` is the standard deviation of the lens in px.
    """
    width, height = camera.width * supersampling, camera.height * supersampling
    triangles, parts = _drawn()
    points = camera.project(shape, pose, supersampling)
    raster = rasterise(points, triangles, width, height)
    turn = rotation(pose)
    colour = _shade(raster, parts[raster.faces], vertex_normals(shape, _skin()) @ turn.T, turn, appearance)
    image = np.empty((height * width, 3), np.float32)
    image[:] = np.repeat(np.linspace(0.30, 0.22, height, dtype=np.float32), width)[:, None]
    image[raster.pixels] = colour
    _draw_lashes(image, points, raster, width, height)
    image = cv2.GaussianBlur(image.reshape(height, width, 3) * np.float32(gain), (0, 0), blur * supersampling)
    image = cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    return np.clip(image / (1 + 0.12 * image), 0, 1) ** np.float32(1 / 2.2)


def sensor(
    image: np.ndarray, rng: np.random.Generator, *, sigma: float = 2.0, gray: bool = False
) -> np.ndarray:
    """What the sensor delivers: uint8 with noise of ``sigma`` grey levels, (H, W, 3) RGB or (H, W) where gray."""
    if gray:
        image = image @ np.array([0.299, 0.587, 0.114], np.float32)
    noisy = image * 255 + sigma * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _shade(
    raster: Raster, part: np.ndarray, normals: np.ndarray, turn: np.ndarray, appearance: Appearance
) -> np.ndarray:
    """Linear RGB (pixels, 3) float32 of the covered pixels: two lights, sky, gloss."""
    values = interpolate(np.concatenate([normals, _fixed_attributes()], 1), _drawn()[0], raster)
    normal, position = values[:, :3].copy(), values[:, 8:11]
    openness, lips, mouth = values[:, 5:6], values[:, 6], values[:, 7:8] * (part == SKIN)[:, None]
    surface = sample(appearance.surface, values[:, 3].copy(), values[:, 4].copy())
    lips = smoothstep(0.25, 0.85, lips)[:, None]
    albedo = surface[:, :3] + lips * (surface[:, 3:6] - surface[:, :3])
    gloss = np.where(lips[:, 0] > 0.5, np.float32(0.16), np.float32(0.10)) * np.where(
        part == SKIN, surface[:, 6], 1
    ).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    albedo[part == TEETH] = [0.45, 0.42, 0.38]
    albedo += 0.8 * mouth * (np.array([0.12, 0.035, 0.03], np.float32) - albedo)
    eye = part == EYE
    albedo[eye], outward = _eyes(position[eye], appearance)
    normal[eye] = outward @ turn.T.astype(np.float32)

    light = 1.45 * _lambert(normal, KEY_LIGHT) * (0.45 + 0.55 * openness)
    light += 0.42 * _lambert(normal, FILL_LIGHT) * openness
    light += (0.30 + 0.16 * normal[:, 1:2]) * openness * np.array([0.97, 1, 1.05], np.float32)
    # The openness is that of a closed mouth: what lies inside stays in shadow when the jaw opens.
    light *= 1 - 0.8 * np.maximum(mouth, (part == TEETH)[:, None])
    half = KEY_LIGHT / np.linalg.norm(KEY_LIGHT) + [0, 0, 1]
    facing = np.clip(normal @ (half / np.linalg.norm(half)).astype(np.float32), 0, 1)
    shine = gloss * facing**14
    shine[eye] = 0.5 * facing[eye] ** 90
    shine *= openness[:, 0] * (0.6 + 0.4 * openness[:, 0])
    return albedo * light + shine[:, None]


def _lambert(normal: np.ndarray, direction: np.ndarray) -> np.ndarray:
    cosine = normal @ (direction / np.linalg.norm(direction)).astype(np.float32)
    return np.clip((cosine[:, None] + _WRAP) / (1 + _WRAP), 0, None)


def _eyes(position: np.ndarray, appearance: Appearance) -> tuple[np.ndarray, np.ndarray]:
    """Colour (n, 3) and unit outward direction (n, 3) of eyeball pixels at ``position`` on the unmorphed head."""
    centre = EYE_CENTRES.astype(np.float32)[np.where(position[:, 0] > 0, 0, 1)]
    outward = position - centre
    outward /= np.linalg.norm(outward, axis=1, keepdims=True) + 1e-9
    radius, angle = np.hypot(*outward[:, :2].T), np.arctan2(outward[:, 1], outward[:, 0])
    row = np.clip((radius * 64 / 0.45).astype(int), 0, 63)
    column = ((angle + np.pi) / (2 * np.pi) * 255).astype(int)
    sclera = np.array([0.62, 0.58, 0.55], np.float32) * (1 - 0.25 * smoothstep(0.5, 0.95, radius))[:, None]
    lit_from_below = 0.6 * smoothstep(0.20, 0.40, radius) * (outward[:, 1] < 0)
    iris = appearance.iris * (1.15 + 0.35 * appearance.iris_grain[row, column] + lit_from_below)[:, None]
    iris *= (1 - 0.75 * smoothstep(0.36, 0.43, radius))[:, None]
    pupil = smoothstep(0.20, 0.16, radius)[:, None]
    iris += pupil * (0.006 - iris)
    inside = smoothstep(0.46, 0.41, radius)[:, None]
    return sclera + inside * (iris - sclera), outward


def _draw_lashes(image: np.ndarray, points: np.ndarray, raster: Raster, width: int, height: int) -> None:
    """Darken the flat ``image`` (pixels, 3) where lashes are in front."""
    triangles, upper = _lashes()
    lashes = rasterise(points, triangles, width, height)
    seen = lashes.depth.ravel()[lashes.pixels] < raster.depth.ravel()[lashes.pixels] + 0.004
    along = interpolate(head().uv, triangles, lashes)[seen, 0].astype(np.float64)
    strands = 0.8 + 0.2 * np.sin(2200 * along + 3 * np.sin(400 * along))
    cover = (np.where(upper[lashes.faces[seen]], 0.55, 0.13) * strands)[:, None].astype(np.float32)
    where = lashes.pixels[seen]
    image[where] += cover * (0.012 - image[where])


@cache
def _drawn() -> tuple[np.ndarray, np.ndarray]:
    """Triangles (m, 3) of the closed surface, without lashes, and their parts (m,)."""
    chosen = head().parts != LASH
    return head().triangles[chosen], head().parts[chosen]


@cache
def _skin() -> np.ndarray:
    return head().triangles[head().parts == SKIN]


@cache
def _lashes() -> tuple[np.ndarray, np.ndarray]:
    """Triangles of the lashes, seen from both sides, and whether they belong to an upper lid."""
    triangles = head().triangles[head().parts == LASH]
    triangles = np.concatenate([triangles, triangles[:, ::-1]])
    return triangles, head().vertices[triangles].mean(1)[:, 1] > EYE_CENTRES[0, 1]


@cache
def _fixed_attributes() -> np.ndarray:
    """What every vertex carries besides its normal, (n, 8): texel x and y, openness, lips, mouth, base position."""
    base = head().vertices
    texels = np.stack([(base[:, 0] - LEFT) * TEXELS, (TOP - base[:, 1]) * TEXELS], 1)
    own = np.stack([head().openness, head().lips, head().mouth], 1)
    return np.concatenate([texels, own, base], 1)
