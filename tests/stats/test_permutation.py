"""The swap test against enumeration and against SciPy; Holm's adjustment against its definition."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats import difference, holm, permutation
from ethnicmer_lib.stats.confusions import class_f1, paired_confusions

LABELS = ("Negative", "Positive", "Surprise")


def pair(subjects: int, clips: int, seed: int = 0, skills: tuple[float, float] = (0.7, 0.4)):
    rng = np.random.default_rng(seed)
    n = subjects * clips
    about = {
        "clip_id": [f"c{i:03d}" for i in range(n)],
        "subject": np.repeat([f"s{i}" for i in range(subjects)], clips),
        "label": rng.choice(LABELS, n),
    }
    guesses = [np.where(rng.random(n) < skill, about["label"], rng.choice(LABELS, n)) for skill in skills]
    return [pd.DataFrame(about | {"predicted": guess}) for guess in guesses]


def swap_test(a, b, n, seed=0):
    return permutation.swap_test(*paired_confusions(a, b, LABELS), n, seed)


def macro(truth, guess) -> float:
    """Macro F1 of codes; thousands of calls, for which scikit-learn's is too slow."""
    confusion = np.bincount(3 * truth + guess, minlength=9).reshape(3, 3)
    return float(np.nan_to_num(class_f1(confusion)).mean())


def codes(values) -> np.ndarray:
    return pd.Categorical(values, LABELS).codes.astype(int)


def test_it_equals_the_enumeration_of_all_swaps():
    a, b = pair(7, 4)
    names, truth = a["subject"].unique(), codes(a["label"])
    first, second = codes(a["predicted"]), codes(b["predicted"])
    differences = []
    for swapped in itertools.product([False, True], repeat=len(names)):
        inside = np.isin(a["subject"], names[list(swapped)])
        one, other = np.where(inside, second, first), np.where(inside, first, second)
        differences.append(macro(truth, one) - macro(truth, other))
    exact = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12)
    assert 0.02 < exact < 0.6
    assert abs(swap_test(a, b, 20000) - exact) < 0.012


def test_with_one_clip_a_subject_it_is_scipys_test_of_paired_samples():
    a, b = pair(11, 1, seed=5, skills=(0.9, 0.3))
    truth, guesses = codes(a["label"]), tuple(codes(t["predicted"]) for t in (a, b))
    exact = stats.permutation_test(
        guesses, lambda x, y: macro(truth, x) - macro(truth, y), permutation_type="samples", vectorized=False,
        n_resamples=np.inf,
    ).pvalue  # fmt: skip
    assert abs(swap_test(a, b, 20000) - exact) < 0.012


def test_alike_methods_give_one_and_order_and_rows_do_not_matter():
    a, b = pair(12, 5)
    assert swap_test(a, a, 99) == 1
    p = swap_test(a, b, 999, 4)
    assert p == swap_test(b, a, 999, 4) == swap_test(a.sample(frac=1, random_state=0), b, 999, 4)


def test_a_clear_difference_is_found_and_the_interval_agrees():
    a, b = pair(40, 6, skills=(0.9, 0.3))
    found = difference(
        pd.concat([a.assign(arm="a"), b.assign(arm="b")]), [("a", "b"), ("a", "c")], resamples=999
    )
    assert found[["a", "b"]].to_numpy().tolist() == [["a", "b"]]
    assert found["p"][0] == 0.001
    assert found["difference"][0].side == 1


def test_repetitions_are_swapped_together_and_one_stands_for_any_number():
    a, b = pair(9, 4)
    both = [pd.concat([t.assign(seed=0), t.assign(seed=1)]) for t in (a, b)]
    once = swap_test(a, b, 999)
    assert swap_test(*both, 999) == pytest.approx(once)
    assert swap_test(both[0], b.assign(seed=0), 999) == pytest.approx(once)
    three = pd.concat([b.assign(seed=seed) for seed in range(3)])
    with pytest.raises(StudyError, match="2 and 3 repetitions"):
        swap_test(both[0], three, 99)


def test_holm_by_hand_and_with_a_test_that_was_not_made():
    table = pd.DataFrame({"what": list("abcde"), "p": [0.04, 0.01, np.nan, 0.03, 0.03]})
    assert holm(table)["p_holm"].tolist() == pytest.approx([0.09, 0.04, np.nan, 0.09, 0.09], nan_ok=True)
    assert holm(table.iloc[:0])["p_holm"].tolist() == []


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_p_value_and_bonferronis(p):
    found = holm(pd.DataFrame({"p": p}))
    assert (found["p_holm"] >= found["p"] - 1e-12).all()
    assert (found["p_holm"] <= np.minimum(1, len(p) * found["p"]) + 1e-12).all()
    order = found.sort_values("p", kind="stable")["p_holm"]
    assert order.is_monotonic_increasing


def test_holm_keeps_the_chance_of_any_false_rejection():
    p = np.random.default_rng(0).random((400, 6))
    wrong = [(holm(pd.DataFrame({"p": family}))["p_holm"] <= 0.05).any() for family in p]
    assert np.mean(wrong) < 0.075
