"""Means over draws of subjects: resampled over subjects and draws, and single draws."""

import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats import mean_over_draws, middle_of_draws, per_draw, scores, single_runs


def table(subjects: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        {"draw": d, "arm": a, "subject": f"s{s:02d}", "group": "AB"[s % 2], "label": "xy"[c % 2],
         "predicted": "xy"[c % 2 if rng.random() < 0.7 else rng.integers(2)]}
        for d in range(4) for a in ("one", "two") for s in range(subjects) for c in range(6)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_intervals_grow_with_few_subjects_and_vanish_for_equal_arms():
    small, large = (mean_over_draws(table(n), {"one": 1}, resamples=500) for n in (6, 40))
    assert small.high - small.low > 1.5 * (large.high - large.low)
    same = table(10).query("arm == 'one'")
    same = pd.concat([same, same.assign(arm="two")])
    change = mean_over_draws(same, {"one": 1, "two": -1}, resamples=200)
    assert change == pytest.approx((0, 0, 0), abs=1e-12)
    with pytest.raises(StudyError, match="arm='three' is unknown; allowed: one, two"):
        mean_over_draws(table(4), {"one": 1, "three": -1}, resamples=50)


def test_the_value_is_the_mean_of_single_draws_by_label_too():
    rows = table(6)
    by_draw = scores(rows, ["draw", "arm"])
    weights = {"two": 1, "one": -1}
    for classes in ("macro", "y"):
        wide = by_draw[classes].unstack("arm")
        single = per_draw(rows, weights, classes)
        assert np.allclose(single, wide["two"] - wide["one"])
        assert np.isclose(mean_over_draws(rows, weights, classes, resamples=50).value, single.mean())


def test_draws_are_summarised():
    assert middle_of_draws(range(101)) == (50, 2.5, 97.5)


def test_a_single_run_may_come_out_where_runs_spread():
    rng = np.random.default_rng(0)
    clips = pd.DataFrame({"subject": list("stuv") * 5, "label": list("xyxyyxyxxxyy") + list("xxyyxyxy")})
    runs = [
        clips.assign(arm="net", seed=seed, predicted=rng.permutation(clips["label"])) for seed in range(6)
    ]
    table = pd.concat(runs)
    found = single_runs(table).loc["net", "macro"]
    each = scores(table, ["arm", "seed"])["macro"]
    assert found.value == pytest.approx(each.mean())
    assert found.high - found.value == pytest.approx(2.5706 * each.std() * np.sqrt(7 / 6), rel=1e-4)
    assert single_runs(runs[0]).loc["net", "macro"] == pytest.approx(each.iloc[0])
