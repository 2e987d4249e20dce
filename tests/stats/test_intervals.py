"""Weights of resamples, the effective number of subjects, and the ends of an interval."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats import bootstrap_mean, intervals


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 40), min_size=2, max_size=60).filter(any), st.integers(1, 9))
def test_the_effective_number_lies_between_one_and_the_number_of_subjects(clips, factor):
    found = intervals.effective_subjects(clips)
    assert 1 <= found <= np.count_nonzero(clips) + 1e-9
    assert found == pytest.approx(intervals.effective_subjects(np.multiply(clips, factor)))
    assert intervals.effective_subjects([3] * len(clips)) == pytest.approx(len(clips))


def test_the_tail_is_the_formula_of_its_source():
    for n in (2, 16, 53.5):
        t = stats.t(n - 1).ppf(0.025)
        expected = stats.norm.cdf(np.sqrt(n / (n - 1)) * t)
        assert intervals.tail_probability(subjects=n) == pytest.approx(expected)
    assert intervals.tail_probability(subjects=1e9) == pytest.approx(0.025, abs=1e-6)
    few, many = (intervals.tail_probability(subjects=n) for n in (8, 80))
    assert few < many < 0.025


def test_a_plain_interval_is_that_of_scipy():
    values = np.random.default_rng(0).gamma(2, size=40)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    weights = intervals.subject_weights(40, 20000, np.random.default_rng(2))
    found = intervals.interval(weights @ values / 40, subjects=1e9)
    assert found[1:] == pytest.approx(expected, rel=0.01)
    wider = bootstrap_mean(values, np.arange(40), 20000)
    assert wider.low < found.low < found.high < wider.high


def test_a_widened_interval_of_a_mean_is_near_students():
    """Equal clusters and a mean: the case for which Student's interval is the textbook's."""
    values = np.random.default_rng(3).normal(size=12)
    found = bootstrap_mean(values, np.arange(12), 40000)
    student = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert found[1:] == pytest.approx(student, abs=0.06 * (student[1] - student[0]))


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 70), st.integers(0, 1000))
def test_every_resample_has_as_many_subjects_as_there_are(subjects, seed):
    weights = intervals.subject_weights(subjects, 30, np.random.default_rng(seed))
    assert weights.shape == (31, subjects)
    assert (weights[0] == 1).all()
    assert (weights.sum(1) == subjects).all()
    assert (weights >= 0).all()


def test_subjects_are_drawn_equally_often():
    weights = intervals.subject_weights(10, 20000, np.random.default_rng(0))
    assert np.allclose(weights.mean(0), 1, atol=0.04)
    assert np.allclose(weights.var(0), 0.9, atol=0.05)  # binomial: n · 1/n · (1 - 1/n)


def test_one_subject_has_no_interval():
    with pytest.raises(StudyError, match="there are 1"):
        intervals.subject_weights(1, 10, np.random.default_rng(0))
    with pytest.raises(StudyError, match="at least 2 subjects need clips"):
        intervals.interval(np.ones(5), subjects=1.0)
