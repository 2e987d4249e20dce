"""Activation maps: where plain ResNet-18 looks for Positive and Surprise, by group (Section IV-C, Figs 3-4)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.design.folds import make_folds
from ethnicmer_lib.design.identity import code_identity, folds_identity, weights_identity
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.extract import motion_images
from ethnicmer_lib.networks.cells import map_side
from ethnicmer_lib.networks.recipe import Recipe
from ethnicmer_lib.old_sources import open_cohort
from ethnicmer_lib.paper.findings import Finding, judge_effect, simulated_reason
from ethnicmer_lib.publish.old_parameters import TRAINED_WITH, ActivationMaps
from ethnicmer_lib.stats.bootstrap import Estimate, bootstrap_mean, permutation_difference
from ethnicmer_lib.stats.means import mean_difference
from ethnicmer_lib.store import old_runs as runs

LABELS_SHOWN = ("Positive", "Surprise")  #: Negative mixes several emotions (Section IV-C)
#: measure of a map -> what it says
MEASURES = {
    "asymmetry": "|left - right| / (left + right), 0 for two equal sides, 1 for one side only",
    "left_share": "share of the activation in the left half of the image",
    "lower_share": "share of the activation in the lower half of the image",
    "area": "share of the image's pixels above half the map's maximum",
}
RESAMPLES = 2000
PAPER_GROUPS = ("Non-Asian", "Asian")  #: the paper's claims say how the first differs from the second


class Claim(NamedTuple):
    """A claim of Section IV-C: ``measure`` of the first group's maps of ``label`` is larger or smaller."""

    label: str
    measure: str
    direction: int
    question: str


CLAIMS = (
    Claim("Positive", "asymmetry", 1, "Are the maps of Positive more one-sided for {} than for {} (Fig. 3)?"),
    Claim("Positive", "area", -1, "Are the active regions of Positive smaller for {} than for {} (Fig. 3)?"),
    Claim("Surprise", "lower_share", 1, "Is Surprise lower in the face for {} than for {} (Fig. 4)?"),
)


@dataclass(frozen=True)
class ActivationResult:
    """What the chapter shows.

    Attributes
    ----------
    parameters : ActivationMaps
    provenance : Provenance of the cohort.
    groups : the two groups; differences are first minus second, 'Non-Asian' minus 'Asian' on the paper's groups.
    maps : (n, S, S) float32 in [0, 1], one per clip labelled Positive or Surprise, held out.
    table : one row per map: clip_id, subject, group, database, label, predicted, correct and :data:`MEASURES`;
        a measure is NaN for a blank map (all zeros: no positive evidence for the predicted class).
    means : label, group, measure; mean over clips with a map, low, high (subject bootstrap; NaN under two
        subjects), clips, subjects, blank (clips left out because their map is blank).
    differences : label, measure; first group minus second: value, low, high (bootstrap of subjects within
        groups), p (permutation of groups between subjects), the claimed direction (0 where nothing is
        claimed). NaN where a group has under two subjects.
    runs : the run that holds the maps.
    """

    parameters: ActivationMaps
    provenance: Provenance
    groups: tuple[str, str]
    maps: np.ndarray
    table: pd.DataFrame
    means: pd.DataFrame
    differences: pd.DataFrame
    runs: list[runs.Run]

    @property
    def map_side(self) -> int:
        """Cells along a side of a map before it was enlarged: what a map can tell apart."""
        return map_side(self.parameters.layer, self.parameters.image_size)

    def mean_maps(self) -> dict[tuple[str, str], np.ndarray]:
        """(label, group) -> mean map (S, S) float32 in [0, 1] over its clips; pairs without a clip are absent."""
        return {pair: self.maps[rows].mean(axis=0) for pair, rows in self._cells().items()}

    def counts(self) -> dict[tuple[str, str], int]:
        """(label, group) -> clips behind its mean map."""
        return {pair: len(rows) for pair, rows in self._cells().items()}

    def findings(self) -> list[Finding]:
        """Verdicts on what Section IV-C reads off Figs 3-4; the rules are in each finding's reason."""
        return [_finding(self, claim) for claim in CLAIMS]

    def _cells(self) -> dict[tuple[str, str], np.ndarray]:
        pairs = [(label, group) for label in LABELS_SHOWN for group in sorted(self.groups)]
        rows = {
            p: np.flatnonzero((self.table["label"] == p[0]) & (self.table["group"] == p[1])) for p in pairs
        }
        return {pair: found for pair, found in rows.items() if len(found)}


