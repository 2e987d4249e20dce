"""Optical flow against motion that is known, and its refusals."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ethnicmer_lib.clips.table import Stack, neighbour_steps
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.flow import METHODS, gray, optical_flow


def texture(seed: int = 0, shape: tuple[int, int] = (96, 80)) -> np.ndarray:
    noise = np.random.default_rng(seed).random(shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


def shifted(image: np.ndarray, dx: float, dy: float) -> np.ndarray:
    matrix = np.float32([[1, 0, dx], [0, 1, dy]])
    return cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REFLECT)


@pytest.mark.parametrize("method", METHODS)
def test_translation_is_found_with_its_signs(method):
    onset = texture()
    flow = optical_flow(onset, shifted(onset, 1.5, -1.0), method)
    assert flow.shape == (96, 80, 2)
    assert flow.dtype == np.float32
    middle = flow[16:-16, 16:-16].reshape(-1, 2)
    assert np.abs(np.median(middle, axis=0) - [1.5, -1.0]).max() < 0.15


@pytest.mark.parametrize("method", METHODS)
def test_equal_frames_do_not_move(method):
    frame = texture(1)
    # Farneback leaves up to a tenth of a pixel in the corners, hence the mean.
    assert np.abs(optical_flow(frame, frame.copy(), method)).mean() < 0.01


def test_colour_is_turned_to_gray_once_in_rgb_order():
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 200
    assert (gray(red) == round(0.299 * 200)).all()
    onset = texture(2)
    apex = shifted(onset, 1, 0)
    colour = [np.repeat(frame[..., None], 3, axis=2) for frame in (onset, apex)]
    assert np.array_equal(optical_flow(*colour), optical_flow(onset, apex))


@pytest.mark.parametrize("method", METHODS)
def test_a_frame_without_texture_has_no_motion(method):
    flat = np.full((64, 48), 90, np.uint8)
    assert np.abs(optical_flow(flat, flat.copy(), method)).max() < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_the_smallest_frame_is_served(method):
    onset = texture(5, (32, 32))
    assert np.isfinite(optical_flow(onset, shifted(onset, 0.5, 0), method)).all()


@pytest.mark.parametrize("method", ["dis", "micro"])
def test_a_stack_is_averaged(method):
    rng = np.random.default_rng(6)
    onset, apex = texture(6), shifted(texture(6), 0.6, -0.4)

    def noisy(frame: np.ndarray) -> Stack:
        frames = np.uint8((frame + rng.normal(0, 6, (9, *frame.shape))).clip(0, 255).round())
        return Stack(frames, (0, *neighbour_steps(4, 4)))

    first, second = noisy(onset), noisy(apex)
    inner = (slice(12, -12), slice(12, -12))
    errors = [
        np.hypot(*np.moveaxis(flow[inner] - [0.6, -0.4], 2, 0)).mean()
        for flow in (
            optical_flow(first.frames[0], second.frames[0], method),
            optical_flow(first, second, method),
        )
    ]
    assert errors[1] < (0.75 * errors[0] if method == "dis" else 0.04)
    colour = [part._replace(frames=np.repeat(part.frames[..., None], 3, axis=3)) for part in (first, second)]
    assert np.array_equal(optical_flow(*colour, method), optical_flow(first, second, method))
    alone = [Stack(part.frames[:1], (0,)) for part in (first, second)]
    pair = [part.frames[0] for part in (first, second)]
    assert np.array_equal(optical_flow(*alone, method), optical_flow(*pair, method))
    assert np.isfinite(optical_flow(alone[0], second, method)).all()


def test_drift_of_the_head_among_neighbours_is_taken_off():
    picture = texture(7, (128, 112))
    # One-sided neighbours, as at the start of a clip: their mean is where the head will be, not where it is.
    onset = np.stack([shifted(picture, 0.12 * step, 0.05 * step) for step in range(5)])
    apex = np.stack([shifted(picture, 1.0, 0.5)] * 5)
    flow = optical_flow(Stack(onset, tuple(range(5))), Stack(apex, tuple(range(5))), "micro")
    assert np.abs(np.median(flow[20:-20, 20:-20].reshape(-1, 2), axis=0) - [1.0, 0.5]).max() < 0.05


def test_same_frames_give_the_same_bytes():
    onset, apex = texture(3), texture(4)
    assert optical_flow(onset, apex).tobytes() == optical_flow(onset, apex).tobytes()


@pytest.mark.parametrize(
    ("onset", "apex", "method", "words"),
    [
        (texture(), texture(shape=(96, 81)), "dis", r"\(96, 80\).*\(96, 81\)"),
        (texture().astype(np.float32), texture().astype(np.float32), "dis", "float32.*uint8"),
        (texture(shape=(31, 80)), texture(shape=(31, 80)), "dis", "31, 80.*32"),
        (np.zeros((40, 40, 4), np.uint8), np.zeros((40, 40, 4), np.uint8), "dis", "RGB"),
        (np.zeros((40, 40, 1), np.uint8), np.zeros((40, 40, 1), np.uint8), "dis", "give .H, W. gray"),
        (np.zeros((2, 40, 40, 3), np.uint8), texture(), "dis", r"\(2, 40, 40, 3\).*Stack of such frames"),
        (Stack(np.zeros((0, 40, 40), np.uint8), ()), texture(), "dis", "Stack of such frames"),
        (texture().astype(np.uint16), texture().astype(np.uint16), "micro", "uint16.*8-bit"),
        (np.full((40, 40), np.nan), np.full((40, 40), np.nan), "micro", "float64.*8-bit"),
        (texture(), texture(), "horn", "horn.*dis, farneback, deepflow"),
    ],
)
def test_refusals_name_the_value(onset, apex, method, words):
    with pytest.raises(StudyError, match=words):
        optical_flow(onset, apex, method)


def test_real_pairs_are_close_to_the_truth(shared):
    found = sorted((shared / "golden" / "flow").glob("*.npz"))
    if not found:
        pytest.skip(f"no synthetic flow pairs (*.npz) in {shared / 'golden' / 'flow'}")
    for path in found:
        with np.load(path) as pair:
            if not {"frame1", "frame2", "flow_true"} <= set(pair.files):
                continue
            frames = [np.uint8(np.clip(np.rint(pair[name]), 0, 255)) for name in ("frame1", "frame2")]
            truth = pair["flow_true"]
            error = np.linalg.norm(optical_flow(*frames, "deepflow") - truth, axis=2).mean()
            assert error < 0.5 * np.linalg.norm(truth, axis=2).mean(), path.name
