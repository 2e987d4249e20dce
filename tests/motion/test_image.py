"""The optical flow image and its scalings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.image import SCALINGS, flow_image, published_image
from ethnicmer_lib.motion.strain import optical_strain

FLOW = np.random.default_rng(5).normal(size=(33, 40, 2)).astype(np.float32)


def test_none_is_flow_and_strain_in_px():
    image = flow_image(FLOW, "none")
    assert image.shape == (3, 33, 40)
    assert image.dtype == np.float32
    assert np.array_equal(image[0], FLOW[..., 0])
    assert np.array_equal(image[1], FLOW[..., 1])
    assert np.array_equal(image[2], optical_strain(FLOW))


@pytest.mark.parametrize("scaling", ["robust", "clip_min_max"])
@given(tx=st.floats(-30, 30, width=32), ty=st.floats(-30, 30, width=32))
@settings(deadline=None, max_examples=25)
def test_constant_flow_is_all_zeros(scaling, tx, ty):
    assert not flow_image(np.broadcast_to(np.float32([tx, ty]), (32, 36, 2)), scaling).any()


def test_robust_forgets_translation_and_size_and_keeps_direction():
    image = flow_image(FLOW)
    assert np.abs(image[:2]).max() <= 1
    assert image[2].min() >= 0
    assert image[2].max() == 1
    assert np.abs(np.median(image[:2], axis=(1, 2))).max() < 1e-6
    assert np.allclose(flow_image(3 * FLOW + np.float32([4, -2])), image, atol=1e-4)
    u, v = (FLOW - np.median(FLOW, axis=(0, 1))).transpose(2, 0, 1)
    inside = np.abs(image[:2]).max(axis=0) < 1
    assert np.allclose((image[0] * v)[inside], (image[1] * u)[inside], atol=1e-4)


def test_robust_scale_is_the_99th_percentile_of_length():
    image = flow_image(FLOW)
    length = np.hypot(*(FLOW - np.median(FLOW, axis=(0, 1))).transpose(2, 0, 1))
    outside = (length > np.percentile(length, 99)).mean()
    assert 0.005 < outside < 0.015
    assert np.hypot(*image[:2])[length <= np.percentile(length, 99)].max() <= 1 + 1e-6


def test_clip_min_max_spans_every_channel():
    image = flow_image(FLOW, "clip_min_max")
    assert np.array_equal(image.min(axis=(1, 2)), np.zeros(3))
    assert np.array_equal(image.max(axis=(1, 2)), np.ones(3))


def test_released_and_own_strain_are_not_mixed():
    own, released = (flow_image(FLOW, name) for name in ("clip_min_max", "as_released"))
    assert np.array_equal(own[:2], released[:2])
    for image, as_released in ((own, False), (released, True)):
        strain = optical_strain(FLOW, as_released=as_released)
        assert np.allclose(image[2], (strain - strain.min()) / np.ptp(strain), atol=1e-6)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_a_value_that_is_not_finite_is_refused(scaling):
    broken = FLOW.copy()
    broken[4, 4, 0] = np.nan
    with pytest.raises(StudyError, match="not finite"):
        flow_image(broken, scaling)


def test_unknown_scaling_is_refused_with_the_known():
    with pytest.raises(StudyError, match=r"zscore.*none, robust, clip_min_max, as_released"):
        flow_image(FLOW, "zscore")


def test_published_flow_is_centred_and_its_strain_kept():
    published = np.random.default_rng(1).random((28, 28, 3)).astype(np.float32)
    image = published_image(published)
    assert image.shape == (3, 28, 28)
    assert np.abs(np.median(image[:2], axis=(1, 2))).max() < 1e-6
    assert np.allclose(image[0] - image[0, 0, 0], 2 * (published[..., 0] - published[0, 0, 0]), atol=1e-6)
    assert np.array_equal(image[2], published[..., 2])
