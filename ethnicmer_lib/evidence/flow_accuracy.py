"""How accurate flow methods are where the truth is known, and what that does to recognition: live and recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.clips.table import LABELS, Clips
from ethnicmer_lib.evidence import comparison
from ethnicmer_lib.evidence.endpoint_error import flow_error
from ethnicmer_lib.motion.extract import kept_flow, pool
from ethnicmer_lib.motion.flow import gray
from ethnicmer_lib.motion.strain import optical_strain
from ethnicmer_lib.simulator.truth import truth
from ethnicmer_lib.stats import Estimate, bootstrap_mean, difference, holm, permutation_difference, scores
from ethnicmer_lib.store import Provenance, digest, identity, kept, record

COLUMNS = ("clip_id", "subject", "database", "skin_grey", "peak_px", "error_px", "zero_px", "strain_r")


@kept("motion", "evidence")
def flow_errors(clips: Clips, method: str = "micro", progress: bool = True) -> pd.DataFrame:
    """Error of the flow of every simulated clip against what really moved; no row where the truth is not known.

    One row per clip: clip_id, subject, database, skin_grey (median grey level of the skin at onset), peak_px (99th
    percentile of the true displacement on the face), and error_px, zero_px, strain_r of ``endpoint_error.FlowError``.
    """
    if not clips.provenance.simulated:
        return pd.DataFrame(columns=list(COLUMNS), dtype=float)
    flow = kept_flow(clips, method)
    with pool() as each:
        found = each(lambda clip: _error(clips, clip, flow(clip.clip_id)), list(clips.table.itertuples()))
        return pd.DataFrame(list(tqdm(found, desc="flow error", total=len(clips), disable=not progress)))


def _error(clips: Clips, clip: Any, flow: np.ndarray) -> dict[str, Any]:
    known = truth(clips, clip.clip_id)
    seen = (known.mask == 1) & ~known.occluded
    error = flow_error(flow, known.flow, seen)
    grey = np.median(gray(clips.frames(clip.clip_id, "onset"))[known.mask == 1])
    peak = np.percentile(np.hypot(*np.moveaxis(known.flow, 2, 0))[seen], 99)
    named = (clip.clip_id, clip.subject, clip.database, float(grey), float(peak))
    return dict(zip(COLUMNS, (*named, *error), strict=True))


def recovered(errors: pd.DataFrame, seed: int = 0) -> Estimate | None:
    """Share of the motion that the flow recovers, over clips: 1 - error / error of no motion; None without a truth."""
    if errors.empty:
        return None
    return bootstrap_mean(1 - errors["error_px"] / errors["zero_px"], errors["subject"], seed=seed)


def tiny_motions(
    errors: pd.DataFrame, method: str, seed: int = 0
) -> tuple[Estimate, dict[str, str | float]] | str:
    """What the claim on tiny motions is judged by: :func:`recovered` with the means beside it, or why there is none."""
    saved = recovered(errors, seed)
    if saved is None:
        return "An error needs a truth to compare with; the simulated cohort has one."
    means = errors[["error_px", "strain_r"]].mean().to_dict()
    return saved, means | {"peak_px": errors["peak_px"].median(), "method": method}


def strain_order(stretch: float = 0.01) -> tuple[None, dict[str, float | bool]]:
    """Strain of a field that stretches evenly: a first derivative sees it, a second derivative does not."""
    x = np.tile(np.arange(64, dtype=np.float32) * stretch, (64, 1))
    first = float(optical_strain(np.dstack([x, np.zeros_like(x)])).mean())
    second = float(np.abs(np.gradient(np.gradient(x.astype(float), axis=1), axis=1)).max())
    return None, {
        "stretch": stretch,
        "first": first,
        "second": second,
        "holds": first <= second + stretch / 2,
    }


def by_skin(errors: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Mean endpoint error (px) of subjects with deeper and with lighter skin, as Estimates, and p of the difference.

    The subjects of each database are halved by the grey level of their skin, as the databases differ in light and
    noise; p is that of a permutation of the halves over subjects.
    """
    if errors.empty:
        return pd.DataFrame(columns=["skin", "error_px", "p"])
    level = errors.groupby(["database", "subject"])["skin_grey"].median()
    darker = level.groupby("database").rank(pct=True) <= 0.5
    found = errors.join(darker.rename("darker"), on=["database", "subject"])
    halves = (found[found["darker"]], found[~found["darker"]])
    means = [bootstrap_mean(part["error_px"], part["subject"], seed=seed) for part in halves]
    p = permutation_difference(found["error_px"], found["subject"], found["darker"])
    return pd.DataFrame({"skin": ["deeper half", "lighter half"], "error_px": means, "p": [p, p]})


def accuracy_table(accuracy: pd.DataFrame) -> pd.DataFrame:
    """One row per arm: for each peak (px) the columns ``error <peak>`` and ``strain <peak>``; and ``seconds``.

    The first row, 'no motion', is the error of claiming none.
    """
    found = accuracy.pivot_table(index="arm", columns="peak", values=["error_px", "strain_r"])
    found.columns = [f"{name.split('_')[0]} {peak:g}" for name, peak in found]
    found = found.reindex(accuracy["arm"].unique())
    found["seconds"] = accuracy.groupby("arm")["seconds"].mean()
    zero = accuracy.drop_duplicates(["clip_id", "peak"]).groupby("peak")["zero_px"].mean()
    none = pd.DataFrame({f"error {peak:g}": [error] for peak, error in zero.items()}, index=["no motion"])
    return pd.concat([none, found]).rename_axis("arm")


def recognised(downstream: pd.DataFrame, reference: str) -> pd.DataFrame:
    """What a plain forest (LOSO) recognises from the motion of every arm.

    One row per arm: macro (macro F1, Estimate), difference (to the reference, paired, Estimate), p (swap test),
    p_holm (over all arms), seconds (of CPU time, a clip).
    """
    found = scores(downstream, interval=True, labels=LABELS)[["macro"]]
    pairs = [(arm, reference) for arm in found.index if arm != reference]
    compared = holm(difference(downstream, pairs, labels=LABELS)).set_index("a")
    seconds = downstream.groupby("arm")["seconds"].mean()
    return found.join(compared[["difference", "p", "p_holm"]]).join(seconds).rename_axis("arm")


def record_motion(command: str) -> Path:
    """Compute the evidence, or take it from the run store, and write it to ``results/motion/``."""
    parts = {
        "accuracy": comparison.accuracy(progress=True),
        "downstream": comparison.downstream(progress=True),
    }
    cohorts = digest(identity([comparison.TEST, comparison.SimulatorSettings()]))
    source = Provenance("simulated cohorts; recorded run", True, cohorts)
    return record("motion", parts, source, command, {})
