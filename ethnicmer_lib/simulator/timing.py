"""Timing: what a clip shows at any frame, 200 frames a second, from the plan's onset, apex and offset.

At the three the state is the plan's to the last bit.  Between them expression follows a minimum-jerk profile
(starts and ends at rest, never overshoots) over the times that Yan et al. 2014 report for CASME II (onset phase at
most 250 ms, or the whole at most 500 ms), which the plan draws.  The head sways through its three poses, the light
through its three gains; both go on before onset and after offset, where the face holds still.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from ethnicmer_lib.simulator.camera import Pose
from ethnicmer_lib.simulator.protocol import FRAMES_PER_SECOND, ClipPlan

BLINK_FRAMES = 10  #: the lids move and come back in this many frames each (50 ms), about the apex
TREMOR_HZ = (2.0, 8.0)  #: band of the head's tremor
TREMOR = np.array([1.5e-4, 1.5e-4, 1e-4, 0.03, 0.03])  #: its standard deviation: radians, px
MAINS_HZ = 100.0  #: lamps on 50 Hz mains flicker at twice that; it may be 0.2 % off
FLICKER, LIGHT_NOISE = 0.002, 0.001  #: amplitude of the flicker and deviation of the light, share of the gain
_SINES = 6
_COAST = 20.0  # frames in which the drift of the head dies away before onset and after offset
# Branches of the clip's stream; a frame's sensor noise is branch (frame,), so two numbers keep these apart.
_HEAD, _LAMP, _FRAME_LIGHT = 1, 2, 3


@dataclass(frozen=True)
class State:
    """What is seen in one frame.

    Attributes
    ----------
    expression : share of the full expression, 0..1
    blink : movement of the lids, share of a full blink; below 0 they open
    pose : yaw, pitch, roll in radians, shift right and down in px
    gain : light, 1 is the usual light
    """

    expression: float
    blink: float
    pose: Pose
    gain: float


def state_at(clip: ClipPlan, frame: int, without: Collection[str] = ()) -> State:
    """The state of ``clip`` at frame number ``frame``; any from 0, also outside onset..offset.

    Exactly the plan's values at onset, apex and offset.  The same plan and frame give the same state, whatever
    other frames are asked for.  Of ``SimulatorSettings.without``, 'head' leaves out the tremor and 'light' the
    flicker and its noise.
    """
    moments = _moments(clip)
    expression, blink = _expression(clip, frame), _blink(clip, frame)
    if frame in moments:  # rounding of sums must not touch the plan's values
        at = moments.index(frame)
        return State(expression, blink, clip.poses[at], clip.gains[at])
    return State(
        expression,
        blink,
        _pose(clip, frame, 0.0 if "head" in without else 1.0),
        _gain(clip, frame, 0.0 if "light" in without else 1.0),
    )


def frame_stream(clip: ClipPlan, frame: int, *branch: int) -> np.random.Generator:
    """Random numbers of one frame: seeded by the clip's stream and the frame number, and by a branch if given."""
    return np.random.default_rng([*clip.stream, frame, *branch])


def minimum_jerk(share: float) -> float:
    """Smooth step from 0 to 1, at rest at both ends: 10 t^3 - 15 t^4 + 6 t^5, clipped to 0..1."""
    t = min(max(share, 0.0), 1.0)
    return t**3 * (10 + t * (6 * t - 15))


def _expression(clip: ClipPlan, frame: int) -> float:
    first, peak, last = clip.expression
    if frame <= clip.onset:
        return first
    if frame >= clip.offset:
        return last
    if frame < clip.apex:
        return first + (peak - first) * minimum_jerk((frame - clip.onset) / (clip.apex - clip.onset))
    return peak + (last - peak) * minimum_jerk((frame - clip.apex) / (clip.offset - clip.apex))


def _blink(clip: ClipPlan, frame: int) -> float:
    """A bump about the apex; at onset and offset there is none, however near they are."""
    if not clip.blink:
        return 0.0
    span = clip.apex - clip.onset if frame < clip.apex else clip.offset - clip.apex
    return clip.blink * minimum_jerk(1 - abs(frame - clip.apex) / min(BLINK_FRAMES, span))


def _pose(clip: ClipPlan, frame: int, share: float) -> Pose:
    """A path without overshoot through the plan's poses less ``share`` of their tremor, plus that of the frame."""
    rng = frame_stream(clip, 0, _HEAD)
    low, high = TREMOR_HZ
    wave = 2 * np.pi * rng.uniform(low, high, (_SINES, 5)) / FRAMES_PER_SECOND
    phase = rng.uniform(0, 2 * np.pi, (_SINES, 5))

    def tremor(number: int) -> np.ndarray:
        return share * TREMOR * np.sqrt(2 / _SINES) * np.sin(wave * number + phase).sum(0)

    moments = _moments(clip)
    path = PchipInterpolator(moments, np.array(clip.poses) - [tremor(moment) for moment in moments])
    held = min(max(frame, clip.onset), clip.offset)
    beyond = frame - held
    coasted = -np.sign(beyond) * _COAST * np.expm1(-abs(beyond) / _COAST)
    pose = path(held) + path(held, 1) * coasted + tremor(frame)
    return tuple(float(value) for value in pose)


def _gain(clip: ClipPlan, frame: int, share: float) -> float:
    """The plan's gains less ``share`` of their unrest, joined without overshoot, plus that of the frame."""
    rng = frame_stream(clip, 0, _LAMP)
    wave = 2 * np.pi * MAINS_HZ * rng.uniform(0.998, 1.002) / FRAMES_PER_SECOND
    phase = rng.uniform(0, 2 * np.pi)

    def unrest(number: int) -> float:
        noise = frame_stream(clip, number, _FRAME_LIGHT).normal()
        return share * (FLICKER * np.sin(wave * number + phase) + LIGHT_NOISE * noise)

    moments = _moments(clip)
    steady = [gain - unrest(moment) for gain, moment in zip(clip.gains, moments, strict=True)]
    held = min(max(frame, clip.onset), clip.offset)
    return float(PchipInterpolator(moments, steady)(held) + unrest(frame))


def _moments(clip: ClipPlan) -> tuple[int, int, int]:
    return clip.onset, clip.apex, clip.offset
