"""Made-up predictions of the real clusters, by a process whose scores are known.

The clusters are real: subjects with the clips and labels of the released label table.  In the process the clips of
a subject are alike because the subject is easy or hard to read and because a method leans towards some label on
that subject.  Runs differ too: a training run is better or worse, and leans, on all subjects at once, and on every
subject a little in its own way.  How much runs differ is estimated from recorded networks (:func:`run_sizes`).

What an interval has to hold is the score of the population: subjects and runs are drawn, and scored in a pool as
large as one likes.  With P the mean over subjects of the chances of label k for a clip of label c, and N the clips
of each label, that is the score of the confusion matrix N(c) · P(c, k), averaged over runs.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import ndtri, softmax
from scipy.stats.qmc import Sobol

from ethnicmer_lib.clips.labels import binary_labels, released_clips
from ethnicmer_lib.design.scenarios import MIXED
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.paper.numbers import printed
from ethnicmer_lib.stats.confusions import class_f1, confusions, labels_in, resampled
from ethnicmer_lib.stats.intervals import run_variance, subject_weights


class RunSizes(NamedTuple):
    """How much training runs differ: standard deviations in log odds, of what is common to all subjects of a run and
    of what is peculiar to a subject in a run."""

    common: float = 0.0
    own: float = 0.0


@dataclass(frozen=True)
class Process:
    """How the predictions of a simulated method come about.

    In run r, subject s gives a clip of label c the label k with chance softmax over k of

        (skill[c] + a(s) + u(r) + u(s, r)) · 1[k = c] + lean[k] + b(s, k) + v(r, k) + v(s, r, k),

    a ~ N(0, ability²), b ~ N(0, bias²); u(r), v(r, k) ~ N(0, common²), u(s, r), v(s, r, k) ~ N(0, own²)
    (:class:`RunSizes`).  skill, lean (labels,), ability, bias are log odds: ``ability`` is how much subjects differ
    in how easy they are to read, ``bias`` how much in the labels that a method leans to (standard deviations).
    """

    skill: tuple[float, ...]
    lean: tuple[float, ...]
    ability: float = 0.8
    bias: float = 0.6

    def chances(self, normal: np.ndarray, shift: np.ndarray | float = 0.0) -> np.ndarray:
        """(..., labels, labels) chance of every prediction, for standard normal effects (..., 1 + labels) of subjects
        and effects of runs of the same shape, in log odds."""
        hit = np.eye(len(self.skill))
        scale = np.array([self.ability] + [self.bias] * len(self.lean))
        effects = scale * normal + shift
        ability, lean = np.asarray(self.skill) + effects[..., :1], np.asarray(self.lean) + effects[..., 1:]
        return softmax(ability[..., None] * hit + lean[..., None, :], axis=-1)

    def expected(self, shift: np.ndarray | float = 0.0, points: int = 15) -> np.ndarray:
        """(labels, labels) mean chances over all subjects there could be: quasi-random integration, 2^points."""
        return self.chances(_normal(1 + len(self.skill), points), shift).mean(0)

    def drawn(
        self, clips: np.ndarray, normal: np.ndarray, sizes: RunSizes, runs: int, rng: np.random.Generator
    ) -> np.ndarray:
        """(runs, subjects, labels, labels) confusion matrices of that many runs, for ``clips`` (subjects, labels)
        and the effects of subjects ``normal`` (subjects, 1 + labels)."""
        common = sizes.common * rng.standard_normal((runs, 1, normal.shape[1]))
        own = sizes.own * rng.standard_normal((runs, *normal.shape))
        return rng.multinomial(clips, self.chances(normal, common + own))

    def better(self, by: float, clips: np.ndarray) -> Process:
        """A process whose macro F1 is ``by`` higher for so many ``clips`` (labels,): more skill in every label."""

        def gain(more: float) -> float:
            skill = tuple(value + more for value in self.skill)
            return _macro(replace(self, skill=skill), clips) - _macro(self, clips) - by

        return replace(self, skill=tuple(value + brentq(gain, -0.5, 3.0) for value in self.skill))


def _normal(columns: int, points: int) -> np.ndarray:
    """(2^points, columns) quasi-random standard normal numbers."""
    return ndtri(Sobol(columns, rng=np.random.default_rng(0)).random_base2(points))


def _macro(process: Process, clips: np.ndarray) -> float:
    return float(class_f1(clips[:, None] * process.expected(points=12)).mean())


#: By number of labels: a method whose shares of right clips are near those of the recorded networks, and a better one.
PROCESSES = {
    3: (Process((1.0, 1.3, 3.3), (1.0, 0.0, -1.2)), Process((1.4, 1.7, 3.7), (1.0, 0.0, -1.2))),
    2: (Process((1.0, 1.2), (0.7, 0.0)), Process((1.4, 1.6), (0.7, 0.0))),
}


class Clusters(NamedTuple):
    """Subjects of a table: labels, clips by label (subjects, labels) int64, and groups (subjects,) text."""

    labels: tuple[str, ...]
    counts: np.ndarray
    groups: np.ndarray


def real_clusters(two_labels: bool = False) -> Clusters:
    """The subjects of the released label table."""
    clips = released_clips()
    counts = pd.crosstab(clips["subject"], binary_labels(clips["label"]) if two_labels else clips["label"])
    groups = clips.groupby("subject")["group"].first()
    return Clusters(tuple(counts.columns), counts.to_numpy(), groups.to_numpy())


def macro_of_runs(process: Process, clips: np.ndarray, sizes: RunSizes, points: int = 6) -> np.ndarray:
    """(2^points,) macro F1 in the population of subjects, of runs as ``sizes`` says, for ``clips`` (labels,)."""
    wide = replace(
        process, ability=np.hypot(process.ability, sizes.own), bias=np.hypot(process.bias, sizes.own)
    )
    runs = sizes.common * _normal(1 + len(process.skill), points)
    return np.array([class_f1(clips[:, None] * wide.expected(run, points=11)).mean() for run in runs])


def run_variances(predictions: pd.DataFrame, resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Variance of a single run's macro F1, of every arm with more than one: what is common to a run, and its own part.

    A two-way analysis of variance: ``own`` is what resamples of subjects show of a run against the mean of runs,
    ``common`` the variance of the runs' scores less that; it can come out below zero.  One row per arm, with ``runs``.
    """
    labels, rows = labels_in(predictions), {}
    for arm, part in predictions.groupby("arm"):
        if len(part["seed"].unique()) > 1:
            rows[arm] = _two_way(confusions(part, labels), resamples, seed)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["runs", "common", "own"])


