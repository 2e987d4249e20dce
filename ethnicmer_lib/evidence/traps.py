"""Traps of evaluation, measured: one honest protocol, and switches that each displace one step of it.

The honest protocol leaves one subject out and does everything else inside the training set: balance the labels,
choose measures, scale, train for a fixed number of epochs.  Macro F1 is that of the pooled predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit
from sklearn.model_selection import KFold, LeaveOneGroupOut

from ethnicmer_lib.errors import StudyError, check_name
from ethnicmer_lib.evidence.steps import balanced, informative, scale_of, trained
from ethnicmer_lib.evidence.tracked import tracked_cohort
from ethnicmer_lib.motion.extract import motion_images
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.stats.confusions import class_f1, confusions, labels_in, resampled
from ethnicmer_lib.stats.intervals import Estimate, effective_subjects, interval, over_runs, subject_weights
from ethnicmer_lib.store import record
from ethnicmer_lib.store.identity import fingerprint
from ethnicmer_lib.store.provenance import Provenance

HONEST = "honest"
#: Switch -> what a program that falls into this trap does.
TRAPS = {
    "clips": "splits clips, so that the same subject trains and is tested",
    "epoch": "takes for every subject the epoch at which that subject is recognised best",
    "mean": "averages the macro F1 of single subjects, labels that a subject lacks left out",
    "scale": "scales with the mean and spread of all clips, those of the test subject among them",
    "select": "chooses the measures that tell the labels apart on all clips, then splits",
    "balance": "makes new clips of the rarer labels between neighbours on all clips, then splits",
    "rows": "gives training and test set the first rows of the measures, whichever clips they hold",
    "batch": "scales the clips of the test subject by their own mean and spread, as batch norm in training mode",
}
KEPT = 20  #: measures that are chosen, of those that there are
SIZE = 14  #: px a side of the flow image whose pixels are the measures


def predict(
    x: np.ndarray, table: pd.DataFrame, trap: str = HONEST, seed: int = 0, measures: int = KEPT
) -> pd.DataFrame:
    """Held-out predictions of every clip under the honest protocol, or with one trap: clip_id, subject, label,
    predicted, seed.

    ``x`` is (clips, measures), row i of clip i of ``table`` (subject, label, clip_id).  StudyError for an unknown trap
    or rows that do not match.
    """
    check_name("trap", trap, (HONEST, *TRAPS))
    if len(x) != len(table):
        raise StudyError(f"{len(x)} rows of measures for {len(table)} clips; they must match row by row")
    subject = table["subject"].to_numpy(dtype=str)
    names, y = np.unique(table["label"].to_numpy(dtype=str), return_inverse=True)
    x, rng, said = np.asarray(x, dtype=float), np.random.default_rng(seed), np.zeros(len(y), dtype=int)
    made_x, made_y, made_of = balanced(x, y, rng)
    chosen = informative(x, y, measures)
    splits = LeaveOneGroupOut().split(x, y, subject)
    if trap == "clips":
        splits = KFold(10, shuffle=True, random_state=seed).split(x)
    for train, test in splits:
        first = trap == "rows"
        known, asked = (x[: len(train)], x[: len(test)]) if first else (x[train], x[test])
        if trap == "balance":
            others = np.isin(made_of, train)
            known, answers = np.vstack([known, made_x[others]]), np.concatenate([y[train], made_y[others]])
        else:
            more_x, more_y, _ = balanced(known, y[train], rng)
            known, answers = np.vstack([known, more_x]), np.concatenate([y[train], more_y])
        columns = chosen if trap == "select" else informative(known, answers, measures)
        centre, spread = scale_of(x if trap == "scale" else known)
        own = scale_of(asked) if trap == "batch" and len(test) > 1 else (centre, spread)
        known, asked = ((known - centre) / spread)[:, columns], ((asked - own[0]) / own[1])[:, columns]
        path = trained(known, answers, asked, len(names), rng)
        best = (path == y[test]).mean(axis=1).argmax() if trap == "epoch" else -1
        said[test] = path[best]
    return table[["clip_id", "subject", "label"]].assign(predicted=names[said], seed=seed)


def inflation(
    honest: pd.DataFrame, trapped: pd.DataFrame, trap: str, seed: int = 0, resamples: int = 2000
) -> dict[str, Any]:
    """Macro F1 under the honest protocol and with a trap, and the difference with its interval over subjects and runs.

    Both tables as of :func:`predict`, of the same clips and seeds.
    """
    labels = labels_in(pd.concat([honest, trapped]))
    found = [confusions(table, labels) for table in (honest, trapped)]
    weights = subject_weights(found[0].shape[1], resamples, np.random.default_rng([seed, resamples]))
    plain, with_trap = _macro(found[0], weights, False), _macro(found[1], weights, trap == "mean")
    subjects = effective_subjects(found[0].sum((0, 2, 3)))
    change = interval(over_runs(with_trap - plain, seed), subjects)
    return {"trap": trap, HONEST: plain[:, 0].mean(), "trapped": with_trap[:, 0].mean(), "inflation": change}


def _macro(found: np.ndarray, weights: np.ndarray, of_subjects: bool) -> np.ndarray:
    """(runs, 1 + resamples) macro F1 of the pooled predictions, or its mean over subjects."""
    if of_subjects:
        return np.nanmean(class_f1(found), axis=-1) @ weights.T / weights.sum(1)
    return np.nan_to_num(class_f1(resampled(found, weights))).mean(-1)


def traps_table(predictions: pd.DataFrame, seed: int = 0, resamples: int = 2000) -> pd.DataFrame:
    """One row a trap: :func:`inflation`, and ``noise``, the macro F1 that it gives for measures that know nothing.

    ``predictions`` as of :func:`measure_traps`.
    """
    parts = dict(iter(predictions.groupby(["measures", "trap"])))
    rows = []
    for trap in (one for one in TRAPS if ("flow", one) in parts or one == "mean"):
        of = {kind: parts[kind, trap if trap != "mean" else HONEST] for kind in ("flow", "noise")}
        row = inflation(parts["flow", HONEST], of["flow"], trap, seed, resamples)
        rows.append(row | {"noise": inflation(parts["noise", HONEST], of["noise"], trap, seed, 2)["trapped"]})
    return pd.DataFrame(rows)


def cohorts_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """As :func:`traps_table` where every seed is another cohort: means over cohorts, interval of Student's t."""
    tables = [traps_table(cohort, resamples=2) for _, cohort in predictions.groupby("seed")]
    rows = []
    for trap, one in pd.concat(tables).groupby("trap", sort=False):
        values = np.array([estimate.value for estimate in one["inflation"]])
        half = stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values))
        change = Estimate(values.mean(), values.mean() - half, values.mean() + half)
        rows.append({"trap": trap, **one[[HONEST, "trapped", "noise"]].mean(), "inflation": change})
    return pd.DataFrame(rows)[tables[0].columns]


