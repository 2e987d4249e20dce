"""Views for the chapter: one motion at three sizes by every method, and motions that the released strain misreads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.evidence.comparison import SIDE, TEST, WAYS, Way
from ethnicmer_lib.evidence.endpoint_error import inside
from ethnicmer_lib.evidence.trials import PEAKS, chosen_clips, trial
from ethnicmer_lib.motion.extract import resize
from ethnicmer_lib.motion.flow import optical_flow
from ethnicmer_lib.motion.strain import optical_strain
from ethnicmer_lib.store import digest, kept

ANGLE = 0.01  #: radians of the rotation that is shown; small enough for strain to be zero to first order
SHIFT = 1.0  #: px by which the head is moved as a whole
_STILL = replace(TEST, without=("head",))  # a swaying head would hide the face's own motion from the eye
_SUBJECTS, _SHOWN, _NOISE = 8, 4, 2.0  # one of so many clips, spread over the cohort; grey levels
_MARGIN = 0.2  # part of the frame that a crop to the face alone takes off at every side


@dataclass(frozen=True, eq=False)
class Views:
    """One simulated clip at several amplitudes, its head held still."""

    peaks: tuple[float, ...]  #: px, one per row
    arms: tuple[str, ...]  #: what computed the flow
    flows: np.ndarray  #: (peaks, arms, H, W, 2) float32 px
    true: np.ndarray  #: (peaks, H, W, 2) float32 px
    seen: np.ndarray  #: (H, W) bool, where the first row's face is seen
    provenance: Provenance  #: of these pictures, whatever cohort the chapter runs on

    def errors(self) -> pd.DataFrame:
        """Mean endpoint error (px) of every arm, a row, at every peak, a column, where the face is seen."""
        lengths = np.linalg.norm(self.flows - self.true[:, None], axis=-1)[..., self.seen].mean(-1)
        columns = [f"{peak:g} px" for peak in self.peaks]
        return pd.DataFrame(lengths.T, pd.Index(self.arms, name="arm"), columns)

    def maps(self, row: int, quantity: str) -> dict[str, np.ndarray]:
        """Arm -> (H, W) map of 'v' (px) or 'strain' (px per px); the truth first, its outline without strain."""
        shown = {"truth": self.true[row]} | dict(zip(self.arms, self.flows[row], strict=True))
        if quantity == "v":
            return {name: flow[..., 1] for name, flow in shown.items()}
        strains = {name: optical_strain(flow) for name, flow in shown.items()}
        return strains | {"truth": np.where(inside(self.seen), strains["truth"], 0)}

    def rows(self, quantity: str) -> list[tuple[str, float, dict[str, np.ndarray]]]:
        """A row of :func:`show.method_grid` for every peak: caption, end of its scale, :meth:`maps`."""
        found = [self.maps(row, quantity) for row in range(len(self.peaks))]
        tops = [float(np.percentile(np.abs(maps["truth"]), 99.5)) for maps in found]
        return [(f"{peak:g} px", *both) for peak, *both in zip(self.peaks, tops, found, strict=True)]


def views(peaks: tuple[float, ...] = PEAKS, progress: bool = True) -> Views:
    """Flow by every method of a clip at each of ``peaks`` px; kept in the run store."""
    clip = chosen_clips(_STILL, _SUBJECTS)[_SHOWN][1]
    found = _flows(peaks, WAYS, progress)
    source = f"simulated clip {clip.clip_id} (seed {TEST.seed}), head still"
    made_of = Provenance(source, True, digest([clip.clip_id, peaks]))
    arms = tuple(way.label for way in WAYS)
    return Views(tuple(peaks), arms, found[:, 1:-1], found[:, 0], found[0, -1, ..., 0] > 0, made_of)


@kept("motion", "simulator", "evidence")
def _flows(peaks: tuple[float, ...], ways: tuple[Way, ...], progress: bool) -> np.ndarray:
    """(peaks, 1 + ways + 1, H, W, 2) float32: the true flow, each computed one, and twice where the face is seen."""
    subject, clip = chosen_clips(_STILL, _SUBJECTS)[_SHOWN]
    found = []
    for peak in tqdm(peaks, desc="views", disable=not progress):
        one = trial(_STILL, subject, clip, peak, noise=_NOISE)
        computed = [optical_flow(*one.frames(way.neighbours), way.method) for way in ways]
        found.append([one.flow, *computed, np.dstack([one.seen, one.seen])])
    return np.array(found, dtype=np.float32)


def released_strain(flow: np.ndarray) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """What the released strain makes of a pure turn, and of a face's flow with its head moved down as a whole.

    (caption, component of the flow, strain of Eq. 6, strain as released) of both, all (SIDE, SIDE).
    """
    turned, moved = rotation(), shifted_crop(flow)
    shown = {f"turned by\n{ANGLE:g} rad": (turned, 0), f"moved by\n{SHIFT:g} px": (moved, 1)}
    return [
        (caption, both[..., axis], optical_strain(both), optical_strain(both, as_released=True))
        for caption, (both, axis) in shown.items()
    ]


def rotation() -> np.ndarray:
    """(SIDE, SIDE, 2) px: a turn by :data:`ANGLE` about the centre of the picture, to first order."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return ANGLE * np.stack([-y, x], axis=2)


def shifted_crop(flow: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, 2) px: the middle of a flow with the head moved down as a whole by :data:`SHIFT` px, reduced.

    Reduced to the size of the published features, so that a border of one pixel can be seen.
    """
    rows, columns = (round(_MARGIN * side) for side in flow.shape[:2])
    crop = np.asarray(flow[rows:-rows, columns:-columns]) + np.float32([0, SHIFT])
    return np.moveaxis(resize(np.moveaxis(crop, 2, 0), SIDE), 0, 2)
