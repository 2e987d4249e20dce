"""Calibration: how often intervals hold the truth and tests reject it, on made-up predictions of the real clusters.

The predictions and their truths are of :mod:`evidence.made_up`: subjects differ, and so do training runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import expit
from tqdm import tqdm

from ethnicmer_lib.design.scenarios import MIXED
from ethnicmer_lib.design.studies import mixed_minus_mono
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence.calibration_shown import (
    ACCURACY,
    ACTIVATION,
    ACTIVATION_TEST,
    BETTER,
    BETTER_RUNS,
    CLIPS,
    CODED,
    CROSSED,
    CROSSED_BETTER,
    DRAWS,
    EQUAL,
    MACRO_RUNS,
    POOLED,
    RUNS,
    SAME,
    SAME_MOST,
    SCORES,
    SEEN,
    SEEN_TEST,
    SWAP,
    SWAP_MOST,
    SWAP_RUNS,
    of_runs,
    summary,
)
from ethnicmer_lib.evidence.made_up import (
    PROCESSES,
    Clusters,
    Process,
    Runs,
    RunSizes,
    macro_of_runs,
    real_clusters,
    run_variances,
    runs_of,
    scenario_tables,
    scenario_truth,
)
from ethnicmer_lib.evidence.same_network import made_up_pairs
from ethnicmer_lib.stats.confusions import class_f1, class_recall
from ethnicmer_lib.stats.draws import mean_over_draws
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.stats.means import bootstrap_mean, group_difference, permutation_difference
from ethnicmer_lib.stats.permutation import swap_test
from ethnicmer_lib.stats.scoring import MACRO, UAR, difference_interval, f1_intervals
from ethnicmer_lib.store import Provenance, digest, kept, record, recording

UNIT = -2.0  #: log odds of a coded unit in a clip of an average subject
FIRST = 5  #: tables of the first design that are recorded, to see whether today's code makes the same


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


def draw(design: Design, real: Clusters, rng: np.random.Generator) -> Clusters:
    """The subjects of one table."""
    if not design.anew:
        return real
    chosen = rng.integers(0, len(real.counts), design.subjects or len(real.counts))
    return real._replace(counts=real.counts[chosen], groups=real.groups[chosen])


def truths(real: Clusters, runs: Runs) -> dict[str, float]:
    """What the interval of each quantity has to hold: its value in the population of such subjects and runs."""
    size = real.counts.sum(0)
    method, improved = PROCESSES[len(size)]
    pooled = size[:, None] * method.expected()
    f1 = class_f1(pooled)
    macro = float(f1.mean())
    found = {
        **{f"F1 of {label}": float(value) for label, value in zip(real.labels, f1, strict=True)},
        **dict.fromkeys((SCORES[MACRO], CLIPS), macro),
        SCORES[UAR]: float(class_recall(pooled).mean()),
        ACCURACY: float(np.trace(pooled) / pooled.sum()),
        BETTER: float(class_f1(size[:, None] * improved.expected()).mean()) - macro,
        EQUAL: 0.0,
        ACTIVATION: 0.0,
    }
    if len(size) == 2:
        return found | {
            quantity: scenario_truth(real, arms, runs.usual, weights_of(arms))
            for quantity, arms in scenarios(real).items()
        }
    alone, gained = (
        float(macro_of_runs(one, size, runs.usual).mean()) for one in better_by(runs.better, real)
    )
    for n in RUNS:
        found |= {of_runs(MACRO_RUNS, n): alone, of_runs(BETTER_RUNS, n): gained - alone}
        found |= dict.fromkeys((of_runs(name, n) for name in (SAME, SAME_MOST, POOLED)), 0.0)
    return found


def weights_of(arms: Iterable[str]) -> dict[str, float]:
    """Coefficients of the arms in mixed minus mono."""
    return mixed_minus_mono(pd.DataFrame({"arm": list(arms)}))


def better_by(gain: float, real: Clusters) -> tuple[Process, Process]:
    """A method, and one whose macro F1 is so much higher in the population of the subjects."""
    method = PROCESSES[len(real.labels)][0]
    return method, method.better(gain, real.counts.sum(0))


def scenarios(real: Clusters) -> dict[str, dict[str, Process]]:
    """By quantity, the method of every arm of the scenarios: the same in all, or a better one in the mixed."""
    method, improved = PROCESSES[len(real.labels)]
    mono = dict.fromkeys(np.unique(real.groups), method)
    return {CROSSED: mono | {MIXED: method}, CROSSED_BETTER: mono | {MIXED: improved}}


def simulate(
    design: Design,
    runs: Runs,
    tables: int = 1000,
    resamples: int = 2000,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Simulate tables and apply every interval and test that the study uses to each.

    One row per table and quantity: design, kind ('interval', 'contrast', 'test' or 'power'), quantity, table, truth,
    value, low, high (of an interval) and p (of a test).  A 'power' is an interval or test of a true difference.
    """
    real = real_clusters(design.two_labels)
    truth, rows, methods = truths(real, runs), [], better_by(runs.better, real)
    for table in tqdm(range(tables), desc=design.name, disable=not progress):
        rng = np.random.default_rng([seed, table])
        clusters = draw(design, real, rng)
        parts = [_one_run(clusters, resamples, rng)]
        if len(real.labels) == 2:
            parts.append(_crossed(real, runs, resamples, rng))
        else:  # not with few subjects: all may be of one group
            parts += [_groups(clusters, resamples, rng), _many_runs(clusters, runs, methods, resamples, rng)]
        for kind, quantity, found in itertools.chain(*parts):
            row = {"design": design.name, "kind": kind, "quantity": quantity, "table": table}
            if isinstance(found, Estimate):
                rows.append(row | {"truth": truth[quantity.removeprefix(SEEN)], **found._asdict()})
            else:
                rows.append(row | {"p": found})
    return pd.DataFrame(rows)


