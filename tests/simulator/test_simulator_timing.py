"""Timing: the plan's values at onset, apex and offset, and calm ways between and beyond them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.clips.labels import CASME2
from ethnicmer_lib.simulator import timing
from ethnicmer_lib.simulator.protocol import ClipPlan
from ethnicmer_lib.simulator.timing import state_at

BEYOND = 15


@st.composite
def clips(draw):
    onset = draw(st.integers(20, 6000))
    apex = onset + draw(st.integers(1, 60))
    offset = apex + draw(st.integers(1, 60))
    share = st.floats(0, 1)
    pose = st.tuples(*(st.floats(-0.05, 0.05) for _ in range(3)), *(st.floats(-3, 3) for _ in range(2)))
    first, peak, last = draw(share), draw(share), draw(share)
    return ClipPlan(
        database=CASME2,
        subject="sub01",
        group="A",
        clip="EP01_01",
        emotion="happiness",
        action_units={12: (1.0, 1.0)},
        action_unit_text="12",
        onset=onset,
        apex=apex,
        offset=offset,
        expression=(min(first, peak), peak, min(last, peak)),
        blink=draw(st.sampled_from([0.0, 0.2, -0.1])),
        poses=(draw(pose), draw(pose), draw(pose)),
        gains=tuple(draw(st.floats(0.95, 1.05)) for _ in range(3)),
        stream=(draw(st.integers(0, 2**31 - 1)), 0, 3, 0),
    )


def states(clip, first=None, last=None):
    first = clip.onset if first is None else first
    last = clip.offset if last is None else last
    return [state_at(clip, frame) for frame in range(first, last + 1)]


def steps(values):
    return np.abs(np.diff(np.asarray(values, float), axis=0))


@given(clip=clips())
@settings(deadline=None, max_examples=50)
def test_exactly_the_plan_at_the_three(clip):
    for k, frame in enumerate((clip.onset, clip.apex, clip.offset)):
        state = state_at(clip, frame)
        assert state.expression == clip.expression[k]
        assert state.pose == clip.poses[k]
        assert state.gain == clip.gains[k]
        assert state.blink == (clip.blink if k == 1 else 0)


@given(clip=clips())
@settings(deadline=None, max_examples=25)
def test_expression_rises_and_decays_without_overshoot_or_jumps(clip):
    rise = [state.expression for state in states(clip, last=clip.apex)]
    decay = [state.expression for state in states(clip, first=clip.apex)]
    first, peak, last = clip.expression
    assert (np.diff(rise) >= -1e-12).all()
    assert (np.diff(decay) <= 1e-12).all()
    fastest = 15 / 8  # of a minimum-jerk step, relative to a straight line
    assert steps(rise).max() <= fastest * (peak - first) / (clip.apex - clip.onset) + 1e-12
    assert steps(decay).max() <= fastest * (peak - last) / (clip.offset - clip.apex) + 1e-12


@given(clip=clips())
@settings(deadline=None, max_examples=10)
def test_the_face_holds_before_onset_and_after_offset_while_head_and_light_go_on(clip):
    before = states(clip, clip.onset - 10, clip.onset - 1)
    after = states(clip, clip.offset + 1, clip.offset + 10)
    assert {(s.expression, s.blink) for s in before} == {(clip.expression[0], 0.0)}
    assert {(s.expression, s.blink) for s in after} == {(clip.expression[2], 0.0)}
    for some in (before, after):
        assert len({state.pose for state in some}) == 10
        assert len({state.gain for state in some}) == 10


@given(clip=clips())
@settings(deadline=None, max_examples=25)
def test_a_blink_stays_about_the_apex(clip):
    shown = {frame: state_at(clip, frame).blink for frame in range(clip.onset - 3, clip.offset + 4)}
    far = [value for frame, value in shown.items() if abs(frame - clip.apex) >= timing.BLINK_FRAMES]
    assert not any(far)
    assert shown[clip.apex] == clip.blink
    moved = {frame: abs(value) for frame, value in shown.items()}
    assert (np.diff([moved[frame] for frame in range(clip.onset, clip.apex + 1)]) >= 0).all()
    assert (np.diff([moved[frame] for frame in range(clip.apex, clip.offset + 1)]) <= 0).all()


@given(clip=clips())
@settings(deadline=None, max_examples=20)
def test_head_moves_in_small_steps_and_never_wanders_off(clip):
    poses = np.array([s.pose for s in states(clip, clip.onset - BEYOND, clip.offset + BEYOND)])
    largest = timing.TREMOR * np.sqrt(2 * timing._SINES)  # all sines in phase
    spans = np.array([clip.apex - clip.onset, clip.offset - clip.apex])[:, None]
    slopes = (steps(clip.poses) + 2 * largest) / spans
    per_frame = largest * 2 * np.pi * timing.TREMOR_HZ[1] / timing.FRAMES_PER_SECOND
    assert (steps(poses).max(0) <= 3 * slopes.max(0) + per_frame).all()
    inside = poses[BEYOND:-BEYOND]
    planned = np.array(clip.poses)
    assert (inside >= planned.min(0) - 2 * largest).all()
    assert (inside <= planned.max(0) + 2 * largest).all()
    drift = 3 * slopes.max(0) * timing._COAST + 2 * largest
    far = np.array([state_at(clip, clip.offset + 5000).pose, state_at(clip, 0).pose])
    assert (np.abs(far - planned[[2, 0]]) <= drift).all()


@given(clip=clips())
@settings(deadline=None, max_examples=10)
def test_light_flickers_little_about_the_plans_gains(clip):
    gains = np.array([s.gain for s in states(clip, clip.onset - 5, clip.offset + 5)])
    unrest = 2 * (timing.FLICKER + 7 * timing.LIGHT_NOISE)
    assert gains.min() >= min(clip.gains) - unrest
    assert gains.max() <= max(clip.gains) + unrest


@given(clip=clips())
@settings(deadline=None, max_examples=5)
def test_head_and_light_can_be_steady(clip):
    clip = replace(clip, poses=(clip.poses[0],) * 3, gains=(clip.gains[0],) * 3)
    for frame in range(clip.onset - 3, clip.offset + 4):
        state = state_at(clip, frame, without=("head", "light"))
        assert state.pose == clip.poses[0]
        assert state.gain == clip.gains[0]
        assert state.expression == state_at(clip, frame).expression


@given(clip=clips(), frame=st.integers(1, 7000))
@settings(deadline=None, max_examples=10)
def test_a_state_depends_on_the_plan_and_the_frame_alone(clip, frame):
    state = state_at(clip, frame)
    states(clip)
    assert state_at(clip, frame) == state


@given(clip=clips())
@settings(deadline=None, max_examples=5)
def test_every_frame_has_random_numbers_of_its_own(clip):
    drawn = [timing.frame_stream(clip, frame).normal() for frame in range(clip.onset, clip.onset + 20)]
    assert len(set(drawn)) == 20
    assert timing.frame_stream(clip, clip.onset).normal() == drawn[0]
    assert timing.frame_stream(clip, clip.onset, 1).normal() not in drawn
