"""Verdicts follow their rules, and a number that is none is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.paper import numbers
from ethnicmer_lib.paper.findings import VERDICTS, Finding
from ethnicmer_lib.paper.judging import effect, equal, number
from ethnicmer_lib.stats.intervals import Estimate

GOOD = {
    "chapter": "benchmark", "question": "Is it?", "answer": "Yes.", "estimate": 0.5, "low": 0.4, "high": 0.6,
    "verdict": "reproduced", "reason": "By the rule.",
}  # fmt: skip


def test_a_number_that_is_none_is_refused():
    with pytest.raises(
        StudyError, match="finding '' of chapter 'benchmark': estimate is nan; give a finite number"
    ):
        Finding(**GOOD | {"estimate": float("nan")})


ends = st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(sorted)


@settings(deadline=None)
@given(ends, st.sampled_from([-1, 1]))
def test_an_effect_and_its_mirror_get_the_same_verdict(span, direction):
    low, high = span
    verdict = effect(Estimate(0, low, high), {"direction": direction})
    assert verdict in VERDICTS
    assert verdict == effect(Estimate(0, -high, -low), {"direction": -direction})
    assert (verdict == "not supported") == (low <= 0 <= high)


@settings(deadline=None)
@given(ends, st.floats(0.01, 0.5))
def test_equality_is_reproduced_only_inside_the_margin(span, margin):
    low, high = span
    verdict = equal(Estimate(0, low, high), {"margin": margin})
    assert (verdict == "reproduced") == (max(abs(low), abs(high)) < margin)
    assert (verdict == "contradicted") == (low >= margin or high <= -margin)


def test_a_number_is_reproduced_inside_the_interval():
    assert number(Estimate(0.5, 0.4, 0.6), {"paper": 0.5}) == "reproduced"
    assert number(Estimate(0.5, 0.4, 0.6), {"paper": 0.7}) == "not reproduced"


def test_printed_numbers_are_consistent_with_themselves():
    paper = numbers.read_yaml("results")
    for table in ("table_iv", "table_v"):
        for row in paper[table]["rows"].values():
            assert len(row) == len(paper[table]["columns"])
            assert sum(row[:-1]) / len(row[:-1]) == pytest.approx(row[-1], abs=1e-4)
    assert list(paper["table_v"]["methods"]) == list(paper["table_v"]["rows"])


def test_printed_numbers_are_in_the_paper(shared):
    text = (shared / "facts" / "paper.txt").read_text()
    for table in ("table_iv", "table_v"):
        for row in numbers.read_yaml("results")[table]["rows"].values():
            assert "\t".join(f"{value:.4f}" for value in row) in text