Found = Iterator[tuple[str, str, Estimate | float]]  #: (kind, quantity, interval or p-value)


def _one_run(clusters: Clusters, resamples: int, rng: np.random.Generator) -> Found:
    """What is calibrated of methods without runs."""
    labels, counts, _ = clusters
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


def _groups(clusters: Clusters, resamples: int, rng: np.random.Generator) -> Found:
    """Groups of subjects that do not differ: a coded unit (0 or 1) and a measure of activation."""
    counts, groups = clusters.counts.sum(1), clusters.groups
    subject, seed = np.repeat(np.arange(len(counts)), counts), int(rng.integers(2**31))
    coded = rng.random(len(subject)) < expit(UNIT + rng.standard_normal(len(counts)))[subject]
    measure = rng.standard_normal(len(counts))[subject] + rng.standard_normal(len(subject))
    yield "test", CODED, permutation_difference(coded, subject, groups[subject], resamples, seed)
    table = pd.DataFrame({"subject": subject, "group": groups[subject], "all": 0, "measure": measure})
    found = group_difference(table, ["measure"], "all", seed, resamples).iloc[0]
    yield "interval", ACTIVATION, found["difference"]
    yield "test", ACTIVATION_TEST, float(found["p"])


def _many_runs(
    clusters: Clusters, runs: Runs, methods: tuple[Process, Process], resamples: int, rng: np.random.Generator
) -> Found:
    """What is calibrated of networks with runs: every method has runs of its own."""
    labels, counts, _ = clusters
    method, better = methods
    normal = rng.standard_normal((len(counts), 1 + len(labels)))
    made = [
        (method, runs.usual),
        (method, runs.usual),
        (better, runs.usual),
        (method, runs.most),
        (method, runs.most),
    ]
    made = [process.drawn(counts, normal, sizes, max(RUNS), rng) for process, sizes in made]
    seed = int(rng.integers(2**31))
    for n in RUNS:
        one, same, more, varied, varied_same = (found[:n] for found in made)
        yield "interval", of_runs(MACRO_RUNS, n), f1_intervals(one, labels, resamples, seed)[MACRO]
        gain = difference_interval(more, one, resamples, seed)
        yield "interval", of_runs(BETTER_RUNS, n), gain
        yield "power", SEEN + of_runs(BETTER_RUNS, n), gain
        yield "power", SEEN_TEST + of_runs(BETTER_RUNS, n), swap_test(more, one, resamples, seed)
        yield "interval", of_runs(SAME, n), difference_interval(same, one, resamples, seed)
        yield "interval", of_runs(SAME_MOST, n), difference_interval(varied_same, varied, resamples, seed)
        yield "test", of_runs(SWAP_RUNS, n), swap_test(same, one, resamples, seed)
        yield "test", of_runs(SWAP_MOST, n), swap_test(varied_same, varied, resamples, seed)
        pooled = (side.sum(0, keepdims=True) for side in (varied_same, varied))
        yield "contrast", of_runs(POOLED, n), difference_interval(*pooled, resamples, seed)


