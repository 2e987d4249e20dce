"""Adjusted p-values: cases worked by hand, and what must hold for any family."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats import multiplicity

families = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_cases_worked_by_hand():
    # Sorted: .01 .02 .03 .04; Holm: 4·.01, 3·.02, 2·.03, then .06 stays; BH: 4·.01/1, 4·.02/2, ... all .04.
    p = [0.04, 0.01, 0.03, 0.02]
    assert multiplicity.holm(p) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert multiplicity.benjamini_hochberg(p) == pytest.approx([0.04, 0.04, 0.04, 0.04])
    # One clear finding among five: Holm 5·.001, 4·.2, then 1; BH 5·.001, 5·.2/2, ...
    p = [0.001, 0.2, 0.5, 0.6, 0.9]
    assert multiplicity.holm(p) == pytest.approx([0.005, 0.8, 1, 1, 1])
    assert multiplicity.benjamini_hochberg(p) == pytest.approx([0.005, 0.5, 0.75, 0.75, 0.9])


@settings(deadline=None, max_examples=80)
@given(families)
def test_adjusted_values_are_never_smaller_and_keep_the_order(p):
    holm, bh = multiplicity.holm(p), multiplicity.benjamini_hochberg(p)
    p = np.asarray(p)
    assert (holm >= p).all()
    assert (bh >= p - 1e-12).all()
    assert (holm >= bh - 1e-12).all()
    assert (holm <= min(1, len(p) * p.max()) + 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(holm[order]) >= -1e-12).all()
    assert (np.diff(bh[order]) >= -1e-12).all()
    assert holm[order[0]] == pytest.approx(min(1, len(p) * p.min()))  # the smallest is Bonferroni's


@settings(deadline=None, max_examples=40)
@given(families, st.data())
def test_a_test_that_was_not_made_does_not_count(p, data):
    at = data.draw(st.integers(0, len(p)))
    gap = [*p[:at], np.nan, *p[at:]]
    for adjust in (multiplicity.holm, multiplicity.benjamini_hochberg):
        found = adjust(gap)
        assert np.isnan(found[at])
        assert np.delete(found, at) == pytest.approx(adjust(p))


def test_no_test_at_all_and_a_table():
    assert np.isnan(multiplicity.holm([np.nan])).all()
    assert np.isnan(multiplicity.benjamini_hochberg([np.nan])).all()
    table = multiplicity.adjust(pd.DataFrame({"what": ["a", "b"], "p": [0.01, 0.5]}))
    assert list(table["p_holm"]) == [0.02, 0.5]
    assert list(table["p_bh"]) == [0.02, 0.5]


def test_holm_keeps_the_chance_of_any_false_rejection():
    p = np.random.default_rng(0).random((2000, 8))
    wrong = [(multiplicity.holm(family) <= 0.05).any() for family in p]
    assert 0.03 < np.mean(wrong) < 0.07


@pytest.mark.parametrize("p", [[0.1, 1.2], [-0.1], [[0.1, 0.2]]])
def test_what_is_no_list_of_p_values_is_refused(p):
    with pytest.raises(StudyError, match="from 0 to 1"):
        multiplicity.holm(p)
