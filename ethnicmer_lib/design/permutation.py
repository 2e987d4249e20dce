"""Permutation test of "mixed is worse": group labels dealt anew between subjects, the whole study repeated."""

from __future__ import annotations

import numpy as np
import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.design.classifiers import ABOUT, classifier
from ethnicmer_lib.design.scenarios import BINARY, MIXED, draw_scenarios, predict_scenarios, subjects_in
from ethnicmer_lib.stats.scoring import MACRO, scores
from ethnicmer_lib.store import Run

_PART = 20  #: permutations between two files: what an interruption can cost


def permuted_groups(table: pd.DataFrame, control: str, seed: int, permutation: int) -> pd.DataFrame:
    """The clips with groups dealt anew between subjects, of :func:`permute_scenarios`; 0 leaves them as they are."""
    if permutation == 0:
        return table
    both = subjects_in(table).min(axis=1).idxmax()
    dealt_to = table[table["database"] == both] if control == "one_database" else table
    who = dealt_to[["subject", "group"]].drop_duplicates().sort_values("subject")
    rng = np.random.default_rng([seed, permutation, len(control)])
    dealt = dict(zip(who["subject"], rng.permutation(who["group"].to_numpy()), strict=True))
    return table.assign(group=table["subject"].map(dealt).fillna(table["group"]))


def permute_scenarios(
    x: np.ndarray,
    table: pd.DataFrame,
    n_subjects: int,
    n_draws: int,
    n_permutations: int,
    control: str = "as_described",
    seed: int = 0,
) -> pd.DataFrame:
    """Mixed minus mono under every permutation, with SVC(C=100), the fastest classifier of the study.

    Arguments as of :func:`scenarios.repeat_scenarios`, whose first draws those of permutation 0 are.  ``control`` is
    'as_described', or 'one_database': only subjects of the database that holds both groups are dealt.

    One row per permutation: permutation (0: as observed), difference (mean over draws of macro F1).
    """
    inputs = {"x": x, "table": table[ABOUT], "n_subjects": n_subjects, "n_draws": n_draws}
    run = Run.open("permute_scenarios", code=("design",), inputs=inputs | {"control": control, "seed": seed})
    model = classifier("svc")

    def difference(permutation: int) -> float:
        dealt, drops = permuted_groups(table, control, seed, permutation), []
        for draw in range(n_draws):
            drawn = draw_scenarios(dealt, n_subjects, control, seed, draw)
            macro = scores(predict_scenarios(model, x, table, drawn), labels=BINARY)[MACRO]
            drops.append(macro[MIXED] - macro.drop(MIXED).mean())
        return float(np.mean(drops))

    def part(numbers: range) -> pd.DataFrame:
        return pd.DataFrame({"permutation": numbers, "difference": map(difference, numbers)})

    whole = range(n_permutations + 1)
    parts = [whole[start : start + _PART] for start in whole[::_PART]]
    bar = tqdm(parts, desc=f"permutations, {control}")
    tables = [run.kept(f"part{of[0]:05d}-{len(of)}", lambda of=of: part(of)) for of in bar]
    return pd.concat(tables, ignore_index=True)


def permutation_test(table: pd.DataFrame) -> dict[str, float]:
    """What :func:`permute_scenarios` says: p = (1 + b) / (1 + n), one-sided (Phipson & Smyth 2010).

    ``observed`` difference, ``worse`` (p of so low a value), ``low`` and ``high`` (the middle 95 % of what permuted
    groups give), ``permutations``.
    """
    observed, *null = table["difference"]
    low, high = np.quantile(null, [0.025, 0.975]).tolist()
    worse = float((table["difference"] <= observed).mean())
    return {"observed": observed, "worse": worse, "low": low, "high": high, "permutations": len(null)}