def _two_way(found: np.ndarray, resamples: int, seed: int) -> tuple[int, float, float]:
    weights = subject_weights(found.shape[1], resamples, np.random.default_rng([seed, resamples]))
    return len(found), *run_variance(class_f1(resampled(found, weights)).mean(-1))


@functools.cache
def _made_up_own(size: float) -> float:
    """Own variance of made-up runs with so large effects of subjects in runs: mean over 40 tables of 5 runs."""
    real, process, rng = real_clusters(), PROCESSES[3][0], np.random.default_rng(1)
    tables = []
    for seed in range(40):
        normal = rng.standard_normal((len(real.counts), 1 + len(real.labels)))
        tables.append(_two_way(process.drawn(real.counts, normal, RunSizes(0.0, size), 5, rng), 300, seed)[2])
    return float(np.mean(tables))


def run_sizes(variances: pd.DataFrame) -> RunSizes:
    """Effects in log odds that give macro F1 of made-up runs the variances of recorded ones (mean over the rows).

    ``common`` is the root of an equation (:func:`macro_of_runs`), ``own`` read off a line between the variances of
    made-up runs without and with such effects.  A variance that is below what made-up runs have anyway gives 0.

    StudyError for no rows: no arm has two runs.
    """
    if variances.empty:
        raise StudyError("no arm was trained with two seeds; record networks with at least 2 seeds")
    common, own = variances["common"].mean(), variances["own"].mean()
    clips = real_clusters().counts.sum(0)

    def excess(size: float) -> float:
        return macro_of_runs(PROCESSES[3][0], clips, RunSizes(size)).var() - common

    none, some = (_made_up_own(size) for size in (0.0, 0.6))
    share = max(0.0, (own - none) / (some - none))
    return RunSizes(brentq(excess, 0.0, 2.0) if common > 0 else 0.0, 0.6 * float(np.sqrt(share)))


