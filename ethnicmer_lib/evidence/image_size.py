"""Evidence for the default image size, recorded: macro F1 against size and cost on the published flow features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.clips.table import LABELS, Cohort, Provenance
from ethnicmer_lib.design.folds import Fold, make_folds
from ethnicmer_lib.design.identity import code_identity, folds_identity, weights_identity
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.extract import motion_images
from ethnicmer_lib.old_sources import open_cohort
from ethnicmer_lib.publish.old_parameters import TRAINED_WITH, Benchmark
from ethnicmer_lib.stats.bootstrap import MACRO, bootstrap_f1, paired_difference
from ethnicmer_lib.store import old_notes as run_notes
from ethnicmer_lib.store import old_recording as results
from ethnicmer_lib.store import old_runs as runs

NAME = "image_size"
COMMAND = "ethnicmer size-evidence --flow-dir PATH"
SIZES = (28, 56, 112, 224)  #: px; the published features have 28
VARIANT = "resnet18"
_TABLES = ("predictions", "seconds")


@dataclass(frozen=True, eq=False)
class SizeEvidence:
    """The recorded predictions, scored by the code that loads them.

    Attributes
    ----------
    predictions : one row per size, seed and clip: size, variant, seed, fold, clip_id, subject, label, predicted, the
        probabilities.
    seconds : one row per size, seed and fold: size, seed, fold, seconds on one core, training and test.
    parameters : those of the training; ``image_size`` is the default that the evidence is about.
    provenance : of the clips.
    command, made : what made it, and where.
    """

    predictions: pd.DataFrame
    seconds: pd.DataFrame
    parameters: Benchmark
    provenance: Provenance
    command: str
    made: dict[str, Any]

    def table(self) -> pd.DataFrame:
        """One row a size: size, f1 (macro F1), change (against the largest size, paired; None there), minutes (of
        one core, all folds), share (of the largest size's minutes)."""
        parts = dict(list(self.predictions.groupby("size")))
        minutes = self.seconds.groupby("size")["seconds"].sum() / 60
        largest = max(parts)
        rows = []
        for size, part in parts.items():
            change = None
            if size != largest:
                change = paired_difference(part, parts[largest], LABELS, repeat="seed")
            f1 = bootstrap_f1(part, LABELS, repeat="seed")[MACRO]
            cost = {"minutes": float(minutes[size]), "share": float(minutes[size] / minutes[largest])}
            rows.append({"size": int(size), "f1": f1, "change": change, **cost})
        return pd.DataFrame(rows)


def compute(p: Benchmark, sizes: Sequence[int] = SIZES, progress: bool = False) -> SizeEvidence:
    """Train plain ResNet-18 at every size under the same folds and seeds; finished folds are kept.

    Raises
    ------
    StudyError
        For fewer than two sizes, or one that ``image_size`` does not allow; when the cohort cannot be opened.
    """
    settings = [Benchmark.check(p.model_dump() | {"image_size": size}) for size in sorted(set(sizes))]
    if len(settings) < 2:
        raise StudyError(f"sizes={list(sizes)}: give at least two, for example 28 and 112")
    cohort = open_cohort(p, progress=progress)
    folds = make_folds(cohort.clips, p.folds, p.seed)
    found = [_at(one, cohort, folds, progress) for one in settings]
    return SizeEvidence(
        predictions=pd.concat([predictions for predictions, _ in found], ignore_index=True),
        seconds=pd.concat([seconds for _, seconds in found], ignore_index=True),
        parameters=p,
        provenance=cohort.provenance,
        command=COMMAND,
        made=runs.environment(),
    )


def save(found: SizeEvidence, command: str) -> Path:
    """Write ``results/image_size/``: predictions, seconds and how they were made."""
    where = results.folder() / NAME
    record: dict[str, Any] = {"command": command, "parameters": found.parameters.identity(), "sha256": {}}
    for name in _TABLES:
        record["sha256"][name] = results.write_table(where / f"{name}.parquet", getattr(found, name))
    results.write_record(where, record | {"cohort": vars(found.provenance), "made": found.made})
    return where


def load() -> SizeEvidence | None:
    """Read ``results/image_size/``; None where nothing was recorded.

    Raises
    ------
    StudyError
        When the content of a recorded file is not the one that was recorded.
    """
    where = results.folder() / NAME
    record = results.read_record(where, {})
    if not record:
        return None
    predictions, seconds = (
        results.read_table(where / f"{name}.parquet", record["sha256"].get(name)) for name in _TABLES
    )
    return SizeEvidence(
        predictions,
        seconds,
        Benchmark.check(record["parameters"]),
        Provenance(**record["cohort"]),
        record["command"],
        record["made"],
    )


def _at(
    p: Benchmark, cohort: Cohort, folds: Sequence[Fold], progress: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions at one size, and seconds of every fold."""
    from ethnicmer_lib.networks.engine import Data, fold_tasks, predict_tasks, processes

    run = runs.Run.open(
        NAME,
        module="ethnicmer_lib.networks.fold_task",
        cohort=cohort.provenance.fingerprint,
        parameters=p.model_dump(mode="json", include=set(TRAINED_WITH))
        | {
            "weights": weights_identity(p.weights),
            "folds": folds_identity(folds),
            "inputs": code_identity("ethnicmer_lib.motion.extract"),
        },
    )
    seeds = range(p.seed, p.seed + p.n_seeds)
    run_notes.write(run, cohort.provenance, {f"{VARIANT}-seed{seed}": len(folds) for seed in seeds})
    tasks = [
        task for seed in seeds for task in fold_tasks(VARIANT, folds, p.model_copy(update={"seed": seed}))
    ]
    data = Data(cohort.clips, motion_images(cohort, p.flow_method, p.normalisation, p.image_size, progress))
    jobs = processes(sum(len(task.fold.train) for task in tasks) * p.epochs)
    tables = predict_tasks(tasks, data, run, jobs, progress, f"{p.image_size} px")
    spent = run.seconds()
    seconds = [
        {"size": p.image_size, "seed": task.settings.seed, "fold": task.number, "seconds": spent[task.name]}
        for task in tasks
    ]
    predictions = pd.concat(tables, ignore_index=True).drop(columns="arm")
    predictions.insert(0, "size", p.image_size)
    return predictions, pd.DataFrame(seconds)
