"""The simulated cohort for the reader: faces, Action Units, clips with their truth, and codes beside the real ones."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pandas as pd

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.table import LABELS, Cohort, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import coded_units
from ethnicmer_lib.evidence.simulated_faces import action_unit_sheet, displacements, neutral_faces
from ethnicmer_lib.motion.strain import optical_strain
from ethnicmer_lib.old_sources import open_cohort, settings_of, true_action_units, truth
from ethnicmer_lib.paper.counts import tables
from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.publish.old_parameters import Simulator
from ethnicmer_lib.simulator.protocol import FRAMES_PER_SECOND, ClipPlan, SubjectPlan, plan_cohort
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.simulator.timing import state_at
from ethnicmer_lib.stats.bootstrap import Estimate
from ethnicmer_lib.store import old_runs as runs

CHAPTER = "simulator"
#: The example clip of a label: this share of the label's clips moves no further.  Large enough to see, no outlier.
EXAMPLE_QUANTILE = 0.9
_AROUND = 12  # frames before onset and after offset in the profile of a clip


@dataclass(frozen=True, eq=False)
class Example:
    """One clip as the cohort holds it, with its truth.

    Attributes
    ----------
    clip_id, label, database, action_units : as in the clips table
    onset, apex : (H, W) or (H, W, 3) uint8
    flow : (H, W, 2) float32, px from onset to apex, x right and y down; 0 in the background
    strain : (H, W) float32, optical strain of ``flow``, px per px; 0 near the outline of the head
    """

    clip_id: str
    label: str
    database: str
    action_units: str
    onset: np.ndarray
    apex: np.ndarray
    flow: np.ndarray
    strain: np.ndarray


@dataclass(frozen=True, eq=False)
class SimulatedCohortResult:
    """The chapter's result.

    Attributes
    ----------
    parameters, provenance, runs : as in every chapter.
    clips : the cohort's clips table.
    faces : (n, H, W, 3) uint8 RGB, neutral faces of subjects.
    sheet, arrows : one face in every Action Unit and its true displacement, as in ``simulated_faces``.
    examples : one clip per label.
    profile : what the last example shows frame by frame: ms since onset, expression (share), lids (share of a blink),
        shift (px, of the head since onset), moment ('onset', 'apex', 'offset' or '').
    amplitudes : one row per clip and Action Unit: clip_id, database, label, action_unit, left_px, right_px (peak
        from onset to apex, head movement apart).
    frequencies : share of the clips of each label that show each Action Unit, ``simulated`` and ``coded`` (the
        released FACS codes of the real clips); see ``coded_units.frequencies``.
    without_strays, textbook : ``difference`` of a cohort without stray Action Units, and of one with
        the textbook Action Units of each emotion instead of the codes.
    yardstick : mean absolute difference of such shares between two resamples of the real subjects, 95 % range.
    """

    parameters: Simulator
    provenance: Provenance
    runs: list[runs.Run]
    clips: pd.DataFrame
    faces: np.ndarray
    sheet: np.ndarray
    arrows: np.ndarray
    examples: list[Example]
    profile: pd.DataFrame
    amplitudes: pd.DataFrame
    frequencies: pd.DataFrame
    without_strays: float
    textbook: float
    yardstick: Estimate

    @property
    def difference(self) -> float:
        """Mean absolute difference of the simulated and the coded shares."""
        return _difference(self.frequencies)

    def peaks(self) -> pd.DataFrame:
        """One row per clip: clip_id, label and ``peak_px``, how far its most moved Action Unit goes."""
        moved = self.amplitudes.assign(peak_px=self.amplitudes[["left_px", "right_px"]].max(axis=1))
        return moved.groupby(["clip_id", "label"], as_index=False)["peak_px"].max()

    def findings(self) -> list[Finding]:
        """What the cohort has in common with the paper's data, and what it was told to have."""
        return [_counts(self), _codes(self)]


