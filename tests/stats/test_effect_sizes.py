"""Effect sizes against SciPy and textbook cases; their intervals against resampling rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.stats.contingency import association

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats import effect_sizes, intervals


def study(seed: int = 0, subjects: int = 20, clips: int = 4, shift: float = 1.0):
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), clips)
    group = np.where(subject % 3 == 0, "A", "B")
    values = rng.normal(size=subjects)[subject] + rng.normal(size=len(subject)) + shift * (group == "A")
    return np.round(values, 1), subject, group


def test_cliffs_delta_is_that_of_the_mann_whitney_statistic():
    values, subject, group = study()
    x, y = values[group == "A"], values[group == "B"]
    u = stats.mannwhitneyu(x, y).statistic
    found = effect_sizes.cliffs_delta(values, subject, group, 300)
    assert found.value == pytest.approx(2 * u / (len(x) * len(y)) - 1)
    assert found.low < found.value < found.high
    mirrored = effect_sizes.cliffs_delta(-values, subject, group, 300)
    assert mirrored == pytest.approx((-found.value, -found.high, -found.low))


def test_cliffs_delta_is_one_when_nothing_overlaps():
    found = effect_sizes.cliffs_delta([5, 6, 7, 1, 2, 3], list("aabccd"), list("AAABBB"), 50)
    assert found == (1, 1, 1)


def test_its_interval_is_that_of_resampled_rows():
    values, subject, group = study(1, subjects=9)
    n = 40
    weights = intervals.subject_weights(9, n, np.random.default_rng([2, n]), strata=np.arange(9) % 3 == 0)
    # Names are sorted as text, which is the order of one-digit numbers.
    brute = []
    for row in weights.astype(int):
        drawn = np.concatenate([np.flatnonzero(subject == s) for s in range(9) for _ in range(row[s])])
        x, y = (values[drawn][group[drawn] == name] for name in "AB")
        brute.append(np.sign(x[:, None] - y[None]).mean())
    found = effect_sizes.cliffs_delta(values, subject, group, n, 2)
    assert found == pytest.approx(intervals.interval(found.value, np.array(brute), subjects=3))


def test_shares_are_compared_by_difference_and_by_cohens_h():
    events = np.array([1, 1, 1, 0, 1, 0, 0, 0])
    found = effect_sizes.compare_proportions(events, list("aabbccdd"), list("AAAABBBB"), 400)
    assert found.risk_difference.value == pytest.approx(0.75 - 0.25)
    assert found.cohens_h.value == pytest.approx(np.pi / 3)  # asin(sqrt(3/4)) = pi/3, asin(sqrt(1/4)) = pi/6
    for one in found:
        assert one.low <= one.value <= one.high
    assert -1 <= found.risk_difference.low <= found.risk_difference.high <= 1


def test_means_are_compared_within_the_same_resamples_as_shares():
    events = np.random.default_rng(1).random(80) < 0.4
    _, subject, group = study()
    shares = effect_sizes.compare_proportions(events, subject, group, 300, 1).risk_difference
    assert effect_sizes.mean_difference(events, subject, group, 300, 1) == pytest.approx(shares)
    values, *_ = study()
    found = effect_sizes.mean_difference(values, subject, group, 2000)
    means = [values[group == name].mean() for name in "AB"]
    assert found.value == pytest.approx(means[0] - means[1])
    # With one clip a subject and large groups: Welch's interval, up to the careful choice of the smaller group.
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=60), rng.normal(0.5, size=90)
    welch = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    ours = effect_sizes.mean_difference(np.r_[x, y], np.arange(150), np.repeat(["A", "B"], [60, 90]), 20000)
    assert ours[1:] == pytest.approx((welch.low, welch.high), abs=0.02)


def test_a_large_difference_of_shares_excludes_zero_and_none_does_not():
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(40), 5)
    group = np.where(subject < 20, "A", "B")
    clear = effect_sizes.compare_proportions(
        rng.random(200) < np.where(group == "A", 0.8, 0.2), subject, group
    )
    none = effect_sizes.compare_proportions(rng.random(200) < 0.5, subject, group)
    assert clear.risk_difference.side == clear.cohens_h.side == 1
    assert none.risk_difference.side == none.cohens_h.side == 0


@settings(deadline=None, max_examples=60)
@given(arrays(int, st.tuples(st.integers(2, 4), st.integers(2, 4)), elements=st.integers(1, 30)))
def test_v_is_scipys_and_the_correction_takes_away(counts):
    plain, corrected = (effect_sizes.cramers_v(counts, corrected=c) for c in (False, True))
    assert plain == pytest.approx(association(counts, method="cramer"))
    assert 0 <= corrected <= 1
    assert plain <= 1 + 1e-9
    # Bergsma (2013) written out once more, from chi².
    rows, columns = counts.shape
    n = counts.sum()
    phi2 = stats.chi2_contingency(counts, correction=False).statistic / n
    r, c = (k - (k - 1) ** 2 / (n - 1) for k in counts.shape)
    expected = np.sqrt(max(0, phi2 - (rows - 1) * (columns - 1) / (n - 1)) / (min(r, c) - 1))
    assert corrected == pytest.approx(expected, abs=1e-9)


def test_without_association_the_corrected_v_is_near_zero_where_the_plain_one_is_not():
    rng = np.random.default_rng(0)
    counts = rng.multinomial(60, np.full(12, 1 / 12), size=500).reshape(500, 3, 4)
    counts = counts[(counts.sum(1) > 0).all(1) & (counts.sum(2) > 0).all(1)]
    plain, corrected = (effect_sizes.cramers_v(counts, corrected=c).mean() for c in (False, True))
    assert plain > 0.2
    assert corrected < 0.08
    assert np.isnan(effect_sizes.cramers_v([[3, 0], [4, 0]]))
    assert effect_sizes.cramers_v([[30, 0], [0, 20]]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: effect_sizes.compare_proportions([0, 2], list("ab"), list("AB")), "event 1 is 2"),
        (
            lambda: effect_sizes.compare_proportions([0, 1, 1], list("abc"), list("ABB")),
            "at least 2 subjects",
        ),
        (lambda: effect_sizes.cliffs_delta([0, 1, 1], list("aab"), list("ABB")), "subject a is in both"),
        (lambda: effect_sizes.cramers_v([1, 2]), "two rows"),
        (lambda: effect_sizes.cramers_v([[1, -2], [3, 4]]), "negative count"),
    ],
)
def test_bad_input_names_what_is_wrong(call, says):
    with pytest.raises(StudyError, match=says):
        call()
