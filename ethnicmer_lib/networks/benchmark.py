"""Benchmark: does the ethnic context help?  Table V with intervals, beside a majority rule and a plain forest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.table import LABELS, Cohort, Provenance
from ethnicmer_lib.design.folds import Fold, make_folds
from ethnicmer_lib.design.forest import emotion_predictions, majority
from ethnicmer_lib.design.identity import code_identity, folds_identity, weights_identity
from ethnicmer_lib.motion.extract import apex_images, motion_images
from ethnicmer_lib.networks.recipe import Recipe
from ethnicmer_lib.networks.switches import Switches
from ethnicmer_lib.old_sources import open_cohort
from ethnicmer_lib.paper import benchmark_claims
from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.paper.numbers import paper_results
from ethnicmer_lib.publish.old_parameters import TRAINED_WITH, Benchmark
from ethnicmer_lib.stats.bootstrap import MACRO, Estimate, bootstrap_f1, bootstrap_mean, paired_difference
from ethnicmer_lib.stats.scoring import mean_over_folds
from ethnicmer_lib.store import old_notes as run_notes
from ethnicmer_lib.store import old_runs as runs
from ethnicmer_lib.store import old_sealed as sealed

FOREST_SIZE = 28  #: side of the flow image that the forest sees, in px: that of the published features
RESAMPLES = 2000
PLAIN = "resnet18"
NEEDS_RGB = ("dual_rgb", "tinyvit")
#: Rows the paper lacks: method, motion context, ethnic context, representation.
OWN_ROWS = {
    "majority": ("Majority rule", False, False, "N/A"),
    "forest": ("Random forest on the flow image", True, False, "N/A"),
}
#: a minus b, in macro F1; the first ones are claims of Section IV-B.
PAIRS = (
    ("dual_motion", PLAIN),
    ("dual_rgb", PLAIN),
    ("tinyvit", PLAIN),
    ("tinyvit", "dual_motion"),
    ("forest", PLAIN),
    ("majority", PLAIN),
)


@dataclass(frozen=True)
class BenchmarkResult:
    """What the chapter shows.

    Attributes
    ----------
    parameters : Benchmark
    provenance : Provenance of the cohort.
    predictions : one row per variant, seed and clip: variant, seed, clip_id, subject, label, predicted, the
        probabilities, and group and predicted_group where a variant has an ethnic branch.
    table : one row per variant: method, motion_context, ethnic_context, representation; F1 of every label,
        macro (UF1) and UAR, each with ``_low``, ``_high`` (subject bootstrap of the mean over seeds) and, where
        the paper prints one, ``_paper``; per_subject and per_subject_present, the mean over subjects of macro F1
        with absent classes as 0 or left out; clips, seeds, protocol.
    paired : one row per pair of variants: macro F1 of ``a`` minus ``b`` with its interval, and the paper's.
    groups : one row per variant with an ethnic branch: accuracy for the group, that of guessing the group
        from the database alone, and their difference, with intervals.
    left_out : variant -> why it cannot be trained on this cohort.
    runs : the runs that hold the predictions.
    """

    parameters: Benchmark
    provenance: Provenance
    predictions: pd.DataFrame
    table: pd.DataFrame
    paired: pd.DataFrame
    groups: pd.DataFrame
    left_out: dict[str, str]
    runs: list[runs.Run]

    def difference(self, a: str, b: str) -> Estimate:
        """macro F1 of variant ``a`` minus that of ``b``; KeyError for a pair that was not compared."""
        return Estimate(*self.paired.set_index(["a", "b"]).loc[(a, b), ["value", "low", "high"]])

    def findings(self) -> list[Finding]:
        """Verdicts on what Section IV-B says of Table V; the rules are in each finding's reason."""
        return benchmark_claims.verdicts(self)


