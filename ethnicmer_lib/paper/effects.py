"""What the recorded studies say: cells of Table IV as described, what every switch between text and code changes."""

from __future__ import annotations

import pandas as pd

from ethnicmer_lib.paper.numbers import printed, read_yaml
from ethnicmer_lib.stats.draws import mean_change, mean_over_draws, per_draw
from ethnicmer_lib.stats.scoring import difference


def switch_effects(studies: pd.DataFrame, arms: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Every switch of ``switches.yml``, one a row, with its measured ``effect``, an Estimate.

    Parameters
    ----------
    studies : recorded predictions of Table IV, with a column ``study``: the effect is on Mixed minus the mono
        scenarios, draw by draw; the interval is over draws alone, as subjects are the same on both sides.
    arms : recorded predictions of Table V's controls: the effect is on macro F1, the interval over subjects.
    seed : of the resamples of subjects.
    """
    table = pd.DataFrame(read_yaml("switches"))
    of_iv, of_v = (table[table["table"] == name] for name in ("IV", "V"))
    drops = {
        study: _drop(studies[studies["study"] == study]) for study in {*of_iv["arm"], *of_iv["reference"]}
    }
    effects = [mean_change(drops[row.arm], drops[row.reference]) for row in of_iv.itertuples()]
    effects += list(difference(arms, of_v[["arm", "reference"]].itertuples(index=False), seed)["difference"])
    return table.assign(effect=effects)


def _drop(rows: pd.DataFrame) -> pd.Series:
    """Macro F1 of Mixed minus the mean of the mono scenarios, in every draw."""
    mono = [arm for arm in rows["arm"].unique() if arm != "Mixed"]
    return per_draw(rows, {"Mixed": 1, **dict.fromkeys(mono, -1 / len(mono))})


def described_cells(predictions: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Table IV from many draws, in the shape of ``printed("table_iv")``: means as Estimates over subjects and draws."""
    paper = printed("table_iv")
    none = dict.fromkeys(paper.index, 0)  # all cells are of resamples in which every scenario has both labels
    found = {
        arm: {cell: mean_over_draws(predictions, none | {arm: 1}, cell, seed, 1000) for cell in paper}
        for arm in paper.index
    }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("arm")
