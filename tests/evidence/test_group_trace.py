"""Group trace: finds a group that is there, none that is not, and a lattice by its direction."""

from __future__ import annotations

import numpy as np
import pytest

from ethnicmer_lib.evidence import group_trace
from ethnicmer_lib.evidence.group_trace import trace


def subjects_and_groups(n=24, clips=3):
    subjects = np.repeat(np.arange(n), clips)
    return subjects, np.where(subjects % 2 == 0, "A", "B")


def test_a_difference_is_found_and_noise_is_not():
    subjects, groups = subjects_and_groups()
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(len(subjects), 40))
    assert trace(noise, subjects, groups, n=49).p > 0.05
    marked = noise + 3 * (groups == "B")[:, None] * np.eye(40)[5]
    found = trace(marked, subjects, groups, n=49)
    assert found.auc > 0.9
    assert found.p == pytest.approx(1 / 50)


def test_what_marks_subjects_does_not_mark_groups():
    subjects, groups = subjects_and_groups()
    own = np.random.default_rng(1).normal(size=(24, 40))[subjects]  # every subject has a look of its own
    assert trace(own, subjects, groups, n=49).p > 0.05


def test_p_values_are_uniform_when_there_is_nothing():
    subjects, groups = subjects_and_groups(16, 2)
    values = [
        trace(np.random.default_rng(seed).normal(size=(32, 10)), subjects, groups, n=19, seed=seed).p
        for seed in range(60)
    ]
    assert np.mean(np.array(values) <= 0.05) <= 0.15
    assert 0.35 < np.mean(values) < 0.65


def test_directions_tell_how_a_lattice_is_turned_wherever_it_begins():
    y, x = np.mgrid[:150, :130]

    def lattice(angle, phase):
        waves = sum(
            np.cos(2 * np.pi / 14 * (x * np.cos(a) + y * np.sin(a)) + phase)
            for a in (angle, angle + np.pi / 2)
        )
        return (128 + 12 * waves).astype(np.uint8)

    straight, shifted, turned = (
        group_trace.directions(lattice(*how)) for how in ((0, 0), (0, 2), (np.pi / 4, 0))
    )
    assert straight.shape == (group_trace.RINGS * group_trace.ANGLES,)
    assert np.corrcoef(straight, shifted)[0, 1] > 0.95
    assert np.corrcoef(straight, turned)[0, 1] < 0
    rings = straight.reshape(group_trace.RINGS, group_trace.ANGLES)
    assert np.abs(rings.mean(1)).max() < 1e-5


def test_cohorts_have_no_other_difference():
    for knob, strength, settings in group_trace.conditions(3):
        assert settings.confounding == settings.database_shift == 0
        values = {"texture_cue": settings.texture_cue, "action_unit_effect": settings.action_unit_effect}
        assert values.pop(knob, 0) == strength
        assert not any(values.values())
