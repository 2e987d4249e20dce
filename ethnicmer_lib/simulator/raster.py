"""Z-buffer rasteriser: which triangle each pixel shows, and values interpolated over it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

_EDGE = -1e-7  # barycentric tolerance: pixels on a shared edge belong to a triangle, never to none


@dataclass(frozen=True)
class Raster:
    """What the covered pixels of a (height, width) image show.

    Attributes
    ----------
    pixels : (n,) int64, flat indices of the covered pixels, ascending
    faces : (n,) int64, index of the nearest triangle there
    weights : (n, 2) float32, barycentric weights of the triangle's second and third corner
    depth : (height, width) float64, distance of the nearest surface in dm, inf where nothing is
    """

    pixels: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    depth: np.ndarray


def rasterise(points: np.ndarray, triangles: np.ndarray, width: int, height: int) -> Raster:
    """Rasterise triangles that face the camera; the nearest wins.

    Parameters
    ----------
    points : (n, 3) float64, x and y in px (pixel centres at whole numbers), depth in dm
    triangles : (m, 3) int64, counter-clockwise as seen from outside
    """
    face, weights, depth = _fill(points, triangles, width, height)
    pixels = np.flatnonzero(face >= 0)
    return Raster(pixels, face[pixels], weights[pixels], depth.reshape(height, width))


@njit(cache=True)
def _fill(points, triangles, width, height):
    depth = np.full(width * height, np.inf)
    face = np.full(width * height, -1, np.int64)
    weights = np.zeros((width * height, 2), np.float32)
    for t in range(triangles.shape[0]):
        a, b, c = points[triangles[t, 0]], points[triangles[t, 1]], points[triangles[t, 2]]
        bx, by, cx, cy = b[0] - a[0], b[1] - a[1], c[0] - a[0], c[1] - a[1]
        area = bx * cy - by * cx
        if area > -1e-9:  # image y points down: triangles that face the camera have negative area
            continue
        left = max(np.ceil(min(a[0], b[0], c[0])), 0)
        right = min(np.floor(max(a[0], b[0], c[0])), width - 1)
        top = max(np.ceil(min(a[1], b[1], c[1])), 0)
        bottom = min(np.floor(max(a[1], b[1], c[1])), height - 1)
        for y in range(int(top), int(bottom) + 1):
            for x in range(int(left), int(right) + 1):
                dx, dy = x - a[0], y - a[1]
                second = (dx * cy - dy * cx) / area
                third = (dy * bx - dx * by) / area
                if second < _EDGE or third < _EDGE or second + third > 1 - _EDGE:
                    continue
                z = a[2] + second * (b[2] - a[2]) + third * (c[2] - a[2])
                p = y * width + x
                if z < depth[p]:
                    depth[p] = z
                    face[p] = t
                    weights[p, 0] = second
                    weights[p, 1] = third
    return face, weights, depth


def interpolate(values: np.ndarray, triangles: np.ndarray, raster: Raster) -> np.ndarray:
    """Values (n, k) of the vertices at the covered pixels: (pixels, k) float32."""
    return _interpolate(values.astype(np.float32), triangles, raster.faces, raster.weights)


@njit(cache=True)
def _interpolate(values, triangles, faces, weights):
    out = np.empty((faces.size, values.shape[1]), np.float32)
    for p in range(faces.size):
        a, b, c = triangles[faces[p], 0], triangles[faces[p], 1], triangles[faces[p], 2]
        for k in range(values.shape[1]):
            first = values[a, k]
            out[p, k] = (
                first + weights[p, 0] * (values[b, k] - first) + weights[p, 1] * (values[c, k] - first)
            )
    return out


def vertex_normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals (n, 3) float64 of the vertices, faces weighted by area; zero where no face is."""
    return _normals(points, triangles)


@njit(cache=True)
def _normals(points, triangles):
    normals = np.zeros_like(points)
    for t in range(triangles.shape[0]):
        a, b, c = points[triangles[t, 0]], points[triangles[t, 1]], points[triangles[t, 2]]
        ux, uy, uz, vx, vy, vz = b[0] - a[0], b[1] - a[1], b[2] - a[2], c[0] - a[0], c[1] - a[1], c[2] - a[2]
        face = (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
        for corner in range(3):
            for k in range(3):
                normals[triangles[t, corner], k] += face[k]
    for p in range(points.shape[0]):
        length = np.sqrt(normals[p, 0] ** 2 + normals[p, 1] ** 2 + normals[p, 2] ** 2) + 1e-12
        for k in range(3):
            normals[p, k] /= length
    return normals
