"""Appearance: one law of tones for every subject, hair, and wrinkles that follow the Action Units and their side."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.simulator import anatomy, hair, skin, wrinkles
from ethnicmer_lib.simulator.appearance import paint
from ethnicmer_lib.simulator.camera import Camera, render
from ethnicmer_lib.simulator.canvas import HEIGHT, WIDTH, Band, X, Y, noise
from ethnicmer_lib.simulator.surface import surface

SEED = 8
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
folding_units = st.sampled_from(sorted(wrinkles.DRAWN_BY))


@pytest.fixture(scope="module")
def folds():
    return wrinkles.fold_skin(SEED)


def extra(folds, strengths):
    """What Action Units add to the relief of the neutral face."""
    return wrinkles.relief(folds, strengths) - wrinkles.relief(folds, {})


def test_no_strength_draws_no_wrinkle(folds):
    shape = anatomy.identity_shape(SEED)
    camera, look = Camera.crop(shape, 140, 170), paint(SEED, "A", 0.0)
    plain = render(camera, shape, look)
    still = dict.fromkeys(wrinkles.DRAWN_BY, (0.0, 0.0))
    for nothing in ({}, still, {26: (0.1, 0.1)}):  # the jaw folds nothing
        assert np.array_equal(plain, render(camera, shape, look, action_units=nothing))
        assert not extra(folds, nothing).any()
    assert not np.array_equal(plain, render(camera, shape, look, action_units={1: (0.5, 0.5)}))


@given(unit=folding_units, strength=st.floats(0.05, 1), left=st.booleans())
@settings(deadline=None, max_examples=30)
def test_wrinkles_are_on_the_side_that_moves(folds, unit, strength, left):
    added = np.abs(extra(folds, {unit: (strength, 0.0) if left else (0.0, strength)})).sum((0, 2))
    middle = wrinkles.COLUMNS // 2
    sides = added[middle:].sum(), added[:middle].sum()  # the subject's left is the right of the picture
    moving, still = sides if left else sides[::-1]
    assert moving > 5 * still


@given(unit=folding_units, strength=st.floats(0.01, 0.12))
@settings(deadline=None, max_examples=20)
def test_wrinkles_are_in_proportion_to_the_movement(folds, unit, strength):
    once, twice = (extra(folds, {unit: (s, s)}) for s in (strength, 2 * strength))
    assert np.allclose(twice, 2 * once, atol=1e-5)
    assert once[..., 2].min() > -1e-6  # a fold takes light away


def test_wrinkles_are_faint_in_a_micro_expression_and_plain_in_a_large_one():
    shape = anatomy.identity_shape(SEED)
    camera, look = Camera.crop(shape), paint(SEED, "A", 0.0)
    for unit in (1, 4, 12):
        difference = []
        for pixels in (1.0, 6.0):
            strengths = camera.strengths(shape, {unit: (pixels, pixels)})
            moved = anatomy.deform(shape, strengths)
            pair = (render(camera, moved, look, action_units=units) for units in (None, strengths))
            difference.append(255 * np.abs(np.subtract(*pair)).max())
        assert difference[0] < 12
        assert difference[1] > max(12, 3 * difference[0])


def test_folds_lie_on_the_face_and_every_action_unit_draws_known_ones(folds):
    assert folds.heights.shape == folds.valleys.shape == (len(wrinkles.FOLDS), HEIGHT // 2, WIDTH // 2)
    for shares in wrinkles.DRAWN_BY.values():
        assert set(shares) <= set(wrinkles.FOLDS)
    assert set(wrinkles.DRAWN_BY) <= set(anatomy.ACTION_UNITS)
    drawn_by_some = {fold for shares in wrinkles.DRAWN_BY.values() for fold in shares}
    assert drawn_by_some == set(wrinkles.FOLDS)
    assert not folds.heights[:, :, [0, -1]].any()
    assert not folds.heights[:, [0, -1]].any()


def test_skin_tones_spread_by_one_law():
    tones = np.array([skin.skin_tone(np.random.default_rng([seed, 1]))[1] for seed in range(60)])
    light = tones @ LUMINANCE
    assert light.max() > 3 * light.min()
    assert light.min() > 0.03
    assert tones.max() < 0.7
    quarters = np.histogram(np.log(light), bins=4)[0]
    assert quarters.min() >= 6  # evenly spread, not two camps


def test_painted_skin_has_the_tone_drawn():
    for seed in range(3):
        tone = skin.skin_tone(np.random.default_rng([seed, 1]))[1]
        cheek = paint(seed, "A", 0.0).surface[600:650, 480:560, :3].mean((0, 1))
        assert np.log(cheek @ LUMINANCE) == pytest.approx(np.log(tone @ LUMINANCE), abs=0.3)


def test_only_paint_knows_of_groups_and_passes_none_on():
    for module in (skin, hair, wrinkles, anatomy):
        for function in (f for _, f in inspect.getmembers(module, inspect.isfunction)):
            assert "group" not in inspect.signature(function).parameters
    plain, marked = paint(4, "A", 0.0), paint(4, "B", 1.0)
    assert np.array_equal(plain.wrinkles.heights, marked.wrinkles.heights)
    assert np.array_equal(plain.wrinkles.rest, marked.wrinkles.rest)
    ratio = np.log(marked.surface[500:700, 300:500, :3] / plain.surface[500:700, 300:500, :3])
    assert np.abs(np.diff(ratio, axis=2)).max() < 1e-4  # the texture has no colour: it scales the light


def test_hair_varies_and_leaves_the_face_bare():
    styles = [hair.hairstyle(seed) for seed in range(40)]
    for name, spread in (
        ("line", 0.03),
        ("thickness", 0.05),
        ("curl", 0.2),
        ("sideburn", 0.08),
        ("recession", 0.03),
    ):
        assert np.std([getattr(style, name) for style in styles]) > spread
    for style in styles:
        inside = hair.depth_in_hair(style, X, Y)
        face = (np.abs(X) < 0.5) & (Y < 7.6)
        assert inside[face].max() < 0
        assert inside[(Y > 8.2) & (np.abs(X) < 0.4)].min() > 0
        lift = hair.volume(style, X, Y)
        assert lift.min() >= 0
        assert lift.max() <= style.thickness
        assert not lift[inside < 0].any()


def test_hair_lifts_the_outline_only_where_it_grows():
    seeds = sorted(range(30), key=lambda seed: hair.hairstyle(seed).thickness)
    crowns = [np.ptp(surface(anatomy.identity_shape(seed))[:, 1]) for seed in (*seeds[:6], *seeds[-6:])]
    assert np.mean(crowns[6:]) > np.mean(crowns[:6]) + 0.03


def test_older_subjects_show_more_folds_at_rest():
    seeds = sorted(range(40), key=anatomy.age)
    rest = [wrinkles.fold_skin(seed).rest.mean() for seed in (*seeds[:5], *seeds[-5:])]
    assert min(rest) >= 0
    assert np.mean(rest[5:]) > 2 * np.mean(rest[:5])


@given(
    amplitude=st.floats(0.1, 2),
    low=st.floats(0.01, 0.05),
    direction=st.none() | st.floats(-1.5, 1.5),
    seed=st.integers(0, 2**31 - 1),
)
@settings(deadline=None, max_examples=25)
def test_noise_has_the_amplitude_asked(amplitude, low, direction, seed):
    for high in (0.09, 0.3):  # drawn at half and at full resolution
        band = Band(amplitude, low, high, direction=direction)
        field = noise(np.random.default_rng(seed), band, shape=(256, 320))
        assert field.shape == (256, 320)
        assert field.dtype == np.float32
        assert field.std() == pytest.approx(amplitude, rel=0.25)
        assert abs(field.mean()) < 0.1 * amplitude


def test_noise_along_a_direction_varies_across_it():
    field = noise(np.random.default_rng(0), Band(1.0, 0.02, 0.2, direction=0.0, spread=0.2), shape=(256, 256))
    down, across = (np.diff(field, axis=axis).std() for axis in (0, 1))
    assert across > 3 * down