def compute(p: ActivationMaps, progress: bool = False) -> ActivationResult:
    """Train plain ResNet-18 fold by fold, map every held-out Positive and Surprise clip, and measure the maps.

    Raises
    ------
    StudyError
        When the cohort cannot be opened, has too few subjects for the folds, or the image is too small for the
        layer to tell places apart.
    """
    map_side(p.layer, p.image_size)
    cohort = open_cohort(p, progress=progress)
    folds = make_folds(cohort.clips, p.folds, p.seed)
    run = runs.Run.open(
        "activation",
        module="ethnicmer_lib.networks.maps",
        cohort=cohort.provenance.fingerprint,
        parameters=p.model_dump(mode="json", include=TRAINED_WITH | {"seed", "layer"})
        | {
            "labels": LABELS_SHOWN,
            "weights": weights_identity(p.weights),
            "folds": folds_identity(folds),
            "inputs": code_identity("ethnicmer_lib.motion.extract"),
        },
    )

    @cache
    def held_out() -> tuple[np.ndarray, pd.DataFrame]:
        from ethnicmer_lib.networks.maps import activation_maps

        motion = motion_images(cohort, p.flow_method, p.normalisation, p.image_size, progress)
        recipe = Recipe(p.epochs, p.batch_size, p.learning_rate, p.gamma, p.precision, p.compiled)
        found = activation_maps(
            motion, cohort.clips, folds, recipe, LABELS_SHOWN, p.layer, p.weights, p.seed, progress
        )
        return found.array, found.table

    maps = run.array("maps", lambda: held_out()[0])
    predicted = run.table("mapped", lambda: held_out()[1])
    columns = ["clip_id", "subject", "group", "database", "label"]
    table = predicted[["clip_id"]].merge(cohort.clips[columns], on="clip_id", validate="one_to_one")
    table["predicted"] = predicted["predicted"]
    return score(p, cohort.provenance, maps, table, [run])


def score(
    p: ActivationMaps, provenance: Provenance, maps: np.ndarray, table: pd.DataFrame, used: list[runs.Run]
) -> ActivationResult:
    """Everything that follows from the maps and predictions alone."""
    table = table.assign(correct=table["predicted"] == table["label"], **measures(maps))
    found = sorted(table["group"].unique())
    groups = PAPER_GROUPS if set(found) == set(PAPER_GROUPS) else tuple(found)
    if len(groups) != 2:
        raise StudyError(
            f"maps exist for the groups {found} only; the comparison needs Positive or Surprise clips of two groups"
        )
    return ActivationResult(
        parameters=p,
        provenance=provenance,
        groups=groups,
        maps=maps,
        table=table,
        means=_means(table, groups, p.seed),
        differences=_differences(table, groups, p.seed),
        runs=used,
    )


def measures(maps: np.ndarray) -> dict[str, np.ndarray]:
    """The :data:`MEASURES` of (n, h, w) maps in [0, 1], each (n,) float64; NaN where a map is blank.

    Left and lower are the image's; a middle row or column counts half for either side.
    """
    n, height, width = maps.shape
    values = np.asarray(maps, dtype=np.float64)
    total = values.sum(axis=(1, 2))
    blank = total <= 0
    total = np.where(blank, 1.0, total)
    left = values.sum(axis=1) @ _first_half(width) / total
    lower = 1 - values.sum(axis=2) @ _first_half(height) / total
    peak = values.reshape(n, -1).max(axis=1)
    found = {
        "asymmetry": np.abs(2 * left - 1),
        "left_share": left,
        "lower_share": lower,
        "area": (values > peak[:, None, None] / 2).mean(axis=(1, 2)),
    }
    return {name: np.where(blank, np.nan, column) for name, column in found.items()}