def measure_traps(
    x: np.ndarray, table: pd.DataFrame, traps: Sequence[str] = tuple(TRAPS), n_seeds: int = 5, seed: int = 0
) -> pd.DataFrame:
    """:func:`predict` of the honest protocol and of every trap, on ``x`` ('flow') and on noise in its place."""
    tables = []
    for run in range(seed, seed + n_seeds):
        noise = np.random.default_rng([run, 5]).normal(size=np.shape(x))
        for kind, measures in (("flow", x), ("noise", noise)):
            for trap in (HONEST, *(one for one in traps if one != "mean")):  # 'mean' scores the same anew
                tables.append(predict(measures, table, trap, run).assign(trap=trap, measures=kind))
    return pd.concat(tables, ignore_index=True)


def record_traps(clips: Any, command: str, n_seeds: int = 5, seed: int = 0) -> Path:
    """Measure every trap on the flow images of clips, kept in ``results/traps``."""
    x = motion_images(clips, "dis", size=SIZE).reshape(len(clips), -1)
    tables = {"predictions": measure_traps(x, clips.table, n_seeds=n_seeds, seed=seed)}
    asked = {"n_seeds": n_seeds, "seed": seed, "size": SIZE}
    return record("traps", tables, clips.provenance, command, asked)


def record_traps_simulated(command: str, n_cohorts: int = 8, seed: int = 0) -> Path:
    """Measure every trap on cohorts that share nothing but the law they are drawn from: ``results/traps_simulated``."""
    found = [measured_cohort(number) for number in range(seed, seed + n_cohorts)]
    code = fingerprint("simulator", "evidence")
    source = Provenance("simulated cohorts as a tracker measures them", True, code)
    tables = {"predictions": pd.concat(found, ignore_index=True)}
    return record("traps_simulated", tables, source, command, {"n_cohorts": n_cohorts, "seed": seed})


def measured_cohort(number: int) -> pd.DataFrame:
    """:func:`measure_traps` of the simulated cohort with this seed, of 53 other people than any other."""
    cohort = tracked_cohort(SimulatorSettings(seed=number))
    return measure_traps(cohort.x, cohort.table, n_seeds=1, seed=number)
