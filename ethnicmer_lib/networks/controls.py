"""Controls of Table V: every arm under one set of folds, what sets it apart, and what its branches have learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ethnicmer_lib.clips.table import LABELS, Cohort, Provenance
from ethnicmer_lib.design.baselines import forest_predictions, majority_predictions
from ethnicmer_lib.design.folds import Fold, make_folds
from ethnicmer_lib.design.identity import code_identity, folds_identity, weights_identity
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.extract import apex_images, motion_images
from ethnicmer_lib.networks.benchmark import NEEDS_RGB, RESAMPLES
from ethnicmer_lib.networks.old_arms import ARMS, BY_NAME, Arm
from ethnicmer_lib.networks.old_learnt import balanced_accuracies
from ethnicmer_lib.networks.probes import ALL
from ethnicmer_lib.networks.recipe import Recipe
from ethnicmer_lib.networks.switches import Switches
from ethnicmer_lib.old_sources import open_cohort
from ethnicmer_lib.paper import controls_claims
from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.publish.old_parameters import TRAINED_WITH, Benchmark
from ethnicmer_lib.stats.bootstrap import MACRO, Estimate, bootstrap_f1, paired_difference
from ethnicmer_lib.stats.scoring import mean_over_folds
from ethnicmer_lib.store import old_runs as runs


@dataclass(frozen=True, eq=False)
class ControlsResult:
    """What the controls show.

    Attributes
    ----------
    parameters : Benchmark; folds, epochs, seeds and the switches that every arm starts from.
    provenance : Provenance of the cohort.
    predictions : one row per arm, seed and clip: arm, variant, seed, fold, clip_id, subject, database, group,
        label, predicted; p_<label>, taught, predicted_group and the probes where an arm has them.
    table : one row per arm: arm, title, asks; F1 of every label, macro (UF1) and UAR, each with ``_low`` and
        ``_high`` (subject bootstrap of the mean over seeds); per_fold and per_fold_present, the mean over folds of
        macro F1 with absent classes as 0 or left out, and per_subject, per_subject_present, the same where every
        subject is a fold; clips, seeds, folds.
    differences : macro F1 of ``arm`` minus ``reference`` on the same clips and resamples: value, low, high.
    learnt : balanced accuracy (0.5 by chance for two classes) with interval: what ``reader`` (the branch's 'own
        head', or a linear probe of the 'emotion' or 'ethnic' features) says of the ``target`` ('group',
        'database', or 'taught', what the branch was told) ``where`` ('all' clips, or 'within' the databases that
        hold two groups); and as arm '' what the database alone says of the group.
    left_out : arm -> why it was not run.
    runs : the runs that hold the predictions.
    """

    parameters: Benchmark
    provenance: Provenance
    predictions: pd.DataFrame
    table: pd.DataFrame
    differences: pd.DataFrame
    learnt: pd.DataFrame
    left_out: dict[str, str]
    runs: list[runs.Run]

    def score(self, arm: str, name: str = MACRO) -> Estimate:
        """macro F1 of an arm, or the F1 of a label, or UAR; KeyError for an arm that was not run."""
        row = self.table.set_index("arm").loc[arm]
        return Estimate(float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))

    def difference(self, arm: str, reference: str) -> Estimate:
        """macro F1 of ``arm`` minus that of ``reference``; KeyError for a pair that is not in ARMS."""
        rows = self.differences.set_index(["arm", "reference"])
        return Estimate(*rows.loc[(arm, reference), ["value", "low", "high"]])

    def has_learnt(self, arm: str, reader: str, target: str, where: str = ALL) -> Estimate:
        """Balanced accuracy; KeyError where that was not asked."""
        rows = self.learnt.set_index(["arm", "reader", "target", "where"])
        return Estimate(*rows.loc[(arm, reader, target, where), ["value", "low", "high"]])

    def findings(self) -> list[Finding]:
        """Verdicts on what the controls say of Section IV-B; the rules are in each finding's reason."""
        return controls_claims.verdicts(self)


def compute(
    p: Benchmark, progress: bool = False, jobs: int | None = None, only: Sequence[str] | None = None
) -> ControlsResult:
    """Run every arm that the cohort and ``p.variants`` allow under the same folds and seeds, then score.

    Arms that differ in the switches of the test alone share their trained networks.  Finished folds are kept and a
    killed run resumes.

    Parameters
    ----------
    p : folds, epochs, sizes and seeds; an arm's switches replace those of ``p``.
    jobs : processes; by default what :func:`engine.processes` finds worth it. The predictions do not depend on it.
    only : names of the arms to run; by default all.

    Raises
    ------
    StudyError
        For an unknown arm, or when the cohort cannot be opened or has too few subjects for the folds.
    """
    chosen = _chosen(only)
    cohort = open_cohort(p, progress=progress)
    left_out = {arm.name: why for arm in chosen if (why := _why_not(arm, p, cohort))}
    chosen = [arm for arm in chosen if arm.name not in left_out]
    folds = make_folds(cohort.clips, p.folds, p.seed)
    run = _run(cohort, p, folds)
    parts = [_networks(cohort, p, [arm for arm in chosen if arm.network], folds, run, progress, jobs)]
    parts += [_baseline(cohort, p, arm, folds, run, progress) for arm in chosen if not arm.network]
    predictions = pd.concat(parts, ignore_index=True)
    return score(p, cohort.provenance, predictions, left_out, [run])


