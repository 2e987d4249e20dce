"""Calibration: how often intervals hold the truth and tests reject it, on simulated predictions of the real clusters.

The clusters are real: subjects with the clips and labels of the released label table.  The predictions are made
up by a process whose scores are known, in which the clips of a subject are alike because the subject is easy
or hard to read and because a method leans towards some label on that subject.

What an interval has to hold is the score of the population of subjects: subjects are drawn, each with its clips
and labels, and scored in a pool as large as one likes.  With P the mean over subjects of the chances of label
k for a clip of label c, and N the clips of each label, that is the score of the confusion matrix N(c) · P(c, k).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri, softmax
from scipy.stats import binomtest
from scipy.stats.qmc import Sobol
from tqdm import tqdm

from ethnicmer_lib.clips.labels import binary_labels, released_clips
from ethnicmer_lib.stats.bootstrap import (
    MACRO,
    Estimate,
    bootstrap_mean,
    difference_interval,
    f1_intervals,
    permutation_difference,
    swap_test,
)
from ethnicmer_lib.stats.confusions import class_f1, class_recall

ACCURACY = "accuracy"
BETTER, EQUAL = "macro F1, better minus worse method", "macro F1, difference of equal methods"
CLIPS = "macro F1, clips resampled"
SWAP, DEALT, GROUPS = (
    "swap test, equal methods",
    "group test, groups dealt at random",
    "group test, real groups",
)
UAR = "uar"
SCORES = {MACRO: "macro F1", UAR: "UAR"}
#: What a well calibrated procedure does, and how far it may be from that.
TARGET = {"interval": (0.95, 0.02), "test": (0.05, 0.015)}


@dataclass(frozen=True)
class Process:
    """How the predictions of a simulated method come about.

    Subject s gives a clip of label c the label k with chance softmax over k of

        skill[c] · 1[k = c] + lean[k] + a(s) · 1[k = c] + b(s, k),   a ~ N(0, ability²), b ~ N(0, bias²).

    Attributes
    ----------
    skill, lean : (labels,) log odds.
    ability : how much subjects differ in how easy they are to read (standard deviation of log odds).
    bias : how much they differ in the labels that a method leans to (standard deviation of log odds).
    """

    skill: tuple[float, ...]
    lean: tuple[float, ...]
    ability: float = 0.8
    bias: float = 0.6

    def chances(self, normal: np.ndarray) -> np.ndarray:
        """(..., labels, labels) chance of every prediction, for standard normal effects (..., 1 + labels)."""
        hit = np.eye(len(self.skill))
        ability = np.asarray(self.skill) + self.ability * normal[..., :1]
        lean = np.asarray(self.lean) + self.bias * normal[..., 1:]
        return softmax(ability[..., None] * hit + lean[..., None, :], axis=-1)

    def expected(self) -> np.ndarray:
        """(labels, labels) mean chances over all subjects there could be: quasi-random integration."""
        points = Sobol(1 + len(self.skill), rng=np.random.default_rng(0)).random_base2(15)
        return self.chances(ndtri(points)).mean(0)


#: By number of labels: a method whose shares of right clips are near those of the recorded networks, and a better one.
PROCESSES = {
    3: (Process((1.0, 1.3, 3.3), (1.0, 0.0, -1.2)), Process((1.4, 1.7, 3.7), (1.0, 0.0, -1.2))),
    2: (Process((1.0, 1.2), (0.7, 0.0)), Process((1.4, 1.6), (0.7, 0.0))),
}


@dataclass(frozen=True)
class Design:
    """Which subjects a simulated table has.

    Attributes
    ----------
    name : in words.
    anew : every table draws its subjects, each with its clips and labels, from the real ones with replacement:
        a sample of a population of such subjects.  Otherwise every table has the real subjects, and only
        the predictions vary.
    subjects : how many are drawn; None as many as there are.
    two_labels : Positive and Surprise are one label, as in the prima facie study.
    """

    name: str
    anew: bool
    subjects: int | None = None
    two_labels: bool = False


DESIGNS = (
    Design("subjects drawn anew", True),
    Design("same subjects", False),
    Design("16 drawn, two labels", True, 16, True),
)


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


def draw(design: Design, real: Clusters, rng: np.random.Generator) -> Clusters:
    """The subjects of one table."""
    if not design.anew:
        return real
    chosen = rng.integers(0, len(real.counts), design.subjects or len(real.counts))
    return real._replace(counts=real.counts[chosen], groups=real.groups[chosen])


def truths(real: Clusters) -> dict[str, float]:
    """What the interval of each quantity has to hold: its value in the population of such subjects."""
    size = real.counts.sum(0)
    pooled, improved = (size[:, None] * process.expected() for process in PROCESSES[len(size)])
    f1 = class_f1(pooled)
    macro = float(f1.mean())
    return {
        **{f"F1 of {label}": float(value) for label, value in zip(real.labels, f1, strict=True)},
        SCORES[MACRO]: macro,
        CLIPS: macro,
        SCORES[UAR]: float(class_recall(pooled).mean()),
        ACCURACY: float(np.trace(pooled) / pooled.sum()),
        BETTER: float(class_f1(improved).mean()) - macro,
        EQUAL: 0.0,
    }


def simulate(
    design: Design, tables: int = 1000, resamples: int = 2000, seed: int = 0, progress: bool = False
) -> pd.DataFrame:
    """Simulate tables and apply every interval and test of the library to each.

    Returns
    -------
    One row per table and quantity: design, kind ('interval', 'contrast' or 'test'), quantity, table, truth, value,
    low, high (of an interval) and p (of a test).
    """
    real = real_clusters(design.two_labels)
    truth = truths(real)
    rows = []
    for table in tqdm(range(tables), desc=design.name, disable=not progress):
        rng = np.random.default_rng([seed, table])
        for kind, quantity, found in _one(draw(design, real, rng), resamples, rng):
            row = {"design": design.name, "kind": kind, "quantity": quantity, "table": table}
            if kind == "test":
                rows.append(row | {"p": found})
            else:
                rows.append(row | {"truth": truth[quantity], **found._asdict()})
    return pd.DataFrame(rows)


def _one(
    clusters: Clusters, resamples: int, rng: np.random.Generator
) -> Iterator[tuple[str, str, Estimate | float]]:
    """(kind, quantity, interval or p-value) of everything that is calibrated, for one table."""
    labels, counts, groups = clusters
    method, better = PROCESSES[len(labels)]
    effects = rng.standard_normal((3, len(counts), 1 + len(labels)))
    # A subject who is hard to read is so for every method: half of the variance of ability is shared.
    effects[1:, :, 0] = np.sqrt(0.5) * (effects[:1, :, 0] + effects[1:, :, 0])
    a, b, equal = (
        rng.multinomial(counts, process.chances(effect))[None]  # one repetition of the study
        for process, effect in zip((method, better, method), effects, strict=True)
    )
    seed = int(rng.integers(2**31))
    subject, truth, predicted = (np.repeat(axis, a.ravel()) for axis in np.indices(a[0].shape).reshape(3, -1))
    right = (truth == predicted).astype(float)
    for key, estimate in f1_intervals(a, labels, resamples, seed).items():
        yield "interval", SCORES.get(key, f"F1 of {key}"), estimate
    yield "interval", ACCURACY, bootstrap_mean(right, subject, resamples, seed)
    yield "interval", BETTER, difference_interval(b, a, resamples, seed)
    yield "interval", EQUAL, difference_interval(equal, a, resamples, seed)
    clips = np.eye(len(labels) ** 2)[truth * len(labels) + predicted].reshape(1, len(truth), *a.shape[2:])
    yield "contrast", CLIPS, f1_intervals(clips, labels, resamples, seed)[MACRO]
    yield "test", SWAP, swap_test(equal, a, resamples, seed)
    if len(labels) == 2:  # few subjects: all may be of one group
        return
    dealt = rng.permutation(groups)
    yield "test", DEALT, permutation_difference(right, subject, dealt[subject], resamples, seed)
    measure = rng.standard_normal(len(counts))[subject] + rng.standard_normal(len(subject))
    yield "test", GROUPS, permutation_difference(measure, subject, groups[subject], resamples, seed)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """How often intervals held the truth and tests said no to it, one row per design and quantity.

    Returns
    -------
    design, kind, quantity, tables, truth, mean (of the estimates), width (mean, of the intervals), hits, rate
    (share of tables whose interval holds the truth, or whose p is at most 0.05), rate_low, rate_high (95 %
    interval of the rate for so many tables; Wilson 1927), target, margin.
    """
    found = []
    for (design, kind, quantity), part in rows.groupby(["design", "kind", "quantity"], sort=False):
        test = kind == "test"
        holds = (
            part["p"] <= 0.05 if test else (part["low"] <= part["truth"]) & (part["truth"] <= part["high"])
        )
        hits, tables = int(holds.sum()), len(part)
        rate_low, rate_high = binomtest(hits, tables).proportion_ci(method="wilson")
        target, margin = TARGET["test" if test else "interval"]
        found.append(
            {"design": design, "kind": kind, "quantity": quantity, "tables": tables}
            | {"truth": part["truth"].mean(), "mean": part["value"].mean()}
            | {"width": (part["high"] - part["low"]).mean(), "hits": hits, "rate": hits / tables}
            | {"rate_low": rate_low, "rate_high": rate_high, "target": target, "margin": margin}
        )
    return pd.DataFrame(found)


def lines(summary: pd.DataFrame) -> list[str]:
    """The summary as aligned text, design by design; '*' marks a rate that is not near enough to its target."""
    width = max(len(name) for name in summary["quantity"])
    out = []
    for design, rows in summary.groupby("design", sort=False):
        out.append(f"{design} ({rows['tables'].iloc[0]} tables)")
        for row in rows.itertuples():
            off = row.kind != "contrast" and abs(row.rate - row.target) > row.margin + 1e-9
            ends = f"[{100 * row.rate_low:5.1f}, {100 * row.rate_high:5.1f}]"
            wanted = f"{100 * row.target:g} ± {100 * row.margin:g}" if row.kind != "contrast" else "(too few)"
            verb = "reject" if row.kind == "test" else "hold"
            out.append(
                f"  {row.quantity:<{width}}  {verb:<6} {100 * row.rate:5.1f} % {ends}  {wanted}{' *' * off}"
            )
    return out
