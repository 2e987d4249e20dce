"""Anatomy and camera: amplitudes as asked, true flow against geometry and against pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator import anatomy
from ethnicmer_lib.simulator.appearance import paint
from ethnicmer_lib.simulator.camera import BACKGROUND, Camera, render, sensor, true_flow
from ethnicmer_lib.simulator.raster import rasterise

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


def test_true_flow_is_the_difference_of_projected_vertices(shape, camera):
    pose = (0.02, -0.01, 0.01, 0.6, -0.4)
    apex = anatomy.deform(shape, camera.strengths(shape, {4: (2, 2), 12: (3, 1)}))
    flow, mask, occluded = true_flow(camera, (shape, apex), ((0.0,) * 5, pose))
    before, after = camera.project(shape), camera.project(apex, pose)
    skin = np.unique(anatomy.head().triangles[anatomy.head().parts == anatomy.SKIN])
    raster = rasterise(before, anatomy.head().triangles, camera.width, camera.height)
    x, y = before[skin, 0], before[skin, 1]
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    inside = (column > 2) & (column < camera.width - 3) & (row > 2) & (row < camera.height - 3)
    skin, x, y, column, row = (values[inside] for values in (skin, x, y, column, row))
    front = np.abs(raster.depth[row, column] - before[skin, 2]) < 0.01
    smooth = cv2.erode((mask == 1).astype(np.uint8), np.ones((5, 5)))[row, column] == 1
    chosen = front & smooth & ~occluded[row, column]
    assert chosen.sum() > 500
    at = cv2.remap(flow, x[None].astype(np.float32), y[None].astype(np.float32), cv2.INTER_LINEAR)[0]
    error = np.hypot(*(at - (after - before)[skin, :2])[chosen].T)
    assert np.percentile(error, 95) < 0.03
    assert np.median(error) < 0.005


def test_apex_warped_back_by_true_flow_is_the_onset(shape, camera, appearance):
    apex = anatomy.deform(shape, camera.strengths(shape, {4: (3, 3), 12: (4, 2), 17: (2, 2)}))
    pose = (0.005, 0.0, 0.002, 1.5, 0.5)
    flow, mask, occluded = true_flow(camera, (shape, apex), ((0.0,) * 5, pose))
    first = render(camera, shape, appearance)
    second = render(camera, apex, appearance, pose)
    y, x = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    warped = cv2.remap(second, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC)
    hidden = cv2.dilate(occluded.astype(np.uint8), np.ones((5, 5))) > 0
    inner = (cv2.erode((mask == 1).astype(np.uint8), np.ones((7, 7))) == 1) & ~hidden
    after, before = np.abs(warped - first)[inner], np.abs(second - first)[inner]
    assert np.median(after) < 0.004
    assert after.mean() < 0.35 * before.mean()


def test_still_face_has_no_flow_and_no_occlusion(shape, camera):
    flow, mask, occluded = true_flow(camera, (shape, shape))
    assert not flow.any()
    assert not occluded.any()
    assert (mask == BACKGROUND).any()
    assert {1, 2} <= set(np.unique(mask))


def test_render_and_sensor_ranges(shape, camera, appearance):
    frame = render(camera, shape, appearance)
    assert frame.shape == (340, 280, 3)
    assert frame.dtype == np.float32
    assert 0 <= frame.min() < frame.max() <= 1
    gray = sensor(frame, np.random.default_rng(0), gray=True)
    assert gray.shape == (340, 280)
    assert gray.dtype == np.uint8
    noise = sensor(np.full((200, 200, 3), 0.5, np.float32), np.random.default_rng(0), sigma=2.0)
    assert noise.std() == pytest.approx(2.0, rel=0.05)
