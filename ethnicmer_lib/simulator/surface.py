"""The drawn surface: one Catmull-Clark subdivision of the head, as a constant sparse matrix.

Rendering, true flow and occlusion all see ``surface(shape)``.  The matrix depends on the topology alone, so the
drawn surface is linear in the shape: Action Units add up on it as they do on the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import sparse

from ethnicmer_lib.simulator.anatomy import EYE_CENTRES, LASH, SKIN, head


@dataclass(frozen=True)
class Topology:
    """What is constant about the drawn surface; its first vertices are those of the head, smoothed.

    Attributes
    ----------
    weights : (m, n) CSR float64, rows sum to 1: drawn vertices from the head's
    triangles : (k, 3) int64, the closed surface: skin, eyes and teeth
    parts : (k,) uint8, the part of each of these triangles
    skin : (s, 3) int64, the triangles of the skin, which make the normals
    lashes : (l, 3) int64, triangles of the lashes, seen from both sides
    upper : (l,) bool, whether a lash triangle belongs to an upper lid
    """

    weights: sparse.csr_matrix
    triangles: np.ndarray
    parts: np.ndarray
    skin: np.ndarray
    lashes: np.ndarray
    upper: np.ndarray


def surface(shape: np.ndarray) -> np.ndarray:
    """Vertices of the drawn surface, (m, 3) float64 dm, from the head's (n, 3)."""
    return topology().weights @ shape


@cache
def topology() -> Topology:
    """The drawn surface's constant part."""
    triangles = head().triangles
    half = len(triangles) // 2  # the asset stores quads cut in two: first all (0, 1, 2), then all (0, 2, 3)
    quads = np.concatenate([triangles[:half], triangles[half:, 2:]], 1)
    weights, refined = subdivision(quads, len(head().vertices))
    cut = np.stack([refined[:, [0, 1, 2]], refined[:, [0, 2, 3]]], 1).reshape(-1, 3)
    parts = np.repeat(head().parts[:half], 8)
    lashes = np.concatenate([cut[parts == LASH], cut[parts == LASH][:, ::-1]])
    upper = (weights @ head().vertices)[lashes].mean(1)[:, 1] > EYE_CENTRES[0, 1]
    drawn = parts != LASH
    return Topology(weights, cut[drawn], parts[drawn], cut[parts == SKIN], lashes, upper)


def subdivision(quads: np.ndarray, n: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """One Catmull-Clark step on ``quads`` (q, 4) over ``n`` vertices; borders stay exactly where they are.

    Returns
    -------
    weights : (n + q + edges, n) CSR float64: the old vertices, then a point per quad, then one per edge
    refined : (4 q, 4) int64, four quads in the place of each, in order and orientation
    """
    q = len(quads)
    corners = quads.ravel()
    sides = np.sort(np.stack([corners, np.roll(quads, -1, 1).ravel()], 1), axis=1)
    edges, edge_of_side, used = np.unique(sides, axis=0, return_inverse=True, return_counts=True)
    edge_of_side = edge_of_side.reshape(q, 4)
    face = _matrix(np.repeat(np.arange(q), 4), corners, np.full(4 * q, 0.25), (q, n))
    middle = _matrix(
        np.repeat(np.arange(len(edges)), 2), edges.ravel(), np.full(2 * len(edges), 0.5), (len(edges), n)
    )

    border = used == 1
    at_edge = _matrix(edge_of_side.ravel(), np.repeat(np.arange(q), 4), np.ones(4 * q), (len(edges), q))
    faces_of_edge = sparse.diags_array(1 / used) @ at_edge @ face
    inner = sparse.diags_array(np.where(border, 0.0, 0.5))
    edge = middle + inner @ (faces_of_edge - middle)

    at_vertex = _matrix(corners, np.repeat(np.arange(q), 4), np.ones(4 * q), (n, q))
    edges_at_vertex = _matrix(
        edges.ravel(), np.repeat(np.arange(len(edges)), 2), np.ones(edges.size), (n, len(edges))
    )
    valence = np.bincount(edges.ravel(), minlength=n)
    free = valence > 0
    free[edges[border]] = False
    count = np.maximum(valence, 1)
    moved = sparse.diags_array(1 / count**2) @ (at_vertex @ face + 2 * (edges_at_vertex @ middle))
    vertex = (
        sparse.diags_array(np.where(free, 1 - 3 / count, 1.0))
        + sparse.diags_array(free.astype(float)) @ moved
    )

    faces = n + np.arange(q)[:, None]
    ahead = n + q + edge_of_side
    refined = np.stack([quads, ahead, np.broadcast_to(faces, quads.shape), np.roll(ahead, 1, 1)], 2).reshape(
        -1, 4
    )
    weights = sparse.csr_matrix(sparse.vstack([vertex, face, edge]))
    weights.eliminate_zeros()
    return weights, refined


def _matrix(
    rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]
) -> sparse.csr_matrix:
    return sparse.csr_matrix((values, (rows, columns)), shape=shape)
