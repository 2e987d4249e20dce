"""The protocol: what each clip of a simulated cohort shows, drawn from the seed and the experimenter's knobs.

Subjects differ by expressivity and asymmetry, clips by which Action Units carry the emotion.  Nothing that a
clip shows depends on the group of its subject, unless ``action_unit_effect`` asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.facs import BLINK, PROTOTYPES, Code, deck
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.simulator.anatomy import ACTION_UNITS, Sides
from ethnicmer_lib.simulator.camera import Pose
from ethnicmer_lib.simulator.roster import OTHERS, Entry, roster
from ethnicmer_lib.simulator.settings import SimulatorSettings

FRAMES_PER_SECOND = 200

# What makes the task as hard as the real one; the realism study reports what each contributes.
TYPICAL_AMPLITUDE = 1.4  # median peak displacement of an Action Unit at full expression, px
STRAY = 0.01  # chance of each other Action Unit to join in, unseen by the coders
EXPRESSIVITY, STRENGTH, UNIT_STRENGTH = 0.25, 0.35, 0.4  # log-normal spread of subjects, clips, Action Units
LIDS = 0.08  # standard deviation of the lids' own movement, share of a full blink; they open as well
LIDS_RANGE = (-0.12, 0.25)
SWAY = np.array([0.003, 0.003, 0.0012, 0.3, 0.3])  # of the head from onset to apex: radians, px
LIGHT = 0.01  # spread of the light between frames

_SMALL = {7: 0.6, 25: 0.6}  # Action Units that stay small: lids, parting lips
_PEAK_RANGE = (0.25, 4.0)  # px
_OTHER_SIDE = 0.25  # a one-sided movement takes the other side along by up to this share
_ALLIES = (1, 2, 5)  # what the paper sees of one group in surprise (Fig. 4), against AU 26 of the other
_INTENSITY = "ABCDE"  # FACS intensity, a letter per this many px
_PX_PER_INTENSITY = 0.8
_EMOTIONS = tuple(name for name in labels.EMOTION_LABEL if labels.EMOTION_LABEL[name])


@dataclass(frozen=True)
class ClipPlan:
    """One clip.

    Attributes
    ----------
    database, subject, group, clip, emotion : as in the clips table (emotion in lower case, as written down)
    action_units : {AU: (left, right)} peak displacement in px at full expression
    action_unit_text : the same as a FACS coder would write it, '4+L10'
    onset, apex, offset : frame numbers at 200 frames per second
    expression : share of the full expression shown at onset, apex, offset
    blink : movement of the lids at the apex, share of a full blink; below 0 they open
    poses, gains : head pose and light at onset, apex, offset
    stream : seeds of the clip's sensor noise
    felt : the emotion that the clip's label should be; another than ``emotion`` under label noise
    """

    database: str
    subject: str
    group: str
    clip: str
    emotion: str
    action_units: dict[int, Sides]
    action_unit_text: str
    onset: int
    apex: int
    offset: int
    expression: tuple[float, float, float]
    blink: float
    poses: tuple[Pose, Pose, Pose]
    gains: tuple[float, float, float]
    stream: tuple[int, ...]
    felt: str = field(default="")

    @property
    def clip_id(self) -> str:
        """The key of the clips table."""
        return f"{self.database}/{self.subject}/{self.clip}"


@dataclass(frozen=True)
class SubjectPlan:
    """One subject: who it is, the seed of face and skin, and its clips."""

    database: str
    subject: str
    group: str
    seed: int
    clips: tuple[ClipPlan, ...]


def plan_cohort(settings: SimulatorSettings) -> list[SubjectPlan]:
    """All subjects of a cohort, in order; the same settings give the same plan.

    Every knob has random streams of its own: turning one leaves all that it does not touch as it was.
    """
    counts = {CASME2: 0, SAMM: 0}
    plans = []
    for number, entry in enumerate(roster(settings)):
        counts[entry.database] += 1
        count = counts[entry.database]
        name = f"sub{count:02d}" if entry.database == CASME2 else f"{count:03d}"
        plans.append(_plan_subject(settings, number, name, entry))
    return plans


def _plan_subject(settings: SimulatorSettings, number: int, name: str, entry: Entry) -> SubjectPlan:
    rng = np.random.default_rng([settings.seed, number, 1])
    face = int(rng.integers(2**31))
    expressivity, asymmetry = np.exp(EXPRESSIVITY * rng.normal()), 0.08 * rng.normal()
    if "subjects" in settings.without:
        expressivity, asymmetry = 1.0, 0.0
    clips = []
    for k, emotion in enumerate(entry.emotions):
        # One stream a clip, so that adding a clip to a subject leaves the others as they are.
        draw = np.random.default_rng([settings.seed, number, 2, k])
        episode, take = 1 + k // 2, 1 + k % 2
        clip = f"EP{episode:02d}_{take:02d}" if entry.database == CASME2 else f"{name}_{episode}_{take}"
        written = _written(settings, number, k, emotion)
        action_units = _draw_action_units(draw, emotion, entry.database, expressivity, asymmetry, settings)
        group_effect(action_units, settings, (number, k), entry.group, labels.EMOTION_LABEL[emotion])
        onset = int(draw.integers(20, 400 if entry.database == CASME2 else 6000))
        apex = onset + int(draw.integers(10, 45))
        offset = apex + int(draw.integers(10, 55))
        expression = (draw.uniform(0, 0.12), draw.uniform(0.65, 1.0), draw.uniform(0.05, 0.35))
        sway = SWAY * ("head" not in settings.without)
        first = draw.normal(size=5) * [0.02, 0.02, 0.01, 1, 1]
        poses = [_floats(first + sway * moved * draw.normal(size=5)) for moved in (0, 1, 1)]
        lids = float(np.clip(LIDS * draw.normal(), *LIDS_RANGE))
        light = LIGHT * ("light" not in settings.without)
        clips.append(
            ClipPlan(
                database=entry.database,
                subject=name,
                group=entry.group,
                clip=clip,
                emotion=written,
                action_units=action_units,
                action_unit_text=facs_text(action_units, intensity=entry.database == SAMM),
                onset=onset,
                apex=apex,
                offset=offset,
                expression=expression,
                blink=0.0 if "lids" in settings.without else lids,
                poses=tuple(poses),
                gains=_floats(1 + light * draw.normal(size=3)),
                stream=(settings.seed, number, 3, k),
                felt=emotion,
            )
        )
    return SubjectPlan(entry.database, name, entry.group, face, tuple(clips))


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _written(settings: SimulatorSettings, number: int, k: int, emotion: str) -> str:
    """The emotion that is written down: another one, of another label, in a share ``label_noise`` of clips."""
    rng = np.random.default_rng([settings.seed, number, 5, k])
    wrong = rng.random() < settings.label_noise
    if emotion == OTHERS or not wrong:
        return emotion
    label = labels.EMOTION_LABEL[emotion]
    return str(rng.choice([name for name in _EMOTIONS if labels.EMOTION_LABEL[name] != label]))


def _draw_action_units(
    rng: np.random.Generator,
    emotion: str,
    database: str,
    expressivity: float,
    asymmetry: float,
    settings: SimulatorSettings,
) -> dict[int, Sides]:
    """{AU: (left, right)} in px of one clip."""
    own, card, joins = rng.random(), rng.random(), rng.random(len(ACTION_UNITS))
    if "codes" in settings.without:
        code: Code = PROTOTYPES[emotion]
    else:
        source = database if own < settings.database_shift else None
        cards = deck(emotion, source if settings.codes == "both" else settings.codes)
        code = cards[int(card * len(cards))]
    code = dict(code)
    for unit, chance in zip(sorted(ACTION_UNITS), joins, strict=True):
        if "strays" not in settings.without and chance < STRAY and unit != BLINK:
            code.setdefault(unit, "")
    spread = "subjects" not in settings.without
    typical = TYPICAL_AMPLITUDE * expressivity * np.exp(STRENGTH * spread * rng.normal())
    drawn = {}
    for unit in sorted(code):
        peak = np.clip(typical * np.exp(UNIT_STRENGTH * spread * rng.normal()), *_PEAK_RANGE)
        lean, rest = np.exp(0.15 * rng.normal() + asymmetry), _OTHER_SIDE * rng.random()
        sides = peak * _SMALL.get(unit, 1.0) * np.array([lean, 1 / lean])
        if "sides" in settings.without:
            sides[:] = sides.max()
        elif code[unit]:
            sides["LR".index(code[unit]) - 1] *= rest  # the side that is not named
        drawn[unit] = (float(sides[0]), float(sides[1]))
    return drawn


def group_effect(
    units: dict[int, Sides], settings: SimulatorSettings, clip: tuple[int, int], group: str, label: str | None
) -> None:
    """Change ``units`` as the paper describes the groups (Figs 3-4), in a share ``action_unit_effect`` of clips.

    Positive, group B: AU 12 and 6 half as large and on one side.  Surprise: AU 26 in group B, AU 1, 2 and 5 in A.
    """
    number, k = clip
    rng = np.random.default_rng([settings.seed, number, 4, k])
    applies, side, rest = rng.random() < settings.action_unit_effect, rng.integers(2), rng.random()
    if not applies or label not in ("Positive", "Surprise"):
        return
    peak = max(max(sides) for sides in units.values())
    if label == "Surprise":
        for unit in (*_ALLIES, 26):
            units.pop(unit, None)
        units.update(dict.fromkeys(_ALLIES if group == "A" else (26,), (peak, peak)))
    elif group == "B":
        smaller = [0.5 * peak, 0.5 * peak]
        smaller[side] *= _OTHER_SIDE * rest
        units.update(dict.fromkeys({12} | {6} & units.keys(), (smaller[0], smaller[1])))


def facs_text(action_units: dict[int, Sides], *, intensity: bool = False) -> str:
    """Action Units as coders write them: 'L' or 'R' where one side is under a third of the other, '+' between.

    With ``intensity``, a letter A-E follows each, as in many SAMM codes: '4B+L10A'.
    """
    words = []
    for unit, (left, right) in sorted(action_units.items()):
        side = "L" if right < left / 3 else "R" if left < right / 3 else ""
        letter = ""
        if intensity:
            letter = _INTENSITY[min(int(max(left, right) / _PX_PER_INTENSITY), len(_INTENSITY) - 1)]
        words.append(f"{side}{unit}{letter}")
    return "+".join(words)