def score(
    p: Benchmark,
    provenance: Provenance,
    predictions: pd.DataFrame,
    left_out: dict[str, str],
    used: list[runs.Run],
) -> ControlsResult:
    """Everything that follows from the predictions alone."""
    parts = dict(list(predictions.groupby("arm", sort=False)))
    parts = {arm.name: parts[arm.name] for arm in ARMS if arm.name in parts}
    if not parts:
        raise StudyError(f"no arm of {', '.join(BY_NAME)} is in the predictions; nothing can be compared")
    return ControlsResult(
        parameters=p,
        provenance=provenance,
        predictions=predictions,
        table=pd.DataFrame([_row(p, BY_NAME[name], part) for name, part in parts.items()]),
        differences=_differences(p, parts),
        learnt=balanced_accuracies(p, parts, RESAMPLES),
        left_out=left_out,
        runs=used,
    )


def _chosen(only: Sequence[str] | None) -> list[Arm]:
    if unknown := [name for name in only or () if name not in BY_NAME]:
        raise StudyError(f"no arm {unknown[0]!r}; arms: {', '.join(BY_NAME)}")
    return [arm for arm in ARMS if only is None or arm.name in only]


def _why_not(arm: Arm, p: Benchmark, cohort: Cohort) -> str | None:
    if not arm.network:
        return None
    if arm.variant not in p.variants:
        return f"{arm.variant} is not among the variants"
    if arm.variant in NEEDS_RGB and not cohort.has_frames:
        return f"{cohort.provenance.source}: there are no RGB frames, which {arm.variant} needs"
    return None


def _run(cohort: Cohort, p: Benchmark, folds: Sequence[Fold]) -> runs.Run:
    return runs.Run.open(
        "controls",
        module="ethnicmer_lib.networks.folds",
        cohort=cohort.provenance.fingerprint,
        parameters=p.model_dump(mode="json", include=TRAINED_WITH | {"n_trees"})
        | {
            "weights": weights_identity(p.weights),
            "folds": folds_identity(folds),
            "code": code_identity("ethnicmer_lib.motion.extract", "ethnicmer_lib.design.baselines"),
        },
    )


def _networks(
    cohort: Cohort,
    p: Benchmark,
    chosen: Sequence[Arm],
    folds: Sequence[Fold],
    run: runs.Run,
    progress: bool,
    jobs: int | None,
) -> pd.DataFrame:
    """Predictions of the arms that need networks; arms that share a training are predicted from one."""
    from ethnicmer_lib.networks.folds import train_and_predict

    size = p.image_size
    rgb = apex_images(cohort, size, progress) if any(arm.variant in NEEDS_RGB for arm in chosen) else None
    recipe = Recipe(p.epochs, p.batch_size, p.learning_rate, p.gamma, p.precision, p.compiled)
    images = motion_images(cohort, p.flow_method, p.normalisation, size, progress)
    seeds = range(p.seed, p.seed + p.n_seeds)
    arms = [arm.name for arm in chosen]
    return train_and_predict(
        arms, images, rgb, cohort.clips, folds, recipe, Switches.of(p), seeds, p.weights, progress
    )


def _baseline(
    cohort: Cohort, p: Benchmark, arm: Arm, folds: Sequence[Fold], run: runs.Run, progress: bool
) -> pd.DataFrame:
    """Predictions of the majority rule, or of a forest on the images that the networks see, fold by fold."""
    if arm.variant == "majority":
        rows = majority_predictions(cohort.clips, folds, LABELS)
        return rows.assign(arm=arm.name, variant=arm.variant, seed=p.seed)

    def grow(seed: int) -> pd.DataFrame:
        images = motion_images(cohort, p.flow_method, p.normalisation, p.image_size, progress)
        return forest_predictions(images, cohort.clips, folds, seed, p.n_trees).assign(seed=seed)

    tables = [
        run.table(f"forest-seed{seed}", lambda seed=seed: grow(seed))
        for seed in range(p.seed, p.seed + p.n_seeds)
    ]
    return pd.concat(tables).assign(arm=arm.name, variant=arm.variant)


def _row(p: Benchmark, arm: Arm, part: pd.DataFrame) -> dict[str, Any]:
    row: dict[str, Any] = {"arm": arm.name, "title": arm.title, "variant": arm.variant, "asks": arm.asks}
    for name, estimate in bootstrap_f1(part, LABELS, RESAMPLES, p.seed, repeat="seed").items():
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    for name, fold in (("per_fold", "fold"), ("per_subject", "subject")):
        for suffix, present in (("", False), ("_present", True)):
            row[name + suffix] = mean_over_folds(part, fold, present, LABELS)
    return row | {
        "clips": part["clip_id"].nunique(),
        "seeds": part["seed"].nunique(),
        "folds": part["fold"].nunique(),
    }


def _differences(p: Benchmark, parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    rows = [
        {
            "arm": name,
            "reference": reference,
            **paired_difference(
                parts[name], parts[reference], LABELS, RESAMPLES, p.seed, repeat="seed"
            )._asdict(),
        }
        for name in parts
        for reference in BY_NAME[name].references
        if reference in parts
    ]
    return pd.DataFrame(rows, columns=["arm", "reference", "value", "low", "high"])