def _crossed(real: Clusters, runs: Runs, resamples: int, rng: np.random.Generator) -> Found:
    """The mean over draws of scenarios."""
    for quantity, arms in scenarios(real).items():
        table = scenario_tables(real, arms, runs.usual, DRAWS, rng)
        seed = int(rng.integers(2**31))
        yield "interval", quantity, mean_over_draws(table, weights_of(arms), MACRO, seed, resamples)


def record_statistics(
    command: str,
    tables: int = 1000,
    resamples: int = 500,
    seed: int = 0,
    part: Literal["calibration", "pairs"] = "calibration",
) -> Path:
    """Simulate every design, from the run store where it is there already, and write ``results/statistics/``.

    'pairs' is :func:`same_network.made_up_pairs` on a fifth of the tables, for as many runs as are recorded, which
    differ as the recorded calibration says.

    Runs differ as those of the recording ``table_v`` (:func:`runs_of`); its sizes are recorded with the rest.
    StudyError for fewer than one table or fewer than 100 resamples, or a recording with one run of each network.
    """
    if tables < 1 or resamples < 100:
        raise StudyError(f"{tables} tables and {resamples} resamples; take at least 1 and 100")
    trained = networks()
    runs, variances = runs_of(trained), run_variances(trained)
    source = "simulated predictions for the subjects, clips and labels of the released label table"
    provenance = Provenance(source, True, digest(real_clusters().counts.tolist()))
    asked = {"tables": tables, "resamples": resamples, "seed": seed, "runs": asdict(runs)}
    if part == "pairs":
        known = recording("statistics").parameters["runs"]
        asked |= {"tables": tables // 5, "seeds": int(variances["runs"].max()), "runs": known}
        pairs = [
            _made_up_pairs(RunSizes(*known[size]), asked["seeds"], asked["tables"], resamples, seed).assign(
                sizes=name
            )
            for size, name in (("usual", "as usual"), ("most", "most"))
        ]
        return record("statistics", {part: pd.concat(pairs)}, provenance, command, asked)
    rows = pd.concat(
        [_simulated(design, runs, tables, resamples, seed) for design in DESIGNS], ignore_index=True
    )
    first = rows[(rows["design"] == DESIGNS[0].name) & (rows["table"] < FIRST)]
    found = {
        "calibration": summary(rows),
        "first_tables": first,
        "runs": variances.rename_axis("arm").reset_index(),
    }
    return record("statistics", found, provenance, command, asked)


def networks() -> pd.DataFrame:
    """Predictions of the recorded networks, whose runs show how much runs differ."""
    return recording("table_v").predictions


@kept("stats", "evidence")
def _made_up_pairs(sizes: RunSizes, seeds: int, tables: int, resamples: int, seed: int) -> pd.DataFrame:
    return made_up_pairs(sizes, seeds, tables, resamples=resamples, seed=seed)


@kept("stats", "evidence")
def _simulated(design: Design, runs: Runs, tables: int, resamples: int, seed: int) -> pd.DataFrame:
    return simulate(design, runs, tables, resamples, seed, progress=True)
