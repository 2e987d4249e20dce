"""The clips table and the one interface through which everything downstream sees a cohort."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import yaml

from ethnicmer_lib.clips.pseudonyms import pseudonym, pseudonyms
from ethnicmer_lib.errors import StudyError, check_name
from ethnicmer_lib.store.provenance import Provenance

Moment = Literal["onset", "apex", "offset"]
MOMENTS: tuple[Moment, ...] = ("onset", "apex", "offset")


@cache
def facts(name: str) -> dict[str, Any]:
    """What the file ``name`` with ending .yml holds, which ships beside this module."""
    return yaml.safe_load(Path(__file__).with_name(f"{name}.yml").read_text(encoding="utf-8"))


COLUMNS = facts("columns")  #: column of the clips table -> what it holds
LABELS = ("Negative", "Positive", "Surprise")
#: Frames on either side of onset and apex that count as their neighbours, and enter a cohort's fingerprint.
NEIGHBOURS = 8
DROPPED = "left out"


class Decision(NamedTuple):
    """One decision of a loader: what of which clip, or of a whole database, went from which value to which.

    ``rule`` is a policy, 'name=value', or a sentence where there is no choice. ``new`` equals ``old`` where a
    policy leaves a doubtful value as it is, and is :data:`DROPPED` where a clip or row goes.
    """

    clip: str
    what: str
    old: str
    new: str
    rule: str


def neighbour_steps(before: int, after: int) -> list[int]:
    """-1, 1, -2, 2, ...: up to so many frames before and after a frame, the nearest first."""
    return sorted([step for step in range(-before, after + 1) if step], key=lambda step: (abs(step), step))


class Stack(NamedTuple):
    """A frame and its neighbours in time: the frame itself first, then its neighbours, the nearest first.

    ``frames`` is (k, H, W) or (k, H, W, 3) RGB, uint8; ``steps`` are their k numbers less that of the frame itself.
    """

    frames: np.ndarray
    steps: tuple[int, ...]


class Clips(ABC):
    """A clips table plus access to frames, or to ready-made flow where a source has only that.

    ``table`` has the columns of :data:`COLUMNS`; ``decisions`` is what the loader decided, one column a field of
    :class:`Decision`; where ``has_frames`` is False, ``frames`` raises and ``flow`` works.
    """

    has_frames: bool = True
    publishable: Collection[str] = ()  #: of licensed clips the subjects, 'DATABASE/SUBJECT', who may be shown

    def __init__(self, clips: pd.DataFrame, provenance: Provenance, decisions: Iterable[Decision] = ()):
        if clips.empty:
            raise StudyError("clips table is empty: no clip with a kept emotion label was found")
        for clip_id in clips.loc[clips["clip_id"].duplicated(), "clip_id"]:
            raise StudyError(f"clip {clip_id} appears more than once in the clips table")
        self.table = clips[list(COLUMNS)].reset_index(drop=True)
        self.provenance = provenance
        self.decisions = pd.DataFrame(list(decisions), columns=list(Decision._fields), dtype=str)
        self._row = {clip_id: i for i, clip_id in enumerate(self.table["clip_id"])}
        self._own: dict[str, tuple[str, str, str]] = {}

    def hide(self, key: bytes) -> None:
        """Give every subject and clip a pseudonym made with a secret ``key``, in the table and in the decisions."""
        own = self.table[["clip_id", "subject", "clip"]].itertuples(index=False, name=None)
        self.table = pseudonyms(self.table, key)
        self._own = dict(zip(self.table["clip_id"], own, strict=True))
        self._row = {clip_id: i for i, clip_id in enumerate(self.table["clip_id"])}
        self.decisions["clip"] = [pseudonym(clip_id, key) for clip_id in self.decisions["clip"]]
        # What is kept of the same clips holds their names.
        fingerprint = hashlib.sha256(key + self.provenance.fingerprint.encode()).hexdigest()[:16]
        self.provenance = replace(self.provenance, fingerprint=fingerprint)

    def own_name(self, clip_id: str) -> str:
        """The clip_id of a clip as its database has it, where ``clip_id`` may be a pseudonym."""
        return self._own.get(clip_id, (clip_id,))[0]

    def own_place(self, clip_id: str) -> tuple[str, str]:
        """Subject and clip as the database has them."""
        return self._own[clip_id][1:] if self.hidden else tuple(self.row(clip_id)[["subject", "clip"]])

    @property
    def hidden(self) -> bool:
        """Whether subjects and clips have pseudonyms."""
        return bool(self._own)

    def row(self, clip_id: str) -> pd.Series:
        """The clip's row; StudyError when the cohort has no such clip."""
        if clip_id not in self._row:
            raise StudyError(f"no clip {clip_id!r} in {self.provenance.source}; see clips.table['clip_id']")
        return self.table.iloc[self._row[clip_id]]

    def may_show(self, clip_id: str) -> bool:
        """Whether a frame of a clip may go on a page: of simulated people, and of those that the reader has listed."""
        return self.provenance.simulated or self.own_name(clip_id).rpartition("/")[0] in self.publishable

    def publish(self, subjects: Collection[str]) -> None:
        """Let the frames of some subjects, 'DATABASE/SUBJECT', be shown; StudyError for one that has no clip here."""
        for subject in subjects:
            check_name(
                "publishable subject",
                subject,
                sorted({self.own_name(one).rpartition("/")[0] for one in self._row}),
            )
        self.publishable = frozenset(subjects)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def groups(self) -> list[str]:
        """The group names, two but for some manifests, in alphabetical order ('A', 'B' or 'Asian', 'Non-Asian')."""
        return sorted(self.table["group"].unique())

    @abstractmethod
    def frames(self, clip_id: str, moment: Moment) -> np.ndarray:
        """One frame, (H, W) or (H, W, 3) RGB, uint8; StudyError where missing."""

    def neighbours(
        self, clip_id: str, moment: Moment, before: int = NEIGHBOURS, after: int = NEIGHBOURS
    ) -> Stack:
        """A frame and those that exist up to so many frames ``before`` and ``after`` it, numbers from 0.

        It is alone in its stack where the source holds no others. StudyError as :meth:`frames`.
        """
        if min(before, after) < 0:
            raise StudyError(f"before={before}, after={after}: give numbers of frames from 0")
        others = self._others(clip_id, moment, before, after)
        return Stack(np.stack([self.frames(clip_id, moment), *others.values()]), (0, *others))

    def _others(self, clip_id: str, moment: Moment, before: int, after: int) -> dict[int, np.ndarray]:
        """The neighbours alone by their steps, the nearest first; a source with more than single frames has some."""
        return {}

    def flow(self, clip_id: str) -> np.ndarray:
        """Ready-made optical flow image (h, w, 3) float32 in [0, 1], channels u, v, strain.

        Only for sources without frames; everything else computes flow in ``ethnicmer_lib.motion``.
        """
        raise StudyError(f"{self.provenance.source} has frames: compute the flow of {clip_id} from them")


class FlowClips(Clips):
    """Clips whose onset-to-apex flow is there as images, published ones of 28x28; there are no frames.

    ``images`` is (n, H, W, 3) uint8, rows as in ``clips``, channels u, v, strain.
    """

    has_frames = False

    def __init__(
        self,
        clips: pd.DataFrame,
        provenance: Provenance,
        images: np.ndarray,
        decisions: Iterable[Decision] = (),
    ):
        super().__init__(clips, provenance, decisions)
        self._images = images

    def frames(self, clip_id: str, moment: Moment) -> np.ndarray:
        """Always StudyError: the published features hold no frame."""
        self.row(clip_id)
        raise StudyError(
            f"{self.provenance.source}: no {moment} frame of {clip_id}, only its flow; "
            "use data='licensed' or data='simulated' for what needs frames"
        )

    def flow(self, clip_id: str) -> np.ndarray:
        """The optical flow image as a file holds it: (H, W, 3) float32 in [0, 1], channels u, v, strain (Eq. 7).

        Of the published ones each channel was stretched to its own minimum and maximum before it was published, so
        direction and size of the motion cannot be read off the values.
        """
        self.row(clip_id)
        return self._images[self._row[clip_id]].astype(np.float32) / 255
