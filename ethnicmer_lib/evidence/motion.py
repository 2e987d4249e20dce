"""What the motion chapter shows: flow and strain of example clips, and the flow's error where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.clips.table import LABELS, Cohort, Provenance
from ethnicmer_lib.evidence.endpoint_error import flow_error, inside
from ethnicmer_lib.evidence.views import Views, views
from ethnicmer_lib.motion.extract import clip_flow
from ethnicmer_lib.motion.flow import gray
from ethnicmer_lib.motion.strain import optical_strain
from ethnicmer_lib.old_sources import open_cohort
from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.publish.old_parameters import Motion
from ethnicmer_lib.stats import Estimate, bootstrap_mean, permutation_difference
from ethnicmer_lib.store import old_runs as runs

_STRETCH = 0.01


@dataclass(frozen=True)
class Example:
    """One clip's motion: maps of (H, W), displacements in px, strain in px per px; the truth where known."""

    clip_id: str
    label: str
    computed: dict[str, np.ndarray]
    true: dict[str, np.ndarray] | None


@dataclass(frozen=True)
class MotionResult:
    """What the chapter shows.

    Attributes
    ----------
    parameters, provenance, runs : as in every chapter.
    examples : one clip per label.
    errors : one row per clip where the true motion is known, else None: clip_id, subject, database, skin_grey
        (median grey level of the skin at onset), peak_px (99th percentile of the true displacement on the face), and
        error_px, zero_px, strain_r as in ``errors.FlowError``.
    views : one simulated clip at several amplitudes, by every method.
    """

    parameters: Motion
    provenance: Provenance
    runs: list[runs.Run]
    examples: list[Example]
    errors: pd.DataFrame | None
    views: Views

    def saved(self) -> Estimate | None:
        """Share of the motion that the flow recovers: mean over clips of 1 - error / error of no motion."""
        if self.errors is None:
            return None
        gain = 1 - self.errors["error_px"] / self.errors["zero_px"]
        return bootstrap_mean(gain, self.errors["subject"], seed=self.parameters.seed)

    def by_skin(self) -> tuple[Estimate, Estimate, float] | None:
        """Mean endpoint error in px of subjects with darker and with lighter skin, and p of their difference.

        The subjects of each database are halved by the grey level of their skin, as the databases differ in light
        and noise; p is that of a permutation of the halves over subjects.
        """
        if self.errors is None:
            return None
        level = self.errors.groupby(["database", "subject"])["skin_grey"].median()
        darker = level.groupby("database").rank(pct=True) <= 0.5
        found = self.errors.join(darker.rename("darker"), on=["database", "subject"])
        halves = (
            bootstrap_mean(part["error_px"], part["subject"], seed=self.parameters.seed)
            for part in (found[found["darker"]], found[~found["darker"]])
        )
        return *halves, permutation_difference(found["error_px"], found["subject"], found["darker"])

    def findings(self) -> list[Finding]:
        """What can be said of Section III-C's sentences on motion."""
        return [_capability(self), _order()]


def compute(p: Motion, progress: bool = False) -> MotionResult:
    """Flow of every clip against the true flow on a simulated cohort, and three examples on any with frames."""
    cohort = open_cohort(p, progress=progress)
    run = runs.Run.open(
        "motion_error",
        module="ethnicmer_lib.evidence.motion",
        cohort=cohort.provenance.fingerprint,
        parameters={"flow_method": p.flow_method},
    )
    errors = None
    if cohort.provenance.simulated:
        errors = run.table("errors", lambda: _errors(cohort, p.flow_method, progress))
    examples = []
    for label in LABELS:
        clips = cohort.clips[cohort.clips["label"] == label]
        if len(clips):
            examples.append(_example(cohort, clips.iloc[p.example % len(clips)], p.flow_method))
    seen = views(progress=progress)
    return MotionResult(p, cohort.provenance, [run, seen.run], examples, errors, seen)


def _maps(flow: np.ndarray) -> dict[str, np.ndarray]:
    return {"u": flow[..., 0], "v": flow[..., 1], "strain": optical_strain(flow)}


def _example(cohort: Cohort, clip: pd.Series, method: str) -> Example:
    true = None
    if cohort.provenance.simulated:
        from ethnicmer_lib.old_sources import truth

        known = truth(cohort, clip["clip_id"])
        # The background has no motion to know, and strain would show nothing but the outline of the head.
        true = {
            name: np.where(inside(known.mask > 0), values, 0) for name, values in _maps(known.flow).items()
        }
    return Example(clip["clip_id"], clip["label"], _maps(clip_flow(cohort, clip["clip_id"], method)), true)


def _errors(cohort: Cohort, method: str, progress: bool) -> pd.DataFrame:
    from ethnicmer_lib.old_sources import truth

    rows = []
    bar = tqdm(cohort.clips.itertuples(), desc="flow error", total=len(cohort.clips), disable=not progress)
    for clip in bar:
        known = truth(cohort, clip.clip_id)
        seen = (known.mask == 1) & ~known.occluded
        error = flow_error(clip_flow(cohort, clip.clip_id, method), known.flow, seen)
        rows.append(
            {
                "clip_id": clip.clip_id,
                "subject": clip.subject,
                "database": clip.database,
                "skin_grey": float(np.median(gray(cohort.frames(clip.clip_id, "onset"))[known.mask == 1])),
                "peak_px": float(np.percentile(np.hypot(*np.moveaxis(known.flow, 2, 0))[seen], 99)),
                **error._asdict(),
            }
        )
    return pd.DataFrame(rows)


def _capability(result: MotionResult) -> Finding:
    question = "Are optical flow and strain capable in tiny motions (Section III-C)?"
    saved = result.saved()
    method = result.parameters.flow_method
    if saved is None:
        return Finding(
            "motion",
            question,
            "The true motion of these clips is not known.",
            None,
            None,
            None,
            "cannot be tested here",
            "An error needs a truth to compare with; the simulated cohort has one.",
        )
    errors = result.errors
    return Finding(
        "motion",
        question,
        f"Flow by {method} removes {saved.value:.0%} of the error of claiming no motion; mean endpoint error "
        f"{errors['error_px'].mean():.2f} px where clips peak at {errors['peak_px'].median():.2f} px (median). "
        f"Strain correlates with the true strain at {errors['strain_r'].mean():.2f} on average.",
        *saved,
        "cannot be tested here",
        f"Measured with {method} on simulated clips, where the truth is known; real clips have no truth.",
    )


def _order() -> Finding:
    """Strain of a field with constant gradient: a first derivative sees it, a second derivative does not."""
    x = np.arange(64, dtype=np.float32) * _STRETCH
    flow = np.dstack([np.tile(x, (64, 1)), np.zeros((64, 64), np.float32)])
    first = float(optical_strain(flow).mean())
    second = float(np.abs(np.gradient(np.gradient(flow[..., 0].astype(float), axis=1), axis=1)).max())
    return Finding(
        "motion",
        "Is optical strain a second-order derivative of displacement (Section III-C)?",
        f"A field that stretches by {_STRETCH:g} px per px has a strain of {first:.3f} by Eq. 6 and second "
        f"derivatives of {second:.3f}.",
        None,
        None,
        None,
        "contradicted" if first > second + _STRETCH / 2 else "reproduced",
        "Eq. 6 of the paper is a first derivative of displacement; the sentence around it says second-order.",
    )
