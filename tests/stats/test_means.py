"""Means, differences of groups and Cramér's V: against SciPy, theory and enumeration."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.stats.contingency import association

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats import (
    bootstrap_mean,
    cramers_v,
    group_difference,
    mean_against_zero,
    means,
    permutation_difference,
)


def study(seed: int = 0, subjects: int = 20, clips: int = 4, shift: float = 1.0):
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), clips)
    group = np.where(subject % 3 == 0, "A", "B")
    values = rng.normal(size=subjects)[subject] + rng.normal(size=len(subject)) + shift * (group == "A")
    return np.round(values, 1), subject, group


def compared(values, subject, group, n=2000, seed=0):
    """The only row of a table of differences."""
    table = pd.DataFrame({"subject": subject, "group": group, "label": "x", "value": values})
    return group_difference(table, ["value"], "label", seed, n).loc[0]


def test_interval_of_a_mean_agrees_with_theory():
    rng = np.random.default_rng(0)
    effects = rng.normal(size=80)
    subjects = np.repeat(np.arange(80), 4)
    values = effects[subjects] + rng.normal(0, 0.3, 320)
    got = bootstrap_mean(values, subjects, 4000, 1)
    of_subjects = values.reshape(80, 4).mean(1)
    assert np.isclose(got.value, values.mean())
    assert np.isclose(got.high - got.low, 2 * 1.96 * of_subjects.std() / np.sqrt(80), rtol=0.06)
    # Clips as if they were independent would claim half the width.
    wrong = bootstrap_mean(values, np.arange(320), 4000, 1)
    assert (wrong.high - wrong.low) < 0.65 * (got.high - got.low)


def test_means_of_two_groups_are_compared():
    values, subject, group = study()
    found = compared(values, subject, group)["difference"]
    assert found.value == pytest.approx(values[group == "A"].mean() - values[group == "B"].mean())
    # With one clip a subject and large groups: Welch's interval, up to the careful choice of the smaller group.
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=60), rng.normal(0.5, size=90)
    welch = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    ours = compared(np.r_[x, y], np.arange(150), np.repeat(["A", "B"], [60, 90]), 20000)["difference"]
    assert ours[1:] == pytest.approx((welch.low, welch.high), abs=0.02)


def test_a_table_of_measures_is_compared_label_by_label():
    values, subject, group = study()
    measured = pd.DataFrame({"subject": subject, "group": group, "label": "x", "area": values})
    measured.loc[3, "area"] = np.nan  # a blank map
    alone = measured.query("subject == 0 or subject == 1").assign(label="y")
    table = group_difference(pd.concat([measured, alone]), ["area"], "label", seed=3, resamples=200)
    kept = measured.dropna()
    columns = (kept["area"], kept["subject"], kept["group"], 200, 3)
    assert table.loc[0, "difference"] == compared(*columns)["difference"]
    assert table.loc[0, "p"] == permutation_difference(*columns)
    assert table.loc[1, ["label", "measure"]].tolist() == ["y", "area"]
    assert np.isnan(table.loc[1, "p"])


def test_training_runs_widen_the_interval_of_a_difference_by_what_they_share():
    values, subject, group = study()
    clip = pd.DataFrame({"clip_id": np.arange(len(values)), "subject": subject, "group": group, "label": "x"})

    def found(apart: float) -> pd.Series:
        """Five runs, each of which moves one group by so much."""
        lean = apart * np.array([-2, -1, 0, 1, 2])
        runs = [clip.assign(seed=s, value=values + one * (group == "A")) for s, one in enumerate(lean)]
        return group_difference(pd.concat(runs), ["value"], "label").loc[0]

    once = compared(values, subject, group)
    alike, apart = found(0), found(0.5)
    assert alike["difference"] == pytest.approx(once["difference"])
    assert alike["p"] == apart["p"] == once["p"]  # of the mean over runs
    assert apart["difference"].value == pytest.approx(once["difference"].value)
    grown = [one["difference"].high - one["difference"].low for one in (alike, apart)]
    # Five runs whose means spread by 0.79 add a standard error of 0.35, of Student's t with 4 degrees of freedom.
    assert grown[1] > np.hypot(grown[0], 2 * 1.96 * 0.35)
    missing = pd.concat([clip.assign(seed=s, value=values) for s in range(5)]).reset_index(drop=True)
    missing.loc[[0, 1, 2, 3], "value"] = np.nan  # blank maps of one subject in one run
    assert group_difference(missing, ["value"], "label").loc[0, "difference"].value == pytest.approx(
        once["difference"].value, abs=0.05
    )


def test_permutation_test_equals_enumeration():
    values = np.array([1.0, 2.0, 2.5, 4.0, 4.5, 6.0, 0.5])
    subjects = np.array(list("aabcdef"))
    groups = np.where(np.isin(subjects, ["a", "b", "c"]), "g", "h")
    names = np.unique(subjects)
    observed = abs(values[groups == "g"].mean() - values[groups == "h"].mean())
    extreme = []
    for chosen in itertools.combinations(names, 3):
        inside = np.isin(subjects, chosen)
        extreme.append(abs(values[inside].mean() - values[~inside].mean()) >= observed - 1e-12)
    got = permutation_difference(values, subjects, groups, 20000, 0)
    assert abs(got - np.mean(extreme)) < 0.015


def test_permutation_test_agrees_with_scipy_and_holds_its_level():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=15), rng.normal(0.9, size=15)
    values, groups = np.r_[x, y], np.repeat(["A", "B"], 15)
    expected = stats.permutation_test(
        (x, y), lambda a, b: a.mean() - b.mean(), n_resamples=4000, rng=np.random.default_rng(0)
    ).pvalue
    assert abs(permutation_difference(values, np.arange(30), groups, 4000, 0) - expected) < 0.02
    subjects = np.repeat(np.arange(20), 3)
    sides = np.repeat(np.tile(["A", "B"], 10), 3)
    p = [
        permutation_difference(rng.normal(size=20)[subjects] + rng.normal(size=60), subjects, sides, 199, i)
        for i in range(300)
    ]
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.09


def test_p_is_never_zero_and_equal_values_give_one():
    groups = np.repeat(["A", "B"], 20)
    assert permutation_difference(np.repeat([0, 9], 20), np.arange(40), groups, 99) == 0.01
    assert permutation_difference(np.full(40, 0.1), np.arange(40), groups, 99) == 1


@settings(deadline=None, max_examples=40)
@given(arrays(int, st.tuples(st.integers(2, 4), st.integers(2, 4)), elements=st.integers(1, 12)))
def test_v_is_scipys(counts):
    rows, columns = (axis.ravel() for axis in np.indices(counts.shape))
    table = pd.DataFrame(
        {"row": np.repeat(rows, counts.ravel()), "column": np.repeat(columns, counts.ravel())}
    )
    table["subject"] = np.arange(len(table)) % 7
    found = cramers_v(table, "row", "column", resamples=20)
    assert found.value == pytest.approx(association(counts, method="cramer"))
    assert 0 <= found.low <= found.high <= 1 + 1e-9


def test_v_is_one_when_columns_coincide_and_none_when_one_has_one_value():
    table = pd.DataFrame({"subject": list("abcdefgh"), "row": list("xxxxyyyy"), "column": list("ppppqqqq")})
    assert cramers_v(table, "row", "column") == pytest.approx((1, 1, 1))
    assert cramers_v(table.assign(column="p"), "row", "column") is None


def test_two_groups_are_needed():
    with pytest.raises(StudyError, match="exactly two groups"):
        permutation_difference([1, 2], ["a", "b"], ["A", "A"])
    with pytest.raises(StudyError, match="there are 1"):
        bootstrap_mean([1, 2], ["a", "a"])


def test_a_mean_over_training_runs_has_their_error_too():
    rng = np.random.default_rng(5)
    subjects = np.repeat(np.arange(80), 2)
    clips = rng.normal(size=subjects.size)
    alike = bootstrap_mean([clips] * 5, subjects)
    assert alike == pytest.approx(bootstrap_mean(clips, subjects))
    shifts = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    apart = bootstrap_mean(clips + shifts[:, None], subjects)
    assert apart.value == pytest.approx(alike.value)
    # Subjects and runs: the variances of both means are added, that of five runs with Student's t.
    width = np.hypot(alike.high - alike.low, 2 * 2.776 * shifts.std(ddof=1) / np.sqrt(5))
    assert apart.high - apart.low == pytest.approx(width, rel=0.1)


def runs_of_clips(rng, shift=0.0, subjects=12, runs=5, of_run=0.3):
    """A measure of two clips a subject in some runs, with an error of the subject, of the run, and of both."""
    error, common = rng.normal(size=subjects), of_run * rng.normal(size=runs)
    rows = [
        {
            "clip_id": f"{s}{clip}",
            "subject": f"s{s}",
            "seed": run,
            "tilt": shift + error[s] + common[run] + 0.5 * rng.normal(),
        }
        for s in range(subjects)
        for clip in range(2)
        for run in range(runs)
    ]
    return pd.DataFrame(rows)


def test_flipping_signs_agrees_with_enumeration_and_leaves_out_what_is_missing():
    values = np.array([1.0, 2.0, -0.5, 3.0, 0.5, 1.5])
    table = pd.DataFrame({"subject": list("abcdef"), "tilt": values})
    found, p = mean_against_zero(table, "tilt", 20000)
    flipped = np.array(list(itertools.product([-1, 1], repeat=6))) @ values
    assert p == pytest.approx(np.mean(np.abs(flipped) >= values.sum() - 1e-9), abs=0.01)
    assert found.value == pytest.approx(values.mean())
    more = pd.concat([table, pd.DataFrame({"subject": ["g"], "tilt": [np.nan]})])
    assert mean_against_zero(more, "tilt", 20000) == (found, p)
    with pytest.raises(StudyError, match="at least 2 subjects"):
        mean_against_zero(table.head(1), "tilt")


def test_a_mean_over_runs_covers_zero_and_its_test_holds_its_level():
    rng = np.random.default_rng(11)
    nothing = [mean_against_zero(runs_of_clips(rng), "tilt", 300, seed) for seed in range(300)]
    assert 0.92 <= np.mean([found.side == 0 for found, _ in nothing]) <= 0.98
    assert 0.02 <= np.mean([p <= 0.05 for _, p in nothing]) <= 0.09
    there = [mean_against_zero(runs_of_clips(rng, 1.5), "tilt", 300, seed) for seed in range(20)]
    assert np.mean([found.side == 1 and p <= 0.05 for found, p in there]) > 0.9
    one = runs_of_clips(rng, runs=1)
    assert mean_against_zero(one, "tilt")[0] == bootstrap_mean(one["tilt"], one["subject"])


def test_a_side_without_a_clip_in_a_run_says_nothing_of_that_run():
    sums, counts, first = np.random.default_rng(5).normal(size=(2, 6)), np.ones((2, 6)), np.arange(6) < 3
    sums[1, 1:] = counts[1, 1:] = 0  # one subject alone: there is no difference, however groups are dealt
    once = means._permuted(sums[:1], counts[:1], first, 500, 0)
    assert means._permuted(sums, counts, first, 500, 0) == once
