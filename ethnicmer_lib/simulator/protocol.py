"""The protocol: who is in a simulated cohort and what each clip shows.

A plan is drawn from the seed alone.  Subjects differ by expressivity and asymmetry, clips by which Action
Units carry the emotion; nothing in a clip depends on the group of its subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator.anatomy import ACTION_UNITS, Sides
from ethnicmer_lib.simulator.camera import Pose

FRAMES_PER_SECOND = 200
CASME2, SAMM = "CASME II", "SAMM"
BLINK = 43  #: the Action Unit of the lids, which coders do not write down

#: The packaged label table -> the group that a simulated subject is given (bookkeeping, no appearance).
GROUPS = {"Asian": "A", "Non-Asian": "B"}
LABEL_TABLE = files("ethnicmer_lib") / "data" / "annotations.csv"
DATABASES = {"CASME2": CASME2, "SAMM": SAMM}
NOT_KEPT = "Other"  # mapped emotion of the clips that the paper leaves out

#: Emotion -> {Action Unit: chance that it takes part}.
EMOTIONS: dict[str, dict[int, float]] = {
    "happiness": {12: 0.85, 6: 0.55, 7: 0.12, 14: 0.10, 10: 0.08, 25: 0.15},
    "surprise": {1: 0.75, 2: 0.75, 5: 0.35, 25: 0.30, 26: 0.20, 4: 0.08},
    "disgust": {4: 0.60, 9: 0.35, 10: 0.35, 7: 0.50, 17: 0.15},
    "repression": {14: 0.50, 15: 0.35, 17: 0.45, 24: 0.30, 20: 0.15, 12: 0.12},
    "contempt": {14: 0.50, 15: 0.35, 17: 0.45, 24: 0.30, 20: 0.15, 12: 0.12},
    "sadness": {1: 0.45, 4: 0.40, 15: 0.40, 20: 0.20, 17: 0.20},
    "fear": {1: 0.45, 4: 0.40, 15: 0.40, 20: 0.20, 17: 0.20},
    "anger": {4: 0.70, 7: 0.50, 23: 0.40, 24: 0.30},
}
#: Chance that an Action Unit moves on one side only; 0.05 for those not named.
UNILATERAL = {12: 0.35, 14: 0.55, 2: 0.20, 15: 0.25, 9: 0.20, 10: 0.20}

# The three numbers that make the task hard; chosen so that a random forest on the true motion, with whole
# subjects held out, scores about what it scores on the published flow of the real clips.
TYPICAL_AMPLITUDE = 1.0  # median peak displacement of an Action Unit, px
CONTRADICTION = (
    0.22  # share of clips whose Action Units are those of a random emotion (self-report against FACS)
)
STRAY = 0.03  # chance of each other Action Unit to join in

_SMALL = {7: 0.5, 25: 0.5}  # Action Units that stay small: lids, parting lips
_INTENSITY = "ABCDE"  # FACS intensity, a letter per this many px
_PX_PER_INTENSITY = 0.8

#: The small cohort: emotions of every subject in turn; both groups appear in both databases.
_TINY_EMOTIONS = {
    CASME2: ("happiness", "disgust", "surprise", "repression", "sadness"),
    SAMM: ("happiness", "anger", "surprise", "contempt", "fear"),
}


@dataclass(frozen=True)
class SimulatorSettings:
    """What a simulated cohort depends on: its size, the seed, and the strength (0..1) of the group texture."""

    size: Literal["full", "tiny"] = "full"
    seed: int = 2025
    texture_cue: float = 0.0

    def __post_init__(self) -> None:
        if self.size not in ("full", "tiny"):
            raise StudyError(f"simulated cohort of size {self.size!r}: allowed are 'full' and 'tiny'")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise StudyError(f"simulator seed {self.seed!r}: must be a whole number from 0")
        if not 0 <= self.texture_cue <= 1:
            raise StudyError(f"texture_cue {self.texture_cue!r}: must be a number from 0 to 1")


@dataclass(frozen=True)
class ClipPlan:
    """One clip.

    Attributes
    ----------
    database, subject, group, clip, emotion : as in the clips table (emotion in lower case)
    action_units : {AU: (left, right)} peak displacement in px at full expression
    action_unit_text : the same as a FACS coder would write it, '4+L10'
    onset, apex, offset : frame numbers at 200 frames per second
    expression : share of the full expression shown at onset, apex, offset
    blink : strength of a partial blink at the apex, 0 for none
    poses, gains : head pose and light at onset, apex, offset
    stream : seeds of the clip's sensor noise
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
    """All subjects of a cohort, in order.

    ``full`` has the paper's counts exactly: databases, groups, subjects and raw emotions are those of the
    clips kept in the released label table (290 clips of 53 subjects; Tables I-III).
    """
    roster = _paper_roster() if settings.size == "full" else _tiny_roster()
    counts = {CASME2: 0, SAMM: 0}
    plans = []
    for number, (database, group, emotions) in enumerate(roster):
        counts[database] += 1
        name = f"sub{counts[database]:02d}" if database == CASME2 else f"{counts[database]:03d}"
        plans.append(_plan_subject(settings.seed, number, database, name, group, emotions))
    return plans


