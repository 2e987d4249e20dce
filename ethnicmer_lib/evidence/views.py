"""Views for the chapter: one motion at three sizes by every method, and motions that the released strain misreads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.evidence.comparison import SIDE, TEST, Way
from ethnicmer_lib.evidence.endpoint_error import inside
from ethnicmer_lib.evidence.trials import PEAKS, Trial, chosen_clips, trial
from ethnicmer_lib.motion.extract import resize
from ethnicmer_lib.motion.flow import METHODS, optical_flow
from ethnicmer_lib.motion.strain import optical_strain
from ethnicmer_lib.store import Run

#: Every method as the chapters use it; 'micro' from two frames, too.
WAYS = (*(Way(name) for name in METHODS), Way("micro", True))
ANGLE = 0.01  #: radians of the rotation that is shown; small enough for strain to be zero to first order
SHIFT = 1.0  #: px by which the head is moved as a whole
_STILL = replace(TEST, without=("head",))  # a swaying head would hide the face's own motion from the eye
_SUBJECTS, _SHOWN, _NOISE = 8, 4, 2.0  # one of so many clips, spread over the cohort; grey levels
_MARGIN = 0.2  # part of the frame that a crop to the face alone takes off at every side


@dataclass(frozen=True, eq=False)
class Views:
    """One simulated clip at several amplitudes, its head held still.

    Attributes
    ----------
    clip_id : of the clip
    peaks : px, one per row
    ways : what computed the flow
    flows : (peaks, ways, H, W, 2) float32 px
    true : (peaks, H, W, 2) float32 px
    seen : (H, W) bool, where the first row's face is seen
    run : what holds the flows
    """

    clip_id: str
    peaks: tuple[float, ...]
    ways: tuple[Way, ...]
    flows: np.ndarray
    true: np.ndarray
    seen: np.ndarray
    run: Run

    @property
    def provenance(self) -> Provenance:
        """The source of these pictures, whatever cohort the chapter runs on."""
        return Provenance(f"simulated clip {self.clip_id} (seed {TEST.seed}), head still", True, self.run.key)

    def errors(self) -> pd.DataFrame:
        """Mean endpoint error (px) of every way, a row, at every peak, a column, where the face is seen."""
        lengths = np.linalg.norm(self.flows - self.true[:, None], axis=-1)[..., self.seen].mean(-1)
        columns = [f"{peak:g} px" for peak in self.peaks]
        return pd.DataFrame(lengths.T, index=[way.label for way in self.ways], columns=columns).rename_axis(
            "arm"
        )

    def maps(self, row: int, quantity: str) -> dict[str, np.ndarray]:
        """Way -> (H, W) map of 'v' (px) or 'strain' (px per px); the truth first, its outline without strain."""
        shown = {"truth": self.true[row]} | {
            way.label: flow for way, flow in zip(self.ways, self.flows[row], strict=True)
        }
        if quantity == "v":
            return {name: flow[..., 1] for name, flow in shown.items()}
        strains = {name: optical_strain(flow) for name, flow in shown.items()}
        strains["truth"] = np.where(inside(self.seen), strains["truth"], 0)
        return strains

    def rows(self, quantity: str) -> list[tuple[str, float, dict[str, np.ndarray]]]:
        """A row of :func:`show.method_grid` for every peak: caption, end of its scale, :meth:`maps`."""
        found = [self.maps(row, quantity) for row in range(len(self.peaks))]
        tops = [float(np.percentile(np.abs(maps["truth"]), 99.5)) for maps in found]
        return [(f"{peak:g} px", *both) for peak, *both in zip(self.peaks, tops, found, strict=True)]


def views(peaks: tuple[float, ...] = PEAKS, progress: bool = True) -> Views:
    """Flow by every method of a clip at each of ``peaks`` px; kept in the run store."""
    subject, clip = chosen_clips(_STILL, _SUBJECTS)[_SHOWN]
    inputs = {"clip": clip.clip_id, "peaks": peaks, "ways": WAYS}
    run = Run.open("motion-views", code=("motion", "simulator", "evidence"), inputs=inputs)
    trials: list[Trial] = []

    def compute() -> np.ndarray:
        trials.extend(
            trial(_STILL, subject, clip, peak, noise=_NOISE)
            for peak in tqdm(peaks, desc="views", disable=not progress)
        )
        computed = [
            [one.flow, *(_flow(one, way) for way in WAYS), np.dstack([one.seen, one.seen])] for one in trials
        ]
        return np.array(computed, dtype=np.float32)

    found = run.array("flows", compute)
    return Views(clip.clip_id, tuple(peaks), WAYS, found[:, 1:-1], found[:, 0], found[0, -1, ..., 0] > 0, run)


def _flow(one: Trial, way: Way) -> np.ndarray:
    return optical_flow(*((one.onset, one.apex) if way.neighbours else one.pair), way.method)


def released_strain(flow: np.ndarray) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """What the released strain makes of a pure turn, and of a face's flow with its head moved down as a whole.

    Returns
    -------
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


def border_ratio(strain: np.ndarray) -> float:
    """Largest strain on the outermost pixels over the largest inside."""
    rim = np.ones(strain.shape, bool)
    rim[1:-1, 1:-1] = False
    return float(strain[rim].max() / strain[~rim].max())
