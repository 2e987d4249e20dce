"""FACS codes and the roster: read as coders wrote them, drawn from the right clips, groups traded as asked."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.clips import facs as codes
from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator.anatomy import ACTION_UNITS
from ethnicmer_lib.simulator.roster import roster
from ethnicmer_lib.simulator.settings import SimulatorSettings


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("4+L10", {4: "", 10: "L"}),
        ("R14A or 17A or 24A", {14: "R"}),
        ("(R6 or R12) + R15", {6: "R", 15: "R"}),
        ("A/L12", {12: "L"}),
        ("ref(7B)+43", {7: ""}),
        ("T18+39", {18: ""}),
        ("A1B+A2C", {1: "", 2: ""}),
        ("10A/B", {10: ""}),
        ("12+15 ", {12: "", 15: ""}),
        ("R14+17+soft focus", {14: "R", 17: ""}),
        ("43", {}),
        ("?", {}),
    ],
)
def test_codes_are_read_as_written(text, code):
    assert codes.read_code(text) == code


@given(
    units=st.dictionaries(
        st.sampled_from(sorted(set(ACTION_UNITS) - {codes.BLINK})),
        st.sampled_from(["", "L", "R"]),
        min_size=1,
    )
)
@settings(deadline=None, max_examples=50)
def test_reading_takes_back_what_is_written(units):
    assert codes.read_code("+".join(f"{side}{unit}" for unit, side in units.items())) == units


def test_decks_hold_the_codes_of_their_emotion_and_database():
    released = labels.released_clips()
    for database in (CASME2, SAMM):
        rows = released[(released["emotion"] == "surprise") & (released["database"] == database)]
        wanted = [code for code in map(codes.read_code, rows["action_units"]) if code]
        assert Counter(map(str, codes.deck("surprise", database))) == Counter(map(str, wanted))
    both = len(codes.deck("surprise", CASME2)) + len(codes.deck("surprise", SAMM))
    assert len(codes.deck("surprise")) == both
    assert codes.deck("anger", CASME2)  # which CASME II does not know: its negative clips stand in
    assert codes.deck("others")
    with pytest.raises(StudyError, match="bored"):
        codes.deck("bored")


def test_every_emotion_has_a_prototype_the_head_can_show():
    for emotion in {"others"} | {name for name, label in labels.EMOTION_LABEL.items() if label}:
        assert codes.PROTOTYPES[emotion].keys() <= ACTION_UNITS.keys()


@given(confounding=st.floats(0, 1), seed=st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=25)
def test_confounding_trades_groups_and_nothing_else(confounding, seed):
    real = roster(SimulatorSettings(seed=seed))
    traded = roster(SimulatorSettings(seed=seed, confounding=confounding))
    assert [(e.database, e.emotions) for e in real] == [(e.database, e.emotions) for e in traded]
    assert Counter(e.group for e in real) == Counter(e.group for e in traded)
    here = sum(e.database == CASME2 and e.group == "B" for e in traded)
    assert here == round((1 - confounding) * 25 * 17 / 53)


def test_full_confounding_is_the_real_study():
    assert {e.group for e in roster(SimulatorSettings()) if e.database == CASME2} == {"A"}
    assert Counter((e.database, e.group) for e in roster(SimulatorSettings(others=True))) == {
        (CASME2, "A"): 26,
        (SAMM, "A"): 12,
        (SAMM, "B"): 17,
    }


def test_codes_are_read_for_what_the_head_can_show():
    assert set(ACTION_UNITS) == codes.SHOWN