@cache
def _paper_roster() -> list[tuple[str, str, tuple[str, ...]]]:
    """(database, group, emotions of the clips) of every subject that has kept clips."""
    with LABEL_TABLE.open() as stream:
        table = pd.read_csv(stream, dtype=str)
    kept = table[table["mapped_emotion"] != NOT_KEPT]
    return [
        (DATABASES[database], GROUPS[clips["mapped_label"].iloc[0]], tuple(clips["emotion"]))
        for (database, _), clips in kept.groupby(["dataset", "subject"], sort=False)
    ]


def _tiny_roster() -> list[tuple[str, str, tuple[str, ...]]]:
    """Twelve subjects, three of each group in each database, with four or five clips each."""
    return [
        (database, group, _TINY_EMOTIONS[database][: 4 + number // 2 % 2])
        for database in (CASME2, SAMM)
        for number, group in enumerate("ABABAB")
    ]


def _plan_subject(
    seed: int, number: int, database: str, name: str, group: str, emotions: tuple[str, ...]
) -> SubjectPlan:
    rng = np.random.default_rng([seed, number, 1])
    face = int(rng.integers(2**31))
    expressivity, asymmetry = np.exp(0.25 * rng.normal()), 0.08 * rng.normal()
    clips = []
    for k, emotion in enumerate(emotions):
        # One stream a clip, so that adding a clip to a subject leaves the others as they are.
        draw = np.random.default_rng([seed, number, 2, k])
        episode, take = 1 + k // 2, 1 + k % 2
        clip = f"EP{episode:02d}_{take:02d}" if database == CASME2 else f"{name}_{episode}_{take}"
        action_units = _draw_action_units(draw, emotion, expressivity, asymmetry)
        onset = int(draw.integers(20, 400 if database == CASME2 else 6000))
        apex = onset + int(draw.integers(10, 45))
        first = _floats(draw.normal(size=5) * [0.02, 0.02, 0.01, 1, 1])
        poses = (first, _sway(draw, first), _sway(draw, first))
        blinks, blink = draw.random() < 0.12, draw.uniform(0.02, 0.10)
        clips.append(
            ClipPlan(
                database=database,
                subject=name,
                group=group,
                clip=clip,
                emotion=emotion,
                action_units=action_units,
                action_unit_text=facs_text(action_units, intensity=database == SAMM),
                onset=onset,
                apex=apex,
                offset=apex + int(draw.integers(10, 55)),
                expression=(draw.uniform(0, 0.12), draw.uniform(0.65, 1.0), draw.uniform(0.05, 0.35)),
                blink=blink if blinks else 0.0,
                poses=poses,
                gains=_floats(1 + 0.01 * draw.normal(size=3)),
                stream=(seed, number, 3, k),
            )
        )
    return SubjectPlan(database, name, group, face, tuple(clips))


def _sway(rng: np.random.Generator, pose: Pose) -> Pose:
    """The head a fraction of a second later."""
    return _floats(pose + rng.normal(size=5) * [0.0015, 0.0015, 0.0006, 0.25, 0.25])


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _draw_action_units(
    rng: np.random.Generator, emotion: str, expressivity: float, asymmetry: float
) -> dict[int, Sides]:
    """{AU: (left, right)} in px of one clip."""
    chances = EMOTIONS[emotion]
    if rng.random() < CONTRADICTION:
        chances = EMOTIONS[list(EMOTIONS)[rng.integers(len(EMOTIONS))]]
    chosen: list[int] = []
    while not chosen:
        chosen = [unit for unit, chance in chances.items() if rng.random() < chance]
    strays = [unit for unit in ACTION_UNITS if unit != BLINK and rng.random() < STRAY]
    chosen += [unit for unit in strays if unit not in chosen]
    typical = TYPICAL_AMPLITUDE * expressivity * np.exp(0.35 * rng.normal())
    drawn = {}
    for unit in sorted(chosen):
        peak = np.clip(typical * np.exp(0.4 * rng.normal()), 0.25, 4.0) * _SMALL.get(unit, 1.0)
        lean = np.exp(0.15 * rng.normal() + asymmetry)
        sides = np.array([peak * lean, peak / lean])
        if rng.random() < UNILATERAL.get(unit, 0.05):
            sides[rng.integers(2)] *= 0.25 * rng.random()
        drawn[unit] = (float(sides[0]), float(sides[1]))
    return drawn


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
