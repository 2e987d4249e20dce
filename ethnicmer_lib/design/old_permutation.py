"""Permutation test of "mixed is worse": group labels dealt anew between subjects, the whole study repeated."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.clips.table import Cohort
from ethnicmer_lib.design.forest import BINARY
from ethnicmer_lib.design.old_scenarios import CONTROLS, draw_rows, predictions
from ethnicmer_lib.design.scenarios import MIXED
from ethnicmer_lib.design.support_vectors import Distances
from ethnicmer_lib.stats.scoring import macro_f1
from ethnicmer_lib.store.old_runs import Run

_PART = 20  #: permutations between two files: what an interruption can cost


class PermutationTest(NamedTuple):
    """Outcome of one test.

    ``observed`` is the mean over draws of macro F1 of Mixed minus the mean of the mono scenarios; ``worse`` the
    one-sided p-value of so low a value, ``different`` the two-sided one; ``low`` and ``high`` span the middle
    95 % of what permuted groups give.
    """

    observed: float
    worse: float
    different: float
    low: float
    high: float
    permutations: int


def permuted_groups(clips: pd.DataFrame, control: str, seed: int, permutation: int) -> pd.DataFrame:
    """The clips table with its groups dealt anew between subjects; permutation 0 leaves them as they are.

    Under a control that stays within one database, only that database's subjects are there to deal between.
    """
    if permutation == 0:
        return clips
    who = clips[["subject", "group"]].drop_duplicates().sort_values("subject")
    rng = np.random.default_rng([seed, permutation, len(control)])
    dealt = dict(zip(who["subject"], rng.permutation(who["group"].to_numpy()), strict=True))
    return clips.assign(group=clips["subject"].map(dealt))


def differences(
    cohort: Cohort,
    features: np.ndarray,
    control: str,
    n_subjects: int,
    n_draws: int,
    n_permutations: int,
    seed: int,
    inputs: str,
    progress: bool = False,
) -> pd.DataFrame:
    """The statistic under every permutation, with SVC(C=100), the fastest classifier of the study.

    Parameters
    ----------
    features : (n, d) of every clip.
    control : 'as_described', or 'one_database', where subjects of the database that holds both groups are dealt.
    n_subjects, n_draws : as in the study; the draws of permutation 0 are its first ones.
    n_permutations : beside the observed grouping.
    inputs : what identifies the features, for the key of the run.

    Returns
    -------
    One row per permutation: permutation (0: as observed), difference.
    """
    clips = cohort.clips.reset_index(drop=True)
    distances = Distances.of(features)
    if control == "one_database":
        database = clips.groupby("database")["group"].nunique().idxmax()
        inside = np.flatnonzero(clips["database"] == database)
        clips, distances = clips.iloc[inside].reset_index(drop=True), Distances.of(features[inside])
    run = Run.open(
        "scenario_permutations",
        module="ethnicmer_lib.design.old_permutation",
        cohort=cohort.provenance.fingerprint,
        parameters={
            "inputs": inputs, "control": control, "n_subjects": n_subjects, "n_draws": n_draws, "seed": seed
        },
    )  # fmt: skip

    def one(permutation: int) -> float:
        dealt = permuted_groups(clips, control, seed, permutation)
        return float(np.mean([_difference(distances, dealt, n, seed, draw) for draw in range(n_draws)]))

    n = n_subjects
    if control == "one_database":
        n = min(n, int(clips.groupby("group")["subject"].nunique().min()) // 2 * 2)

    tables = []
    with tqdm(total=n_permutations + 1, desc=f"permutations, {control}", disable=not progress) as bar:
        for start in range(0, n_permutations + 1, _PART):
            numbers = range(start, min(start + _PART, n_permutations + 1))

            def part(numbers: range = numbers) -> pd.DataFrame:
                values = []
                for number in numbers:
                    values.append(one(number))
                    bar.update()
                return pd.DataFrame({"permutation": list(numbers), "difference": values})

            name = f"part{start:05d}-{len(numbers)}"
            tables.append(run.table(name, part))
            bar.update(start + len(numbers) - bar.n)  # a part that was there already
    return pd.concat(tables, ignore_index=True)


def test(table: pd.DataFrame) -> PermutationTest:
    """p-values of the observed grouping; p = (1 + b) / (1 + n) (Phipson & Smyth 2010).

    Parameters
    ----------
    table : as :func:`differences` gives it.
    """
    observed = float(table.loc[table["permutation"] == 0, "difference"].iloc[0])
    null = table.loc[table["permutation"] > 0, "difference"].to_numpy()
    n, centre = len(null), float(null.mean())
    low, high = np.quantile(null, [0.025, 0.975])
    return PermutationTest(
        observed,
        float((1 + (null <= observed).sum()) / (1 + n)),
        float((1 + (np.abs(null - centre) >= abs(observed - centre)).sum()) / (1 + n)),
        float(low),
        float(high),
        n,
    )


def _difference(distances: Distances, clips: pd.DataFrame, n: int, seed: int, draw: int) -> float:
    rows = draw_rows(CONTROLS["as_described"], clips, n, seed, draw)
    table = predictions(distances, clips, rows, seed, 0)
    macro = {name: macro_f1(part, BINARY) for name, part in table.groupby("scenario")}
    mixed = macro.pop(MIXED)
    return mixed - float(np.mean(list(macro.values())))
