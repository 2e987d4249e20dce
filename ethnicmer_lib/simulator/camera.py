"""The camera: projection, rendered frames, and the exact optical flow between two states of a head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ethnicmer_lib.simulator.anatomy import SKIN, Sides, chin, displacement, eye_centres
from ethnicmer_lib.simulator.appearance import Appearance
from ethnicmer_lib.simulator.raster import interpolate, rasterise
from ethnicmer_lib.simulator.shading import backdrop, draw_lashes, lens, shade
from ethnicmer_lib.simulator.surface import surface, topology
from ethnicmer_lib.simulator.wrinkles import relief

#: Head pose: yaw, pitch, roll in radians, shift right and down in px.
Pose = tuple[float, float, float, float, float]
STILL: Pose = (0.0, 0.0, 0.0, 0.0, 0.0)

BACKGROUND = 0  #: value of the face mask where no part is; a part's value is its number + 1
FACE_FRONT = 1.3  # z of the front of the face, dm: one dm there is ``scale`` px
_TURN_POINT = np.array([0, 6.9, 0.3])  # the head turns about this point, dm
_OCCLUDED = 0.03  # dm: a surface this far behind the nearest one is hidden


@dataclass(frozen=True)
class Camera:
    """A camera in front of the face: frame size in px, px per dm, centre of view in dm, distance in dm."""

    width: int = 280
    height: int = 340
    scale: float = 168.0
    centre: tuple[float, float] = (0.0, 7.02)
    distance: float = 9.0

    @classmethod
    def crop(
        cls,
        shape: np.ndarray,
        width: int = 280,
        height: int = 340,
        *,
        eye_line: float = 0.385,
        chin_line: float = 0.95,
    ) -> Camera:
        """Frame a neutral face as the cropped databases do.

        ``eye_line`` and ``chin_line`` say at which share of the height the eyes and the chin lie.
        """
        eyes = eye_centres(shape).mean(0)
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
        drawn, points = topology(), surface(shape)
        raster = rasterise(self.project(points), drawn.triangles, self.width, self.height)
        visible = np.unique(drawn.triangles[raster.faces[drawn.parts[raster.faces] == SKIN]])
        rest = self.project(points)[visible, :2]
        strengths = {}
        for action_unit, (left, right) in pixels.items():
            step = 1e-3 * displacement(action_unit).sum(0)  # first order: expressions are a few px of 1500
            moved = self.project(points + surface(step))[visible, :2] - rest
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
    occluded : (H, W) bool, True where the surface seen first is hidden in the second frame or outside of it
    """
    triangles, parts = topology().triangles, topology().parts
    width, height = camera.width, camera.height
    before, after = (camera.project(surface(shape), pose) for shape, pose in zip(shapes, poses, strict=True))
    first = rasterise(before, triangles, width, height)
    second = rasterise(after, triangles, width, height)
    moved = np.concatenate([(after - before)[:, :2], after[:, 2:]], 1)
    at = interpolate(moved, triangles, first)
    flow, mask = np.zeros((height * width, 2), np.float32), np.full(height * width, BACKGROUND, np.uint8)
    flow[first.pixels], mask[first.pixels] = at[:, :2], 1 + parts[first.faces]
    x = np.rint(first.pixels % width + at[:, 0]).astype(int)
    y = np.rint(first.pixels // width + at[:, 1]).astype(int)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    hidden = at[:, 2] > second.depth[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)] + _OCCLUDED
    occluded = np.zeros(height * width, bool)
    occluded[first.pixels] = hidden | ~inside
    return flow.reshape(height, width, 2), mask.reshape(height, width), occluded.reshape(height, width)


def render(
    camera: Camera,
    shape: np.ndarray,
    appearance: Appearance,
    pose: Pose = STILL,
    *,
    action_units: Mapping[int, Sides] | None = None,
    gain: float = 1.0,
    supersampling: int = 2,
    blur: float = 0.55,
) -> np.ndarray:
    """A noise-free frame, (H, W, 3) float32 in 0..1 with display gamma.

    ``action_units`` are the strengths that ``shape`` was deformed with, for the wrinkles that they draw; ``gain``
    scales the light; ``blur`` is the standard deviation of the lens in px.
    """
    width, height = camera.width * supersampling, camera.height * supersampling
    points = surface(shape)
    projected = camera.project(points, pose, supersampling)
    raster = rasterise(projected, topology().triangles, width, height)
    folds = relief(appearance.wrinkles, action_units or {})
    image = backdrop(height, width)
    image[raster.pixels] = shade(raster, points, rotation(pose), appearance, folds)
    draw_lashes(image, projected, raster, width, height)
    image = image.reshape(height, width, 3) * np.float32(gain)
    return lens(image, (camera.width, camera.height), blur * supersampling)
