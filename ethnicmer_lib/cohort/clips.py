"""The clips table and the one interface through which everything downstream sees a cohort."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError

Moment = Literal["onset", "apex", "offset"]

#: Column of the clips table -> what it holds.  One row is one clip; the index is 0..n-1.
COLUMNS = {
    "clip_id": "unique key, '<database>/<subject>/<clip>'",
    "database": "'CASME II' or 'SAMM' (the layout the clip was read from)",
    "subject": "unique over the cohort, as the database writes it: 'sub01', '006'",
    "clip": "the database's own clip name: 'EP02_01f', '006_1_2'",
    "emotion": "the database's estimated emotion, lower case: 'happiness', 'disgust', ...",
    "label": "'Negative', 'Positive' or 'Surprise' (Table III); clips labelled 'Others' are not in the table",
    "ethnicity": "the annotated ethnic label (Table I); in a simulated cohort the abstract group name",
    "group": "the mapped group that is compared: 'Asian'/'Non-Asian', or 'A'/'B' in a simulated cohort",
    "action_units": "the coder's AU text, '' where the source has none",
    "onset": "frame number, <NA> where the source has none",
    "apex": "frame number, <NA> where missing",
    "offset": "frame number, <NA> where missing",
}
LABELS = ("Negative", "Positive", "Surprise")


@dataclass(frozen=True)
class Provenance:
    """Where a cohort comes from: printed on every figure and hashed into every run key."""

    source: str  #: one line a reader understands, e.g. 'CASME II + SAMM, published flow features'
    simulated: bool
    fingerprint: str  #: 16 hex digits; changes with any clip, label or frame


class Cohort(ABC):
    """A clips table plus access to frames, or to ready-made flow where a source has only that.

    Attributes
    ----------
    clips : DataFrame with the columns of :data:`COLUMNS`.
    provenance : Provenance
    has_frames : bool
        False where the source holds only flow; then ``frames`` raises and ``flow`` works.
    """

    has_frames: bool = True

    def __init__(self, clips: pd.DataFrame, provenance: Provenance):
        self.clips = check_clips(clips)
        self.provenance = provenance
        self._row = {clip_id: i for i, clip_id in enumerate(self.clips["clip_id"])}

    def row(self, clip_id: str) -> pd.Series:
        """The clip's row; StudyError when the cohort has no such clip."""
        if clip_id not in self._row:
            raise StudyError(f"no clip {clip_id!r} in {self.provenance.source}; see cohort.clips['clip_id']")
        return self.clips.iloc[self._row[clip_id]]

    @property
    def groups(self) -> list[str]:
        """The two group names, in alphabetical order ('A', 'B' or 'Asian', 'Non-Asian')."""
        return sorted(self.clips["group"].unique())

    @abstractmethod
    def frames(self, clip_id: str, moment: Moment) -> np.ndarray:
        """One frame, (H, W) or (H, W, 3) RGB, uint8; StudyError where missing."""

    def flow(self, clip_id: str) -> np.ndarray:
        """Ready-made optical flow image (h, w, 3) float32 in [0, 1], channels u, v, strain.

        Only for sources without frames; everything else computes flow in ``ethnicmer_lib.motion``.
        """
        raise StudyError(f"{self.provenance.source} has frames: compute the flow of {clip_id} from them")


def check_clips(clips: pd.DataFrame) -> pd.DataFrame:
    """Return the table with a fresh index, or say which column, clip and value is wrong."""
    missing = [name for name in COLUMNS if name not in clips]
    if missing:
        raise StudyError(f"clips table lacks the columns {missing}; needed: {list(COLUMNS)}")
    if clips.empty:
        raise StudyError("clips table is empty: no clip with a kept emotion label was found")
    clips = clips[list(COLUMNS)].reset_index(drop=True)
    twice = clips.loc[clips["clip_id"].duplicated(), "clip_id"]
    if len(twice):
        raise StudyError(f"clip {twice.iloc[0]} appears more than once in the clips table")
    wrong = clips.loc[~clips["label"].isin(LABELS)]
    if len(wrong):
        row = wrong.iloc[0]
        raise StudyError(f"clip {row['clip_id']}: label {row['label']!r} is none of {LABELS}")
    shared = clips.groupby("subject")["group"].nunique()
    if (shared > 1).any():
        subject = shared.index[shared > 1][0]
        raise StudyError(f"subject {subject} is in more than one group; a subject's group must be one")
    return clips
