"""Scores against scikit-learn, intervals against theory and brute force, tests against enumeration."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats import bootstrap as statistics
from ethnicmer_lib.stats import scores

LABELS = ("Negative", "Positive", "Surprise")


def predictions(n: int, seed: int = 0, subjects: int = 12, skill: float = 0.6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = rng.choice(LABELS, n, p=[0.6, 0.25, 0.15])
    guess = np.where(rng.random(n) < skill, truth, rng.choice(LABELS, n))
    return pd.DataFrame(
        {
            "clip_id": [f"c{i:03d}" for i in range(n)],
            "subject": [f"s{i:02d}" for i in rng.integers(0, subjects, n)],
            "label": truth.astype(object),
            "predicted": guess.astype(object),
        }
    )


tables = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from(LABELS), min_size=n, max_size=n),
        st.lists(st.sampled_from(LABELS), min_size=n, max_size=n),
        st.lists(st.sampled_from(["s0", "s1", "s2"]), min_size=n, max_size=n),
    )
).map(lambda t: pd.DataFrame({"label": t[0], "predicted": t[1], "subject": t[2]}))  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(tables)
def test_scores_equal_scikit_learn(table):
    truth, guess = table["label"], table["predicted"]
    expected = f1_score(truth, guess, labels=LABELS, average=None, zero_division=0)
    assert np.allclose(list(scores.f1_per_class(table, LABELS).values()), expected)
    assert np.isclose(scores.macro_f1(table, LABELS), expected.mean())
    present = sorted(set(truth))
    recalls = np.diag(confusion_matrix(truth, guess, labels=LABELS))[[LABELS.index(n) for n in present]]
    recalls = recalls / [(truth == n).sum() for n in present]
    assert np.isclose(scores.unweighted_average_recall(table, LABELS), recalls.mean())
    subjects, confusions = scores.subject_confusions(table, LABELS)
    assert subjects == sorted(set(table["subject"]))
    assert np.array_equal(confusions.sum(0), confusion_matrix(truth, guess, labels=LABELS))


def test_uar_equals_balanced_accuracy():
    table = predictions(200)
    expected = balanced_accuracy_score(table["label"], table["predicted"])
    assert np.isclose(scores.unweighted_average_recall(table, LABELS), expected)


def test_bootstrap_equals_resampling_rows_of_subjects():
    table = predictions(90, subjects=8)
    names, n = sorted(table["subject"].unique()), 50
    weights = statistics.subject_weights(len(names), n, np.random.default_rng([3, n]))
    brute = []
    for row in weights.astype(int):
        drawn = pd.concat(
            [table[table["subject"] == s] for s, w in zip(names, row, strict=True) for _ in range(w)]
        )
        brute.append(f1_score(drawn["label"], drawn["predicted"], labels=LABELS, average="macro"))
    estimate = statistics.bootstrap_f1(table, LABELS, n, seed=3)["macro"]
    effective = statistics.effective_subjects(table.groupby("subject").size())
    expected = statistics.interval(scores.macro_f1(table, LABELS), np.array(brute), subjects=effective)
    assert np.allclose(estimate, expected)


def test_bootstrap_repeats_with_its_seed_and_averages_repetitions():
    a, b = predictions(120, 1).assign(seed=0), predictions(120, 1, skill=0.3).assign(seed=1)
    b["subject"] = a["subject"]
    both = pd.concat([a, b])
    one = statistics.bootstrap_f1(both, LABELS, 300, 5, repeat="seed")
    assert one == statistics.bootstrap_f1(both, LABELS, 300, 5, repeat="seed")
    assert one != statistics.bootstrap_f1(both, LABELS, 300, 6, repeat="seed")
    assert list(one) == [*LABELS, "macro", "UAR"]
    means = [scores.macro_f1(part, LABELS) for part in (a, b)]
    assert np.isclose(one["macro"].value, np.mean(means))
    for estimate in one.values():
        assert estimate.low <= estimate.value <= estimate.high


def test_a_class_that_is_absent_everywhere_scores_zero_and_one_that_drops_out_is_left_out():
    table = pd.DataFrame({"subject": list("aabbcc"), "label": ["Negative"] * 5 + ["Positive"]})
    table["predicted"] = table["label"]
    got = statistics.bootstrap_f1(table, LABELS, 400, 0)
    assert got["Surprise"] == (0, 0, 0)
    assert got["Positive"] == (1, 1, 1)
    assert got["macro"] == pytest.approx((2 / 3,) * 3)


def test_interval_of_a_mean_agrees_with_theory():
    rng = np.random.default_rng(0)
    effects = rng.normal(size=80)
    subjects = np.repeat(np.arange(80), 4)
    values = effects[subjects] + rng.normal(0, 0.3, 320)
    got = statistics.bootstrap_mean(values, subjects, 4000, 1)
    means = values.reshape(80, 4).mean(1)
    assert np.isclose(got.value, values.mean())
    assert np.isclose(got.high - got.low, 2 * 1.96 * means.std() / np.sqrt(80), rtol=0.06)
    # Clips as if they were independent would claim half the width.
    wrong = statistics.bootstrap_mean(values, np.arange(320), 4000, 1)
    assert (wrong.high - wrong.low) < 0.65 * (got.high - got.low)


def test_interval_of_macro_f1_covers_the_truth():
    rng = np.random.default_rng(4)
    labels, hits, studies, subjects, clips = ("x", "y"), 0, 120, 40, 5
    for study in range(studies):
        truth = np.repeat(np.arange(subjects) % 2, clips)
        wrong = rng.random(subjects * clips) < np.repeat(rng.choice([0.1, 0.5], subjects), clips)
        table = pd.DataFrame({"subject": np.repeat(np.arange(subjects).astype(str), clips)})
        table["label"] = np.take(labels, truth)
        table["predicted"] = np.take(labels, np.where(wrong, 1 - truth, truth))
        got = statistics.bootstrap_f1(table, labels, 300, study)["macro"]
        hits += got.low <= 0.7 <= got.high  # each class has 30 % errors, so F1 = .7
    assert 0.88 <= hits / studies <= 0.99


def test_paired_difference_is_antisymmetric_and_narrower_than_unpaired():
    a = predictions(200, 2, subjects=20)
    b = a.copy()
    b.loc[::9, "predicted"] = "Surprise"
    forth, back = (statistics.paired_difference(*pair, LABELS, 1000, 0) for pair in ((a, b), (b, a)))
    assert np.allclose(forth, [-back.value, -back.high, -back.low])
    assert np.isclose(forth.value, scores.macro_f1(a, LABELS) - scores.macro_f1(b, LABELS))
    assert statistics.paired_difference(a, a, LABELS, 100, 0) == (0, 0, 0)
    single = [statistics.bootstrap_f1(t, LABELS, 1000, 0)["macro"] for t in (a, b)]
    assert forth.high - forth.low < np.hypot(*[s.high - s.low for s in single])
    assert np.allclose(
        statistics.paired_difference(a.sample(frac=1, random_state=1), b, LABELS, 1000, 0), forth
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
    got = statistics.permutation_difference(values, subjects, groups, 20000, 0)
    assert abs(got - np.mean(extreme)) < 0.015


def test_permutation_test_agrees_with_scipy_and_holds_its_level():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=15), rng.normal(0.9, size=15)
    values, groups = np.r_[x, y], np.repeat(["A", "B"], 15)
    expected = stats.permutation_test(
        (x, y), lambda a, b: a.mean() - b.mean(), n_resamples=4000, rng=np.random.default_rng(0)
    ).pvalue
    assert abs(statistics.permutation_difference(values, np.arange(30), groups, 4000, 0) - expected) < 0.02
    subjects = np.repeat(np.arange(20), 3)
    sides = np.repeat(np.tile(["A", "B"], 10), 3)
    p = [
        statistics.permutation_difference(
            rng.normal(size=20)[subjects] + rng.normal(size=60), subjects, sides, 199, i
        )
        for i in range(300)
    ]
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.09


def test_p_is_never_zero_and_equal_values_give_one():
    groups = np.repeat(["A", "B"], 20)
    assert statistics.permutation_difference(np.repeat([0, 9], 20), np.arange(40), groups, 99) == 0.01
    assert statistics.permutation_difference(np.full(40, 0.1), np.arange(40), groups, 99) == 1


def test_strata_keep_their_size():
    strata = np.array(list("aaabbbbb"))
    weights = statistics.subject_weights(8, 200, np.random.default_rng(0), strata)
    assert (weights[:, strata == "a"].sum(1) == 3).all()
    assert (weights[:, strata == "b"].sum(1) == 5).all()


def test_an_estimate_knows_its_side_and_prints():
    assert [statistics.Estimate(0, *ends).side for ends in ((-1, 1), (0.1, 1), (-1, -0.1), (0, 1))] == [
        0,
        1,
        -1,
        0,
    ]
    assert str(statistics.Estimate(0.12345, -0.1, 0.5)) == "0.123 [-0.100, 0.500]"


def altered(row, column, value):
    table = predictions(20)
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: scores.macro_f1(predictions(5).iloc[:0], LABELS), "empty"),
        (lambda: scores.macro_f1(altered(3, "predicted", "Joy"), LABELS), "clip c003: predicted 'Joy'"),
        (lambda: statistics.bootstrap_f1(predictions(5, subjects=1), LABELS), "there are 1"),
        (
            lambda: statistics.paired_difference(predictions(20), altered(3, "label", "?"), LABELS),
            "clip c003",
        ),
        (
            lambda: statistics.paired_difference(
                pd.concat([predictions(20), predictions(1)]), predictions(20), LABELS
            ),
            "clip c000 is predicted 2 times",
        ),
        (lambda: statistics.bootstrap_mean([1.0, np.nan], ["a", "b"]), "value 1 .subject b. is nan"),
        (lambda: statistics.bootstrap_mean([1.0], ["a", "b"]), "one of each per clip"),
        (lambda: statistics.permutation_difference([1, 2], ["a", "b"], ["A", "A"]), "exactly two groups"),
        (
            lambda: statistics.permutation_difference([1, 2, 3], list("aab"), list("ABB")),
            "subject a is in both",
        ),
        (lambda: statistics.permutation_difference([1, 2], ["a", "b"], ["A"]), "give one per clip"),
        (lambda: statistics.interval(0.5, np.array([np.nan])), "no bootstrap resample"),
    ],
)
def test_bad_input_names_what_is_wrong(call, says):
    with pytest.raises(StudyError, match=says):
        call()
