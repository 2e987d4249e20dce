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
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri, softmax
from scipy.stats import binomtest
from scipy.stats.qmc import Sobol
from tqdm import tqdm

from ethnicmer_lib.clips.labels import binary_labels, released_clips
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats.confusions import class_f1, class_recall
from ethnicmer_lib.stats.intervals import PLAIN_TAIL, Estimate, effective_subjects, tail_probability
from ethnicmer_lib.stats.means import bootstrap_mean, permutation_difference
from ethnicmer_lib.stats.permutation import swap_test
from ethnicmer_lib.stats.scoring import MACRO, UAR, difference_interval, f1_intervals
from ethnicmer_lib.store import Provenance, Recording, digest, kept, record

ACCURACY = "accuracy"
BETTER, EQUAL = "macro F1, better minus worse method", "macro F1, difference of equal methods"
CLIPS = "macro F1, clips resampled"
SWAP, DEALT = "swap test, equal methods", "group test, groups dealt at random"
GROUPS = "group test, real groups"
SCORES = {MACRO: "macro F1", UAR: "UAR"}
FIRST = 5  #: tables of the first design that are recorded, to see whether today's code makes the same
#: What a well calibrated procedure does, and how far it may be from that.
TARGET = {"interval": (0.95, 0.02), "test": (0.05, 0.015)}
VERBS = {"interval": "intervals hold the truth", "test": "tests reject"}
WANTED = (
    "Small print: 95 % interval of the rate for so many tables (Wilson). Wanted: intervals hold the truth in 95 ± 2 %, "
    "tests reject in 5 ± 1.5 %."
)


@dataclass(frozen=True)
class Process:
    """How the predictions of a simulated method come about.

    Subject s gives a clip of label c the label k with chance softmax over k of

        skill[c] · 1[k = c] + lean[k] + a(s) · 1[k = c] + b(s, k),   a ~ N(0, ability²), b ~ N(0, bias²).

    skill, lean (labels,), ability, bias are log odds: ``ability`` is how much subjects differ in how easy they are to
    read, ``bias`` how much in the labels that a method leans to (standard deviations).
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

    ``anew``: every table draws its subjects (so many; None: as many as there are), each with its clips and labels, from
    the real ones with replacement; otherwise every table has the real subjects, and only the predictions vary.
    ``two_labels``: Positive and Surprise are one label, as in the prima facie study.
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

    design, kind, quantity, tables, truth, mean (of the estimates), width (mean, of the intervals), hits, rate
    (share of tables whose interval holds the truth, or whose p is at most 0.05), rate_low, rate_high (95 %
    interval of the rate for so many tables; Wilson 1927), target, margin.
    """
    hit = (rows["p"] <= 0.05) | (rows["low"] <= rows["truth"]) & (rows["truth"] <= rows["high"])
    rows = rows.assign(hit=hit, width=rows["high"] - rows["low"])
    measures = {"tables": ("hit", "size"), "truth": ("truth", "mean"), "mean": ("value", "mean")}
    measures |= {"width": ("width", "mean"), "hits": ("hit", "sum"), "rate": ("hit", "mean")}
    found = rows.groupby(["design", "kind", "quantity"], sort=False).agg(**measures).reset_index()
    intervals = [binomtest(r.hits, r.tables).proportion_ci(method="wilson") for r in found.itertuples()]
    found[["rate_low", "rate_high"]] = np.array(intervals)
    found[["target", "margin"]] = [TARGET.get(kind, TARGET["interval"]) for kind in found["kind"]]
    return found


def in_words(recorded: Recording) -> dict[str, Any]:
    """What the page Statistics says of the recorded calibration and of the clusters, by the names in its prose."""
    clusters, summary = real_clusters(), recorded.table("calibration")
    clips, method = clusters.counts.sum(1), PROCESSES[3][0]
    effective = effective_subjects(clips)
    anew = summary[summary["design"] == DESIGNS[0].name].set_index("quantity")
    chances = zip(clusters.labels, np.diag(method.expected()), strict=True)
    return {
        "subjects": len(clips),
        "clips": int(clips.sum()),
        "most": int(clips.max()),
        "fewest": int(clips.min()),
        "effective": f"{effective:.0f}",
        "tail": f"{100 * tail_probability(subjects=effective):.1f}",
        "plain_tail": f"{100 * PLAIN_TAIL:.1f}",
        "tail_few": f"{100 * tail_probability(subjects=16):.1f}",
        "n_tables": recorded.parameters["tables"],
        "resamples": recorded.parameters["resamples"],
        "chances": ", ".join(f"{chance:.2f} for {label}" for label, chance in chances),
        "ability": method.ability,
        "bias": method.bias,
        "coverage_note": " ".join(sentence(summary, design.name) for design in DESIGNS),
        "clip_coverage": percent(anew.loc[CLIPS, "rate"]),
        "calibration_made": f"commit {recorded.made['commit']}, {recorded.made['time']}",
    }


def sentence(summary: pd.DataFrame, design: str) -> str:
    """What one design shows, in a sentence."""
    rows, words = summary[summary["design"] == design], []
    for kind, verb in VERBS.items():
        part = rows[rows["kind"] == kind]
        ends = dict.fromkeys(percent(end) for end in (part["rate"].min(), part["rate"].max()))
        off = part[(part["rate"] - part["target"]).abs() > part["margin"] + 1e-9]
        sides = [f"{r.quantity} {'above' if r.rate > r.target else 'below'}" for r in off.itertuples()]
        outside = f" (outside the band: {', '.join(sides)})" if sides else ""
        words.append(f"{verb} in {' to '.join(ends)} of the tables{outside}")
    return f"{design[0].upper()}{design[1:]}: {', '.join(words)}."


def percent(share: float) -> str:
    """A share as a text, in per cent to one decimal."""
    return f"{100 * np.round(share, 4):.1f} %"


def rates(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary as a table to show: one row a quantity, tests last, one column of rates in per cent a design."""
    estimates = [Estimate(100 * r.rate, 100 * r.rate_low, 100 * r.rate_high) for r in summary.itertuples()]
    shown = summary.assign(rate=estimates, test=summary["kind"] == "test")
    wide = shown.pivot(index="quantity", columns="design", values="rate")
    order = shown.drop_duplicates("quantity").sort_values("test", kind="stable")["quantity"]
    return wide.loc[order, list(summary["design"].unique())]


def record_statistics(command: str, tables: int = 1000, resamples: int = 2000, seed: int = 0) -> Path:
    """Simulate every design, from the run store where it is there already, and write ``results/statistics/``.

    StudyError for fewer than one table or fewer than 100 resamples.
    """
    if tables < 1 or resamples < 100:
        raise StudyError(f"{tables} tables and {resamples} resamples; take at least 1 and 100")
    rows = pd.concat([_simulated(design, tables, resamples, seed) for design in DESIGNS], ignore_index=True)
    first = rows[(rows["design"] == DESIGNS[0].name) & (rows["table"] < FIRST)]
    source = "simulated predictions for the subjects, clips and labels of the released label table"
    provenance = Provenance(source, True, digest(real_clusters().counts.tolist()))
    asked = {"tables": tables, "resamples": resamples, "seed": seed}
    return record(
        "statistics", {"calibration": summary(rows), "first_tables": first}, provenance, command, asked
    )


@kept("stats", "evidence")
def _simulated(design: Design, tables: int, resamples: int, seed: int) -> pd.DataFrame:
    return simulate(design, tables, resamples, seed, progress=True)
