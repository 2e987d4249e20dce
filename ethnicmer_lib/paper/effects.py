"""What the recorded studies say: cells of Table IV as described, what every switch between text and code changes."""

from __future__ import annotations

import pandas as pd

from ethnicmer_lib.paper.numbers import printed, read_yaml
from ethnicmer_lib.stats.draws import mean_over_draws, middle_of_draws
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.stats.scoring import difference, scores


def switch_effects(studies: pd.DataFrame, *arms: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Every switch of ``switches.yml``, one a row, with its measured ``effect``, an Estimate, and ``of`` how many draws
    or training runs it is.

    Parameters
    ----------
    studies : recorded predictions of Table IV, with a column ``study``: the effect is on Mixed minus the mono
        scenarios, mean over the draws that both studies have; the interval is over subjects and draws, paired.
    *arms : recorded predictions of arms of Table V, of which the first table that holds both of a row is taken: the
        effect is on macro F1, the interval over subjects and runs.
    seed : of the resamples of subjects.
    """
    table = pd.DataFrame(read_yaml("switches"))
    of_iv, of_v = (table[table["table"] == name] for name in ("IV", "V"))
    effects = [_change(studies, row.arm, row.reference, seed) for row in of_iv.itertuples()]
    for pair in of_v[["arm", "reference"]].itertuples(index=False):
        both = next(part for part in arms if {*pair} <= set(part["arm"]))
        runs = both[both["arm"].isin(pair)].groupby("arm")["seed"].nunique().min()
        effect = difference(both, [pair], seed)["difference"].iloc[0]
        effects.append((effect, "1 run" if runs == 1 else f"{runs} runs"))
    return table.assign(effect=[effect for effect, _ in effects], of=[of for _, of in effects])


def _change(studies: pd.DataFrame, study: str, reference: str, seed: int) -> tuple[Estimate, str]:
    """Mixed minus the mono scenarios in one study minus the same in another, on the draws that both have."""
    both = studies[studies["study"].isin([study, reference])]
    both = both[both.groupby("draw")["study"].transform("nunique") == 2]
    weights = {}
    for name, sign in ((study, 1), (reference, -1)):
        arms = both.loc[both["study"] == name, "arm"].unique()
        mono = [arm for arm in arms if arm != "Mixed"]
        weights |= {f"{name}: Mixed": sign, **{f"{name}: {arm}": -sign / len(mono) for arm in mono}}
    effect = mean_over_draws(both.assign(arm=both["study"] + ": " + both["arm"]), weights, seed=seed)
    return effect, f"{both['draw'].nunique()} draws"


def described_cells(predictions: pd.DataFrame) -> pd.DataFrame:
    """Table IV from many draws, in the shape of ``printed("table_iv")``: median and middle 95 % of single draws.

    The paper drew its subjects once, so a printed cell is one of what single draws give, and no mean of many.
    """
    cells = scores(predictions, ["draw", "arm"]).groupby("arm", sort=False)[list(printed("table_iv"))]
    return cells.agg(middle_of_draws).loc[printed("table_iv").index]
