"""Recording: one camera at shift 0, two looks at shift 1, and what sensor and file do to a frame."""

from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator.anatomy import chin, eye_centres, identity_shape
from ethnicmer_lib.simulator.camera import Camera
from ethnicmer_lib.simulator.recording import COMMON, LOOKS, Recording, encode, recording, sensor

CONTINUOUS = [field.name for field in fields(Recording) if field.name != "gray"]


def test_without_shift_one_camera_records_both_in_colour():
    assert recording(CASME2, 0.0) == recording(SAMM, 0.0) == COMMON
    assert not COMMON.gray


def test_at_full_shift_each_looks_like_itself():
    casme2, samm = recording(CASME2, 1.0), recording(SAMM, 1.0)
    assert (casme2, samm) == (LOOKS[CASME2], LOOKS[SAMM])
    assert (casme2.width, casme2.height, casme2.gray) == (280, 340, False)
    assert samm.gray
    assert samm.eye_line < casme2.eye_line
    assert samm.contrast > casme2.contrast
    assert samm.noise < casme2.noise


@given(shift=st.floats(0, 1))
@settings(deadline=None)
def test_in_between_numbers_are_between_and_gray_is_from_one_half_on(shift):
    for database in (CASME2, SAMM):
        found, look = recording(database, shift), LOOKS[database]
        for name in CONTINUOUS:
            low, high = sorted((getattr(COMMON, name), getattr(look, name)))
            assert low - 1e-9 <= getattr(found, name) <= high + 1e-9
            assert type(getattr(found, name)) is type(getattr(look, name))
    assert recording(SAMM, shift).gray == (shift >= 0.5)
    assert recording(CASME2, shift) == COMMON


def test_framing_and_noise_can_be_left_out():
    alike = recording(SAMM, 1.0, ("framing", "noise", "head"))
    framing = {name: getattr(COMMON, name) for name in ("width", "height", "eye_line", "chin_line")}
    assert alike == replace(LOOKS[SAMM], noise=0.0, **framing)


def test_unknown_database_and_shift_are_refused():
    with pytest.raises(StudyError, match="'CASME III'"):
        recording("CASME III", 0.5)
    with pytest.raises(StudyError, match=r"database_shift 1\.5"):
        recording(SAMM, 1.5)


@pytest.mark.parametrize("database", [CASME2, SAMM])
def test_eyes_and_chin_lie_on_their_lines(database):
    look, shape = LOOKS[database], identity_shape(4)
    camera = Camera.crop(shape, look.width, look.height, eye_line=look.eye_line, chin_line=look.chin_line)
    eyes = camera.project(eye_centres(shape))[:, 1].mean() / look.height
    assert eyes == pytest.approx(look.eye_line, abs=0.02)
    assert camera.project(chin(shape)[None])[0, 1] / look.height == pytest.approx(look.chin_line, abs=0.02)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_noise_has_the_asked_deviation(sigma):
    flat = np.full((200, 200, 3), 0.5, np.float32)
    frame = sensor(flat, np.random.default_rng(0), replace(COMMON, noise=sigma))
    assert frame.dtype == np.uint8
    assert frame.shape == (200, 200, 3)
    # Rounding to whole grey levels adds a variance of 1/12.
    assert frame.std() == pytest.approx(np.hypot(sigma, 12**-0.5), rel=0.02)


def test_gray_frames_have_one_channel_and_contrast_widens_the_range():
    ramp = np.repeat(np.linspace(0.2, 0.8, 100, dtype=np.float32)[None, :, None], 3, axis=2)
    quiet = replace(COMMON, noise=0.0)
    gray = sensor(ramp, np.random.default_rng(0), replace(quiet, gray=True))
    assert gray.shape == (1, 100)
    assert np.array_equal(gray, sensor(ramp, np.random.default_rng(0), quiet)[..., 0])
    wider = sensor(ramp, np.random.default_rng(0), replace(quiet, contrast=1.2))
    assert np.ptp(wider.astype(int)) == pytest.approx(1.2 * np.ptp(gray.astype(int)), abs=1)


def test_a_file_holds_the_frame_in_the_right_colours():
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[..., 0] = np.linspace(100, 200, 64)  # red
    read = cv2.imdecode(np.frombuffer(encode(frame, COMMON), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.abs(read[..., ::-1].astype(int) - frame).mean() < 4
    gray = cv2.imdecode(np.frombuffer(encode(frame[..., 0], LOOKS[SAMM]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert gray.shape == (64, 64)
    assert len(encode(frame, replace(COMMON, quality=50))) < len(encode(frame, COMMON))