def compute(p: Simulator, progress: bool = False) -> SimulatedCohortResult:
    """Draw the faces and the sheet, and read the plan, the clips and the truth; pictures are kept in the run store.

    Raises
    ------
    StudyError
        For a source that is not simulated, or more faces than the cohort has subjects.
    """
    if p.data != "simulated":
        raise StudyError(f"data={p.data!r}: this chapter is about the simulated cohort; use data='simulated'")
    settings = settings_of(p)
    plan = plan_cohort(settings)
    if p.n_faces > len(plan):
        raise StudyError(f"n_faces={p.n_faces}: the cohort has {len(plan)} subjects; ask for at most as many")
    cohort = open_cohort(p, progress=progress)
    run = runs.Run.open(
        "simulated_cohort",
        module="ethnicmer_lib.evidence.simulated_cohort",
        cohort=cohort.provenance.fingerprint,
        parameters={"n_faces": p.n_faces},
    )
    shown = [plan[i] for i in np.linspace(0, len(plan) - 1, p.n_faces).round().astype(int)]
    amplitudes = run.table("amplitudes", lambda: _amplitudes(cohort))
    examples = [_example(cohort, clip_id) for clip_id in _typical(amplitudes)]
    real = labels.released_clips()
    return SimulatedCohortResult(
        parameters=p,
        provenance=cohort.provenance,
        runs=[run],
        clips=cohort.clips,
        faces=run.array("faces", lambda: neutral_faces(shown, p.texture_cue, progress)),
        sheet=run.array("sheet", lambda: action_unit_sheet(plan[0], p.texture_cue)),
        arrows=run.array("arrows", lambda: displacements(plan[0])),
        examples=examples,
        profile=_profile(_planned(plan, examples[-1].clip_id)),
        amplitudes=amplitudes,
        frequencies=coded_units.frequencies(cohort.clips, real),
        without_strays=_difference(coded_units.frequencies(_clips_without(settings, "strays"), real)),
        textbook=_difference(coded_units.frequencies(_clips_without(settings, "strays", "codes"), real)),
        yardstick=coded_units.yardstick(real, p.seed),
    )


def _amplitudes(cohort: Cohort) -> pd.DataFrame:
    rows = []
    for clip in cohort.clips.itertuples():
        for unit, (left, right) in true_action_units(cohort, clip.clip_id).items():
            row = {"clip_id": clip.clip_id, "database": clip.database, "label": clip.label}
            rows.append(row | {"action_unit": unit, "left_px": left, "right_px": right})
    return pd.DataFrame(rows)


def _typical(amplitudes: pd.DataFrame) -> list[str]:
    """One clip a label, the databases in turn, by how far its most moved Action Unit goes (``EXAMPLE_QUANTILE``)."""
    peaks = amplitudes.assign(peak=amplitudes[["left_px", "right_px"]].max(axis=1))
    peaks = peaks.groupby(["label", "database", "clip_id"])["peak"].max()
    chosen = []
    for label, turn in zip(LABELS, itertools.cycle((0, 1)), strict=False):
        databases = sorted(peaks[label].index.unique("database"))
        ordered = peaks[label][databases[turn % len(databases)]].sort_values()
        chosen.append(str(ordered.index[round(EXAMPLE_QUANTILE * (len(ordered) - 1))]))
    return chosen


