"""Anatomy, surface and camera: amplitudes as asked, true flow and strain against geometry and against pictures."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.strain import optical_strain
from ethnicmer_lib.simulator import anatomy
from ethnicmer_lib.simulator.appearance import paint
from ethnicmer_lib.simulator.camera import BACKGROUND, STILL, Camera, render, true_flow
from ethnicmer_lib.simulator.raster import rasterise, vertex_normals
from ethnicmer_lib.simulator.surface import subdivision, surface, topology

SEED = 11
units = st.sampled_from(sorted(set(anatomy.ACTION_UNITS) - {43}))


@pytest.fixture(scope="module")
def shape():
    return anatomy.identity_shape(SEED)


@pytest.fixture(scope="module")
def camera(shape):
    return Camera.crop(shape)


@pytest.fixture(scope="module")
def appearance():
    return paint(SEED, "A", 0.0)


def test_identities_are_deterministic_and_differ(shape):
    assert np.array_equal(shape, anatomy.identity_shape(SEED))
    assert np.abs(shape - anatomy.identity_shape(SEED + 1)).max() > 0.01


def test_no_target_is_named_after_an_origin():
    names = " ".join(anatomy.head().targets)
    for word in ("african", "asian", "caucasian", "nubian", "greek", "epicanthus", "eyefold"):
        assert word not in names
    macro = {name for name in anatomy.head().targets if name.startswith("macro/")}
    assert macro == set(anatomy.MACRO_TARGETS)


@given(unit=units, pixels=st.floats(0.25, 4), seed=st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=25)
def test_amplitude_in_px_is_as_asked(unit, pixels, seed):
    face = anatomy.identity_shape(seed)
    camera = Camera.crop(face)
    strengths = camera.strengths(face, {unit: (pixels, pixels)})
    flow, mask, _ = true_flow(camera, (face, anatomy.deform(face, strengths)))
    peak = np.hypot(*flow[mask == 1].T).max()
    # The peak belongs to a vertex; the nearest pixel may lie a little beside it.
    assert 0.85 * pixels <= peak <= 1.05 * pixels


@given(unit=units, left=st.floats(0, 4), right=st.floats(0, 4))
@settings(deadline=None, max_examples=20)
def test_sides_are_linear_and_apart(unit, left, right):
    field = anatomy.displacement(unit)
    moved = anatomy.deform(np.zeros_like(field[0]), {unit: (left, right)})
    assert np.allclose(moved, left * field[0] + right * field[1])
    x, amount = anatomy.head().vertices[:, 0], np.linalg.norm(field[0], axis=1)
    assert amount[x < -0.1].sum() < 0.5 * amount[x > 0.1].sum()  # lips take some of the other side along


def test_left_is_the_subjects_left(shape, camera):
    flow, mask, _ = true_flow(
        camera, (shape, anatomy.deform(shape, camera.strengths(shape, {12: (2.0, 0.0)})))
    )
    amount = np.hypot(*np.moveaxis(flow, 2, 0)) * (mask > 0)
    middle = camera.width // 2
    assert amount[:, middle:].sum() > 5 * amount[:, :middle].sum()


def test_peak_displacement_is_the_projected_peak(shape):
    for unit in (1, 12, 26):
        step = anatomy.displacement(unit).sum(0)
        assert anatomy.peak_displacement(unit) <= np.hypot(*step[:, :2].T).max()
        assert anatomy.peak_displacement(unit) > 0.02


def test_unknown_action_unit_is_named():
    with pytest.raises(StudyError, match="AU 99"):
        anatomy.displacement(99)


def test_rasteriser_fills_a_triangle_once_and_keeps_the_nearest():
    near = np.array([[1.0, 1, 1], [1, 8, 1], [8, 1, 1]])
    points = np.concatenate([near, near + np.array([0, 0, 1])])
    raster = rasterise(points, np.array([[3, 4, 5], [0, 1, 2]]), 10, 10)
    y, x = np.divmod(raster.pixels, 10)
    assert np.array_equal(raster.faces, np.ones_like(raster.faces))
    assert set(zip(x, y, strict=True)) == {(i, j) for i in range(1, 9) for j in range(1, 9) if i + j <= 9}
    assert np.isinf(raster.depth).sum() == 100 - len(raster.pixels)
    assert len(rasterise(points, np.array([[0, 2, 1]]), 10, 10).pixels) == 0


def quad_grid(rows, columns):
    """Vertices (n, 3) of a flat grid in z = 0 and its quads."""
    y, x = np.mgrid[: rows + 1, : columns + 1]
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1).astype(float)
    corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    return points, np.stack([corner, corner + 1, corner + columns + 2, corner + columns + 1], 1)


@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    seed=st.integers(0, 2**31 - 1),
)
@settings(deadline=None, max_examples=20)
def test_subdivision_is_affine_and_keeps_flat_things_flat(rows, columns, seed):
    points, quads = quad_grid(rows, columns)
    weights, refined = subdivision(quads, len(points))
    assert len(refined) == 4 * len(quads)
    assert np.allclose(weights.sum(1), 1)
    rng = np.random.default_rng(seed)
    points[:, :2] += 0.2 * rng.normal(size=(len(points), 2))
    assert np.abs((weights @ points)[:, 2]).max() < 1e-12
    turn, shift = rng.normal(size=(3, 3)), rng.normal(size=3)
    assert np.allclose(weights @ (points @ turn + shift), (weights @ points) @ turn + shift)


@given(seed=st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=10)
def test_subdivision_keeps_borders(seed):
    points, quads = quad_grid(3, 4)
    weights, refined = subdivision(quads, len(points))
    x, y = points[:, 0], points[:, 1]
    points = points + np.random.default_rng(seed).normal(size=points.shape)
    drawn = weights @ points
    border = (x == 0) | (x == 4) | (y == 0) | (y == 3)
    assert np.array_equal(drawn[: len(points)][border], points[border])
    assert not np.allclose(drawn[: len(points)][~border], points[~border])
    sides = np.sort(np.stack([refined.ravel(), np.roll(refined, -1, 1).ravel()], 1), axis=1)
    edges, used = np.unique(sides, axis=0, return_counts=True)
    assert used.max() == 2
    assert (used == 1).sum() == 2 * (2 * 3 + 2 * 4)
    old = np.sort(np.stack([quads.ravel(), np.roll(quads, -1, 1).ravel()], 1), axis=1)
    old, once = np.unique(old, axis=0, return_counts=True)
    middles = points[old[once == 1]].mean(1)
    new = drawn[np.setdiff1d(edges[used == 1], np.arange(len(points)))]
    assert np.allclose(np.sort(new, 0), np.sort(middles, 0))


def test_drawn_surface_is_linear_smoother_and_oriented_as_the_head(shape):
    field = anatomy.displacement(12).sum(0)
    assert np.allclose(surface(shape + 0.3 * field), surface(shape) + 0.3 * surface(field))
    drawn, base = topology(), anatomy.head()
    assert len(drawn.triangles) == 4 * (base.parts != anatomy.LASH).sum()
    assert np.abs(surface(base.vertices)[: len(base.vertices)] - base.vertices).max() < 0.05
    coarse = vertex_normals(base.vertices, base.triangles[base.parts == anatomy.SKIN])
    fine = vertex_normals(surface(base.vertices), drawn.skin)
    skin = np.unique(base.triangles[base.parts == anatomy.SKIN])
    assert (np.sum(coarse * fine[: len(coarse)], 1)[skin] > 0.5).mean() > 0.99
    angles = [
        folding(points, faces)
        for points, faces in (
            (base.vertices, base.triangles[base.parts == anatomy.SKIN]),
            (surface(base.vertices), drawn.skin),
        )
    ]
    assert angles[1] < 0.65 * angles[0]


def folding(points, triangles):
    """Mean angle between neighbouring triangles, radians."""
    a, b, c = (points[corners] for corners in triangles.T)
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-15
    sides = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1)
    order = np.lexsort(sides.T)
    same = (sides[order][1:] == sides[order][:-1]).all(1)
    face = order % len(triangles)
    cosine = np.sum(normals[face[1:][same]] * normals[face[:-1][same]], 1)
    return np.arccos(np.clip(cosine, -1, 1)).mean()


def test_a_recording_may_frame_the_face_in_another_way(shape):
    camera = Camera.crop(shape, 300, 320, eye_line=0.27, chin_line=0.9)
    eyes = camera.project(anatomy.eye_centres(shape))[:, 1].mean()
    assert eyes == pytest.approx(0.27 * 320, abs=2)
    # Asked is the height at the front of the face; perspective draws the chin, further back, a little higher.
    assert camera.project(anatomy.chin(shape)[None])[0, 1] == pytest.approx(0.9 * 320, abs=6)


def seen_skin(camera, points, mask, occluded):
    """Drawn vertices of smooth skin that the camera sees, well inside of the frame: indices, x, y."""
    drawn = topology()
    skin = np.unique(drawn.skin)
    raster = rasterise(points, drawn.triangles, camera.width, camera.height)
    x, y = points[skin, 0], points[skin, 1]
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    inside = (column > 2) & (column < camera.width - 3) & (row > 2) & (row < camera.height - 3)
    skin, x, y, column, row = (values[inside] for values in (skin, x, y, column, row))
    front = np.abs(raster.depth[row, column] - points[skin, 2]) < 0.01
    smooth = cv2.erode((mask == 1).astype(np.uint8), np.ones((5, 5)))[row, column] == 1
    chosen = front & smooth & ~occluded[row, column]
    return skin[chosen], x[chosen].astype(np.float32), y[chosen].astype(np.float32)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 1.0])
def test_true_flow_is_the_difference_of_reprojected_vertices(shape, camera, share):
    full = anatomy.deform(shape, camera.strengths(shape, {4: (2, 2), 12: (3, 1)}))
    moved = shape + share * (full - shape)
    pose = tuple(share * value for value in (0.02, -0.01, 0.01, 0.6, -0.4))
    flow, mask, occluded = true_flow(camera, (shape, moved), (STILL, pose))
    before, after = camera.project(surface(shape)), camera.project(surface(moved), pose)
    skin, x, y = seen_skin(camera, before, mask, occluded)
    assert len(skin) > 5000
    at = cv2.remap(flow, x[None], y[None], cv2.INTER_LINEAR)[0]
    error = np.hypot(*(at - (after - before)[skin, :2]).T)
    assert np.median(error) < 0.003 * share
    assert np.percentile(error, 95) < 0.02 * share  # what is left: folds of the ears, a pixel across


def test_strain_of_an_in_plane_rotation_is_of_second_order(shape, camera):
    axial = replace(camera, centre=(0.0, 6.9))  # looks at the point that the head turns about: no parallax
    strain = []
    for roll in (0.02, 0.04):
        flow, mask, _ = true_flow(axial, (shape, shape), (STILL, (0.0, 0.0, roll, 0.8, -0.5)))
        inner = cv2.erode((mask == 1).astype(np.uint8), np.ones((3, 3))) == 1
        inner[[0, -1]] = inner[:, [0, -1]] = False
        strain.append(np.median(optical_strain(flow)[inner]))
        assert strain[-1] == pytest.approx(np.sqrt(2) * (1 - np.cos(roll)), rel=0.05)
        assert np.hypot(*flow[inner].T).max() > 100 * roll
    assert strain[1] == pytest.approx(4 * strain[0], rel=0.05)


def test_strain_is_that_of_the_projected_triangles(shape, camera):
    apex = anatomy.deform(shape, camera.strengths(shape, {4: (2, 2), 12: (3, 1)}))
    pose = (0.01, -0.01, 0.01, 0.6, -0.4)
    flow, mask, _ = true_flow(camera, (shape, apex), (STILL, pose))
    before, after = camera.project(surface(shape)), camera.project(surface(apex), pose)
    triangles = topology().triangles
    raster = rasterise(before, triangles, camera.width, camera.height)
    sides, moved = ((p[triangles[:, 1:], :2] - p[triangles[:, :1], :2]) for p in (before, after - before))
    used = np.unique(raster.faces)
    gradient = np.linalg.solve(sides[used], moved[used])  # (faces, d/dx and d/dy, u and v)
    tensor = (gradient + gradient.transpose(0, 2, 1)) / 2
    expected = np.zeros(len(triangles))
    expected[used] = np.sqrt((tensor**2).sum((1, 2)))
    face = np.full(camera.height * camera.width, -1)
    face[raster.pixels] = raster.faces
    face = face.reshape(mask.shape)
    middle = face[1:-1, 1:-1]
    same = (middle >= 0) & (mask[1:-1, 1:-1] == 1)
    for neighbour in (face[:-2, 1:-1], face[2:, 1:-1], face[1:-1, :-2], face[1:-1, 2:]):
        same &= neighbour == middle
    measured = optical_strain(flow)[1:-1, 1:-1]
    assert same.sum() > 5000
    assert np.abs(measured[same] - expected[middle[same]]).max() < 2e-5
    # Across the edges of triangles central differences average the two sides.
    smooth = cv2.erode((mask == 1).astype(np.uint8), np.ones((9, 9)))[1:-1, 1:-1] == 1
    error = np.abs(measured - expected[middle])[smooth]
    assert np.median(error) < 0.05 * np.median(measured[smooth])


def warped_back(camera, shape, appearance, pixels, wrinkled, pose=STILL):
    """Grey levels by which the apex differs from the onset on skin seen in both: as it is, and warped back."""
    strengths = camera.strengths(shape, pixels)
    apex = anatomy.deform(shape, strengths)
    flow, mask, occluded = true_flow(camera, (shape, apex), (STILL, pose))
    first = 255 * render(camera, shape, appearance)
    second = 255 * render(camera, apex, appearance, pose, action_units=strengths if wrinkled else None)
    y, x = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    warped = cv2.remap(second, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC)
    hidden = cv2.dilate(occluded.astype(np.uint8), np.ones((5, 5))) > 0
    inner = (cv2.erode((mask == 1).astype(np.uint8), np.ones((7, 7))) == 1) & ~hidden
    return np.abs(second - first).mean(2)[inner], np.abs(warped - first).mean(2)[inner]


@pytest.mark.parametrize("wrinkled", [False, True])
def test_apex_warped_back_by_true_flow_is_the_onset_within_sensor_noise(shape, camera, appearance, wrinkled):
    before, after = warped_back(
        camera, shape, appearance, {1: (1, 1), 4: (1, 1), 12: (1, 1), 17: (1, 1)}, wrinkled
    )
    # The sensor's noise has a standard deviation of 2 grey levels.  What is left is light: shading that turns
    # with the surface, and with wrinkles the folds that the apex has and the onset has not.
    assert np.median(after) < 0.25
    assert np.sqrt((after**2).mean()) < 0.8 < 1.5 < np.sqrt((before**2).mean())
    assert np.percentile(after, 99) < (4 if wrinkled else 2)
    assert after.mean() < 0.45 * before.mean()


def test_true_flow_with_a_moving_head_warps_a_large_expression_back(shape, camera, appearance):
    pose = (0.005, 0.0, 0.002, 1.5, 0.5)
    before, after = warped_back(camera, shape, appearance, {4: (3, 3), 12: (4, 2), 17: (2, 2)}, False, pose)
    assert np.median(after) < 1
    assert after.mean() < 0.35 * before.mean()


def test_skin_that_leaves_the_frame_counts_as_occluded(shape, camera):
    flow, mask, occluded = true_flow(camera, (shape, shape), (STILL, (0.0, 0.0, 0.0, 0.0, 10.0)))
    lowest = mask[-5:] > 0
    assert lowest.any()
    assert occluded[-5:][lowest].all()
    assert not occluded[200, 140]
    assert flow[200, 140] == pytest.approx([0, 10], abs=1e-3)


def test_still_face_has_no_flow_and_no_occlusion(shape, camera):
    flow, mask, occluded = true_flow(camera, (shape, shape))
    assert not flow.any()
    assert not occluded.any()
    assert (mask == BACKGROUND).any()
    assert {1, 2} <= set(np.unique(mask))


def test_render_range(shape, camera, appearance):
    frame = render(camera, shape, appearance)
    assert frame.shape == (340, 280, 3)
    assert frame.dtype == np.float32
    assert 0 <= frame.min() < frame.max() <= 1
    assert np.array_equal(frame, render(camera, shape, appearance))
