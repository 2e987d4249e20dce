"""Cohorts as a perfect tracker would see them: planned by the simulator, measured with noise, never rendered.

A cohort of 53 subjects takes a second, so that a lesson can draw many and compare with what was planted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.labels import EMOTION_LABEL
from ethnicmer_lib.simulator.anatomy import ACTION_UNITS
from ethnicmer_lib.simulator.protocol import plan_cohort
from ethnicmer_lib.simulator.settings import SimulatorSettings

#: Columns of :attr:`Tracked.x`: Action Unit and side.
MEASURES = tuple(f"AU{unit:02d}{side}" for unit in sorted(ACTION_UNITS) for side in "LR")


class Tracked(NamedTuple):
    """Clips and what was measured of them."""

    table: pd.DataFrame  #: clip_id, subject, database, group, label; one row a clip
    x: np.ndarray  #: (clips, measures) float64, px from onset to apex, columns as :data:`MEASURES`


def tracked_cohort(
    settings: SimulatorSettings | None = None, noise: float = 0.5, face: float = 0.5
) -> Tracked:
    """The clips that ``settings`` plan, with the displacement of every Action Unit as measured, in px.

    What is measured is what the simulator planned (amplitude times the share of it that the apex shows), plus an error
    of standard deviation ``noise`` in every clip, plus one of standard deviation ``face`` that all clips of a subject
    share: a tracker errs on the same face in the same way.

    Examples
    --------
    >>> from ethnicmer_lib.evidence.tracked import tracked_cohort
    >>> tracked_cohort().x.shape
    (290, 40)
    """
    settings = settings or SimulatorSettings()
    rng = np.random.default_rng([settings.seed, 11])
    rows, found = [], []
    for subject in plan_cohort(settings):
        own = face * rng.normal(size=len(MEASURES))
        for clip in subject.clips:
            label = EMOTION_LABEL[clip.emotion]
            rows.append((clip.clip_id, f"{clip.database}/{clip.subject}", clip.database, clip.group, label))
            shown = clip.expression[1] - clip.expression[0]
            sides = [clip.action_units.get(unit, (0.0, 0.0)) for unit in sorted(ACTION_UNITS)]
            found.append(shown * np.ravel(sides) + own + noise * rng.normal(size=len(MEASURES)))
    columns = ["clip_id", "subject", "database", "group", "label"]
    return Tracked(pd.DataFrame(rows, columns=columns), np.array(found))