def _example(cohort: Cohort, clip_id: str) -> Example:
    row, known = cohort.row(clip_id), truth(cohort, clip_id)
    # At the outline of the head the flow jumps to the background's zero, which is no strain of the skin.
    inside = cv2.erode((known.mask > 0).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    return Example(
        clip_id=clip_id,
        label=row["label"],
        database=row["database"],
        action_units=row["action_units"],
        onset=cohort.frames(clip_id, "onset"),
        apex=cohort.frames(clip_id, "apex"),
        flow=known.flow,
        strain=np.where(inside, optical_strain(known.flow), 0),
    )


def _planned(plan: list[SubjectPlan], clip_id: str) -> ClipPlan:
    return next(clip for subject in plan for clip in subject.clips if clip.clip_id == clip_id)


def _profile(clip: ClipPlan) -> pd.DataFrame:
    moments = {clip.onset: "onset", clip.apex: "apex", clip.offset: "offset"}
    first = np.array(clip.poses[0][3:])
    rows = []
    for frame in range(clip.onset - _AROUND, clip.offset + _AROUND + 1):
        state = state_at(clip, frame)
        rows.append(
            {
                "ms": (frame - clip.onset) * 1000 / FRAMES_PER_SECOND,
                "expression": state.expression,
                "lids": state.blink,
                "shift": float(np.hypot(*(np.array(state.pose[3:]) - first))),
                "moment": moments.get(frame, ""),
            }
        )
    return pd.DataFrame(rows)


def _clips_without(settings: SimulatorSettings, *components: str) -> pd.DataFrame:
    """Subject, label and code of every clip that the same cohort would plan without some components."""
    rows = [
        (clip.subject, labels.EMOTION_LABEL[clip.emotion], clip.action_unit_text)
        for subject in plan_cohort(replace(settings, without=components))
        for clip in subject.clips
    ]
    return pd.DataFrame(rows, columns=["subject", "label", "action_units"])


def _difference(frequencies: pd.DataFrame) -> float:
    return float((frequencies["simulated"] - frequencies["coded"]).abs().mean())


def _counts(result: SimulatedCohortResult) -> Finding:
    p, clips = result.parameters, result.clips
    found = tables(clips, simulated=True, seed=p.seed)
    rows, people = found.emotions.iloc[:-1], found.ethnicity.iloc[-1]
    listed = ", ".join(f"{r.label} {r.clips} (printed {r.clips_paper})" for r in rows.itertuples())
    if p.cohort_size != "full" or p.label_noise:
        verdict = "cannot be tested here"
        reason = (
            "This cohort is small or has wrong labels on request; the full one is made to the paper's counts."
        )
    else:
        verdict = "reproduced" if rows["matches"].all() else "not reproduced"
        reason = (
            "Reproduced when every row of Table III is equal. Equal by construction: who has how many clips of "
            "which emotion comes from the released label table. A check of the simulator, no evidence."
        )
    return Finding(
        chapter=CHAPTER,
        question="Does the simulated cohort hold as many clips per label as Table III prints?",
        answer=f"{listed}; {people['subjects']} subjects (printed {people['subjects_paper']} in Table I).",
        estimate=float(len(clips)),
        low=None,
        high=None,
        verdict=verdict,
        reason=reason,
    )


def _codes(result: SimulatedCohortResult) -> Finding:
    p, rows, chance = result.parameters, result.frequencies, result.yardstick
    most = rows.loc[(rows["simulated"] - rows["coded"]).abs().idxmax()]
    if p.cohort_size != "full" or p.label_noise or p.action_unit_effect or p.database_shift < 1:
        verdict = "cannot be tested here"
        reason = "This cohort was made small or changed on request; the comparison is meant for the full one."
    else:
        verdict = "reproduced" if result.difference <= chance.high else "not reproduced"
        reason = (
            "Reproduced when the difference is no larger than between two resamples of the real subjects (95 % "
            "range). Clips draw their code from the real ones; stray Action Units are added on purpose, and "
            f" without them the difference is {result.without_strays:.1%}."
        )
    return Finding(
        chapter=CHAPTER,
        question="Do simulated clips show each Action Unit as often as coders saw it in real clips of the label?",
        answer=(
            f"Shares of clips differ by {result.difference:.1%} on average over {len(rows)} pairs of label and "
            f"Action Unit; between two samples of the real subjects it is {chance.value:.1%} "
            f"[{chance.low:.1%}, {chance.high:.1%}]. The largest: AU {most['action_unit']} in {most['label']}, "
            f"{most['simulated']:.0%} simulated, {most['coded']:.0%} coded."
        ),
        estimate=result.difference,
        low=None,
        high=None,
        verdict=verdict,
        reason=reason,
    )