def compute(p: Benchmark, progress: bool = False) -> BenchmarkResult:
    """Train and test every variant and seed under one set of folds, then score; cached fold by fold.

    A variant that needs RGB frames on a cohort that has none is left out, with the reason.

    Raises
    ------
    StudyError
        When the cohort cannot be opened, or has too few subjects for the folds.
    """
    cohort = open_cohort(p, progress=progress)
    folds = make_folds(cohort.clips, p.folds, p.seed)
    left_out = {variant: why for variant in p.variants if (why := _why_not(variant, p, cohort))}
    kept = [variant for variant in p.variants if variant not in left_out]
    networks, training = _networks(cohort, p, kept, folds, progress)
    forest, growing = _forest(cohort, p, progress)
    rule = cohort.clips[["clip_id", "subject", "label"]].assign(
        variant="majority", seed=p.seed, predicted=majority(cohort.clips["label"], folds, LABELS)
    )
    predictions = pd.concat([*networks, rule, forest], ignore_index=True)
    return score(p, cohort.provenance, cohort.clips, predictions, left_out, [training, growing])


def score(
    p: Benchmark,
    provenance: Provenance,
    clips: pd.DataFrame,
    predictions: pd.DataFrame,
    left_out: dict[str, str],
    used: list[runs.Run],
) -> BenchmarkResult:
    """Everything that follows from the predictions alone."""
    parts = dict(list(predictions.groupby("variant", sort=False)))
    return BenchmarkResult(
        parameters=p,
        provenance=provenance,
        predictions=predictions,
        table=pd.DataFrame([_row(p, name, part) for name, part in parts.items()]),
        paired=_paired(p, parts),
        groups=_groups(p, clips, parts),
        left_out=left_out,
        runs=used,
    )


def _why_not(variant: str, p: Benchmark, cohort: Cohort) -> str | None:
    """Why a variant cannot be trained here, or None."""
    if variant in NEEDS_RGB and not cohort.has_frames:
        return f"{cohort.provenance.source}: there are no RGB frames, which {variant} needs"
    if variant in NEEDS_RGB and p.shared_backbone:
        return f"shared_backbone: the branches of {variant} see different images and cannot share a backbone"
    return None


def _networks(
    cohort: Cohort, p: Benchmark, variants: Sequence[str], folds: Sequence[Fold], progress: bool
) -> tuple[list[pd.DataFrame], runs.Run]:
    """Predictions of every variant and seed, and their run."""

    # Images are made only when a table is missing.
    @cache
    def motion() -> np.ndarray:
        return motion_images(cohort, p.flow_method, p.normalisation, p.image_size, progress)

    @cache
    def rgb() -> np.ndarray:
        return apex_images(cohort, p.image_size, progress)

    run = runs.Run.open(
        "benchmark",
        module="ethnicmer_lib.networks.folds",
        cohort=cohort.provenance.fingerprint,
        parameters=p.model_dump(mode="json", include=set(TRAINED_WITH))
        | {
            "weights": weights_identity(p.weights),
            "folds": folds_identity(folds),
            "inputs": code_identity("ethnicmer_lib.motion.extract"),
            "switches": vars(Switches.of(p)),
        },
    )

    names = [(variant, seed) for variant in variants for seed in range(p.seed, p.seed + p.n_seeds)]
    planned = {f"{variant}-seed{seed}": len(folds) for variant, seed in names}
    run_notes.write(run, cohort.provenance, planned)

    @cache
    def trained() -> dict[tuple[str, int], pd.DataFrame]:
        missing = [name for name in names if sealed.read(run, f"{name[0]}-seed{name[1]}") is None]
        images = rgb() if any(variant in NEEDS_RGB for variant, _ in missing) else None
        return _train(missing, motion(), images, cohort.clips, folds, p, run, progress)

    # All networks are trained together, so that no process waits for the last fold of a variant.
    tables = [
        sealed.table(run, f"{variant}-seed{seed}", lambda name=(variant, seed): trained()[name])
        for variant, seed in names
    ]
    return tables, run


def _train(
    names: Sequence[tuple[str, int]],
    motion: np.ndarray,
    rgb: np.ndarray | None,
    clips: pd.DataFrame,
    folds: Sequence[Fold],
    p: Benchmark,
    run: runs.Run,
    progress: bool,
) -> dict[tuple[str, int], pd.DataFrame]:
    """(variant, seed) -> predictions of all folds."""
    # Imported here: a page whose runs are in the store needs no torch.
    from ethnicmer_lib.networks.folds import train_and_predict

    recipe = Recipe(p.epochs, p.batch_size, p.learning_rate, p.gamma, p.precision, p.compiled)
    found = train_and_predict(
        list(dict.fromkeys(variant for variant, _ in names)),
        motion,
        rgb,
        clips,
        folds,
        recipe,
        Switches.of(p),
        sorted({seed for _, seed in names}),
        p.weights,
        progress,
    ).rename(columns={"arm": "variant"})
    return dict(list(found.groupby(["variant", "seed"])))