def _first_half(n: int) -> np.ndarray:
    """Weight of each of ``n`` cells in their first half: 1, then 1/2 for a middle cell, then 0."""
    return np.clip(n / 2 - np.arange(n), 0, 1)


def _means(table: pd.DataFrame, groups: tuple[str, str], seed: int) -> pd.DataFrame:
    rows = []
    for label in LABELS_SHOWN:
        for group in sorted(groups):
            cell = table[(table["label"] == label) & (table["group"] == group)]
            part = cell.dropna(subset=list(MEASURES))
            n_subjects = part["subject"].nunique()
            for measure in MEASURES:
                estimate = Estimate(part[measure].mean(), np.nan, np.nan)
                if n_subjects > 1:
                    estimate = bootstrap_mean(part[measure], part["subject"], RESAMPLES, seed)
                rows.append(
                    {"label": label, "group": group, "measure": measure}
                    | {"mean": estimate.value, "low": estimate.low, "high": estimate.high}
                    | {"clips": len(part), "subjects": n_subjects, "blank": len(cell) - len(part)}
                )
    return pd.DataFrame(rows)


def _differences(table: pd.DataFrame, groups: tuple[str, str], seed: int) -> pd.DataFrame:
    claimed = {(claim.label, claim.measure): claim.direction for claim in CLAIMS}
    rows = []
    for label in LABELS_SHOWN:
        part = table[table["label"] == label].dropna(subset=list(MEASURES))
        subjects = part.groupby("group")["subject"].nunique().reindex(groups, fill_value=0)
        for measure in MEASURES:
            estimate, p = Estimate(np.nan, np.nan, np.nan), np.nan
            if subjects.min() > 1:
                # False sorts before True: first group minus second.
                columns = (part[measure], part["subject"], part["group"] != groups[0])
                estimate = mean_difference(*columns, RESAMPLES, seed)
                p = permutation_difference(*columns, RESAMPLES, seed)
            rows.append(
                {"label": label, "measure": measure, **estimate._asdict(), "p": p}
                | {"claimed": claimed.get((label, measure), 0)}
            )
    return pd.DataFrame(rows)


def _finding(result: ActivationResult, claim: Claim) -> Finding:
    first, second = result.groups
    row = result.differences.set_index(["label", "measure"]).loc[(claim.label, claim.measure)]
    means = result.means.set_index(["label", "measure", "group"])["mean"]
    a, b = (means.loc[(claim.label, claim.measure, group)] for group in (first, second))
    question = claim.question.format(first, second)
    what = MEASURES[claim.measure].split(",")[0]
    if not np.isfinite(row["value"]):
        return Finding(
            "activation_maps",
            question,
            "A group has maps of fewer than two subjects.",
            None,
            None,
            None,
            "cannot be tested here",
            f"The cohort has {claim.label} maps of fewer than two subjects in {first} or in {second}.",
        )
    estimate = Estimate(*(float(row[name]) for name in ("value", "low", "high")))
    answer = (
        f"Mean {claim.measure.replace('_', ' ')} ({what}): {first} {a:.3f}, {second} {b:.3f}; "
        f"difference {estimate}, permutation p = {row['p']:.3f}."
    )
    side = "above" if claim.direction > 0 else "below"
    reason = (
        f"reproduced if the whole subject-bootstrap interval of the difference is {side} zero, contradicted if on the "
        f"other side, else not supported; every held-out clip counts, {result.parameters.layer}, predicted class. "
        "The groups also differ in database, which this does not separate."
    )
    verdict = judge_effect(estimate.low, estimate.high, claim.direction)
    if result.provenance.simulated:
        verdict = "cannot be tested here"
        reason = f"{simulated_reason(result.parameters.texture_cue)} For real data the rule is: {reason}"
    elif result.groups != PAPER_GROUPS:
        verdict = "cannot be tested here"
        reason = (
            f"The groups are {first} and {second}, not the paper's. For the paper's the rule is: {reason}"
        )
    return Finding("activation_maps", question, answer, *estimate, verdict, reason)
