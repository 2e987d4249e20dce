"""One network against itself: two disjoint sets of its runs must not differ."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence.made_up import PROCESSES, RunSizes, real_clusters
from ethnicmer_lib.paper.numbers import called
from ethnicmer_lib.stats.confusions import confusions, labels_in
from ethnicmer_lib.stats.intervals import MIN_RUNS
from ethnicmer_lib.stats.means import bootstrap_mean
from ethnicmer_lib.stats.permutation import swap_test
from ethnicmer_lib.stats.scoring import difference_interval


def disjoint_runs(
    predictions: pd.DataFrame, runs: int = MIN_RUNS, most: int = 200, seed: int = 0, resamples: int = 2000
) -> pd.DataFrame:
    """Difference in macro F1 between two disjoint sets of ``runs`` runs of one arm: every pair, or ``most``.

    ``predictions`` has the columns seed (of training), subject, label, predicted.  One row per pair: ``first``,
    ``second`` (their seeds, as text), ``difference`` (an :class:`Estimate`), ``p`` of the swap test.

    StudyError with fewer than twice as many seeds as ``runs``, or several arms.
    """
    seeds = np.unique(predictions["seed"])
    if "arm" in predictions and len(arms := predictions["arm"].unique()) > 1:
        raise StudyError(f"the predictions are of {list(arms)}; give those of one arm")
    if len(seeds) < 2 * runs:
        raise StudyError(
            f"two disjoint sets of {runs} runs need {2 * runs} seeds and there are {len(seeds)}; record more seeds or "
            f"set runs to at most {len(seeds) // 2}"
        )
    found = confusions(predictions, labels_in(predictions))
    rows = []
    for first, second in _pairs(len(seeds), runs, most, np.random.default_rng(seed)):
        sides = found[list(first)], found[list(second)]
        names = (", ".join(str(seeds[i]) for i in side) for side in (first, second))
        estimate, p = difference_interval(*sides, resamples, seed), swap_test(*sides, resamples, seed)
        rows.append(dict(zip(("first", "second"), names, strict=True)) | {"difference": estimate, "p": p})
    return pd.DataFrame(rows)


def _pairs(seeds: int, runs: int, most: int, rng: np.random.Generator) -> list[tuple[tuple[int, ...], ...]]:
    """Pairs of disjoint sets, of every pair of sets one order: all, or ``most`` drawn."""
    if math.comb(seeds, runs) * math.comb(seeds - runs, runs) // 2 <= most:
        sets = list(itertools.combinations(range(seeds), runs))
        return [(a, b) for a, b in itertools.combinations(sets, 2) if not set(a) & set(b)]
    orders = {
        tuple(map(tuple, np.sort(rng.permutation(seeds)[: 2 * runs].reshape(2, runs)))) for _ in range(most)
    }
    return sorted(orders)


def same_network(
    predictions: pd.DataFrame, runs: int = MIN_RUNS, most: int = 200, seed: int = 0, resamples: int = 2000
) -> pd.DataFrame:
    """How often two disjoint sets of runs of one network are taken for equal: one row per arm with enough seeds.

    ``seeds``, ``runs`` (of a set), ``pairs``, ``held`` (share of pairs whose interval holds zero), ``rejected`` (share
    whose p of the swap test is at most 0.05).  Pairs share runs and subjects, so shares are no rates with an error.
    Arms with one seed or too few for two sets are left out; the table may be empty.
    """
    rows = {}
    for arm, part in predictions.groupby("arm", sort=False):
        seeds = len(part["seed"].unique())
        if seeds >= 2 * runs:
            pairs = disjoint_runs(part, runs, most, seed, resamples)
            held = np.mean([estimate.side == 0 for estimate in pairs["difference"]])
            rejected = float((pairs["p"] <= 0.05).mean())
            rows[arm] = {
                "seeds": seeds,
                "runs": runs,
                "pairs": len(pairs),
                "held": held,
                "rejected": rejected,
            }
    columns = ["seeds", "runs", "pairs", "held", "rejected"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("arm")


def made_up_pairs(
    sizes: RunSizes, seeds: int, tables: int = 200, runs: int = MIN_RUNS, resamples: int = 500, seed: int = 0
) -> pd.DataFrame:
    """The same of made-up networks whose runs differ as ``sizes`` says: ``seeds`` runs of one network on every table.

    A table has as many subjects as the real one, drawn anew from them.  One row per table: ``held``, as of
    :func:`same_network`.  The mean over tables is a rate; one table is what one recorded network is.
    """
    real, method = real_clusters(), PROCESSES[3][0]
    pairs, rows = _pairs(seeds, runs, 200, np.random.default_rng(seed)), []
    for table in tqdm(range(tables), "made-up networks"):
        rng = np.random.default_rng([seed, table])
        counts = real.counts[rng.integers(0, len(real.counts), len(real.counts))]
        normal = rng.standard_normal((len(counts), 1 + len(real.labels)))
        made = method.drawn(counts, normal, sizes, seeds, rng)
        found = (difference_interval(made[list(a)], made[list(b)], resamples, table) for a, b in pairs)
        rows.append({"table": table, "held": np.mean([estimate.side == 0 for estimate in found])})
    return pd.DataFrame(rows)


def made_up_in_words(pairs: pd.DataFrame) -> str:
    """What :func:`made_up_pairs` shows for each of its ``sizes``, in a sentence: the rate, and single tables."""
    said = []
    for name, part in pairs.groupby("sizes", sort=False):
        rate = bootstrap_mean(100 * part["held"], part["table"])
        low, high = 100 * part["held"].quantile([0.025, 0.975])
        ends = f"{rate.value:.1f} % [{rate.low:.1f}, {rate.high:.1f}]"
        said.append(
            f"{ends} of the pairs where runs differ {name} (95 % of single tables: {low:.0f} to {high:.0f} %)"
        )
    return f"Made-up networks with as many runs hold zero in {' and in '.join(said)}."


def same_network_in_words(predictions: pd.DataFrame, runs: int = MIN_RUNS) -> str:
    """What :func:`same_network` shows, in a sentence, or how many seeds are missing."""
    found = same_network(predictions, runs)
    if found.empty:
        most = predictions.groupby("arm")["seed"].nunique().max()
        return (
            f"Two disjoint sets of {runs} runs need {2 * runs} seeds of a network; the recorded ones have at most "
            f"{most}, too few for this comparison."
        )
    parts = (f"{100 * r.held:.0f} % of {r.pairs} pairs for {called(r.Index)}" for r in found.itertuples())
    return f"The interval of the difference between two disjoint sets of {runs} runs holds zero in {', '.join(parts)}."