def _forest(cohort: Cohort, p: Benchmark, progress: bool) -> tuple[pd.DataFrame, runs.Run]:
    """Predictions of the plain forest on the small flow image, always LOSO: the least a network must beat."""
    run = runs.Run.open(
        "benchmark_forest",
        module="ethnicmer_lib.design.forest",
        cohort=cohort.provenance.fingerprint,
        parameters=p.model_dump(mode="json", include={"flow_method", "normalisation", "n_trees", "seed"})
        | {"size": FOREST_SIZE, "inputs": code_identity("ethnicmer_lib.motion.extract")},
    )

    def predict() -> pd.DataFrame:
        images = np.asarray(motion_images(cohort, p.flow_method, p.normalisation, FOREST_SIZE, progress))
        features = images.reshape(len(images), -1)
        return emotion_predictions(features, cohort.clips, LABELS, p.seed, p.n_trees)

    return run.table("forest", predict).assign(variant="forest", seed=p.seed), run


def _row(p: Benchmark, variant: str, predictions: pd.DataFrame) -> dict[str, Any]:
    """One row of the table."""
    paper = paper_results()["table_v"]
    method, motion, ethnic, representation = {**paper["methods"], **OWN_ROWS}[variant]
    loso = variant == "forest" or p.folds == "loso"
    row: dict[str, Any] = {
        "variant": variant,
        "method": method,
        "motion_context": motion,
        "ethnic_context": ethnic,
        "representation": representation,
    }
    for name, estimate in bootstrap_f1(predictions, LABELS, RESAMPLES, p.seed, repeat="seed").items():
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    for suffix, present in (("", False), ("_present", True)):
        row[f"per_subject{suffix}"] = mean_over_folds(predictions, "subject", present, LABELS)
    printed = paper["rows"].get(variant, [np.nan] * len(paper["columns"]))
    row |= {f"{name}_paper": value for name, value in zip((*LABELS, MACRO), printed, strict=True)}
    return row | {
        "clips": predictions["clip_id"].nunique(),
        "seeds": predictions["seed"].nunique(),
        "protocol": "LOSO" if loso else f"{p.folds} folds of whole subjects",
    }


def _paired(p: Benchmark, parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    printed = paper_results()["table_v"]["rows"]
    rows = []
    for a, b in PAIRS:
        if a in parts and b in parts:
            estimate = paired_difference(parts[a], parts[b], LABELS, RESAMPLES, p.seed, repeat="seed")
            paper = printed[a][-1] - printed[b][-1] if a in printed and b in printed else np.nan
            rows.append({"a": a, "b": b, **estimate._asdict(), "paper": paper})
    return pd.DataFrame(rows, columns=["a", "b", "value", "low", "high", "paper"])


def _groups(p: Benchmark, clips: pd.DataFrame, parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Is the group recognised, and better than by the database a clip comes from?"""
    most = clips.groupby("database")["group"].agg(lambda groups: groups.mode().iloc[0])
    rule = (clips["database"].map(most) == clips["group"]).to_numpy(float)
    rule_hits = pd.Series(rule, index=clips["clip_id"])
    columns = ["variant"]
    for name in ("accuracy", "database_rule", "difference"):
        columns += [name, f"{name}_low", f"{name}_high"]
    rows = []
    for variant, part in parts.items():
        if "predicted_group" not in part or part["predicted_group"].fillna("").eq("").all():
            continue
        if p.context == "database":  # the branch was never asked for groups
            continue
        hits = (part["predicted_group"] == part["group"]).to_numpy(float)
        base = rule_hits.loc[part["clip_id"]].to_numpy()
        row: dict[str, Any] = {"variant": variant}
        for name, values in (("accuracy", hits), ("database_rule", base), ("difference", hits - base)):
            value, low, high = bootstrap_mean(values, part["subject"], RESAMPLES, p.seed)
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows, columns=columns)