@dataclass(frozen=True)
class Runs:
    """The training runs of made-up methods: how much runs differ (:class:`RunSizes`), as the recorded networks
    on average and as that of them whose runs differ ``most``; and how much ``better`` the better method is."""

    usual: RunSizes
    most: RunSizes
    better: float


def runs_of(predictions: pd.DataFrame) -> Runs:
    """The sizes that recorded networks show (``seed`` numbers their runs), and the gain that the paper prints.

    StudyError where no arm has two runs.
    """
    variances, printed_f1 = run_variances(predictions), printed("table_v")["macro"]
    most = variances[variances["common"] == variances["common"].max()]
    return Runs(
        run_sizes(variances), run_sizes(most), float(printed_f1["dual_motion"] - printed_f1["resnet18"])
    )


def scenario_tables(
    real: Clusters, processes: dict[str, Process], sizes: RunSizes, draws: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Made-up predictions of scenarios as in Table IV: ``draws`` times 16 subjects of a cohort, drawn for each arm.

    The cohort is drawn anew from the real subjects, as many of each group as there are; who is drawn twice counts as
    two people.  ``processes`` gives the method of every arm, by name: that of a group, or 'Mixed'.  A draw of an arm
    is one more training run.
    """
    groups = np.sort(real.groups)
    chosen = np.concatenate(
        [rng.choice(np.flatnonzero(real.groups == g), sum(groups == g)) for g in np.unique(groups)]
    )
    clips, labels = real.counts[chosen], len(real.labels)
    normal, names, parts = rng.standard_normal((len(chosen), 1 + labels)), np.array(real.labels), []
    for arm, process in processes.items():
        member = np.zeros((draws, len(chosen), 1), dtype=int)
        for group, size in _sizes(arm, groups).items():
            pool = np.flatnonzero(groups == group)
            order = rng.permuted(np.tile(pool, (draws, 1)), axis=1)[:, :size]
            np.put_along_axis(member[..., 0], order, 1, axis=1)
        found = process.drawn(clips * member, normal, sizes, draws, rng)
        axes = [np.repeat(axis, found.ravel()) for axis in np.indices(found.shape).reshape(4, -1)]
        columns = dict(zip(("draw", "subject", "label", "predicted"), axes, strict=True))
        parts.append(pd.DataFrame(columns).assign(arm=arm))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(
        group=groups[table["subject"]], label=names[table["label"]], predicted=names[table["predicted"]]
    )


def _sizes(arm: str, groups: np.ndarray, subjects: int = 16) -> dict[str, int]:
    """How many subjects of each group an arm takes."""
    both = np.unique(groups)
    return dict.fromkeys(both, subjects // len(both)) if arm == MIXED else {arm: subjects}


def scenario_truth(
    real: Clusters,
    processes: dict[str, Process],
    sizes: RunSizes,
    weights: dict[str, float],
    tables: int = 40_000,
) -> float:
    """The mean over cohorts and draws of the weighted macro F1 of the arms: what the mean over draws estimates.

    Sixteen subjects of a cohort are sixteen of the population, so it is the mean of tables of sixteen fresh subjects
    each, by simulation.  It is not the score of a large pool: F1 of few clips is another number on average.
    """
    rng, found = np.random.default_rng(2), 0.0
    for arm, process in processes.items():
        parts = _sizes(arm, real.groups).items()
        who = [rng.choice(np.flatnonzero(real.groups == group), (tables, size)) for group, size in parts]
        clips = real.counts[np.concatenate(who, axis=1)]
        shape = (*clips.shape[:2], 1 + len(real.labels))
        run = sizes.common * rng.standard_normal((tables, 1, shape[-1])) + sizes.own * rng.standard_normal(
            shape
        )
        drawn = rng.multinomial(clips, process.chances(rng.standard_normal(shape), run)).sum(1)
        found += weights[arm] * np.nan_to_num(class_f1(drawn)).mean()
    return float(found)
