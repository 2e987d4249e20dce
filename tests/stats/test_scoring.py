"""Scores against scikit-learn, their intervals against brute force."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats import difference, macro_f1, scores
from ethnicmer_lib.stats.confusions import confusions, paired_confusions
from ethnicmer_lib.stats.intervals import Estimate, effective_subjects, interval, subject_weights
from ethnicmer_lib.stats.scoring import difference_interval, f1_intervals

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


def paired(a, b, n=1000, seed=0):
    return difference_interval(*paired_confusions(a, b, LABELS), n, seed)


@settings(deadline=None, max_examples=80)
@given(tables)
def test_scores_equal_scikit_learn(table):
    truth, guess = table["label"], table["predicted"]
    expected = f1_score(truth, guess, labels=LABELS, average=None, zero_division=0)
    found = scores(table, None, labels=LABELS).iloc[0]
    assert np.allclose(found[list(LABELS)], expected)
    assert np.isclose(found["macro"], expected.mean())
    present = sorted(set(truth))
    recalls = np.diag(confusion_matrix(truth, guess, labels=LABELS))[[LABELS.index(n) for n in present]]
    recalls = recalls / [(truth == n).sum() for n in present]
    assert np.isclose(found["uar"], recalls.mean())
    assert np.array_equal(confusions(table, LABELS)[0].sum(0), confusion_matrix(truth, guess, labels=LABELS))


def test_uar_equals_balanced_accuracy():
    table = predictions(200)
    expected = balanced_accuracy_score(table["label"], table["predicted"])
    assert np.isclose(scores(table, None)["uar"][0], expected)


def test_arms_draws_and_seeds_are_scored_apart_and_seeds_averaged():
    parts = [
        predictions(60, seed).assign(arm=arm, draw=draw, seed=seed % 2)
        for seed, (arm, draw) in enumerate([("b", 0), ("b", 0), ("a", 0), ("a", 0), ("a", 1), ("a", 1)])
    ]
    every = pd.concat(parts)
    found = scores(every, ["arm", "draw"])
    assert found.index.tolist() == [("b", 0), ("a", 0), ("a", 1)]
    assert np.isclose(found.loc[("a", 1), "macro"], np.mean([macro_f1(part, LABELS) for part in parts[4:]]))
    ends = scores(every, ["arm", "draw"], interval=True, resamples=100)
    assert ends.index.equals(found.index)
    assert np.allclose(ends.map(lambda estimate: estimate.value), found)
    assert scores(every, "seed").index.tolist() == [0, 1]
    assert np.isclose(
        scores(every, None, interval=True, resamples=50)["uar"][0].value, scores(every, None)["uar"][0]
    )


def test_bootstrap_equals_resampling_rows_of_subjects():
    table = predictions(90, subjects=8)
    names, n = sorted(table["subject"].unique()), 50
    weights = subject_weights(len(names), n, np.random.default_rng([3, n]))
    brute = []
    for row in weights[1:].astype(int):
        drawn = pd.concat(
            [table[table["subject"] == s] for s, w in zip(names, row, strict=True) for _ in range(w)]
        )
        brute.append(f1_score(drawn["label"], drawn["predicted"], labels=LABELS, average="macro"))
    estimate = scores(table, None, True, 3, n)["macro"][0]
    effective = effective_subjects(table.groupby("subject").size())
    expected = interval(np.array([macro_f1(table, LABELS), *brute]), subjects=effective)
    assert np.allclose(estimate, expected)


def test_intervals_repeat_with_their_seed_and_average_repetitions():
    a, b = predictions(120, 1).assign(seed=0), predictions(120, 1, skill=0.3).assign(seed=1)
    b["subject"] = a["subject"]
    one, again, other = (scores(pd.concat([a, b]), None, True, seed, 300).iloc[0] for seed in (5, 5, 6))
    assert one.equals(again)
    assert not one.equals(other)
    assert list(one.index) == [*LABELS, "macro", "uar"]
    assert np.isclose(one["macro"].value, np.mean([macro_f1(part, LABELS) for part in (a, b)]))
    for estimate in one:
        assert estimate.low <= estimate.value <= estimate.high


def test_a_class_that_is_absent_everywhere_scores_zero_and_one_that_drops_out_is_left_out():
    table = pd.DataFrame({"subject": list("aabbcc"), "label": ["Negative"] * 5 + ["Positive"]})
    table["predicted"] = table["label"]
    got = f1_intervals(confusions(table, LABELS), LABELS, 400)
    assert got["Surprise"] == (0, 0, 0)
    assert got["Positive"] == (1, 1, 1)
    assert got["macro"] == pytest.approx((2 / 3,) * 3)


def test_interval_of_macro_f1_covers_the_truth():
    rng = np.random.default_rng(4)
    labels, hits, studies, subjects, clips = ("x", "y"), 0, 120, 40, 5
    for study in range(studies):
        truth = np.repeat(np.arange(subjects) % 2, clips)
        wrong = rng.random(subjects * clips) < np.repeat(rng.choice([0.1, 0.5], subjects), clips)
        table = pd.DataFrame({"subject": np.repeat(np.arange(subjects).astype(str), clips)})
        table["label"] = np.take(labels, truth)
        table["predicted"] = np.take(labels, np.where(wrong, 1 - truth, truth))
        got = f1_intervals(confusions(table, labels), labels, 300, study)["macro"]
        hits += got.low <= 0.7 <= got.high  # each class has 30 % errors, so F1 = .7
    assert 0.88 <= hits / studies <= 0.99


def test_paired_difference_is_antisymmetric_and_narrower_than_unpaired():
    a = predictions(200, 2, subjects=20)
    b = a.copy()
    b.loc[::9, "predicted"] = "Surprise"
    forth, back = paired(a, b), paired(b, a)
    assert np.allclose(forth, [-back.value, -back.high, -back.low])
    assert np.isclose(forth.value, macro_f1(a, LABELS) - macro_f1(b, LABELS))
    assert paired(a, a) == (0, 0, 0)
    single = [scores(t, None, True, 0, 1000)["macro"][0] for t in (a, b)]
    assert forth.high - forth.low < np.hypot(*[s.high - s.low for s in single])
    assert np.allclose(paired(a.sample(frac=1, random_state=1), b), forth)
    table = pd.concat([a.assign(arm="a"), b.assign(arm="b")])
    assert difference(table, [("a", "b")], resamples=1000)["difference"][0] == forth


def test_strata_keep_their_size():
    strata = np.array(list("aaabbbbb"))
    weights = subject_weights(8, 200, np.random.default_rng(0), strata)
    assert (weights[:, strata == "a"].sum(1) == 3).all()
    assert (weights[:, strata == "b"].sum(1) == 5).all()


def test_an_estimate_knows_its_side_and_prints():
    assert [Estimate(0, *ends).side for ends in ((-1, 1), (0.1, 1), (-1, -0.1), (0, 1))] == [
        0,
        1,
        -1,
        0,
    ]
    assert str(Estimate(0.12345, -0.1, 0.5)) == "0.123 [-0.100, 0.500]"


def altered(row, column, value):
    table = predictions(20)
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: macro_f1(predictions(5).iloc[:0], LABELS), "empty"),
        (lambda: macro_f1(altered(3, "predicted", "Joy"), LABELS), "clip c003: predicted 'Joy'"),
        (lambda: scores(predictions(5, subjects=1), None, True), "there are 1"),
        (lambda: paired(predictions(20), altered(3, "label", "?")), "clip c003"),
        (lambda: paired(predictions(20), predictions(20).iloc[1:]), r"clip c000 .* not in both"),
        (
            lambda: paired(pd.concat([predictions(20), predictions(1)]), predictions(20)),
            r"clip c000 .* equally often",
        ),
        (lambda: interval(np.array([0.5, np.nan]), subjects=2), "no bootstrap resample"),
    ],
)
def test_bad_input_names_what_is_wrong(call, says):
    with pytest.raises(StudyError, match=says):
        call()
