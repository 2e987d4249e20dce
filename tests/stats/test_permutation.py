"""The paired permutation test against enumeration and against SciPy; its symmetry and its errors."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats import bootstrap as statistics
from ethnicmer_lib.stats import permutation, scores

LABELS = ("Negative", "Positive", "Surprise")


def pair(subjects: int, clips: int, seed: int = 0, skills: tuple[float, float] = (0.7, 0.4)):
    rng = np.random.default_rng(seed)
    n = subjects * clips
    truth = rng.choice(LABELS, n)
    tables = []
    for skill in skills:
        guess = np.where(rng.random(n) < skill, truth, rng.choice(LABELS, n))
        tables.append(
            pd.DataFrame(
                {
                    "clip_id": [f"c{i:03d}" for i in range(n)],
                    "subject": np.repeat([f"s{i}" for i in range(subjects)], clips),
                    "label": truth,
                    "predicted": guess,
                }
            )
        )
    return tables


def macro(truth, guess) -> float:
    """Macro F1 of codes; thousands of calls, for which scikit-learn's is too slow."""
    confusion = np.bincount(3 * truth + guess, minlength=9).reshape(3, 3)
    return float(np.nan_to_num(scores.class_f1(confusion)).mean())


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
    assert abs(permutation.permutation_paired(a, b, LABELS, 20000) - exact) < 0.012


def test_with_one_clip_a_subject_it_is_scipys_test_of_paired_samples():
    a, b = pair(11, 1, seed=5, skills=(0.9, 0.3))
    truth, guesses = codes(a["label"]), tuple(codes(t["predicted"]) for t in (a, b))

    def difference(x, y):
        return macro(truth, x) - macro(truth, y)

    exact = stats.permutation_test(
        guesses, difference, permutation_type="samples", vectorized=False, n_resamples=np.inf
    ).pvalue
    assert abs(permutation.permutation_paired(a, b, LABELS, 20000) - exact) < 0.012


def test_alike_methods_give_one_and_order_and_rows_do_not_matter():
    a, b = pair(12, 5)
    assert permutation.permutation_paired(a, a, LABELS, 99) == 1
    p = permutation.permutation_paired(a, b, LABELS, 999, seed=4)
    assert p == permutation.permutation_paired(b, a, LABELS, 999, seed=4)
    assert p == permutation.permutation_paired(a.sample(frac=1, random_state=0), b, LABELS, 999, seed=4)
    assert p == statistics.permutation_paired(a, b, LABELS, 999, seed=4)


def test_a_clear_difference_is_found_and_the_interval_agrees():
    a, b = pair(40, 6, skills=(0.9, 0.3))
    assert permutation.permutation_paired(a, b, LABELS, 999) == 0.001
    assert statistics.paired_difference(a, b, LABELS).side == 1


def test_repetitions_are_swapped_together_and_averaged():
    a, b = pair(9, 4)
    both = [pd.concat([t.assign(seed=0), t.assign(seed=1)]) for t in (a, b)]
    assert permutation.permutation_paired(*both, LABELS, 999, repeat="seed") == pytest.approx(
        permutation.permutation_paired(a, b, LABELS, 999)
    )
    with pytest.raises(StudyError, match="2 and 1 repetitions"):
        permutation.permutation_paired(both[0], b.assign(seed=0), LABELS, 99, repeat="seed")


def test_tables_and_matrices_give_the_same():
    a, b = pair(9, 4)
    sides = scores.paired_confusions(a, b, LABELS)
    assert permutation.swap_test(*sides, 500, 1) == permutation.permutation_paired(a, b, LABELS, 500, 1)
    assert statistics.difference_interval(*sides, 500, 1) == statistics.paired_difference(
        a, b, LABELS, 500, 1
    )
    assert statistics.f1_intervals(sides[0], LABELS, 500, 1) == statistics.bootstrap_f1(a, LABELS, 500, 1)


def test_unlike_clips_are_refused():
    a, b = pair(5, 3)
    with pytest.raises(StudyError, match="clip c000 is not in both"):
        permutation.permutation_paired(a, b.iloc[1:], LABELS)
    with pytest.raises(StudyError, match="empty"):
        permutation.permutation_paired(a, b.iloc[:0], LABELS)
