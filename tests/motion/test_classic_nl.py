"""Classic+NL-fast against the outputs of the original, against what must hold, and its parts against slow twins."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.classic_nl import solver, system, warp, weighted_median
from ethnicmer_lib.motion.classic_nl.flow import classic_nl_fast
from ethnicmer_lib.motion.classic_nl.pyramid import pyramid, resampling, resize_flow
from ethnicmer_lib.motion.classic_nl.texture import SHARE, structure, texture
from ethnicmer_lib.motion.flow import optical_flow


def skin(seed: int = 0, shape: tuple[int, int] = (64, 64)) -> np.ndarray:
    noise = np.random.default_rng(seed).random(shape)
    smooth = ndimage.gaussian_filter(noise, 2, mode="wrap")
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


# --- the original -----------------------------------------------------------------------------------------------


def original(folder, name):
    """Frames, true flow and the flow of the original implementation in Octave."""
    if (folder / f"{name}.npz").is_file():
        with np.load(folder / f"{name}.npz") as pair:
            return pair["frame1"], pair["frame2"], pair["flow_true"], pair["flow_classic_nl_fast"]
    colour = [cv2.imread(str(folder / name / f"frame{k}.png")).astype(float) for k in (10, 11)]
    frames = [np.uint8(np.rint(frame @ [0.114020904, 0.587043074, 0.298936021])) for frame in colour]
    raw = (folder / name / "flow10.flo").read_bytes()
    width, height = np.frombuffer(raw, np.int32, 2, 4)
    truth = np.frombuffer(raw, np.float32, -1, 12).reshape(height, width, 2)
    with np.load(folder / name / "classic_nl_fast_gray.npz") as stored:
        return *frames, truth, stored["flow"]


def endpoint_error(flow, truth):
    known = np.abs(truth).max(axis=2) < 1e8
    return np.linalg.norm(flow - truth, axis=2)[known].mean()


# Details that the publications leave open were deduced with the first two pairs, and one (that a place on the last
# row or column counts as outside) with the third, which failed until then.  Dimetrodon is held out: no choice was
# ever made by it.
@pytest.mark.parametrize(
    ("name", "mean"), [("native_1", 1e-3), ("RubberWhale", 2e-3), ("zoom_0.3", 1e-3), ("Dimetrodon", 2e-3)]
)
def test_is_the_original(shared, name, mean):
    folder = shared / "golden" / "flow"
    if not (folder / name).is_dir() and not (folder / f"{name}.npz").is_file():
        pytest.skip(f"no pair {name} in {folder}: set ETHNICMER_SHARED to compare with the original")
    onset, apex, truth, expected = original(folder, name)
    flow = optical_flow(onset, apex, "classic_nl_fast")
    difference = np.linalg.norm(flow - expected, axis=2)
    assert difference.mean() <= mean
    assert np.quantile(difference, 0.99) <= 1e-2
    assert round(endpoint_error(flow, truth), 3) == round(endpoint_error(expected, truth), 3)


# --- what must hold ---------------------------------------------------------------------------------------------


def test_equal_frames_do_not_move():
    frame = skin(1)
    assert np.abs(classic_nl_fast(frame, frame)).max() < 1e-3


@settings(deadline=None, max_examples=5)
@given(st.integers(-1, 1), st.integers(-1, 1), st.integers(0, 100))
def test_whole_pixel_shifts_are_found(dx, dy, seed):
    onset = skin(seed)
    flow = classic_nl_fast(onset, np.roll(onset, (dy, dx), axis=(0, 1)))
    assert_allclose(flow[8:-8, 8:-8].mean(axis=(0, 1)), [dx, dy], atol=0.03)


def test_turned_frames_give_the_turned_flow():
    onset = skin(2)
    apex = np.uint8(np.rint(ndimage.shift(onset.astype(float), (0.3, 0.6), mode="wrap")).clip(0, 255))
    flow, turned = classic_nl_fast(onset, apex), classic_nl_fast(onset.T.copy(), apex.T.copy())
    assert np.abs(turned.transpose(1, 0, 2)[..., ::-1] - flow).mean() < 2e-3


def test_light_that_changes_alike_in_both_frames_changes_little():
    onset = skin(3) // 2
    apex = np.roll(onset, 1, axis=1)
    brighter = classic_nl_fast(onset + 40, apex + 40)
    assert np.abs(brighter - classic_nl_fast(onset, apex)).mean() < 1e-3


def test_same_frames_give_the_same_bytes():
    onset, apex = skin(4), skin(5)
    assert classic_nl_fast(onset, apex).tobytes() == classic_nl_fast(onset, apex).tobytes()


@pytest.mark.parametrize(("first", "second"), [(0, 0), (255, 255), (10, 200)])
def test_frames_without_contrast_do_not_move(first, second):
    flow = classic_nl_fast(np.full((40, 50), first, np.uint8), np.full((40, 50), second, np.uint8))
    assert flow.shape == (40, 50, 2)
    assert flow.dtype == np.float32
    assert np.abs(flow).max() < 1e-6


@pytest.mark.parametrize("shape", [(32, 32), (32, 75), (51, 33), (33, 32)])
def test_small_and_odd_sizes_work(shape):
    onset = skin(6, shape)
    flow = classic_nl_fast(onset, np.roll(onset, 1, axis=1))
    assert flow.shape == (*shape, 2)
    assert abs(np.median(flow[..., 0]) - 1) < 0.1


# --- its parts --------------------------------------------------------------------------------------------------


def test_structure_and_texture():
    edge = np.where(np.arange(40) < 20, -0.5, 0.5) * np.ones((30, 1))
    fine = 0.05 * np.random.default_rng(0).standard_normal(edge.shape)
    smooth = structure(edge + fine)
    assert np.abs(smooth - edge).mean() < 0.5 * np.abs(fine).mean()
    assert_allclose(smooth.mean(), (edge + fine).mean(), atol=1e-12)
    frame = skin(7, (30, 40))
    first, second = texture(frame, frame // 2)
    assert min(first.min(), second.min()) == 0
    assert max(first.max(), second.max()) == pytest.approx(255)
    scaled = frame / 127.5 - 1
    expected = scaled - SHARE * structure(scaled)
    assert np.corrcoef(first.ravel(), expected.ravel())[0, 1] == pytest.approx(1)


def test_structure_is_the_dual_iteration():
    image = np.random.default_rng(1).uniform(-1, 1, (9, 7))
    p = np.zeros((2, 9, 7))

    def primal():
        spread = np.diff(p[0], axis=1, prepend=0) + np.diff(p[1], axis=0, prepend=0)
        return image + spread / 8

    for _ in range(100):
        u = primal()
        p[0, :, :-1] += 2 * np.diff(u, axis=1)
        p[1, :-1] += 2 * np.diff(u, axis=0)
        p /= np.maximum(1, np.hypot(*p))
    assert_allclose(structure(image), primal(), atol=1e-12)


def test_pyramid_sizes_and_values():
    levels = pyramid(np.full((75, 33), 7.0), 3, 2.0)
    assert [level.shape for level in levels] == [(75, 33), (38, 17), (19, 9)]
    assert all(np.allclose(level, 7) for level in levels)
    fine = pyramid(np.arange(40.0) * np.ones((40, 1)), 2, 1.25)[1]
    assert fine.shape == (32, 32)
    assert_allclose(fine[5, 2:-2], 1.25 * (np.arange(32) + 0.5)[2:-2] - 0.5)


@settings(deadline=None, max_examples=30)
@given(st.integers(4, 60), st.integers(4, 60))
def test_resampling_is_opencvs_without_antialias(old, new):
    line = np.random.default_rng(old).random((1, old))
    expected = cv2.resize(line, (new, 1), interpolation=cv2.INTER_LINEAR)
    assert_allclose(line @ resampling(old, new, new / old, antialias=False).T, expected, atol=1e-5)


def test_antialiased_resampling_widens_its_triangle():
    matrix = resampling(50, 40, 0.8, antialias=True)
    assert_allclose(matrix.sum(axis=1), 1)
    distance = 0.8 * np.abs((20 + 0.5) / 0.8 - 0.5 - np.arange(50))
    assert_allclose(matrix[20], np.maximum(0, 1 - distance) / np.maximum(0, 1 - distance).sum())


def test_flow_between_levels_is_in_the_new_pixels():
    u, v = resize_flow(np.full((20, 17), 1.0), np.full((20, 17), -2.0), (40, 33))
    assert u.shape == v.shape == (40, 33)
    assert_allclose(u, 2)
    assert_allclose(v, -4)


def cubic(x, y):
    return 3 + 0.5 * x - 0.2 * y + 0.01 * x * x * y - 0.001 * y**3 + 0.002 * x**3


def test_warp_is_exact_on_cubics():
    y, x = np.mgrid[0:20.0, 0:24.0]
    image = cubic(x, y)
    u, v = np.full_like(x, 0.3), np.full_like(x, -0.6)
    plane = warp.surface(image)
    middle = np.s_[5:-5, 5:-5]
    assert_allclose(plane[1][middle], (0.5 + 0.02 * x * y + 0.006 * x * x)[middle])
    ix, iy, it = warp.differences(plane, plane, u, v)
    assert_allclose(it[middle], (cubic(x + u, y + v) - image)[middle])
    warped = 0.5 + 0.02 * (x + u) * (y + v) + 0.006 * (x + u) ** 2
    assert_allclose(ix[middle], ((warped + plane[1]) / 2)[middle])
    warped = -0.2 + 0.01 * (x + u) ** 2 - 0.003 * (y + v) ** 2
    assert_allclose(iy[middle], ((warped + plane[2]) / 2)[middle])


def test_remainder_is_exact_on_parabolas_up_to_the_border():
    y, x = np.mgrid[0:12.0, 0:9.0]
    image = 1 + 2 * x - y + 0.3 * x * x - 0.1 * y * y + 0.2 * x * y
    u, v = (4 - x) / 9, (5 - y) / 12
    place = x + u, y + v
    moved = (
        1 + 2 * place[0] - place[1] + 0.3 * place[0] ** 2 - 0.1 * place[1] ** 2 + 0.2 * place[0] * place[1]
    )
    assert_allclose(warp.remainder(image, warp.widened(image), u, v), moved - image, atol=1e-12)


def test_nothing_is_known_outside_the_frame():
    image = warp.surface(skin(8).astype(float))
    u = np.full((64, 64), 2.5)
    found = warp.differences(image, image, u, 0 * u)
    assert (found[:, :, -3:] == 0).all()
    assert (found[0, :-1, :-3] != 0).any()
    assert (warp.remainder(image[0], warp.widened(image[0]), u, 0 * u)[:, -3:] == 0).all()


def explicit(planes):
    """The matrix of the planes, pixel by pixel."""
    _, height, width = planes.shape
    n = height * width
    place = np.arange(n).reshape(height, width)
    matrix = sparse.lil_matrix((2 * n, 2 * n))
    for k, (row, column) in enumerate([(0, 0), (0, 1), (1, 1)]):
        for p, value in enumerate(planes[k].ravel()):
            matrix[row * n + p, column * n + p] = value
            matrix[column * n + p, row * n + p] = value
    for k in range(2):
        for plane, (a, b) in (
            (3 + 2 * k, (place[:, :-1], place[:, 1:])),
            (4 + 2 * k, (place[:-1], place[1:])),
        ):
            pulls = planes[plane][: a.shape[0], : a.shape[1]]
            for p, q, w in zip(a.ravel() + k * n, b.ravel() + k * n, pulls.ravel(), strict=True):
                matrix[p, p] += w
                matrix[q, q] += w
                matrix[p, q] -= w
                matrix[q, p] -= w
    return matrix.tocsc()


def task(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 5, (3, *shape)), *rng.normal(0, 0.1, (2, *shape))


@settings(deadline=None, max_examples=8)
@given(st.integers(5, 24), st.integers(5, 24), st.booleans(), st.integers(0, 100))
def test_solver_is_a_direct_solution(height, width, robust, seed):
    derivatives, u, v = task((height, width), seed)
    planes, right = system.assemble(derivatives, u, v, robust)
    expected = spsolve(explicit(planes), right.ravel().astype(float)).reshape(2, height, width)
    found = solver.increments(derivatives, u, v, robust)
    assert_allclose(found, expected, atol=1e-5 * max(1, np.abs(expected).max()))


def test_system_is_the_gradient_of_the_energy():
    (ix, iy, it), u, v = task((6, 7), 3)
    ix, iy = 0.2 * ix, 0.2 * iy

    def energy(du, dv):
        def rho(x):
            return (x * x + 1e-6) ** 0.45

        total = rho(it + ix * du + iy * dv).sum()
        for f in (u + du, v + dv):
            total += 3 * (rho(np.diff(f, axis=0)).sum() + rho(np.diff(f, axis=1)).sum())
        return total

    _, right = system.assemble(np.stack([ix, iy, it]), u, v, True)
    step = 1e-6
    for k, i, j in [(0, 2, 3), (1, 0, 0), (0, 5, 6), (1, 3, 0)]:
        change = np.zeros((2, 6, 7))
        change[k, i, j] = step
        slope = (energy(*change) - energy(*-change)) / (2 * step)
        assert -right[k, i, j] == pytest.approx(slope, rel=1e-3, abs=1e-3)


def test_cycle_is_symmetric_and_positive():
    planes, _ = system.assemble(*task((19, 14)), True)
    grids = solver.hierarchy(planes)
    rng = np.random.default_rng(1)

    def cycled(planes):
        right = system.split(planes)
        rooms = [(np.zeros_like(right), right)]
        rooms += [tuple(np.zeros((2, 2, 2, *g.shape[2:]), np.float32)) for g in grids[1:]]
        solver.cycle(grids, rooms, 0)
        return system.join(rooms[0][0], 14)

    a, b = rng.normal(size=(2, 2, 19, 14)).astype(np.float32)
    assert (a * cycled(b)).sum() == pytest.approx((b * cycled(a)).sum(), rel=1e-3)
    assert (a * cycled(a)).sum() > 0


def test_a_system_that_is_not_solved_is_an_error(monkeypatch):
    monkeypatch.setattr(solver, "MOST", 2)
    with pytest.raises(StudyError, match=r"after 2 iterations .*flow_method"):
        solver.increments(*task((30, 30)), True)


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 9), st.integers(1, 9))
def test_chessboard_is_joined_again(height, width):
    planes = np.arange(2 * height * width, dtype=np.float32).reshape(2, height, width)
    assert np.array_equal(system.join(system.split(planes), width), planes)


def sorted_median(values, weights):
    order = np.argsort(values, kind="stable")
    held = np.cumsum(weights[order].astype(float))
    return values[order][np.searchsorted(held, held[-1] / 2)]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 240), st.sampled_from([1, 2, 5]), st.booleans())
def test_weighted_median_is_that_of_sorting(seed, n, power, ties):
    rng = np.random.default_rng(seed)
    values = (rng.integers(0, 4, n) if ties else rng.normal(size=n) ** power).astype(np.float32)
    weights = (rng.random(n) ** 4).astype(np.float32)
    assert weighted_median.weighted_median(values, weights) == sorted_median(values, weights)


def test_weighted_medians_weigh_space_intensity_and_visibility():
    rng = np.random.default_rng(2)
    u, v = rng.normal(size=(2, 20, 18))
    light, visible = rng.integers(0, 30, (20, 18)), rng.random((20, 18))
    u, v, light, visible = (np.float32(plane) for plane in (u, v, light, visible))
    found = weighted_median.weighted_medians(
        *(weighted_median._padded(plane, 7, 8) for plane in (u, v, light, visible)),
        np.array([[0, 0], [9, 17]]),
    )
    y, x = np.mgrid[-7:8, -7:8]
    for place, (row, column) in enumerate([(0, 0), (9, 17)]):
        box = np.s_[row : row + 15, column : column + 15]
        a, b, near, seen = (np.pad(plane, 7, mode="symmetric")[box] for plane in (u, v, light, visible))
        weights = np.exp(-(x * x + y * y) / 98 - (near - light[row, column]) ** 2 / 98) * seen
        for k, plane in enumerate((a, b)):
            assert found[place, k] == sorted_median(plane.ravel(), weights.ravel())


def test_median_is_scipys():
    values = np.random.default_rng(3).normal(size=(12, 17)).astype(np.float32).astype(float)
    assert np.array_equal(weighted_median.median(values), ndimage.median_filter(values, 5, mode="reflect"))


def test_boundaries_are_thin_lines_along_steps():
    step = np.where(np.arange(30) < 12, 0.0, 1.0) + 1e-3 * np.arange(30) * np.ones((20, 1))
    edges = weighted_median.boundaries(step)
    assert edges[:, 11:13].any(axis=1).all()
    assert edges.sum(axis=1).max() == 1
    assert not weighted_median.boundaries(np.zeros((20, 30))).any()


def test_visibility_falls_where_the_flow_converges_or_frames_differ():
    y, x = np.mgrid[0:10.0, 0:12.0]
    none = np.zeros_like(x)
    assert (weighted_median.visibility(0.4 * x, 0.1 * y, none) == 1).all()
    assert_allclose(weighted_median.visibility(-0.3 * x, none, none), np.exp(-0.5))
    assert_allclose(weighted_median.visibility(none, none, none + 20), np.exp(-0.5))


def test_a_window_that_sees_nothing_still_has_a_median():
    u = np.where(np.arange(20) < 10, 30.0, 0.0) * np.ones((20, 1))  # converges by 15 px per px
    found = weighted_median.filtered(u, 0 * u, 0 * u, 250 + 0 * u)
    assert all(np.isfinite(plane).all() for plane in found)
    assert set(np.unique(found[0])) <= {0.0, 30.0}
