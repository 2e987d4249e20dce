"""The protocol: the paper's counts, balance of the small cohort, and group texture as the only group effect."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator import appearance, protocol
from ethnicmer_lib.simulator.protocol import CASME2, SAMM, plan_cohort
from ethnicmer_lib.simulator.settings import COMPONENTS, SimulatorSettings

POSITIVE, SURPRISE = {"happiness"}, {"surprise"}


def label(clip):
    return "Positive" if clip.emotion in POSITIVE else "Surprise" if clip.emotion in SURPRISE else "Negative"


def clips_of(plan):
    return [clip for subject in plan for clip in subject.clips]


def test_full_cohort_has_the_papers_counts():
    plan = plan_cohort(SimulatorSettings())
    clips = clips_of(plan)
    assert len(plan) == 53
    assert Counter(label(clip) for clip in clips) == {"Positive": 58, "Negative": 192, "Surprise": 40}
    assert Counter(clip.database for clip in clips) == {CASME2: 157, SAMM: 133}
    assert Counter(subject.database for subject in plan) == {CASME2: 25, SAMM: 28}
    assert Counter(
        (c.database, c.group, label(c)) for c in clips if c.database == SAMM and c.group == "A"
    ) == {
        (SAMM, "A", "Negative"): 36,
        (SAMM, "A", "Positive"): 1,
        (SAMM, "A", "Surprise"): 5,
    }
    assert {clip.group for clip in clips if clip.database == CASME2} == {"A"}


def test_no_knob_moves_what_it_does_not_touch():
    plain = clips_of(plan_cohort(SimulatorSettings()))
    for knobs in (
        {"texture_cue": 1.0},
        {"confounding": 0.0},
        {"label_noise": 0.5},
        {"action_unit_effect": 1.0},
    ):
        turned = clips_of(plan_cohort(SimulatorSettings(**knobs)))
        for before, after in zip(plain, turned, strict=True):
            assert (before.onset, before.poses, before.blink, before.gains, before.expression) == (
                after.onset,
                after.poses,
                after.blink,
                after.gains,
                after.expression,
            )
            if "action_unit_effect" not in knobs:
                assert before.action_units == after.action_units
            assert before.felt == after.felt


def test_group_moves_nothing_unless_asked():
    plain, crossed = (clips_of(plan_cohort(SimulatorSettings(confounding=c))) for c in (1.0, 0.0))
    traded = [(a, b) for a, b in zip(plain, crossed, strict=True) if a.group != b.group]
    assert traded
    assert all(replace(b, group=a.group) == a for a, b in traded)


@given(effect=st.sampled_from([0.0, 1.0]), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=10)
def test_action_unit_effect_is_that_of_the_figures(effect, seed):
    for clip in clips_of(plan_cohort(SimulatorSettings("tiny", seed, action_unit_effect=effect))):
        units = set(clip.action_units)
        if effect and label(clip) == "Surprise":
            assert (units & {1, 2, 5, 26}) == ({1, 2, 5} if clip.group == "A" else {26})
        if effect and label(clip) == "Positive" and clip.group == "B":
            left, right = clip.action_units[12]
            assert min(left, right) <= 0.25 * max(left, right)


def test_label_noise_writes_another_label_in_its_share_of_clips():
    shares = []
    for seed in range(5):
        clips = clips_of(plan_cohort(SimulatorSettings(seed=seed, label_noise=0.3)))
        wrong = [clip for clip in clips if clip.emotion != clip.felt]
        assert all(label(clip) != label(replace(clip, emotion=clip.felt)) for clip in wrong)
        shares.append(len(wrong) / len(clips))
    assert abs(np.mean(shares) - 0.3) < 0.05


def test_components_can_be_left_out():
    for name in COMPONENTS:
        assert clips_of(plan_cohort(SimulatorSettings("tiny", without=(name,))))
    still = clips_of(plan_cohort(SimulatorSettings("tiny", without=("head", "light", "lids", "sides"))))
    for clip in still:
        assert len(set(clip.poses)) == 1
        assert set(clip.gains) == {1.0}
        assert clip.blink == 0
        assert all(left == right for left, right in clip.action_units.values())


def test_repeats_and_others_add_subjects_and_clips():
    plan = plan_cohort(SimulatorSettings(repeats=2, others=True))
    assert len(plan) == 2 * 55
    assert len(clips_of(plan)) == 2 * 415
    assert len({subject.seed for subject in plan}) == len(plan)
    assert len({clip.clip_id for clip in clips_of(plan)}) == 2 * 415


def test_names_are_those_of_the_databases_and_unique():
    clips = clips_of(plan_cohort(SimulatorSettings()))
    assert len({clip.clip_id for clip in clips}) == len(clips)
    assert clips[0].clip_id == "CASME II/sub01/EP01_01"
    first = next(clip for clip in clips if clip.database == SAMM)
    assert (first.subject, first.clip) == ("001", "001_1_1")


def test_tiny_cohort_has_every_label_in_both_groups_and_databases():
    plan = plan_cohort(SimulatorSettings("tiny"))
    assert Counter((s.database, s.group) for s in plan) == {(d, g): 3 for d in (CASME2, SAMM) for g in "AB"}
    assert {len(subject.clips) for subject in plan} == {4, 5}
    cells = Counter((clip.group, label(clip)) for clip in clips_of(plan))
    assert len(cells) == 6
    assert all(cells["A", name] == cells["B", name] for name in ("Negative", "Positive", "Surprise"))


@given(seed=st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=10)
def test_plans_are_well_formed_for_any_seed(seed):
    plan = plan_cohort(SimulatorSettings("tiny", seed))
    assert plan == plan_cohort(SimulatorSettings("tiny", seed, texture_cue=0.5))
    for clip in clips_of(plan):
        assert 0 < clip.onset < clip.apex < clip.offset
        assert clip.offset - clip.onset <= 100  # at most half a second
        assert clip.action_units
        assert all(0 < max(sides) < 8 for sides in clip.action_units.values())
        assert protocol.LIDS_RANGE[0] <= clip.blink <= protocol.LIDS_RANGE[1]
        assert clip.emotion == clip.felt
        assert protocol.BLINK not in clip.action_units
        assert clip.expression[0] < clip.expression[1] > clip.expression[2]


def test_seeds_change_the_plan():
    assert plan_cohort(SimulatorSettings("tiny", 1)) != plan_cohort(SimulatorSettings("tiny", 2))


def test_facs_text():
    units = {10: (1.0, 0.1), 4: (0.9, 0.8), 12: (0.2, 2.0)}
    assert protocol.facs_text(units) == "4+L10+R12"
    assert protocol.facs_text(units, intensity=True) == "4B+L10B+R12C"


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": "big"},
        {"seed": -1},
        {"seed": 0.5},
        {"texture_cue": 1.5},
        {"confounding": -0.1},
        {"repeats": 0},
        {"repeats": 31},
        {"codes": "SMIC"},
        {"without": ("hair",)},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(StudyError, match=rf"{name}.*{value[0] if isinstance(value, tuple) else value}"):
        SimulatorSettings(**wrong)


def test_the_cue_is_a_texture_of_the_skin_and_the_only_effect_of_the_group():
    plain, same, marked = (appearance.paint(3, *how) for how in (("A", 0.0), ("B", 0.0), ("B", 1.0)))
    for other in (same, marked):
        assert np.array_equal(plain.iris, other.iris)
        assert np.array_equal(plain.iris_grain, other.iris_grain)
        assert np.array_equal(plain.surface[..., 3:], other.surface[..., 3:])  # lips and gloss
    assert np.array_equal(plain.surface, same.surface)
    assert not np.array_equal(plain.surface, marked.surface)


def test_group_textures_differ_in_direction_only():
    slopes = []
    for group in "AB":
        texture = appearance.group_texture(3, group)
        assert texture.std() == pytest.approx(appearance.GROUP_CONTRAST, rel=0.02)
        assert abs(texture.mean()) < 0.05 * appearance.GROUP_CONTRAST
        slopes += [np.gradient(texture, axis=axis).std() for axis in (0, 1)]
    assert max(slopes) < 1.03 * min(slopes)  # as trackable in both groups and directions
    with pytest.raises(StudyError, match="'C'"):
        appearance.group_texture(3, "C")
