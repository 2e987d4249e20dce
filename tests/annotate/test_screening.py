"""Screening: votes, ties, conflicts, failures and corrections, each logged; SAMM's released codes as the example."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.annotate import screening
from ethnicmer_lib.annotate.screening import Rules, screen
from ethnicmer_lib.clips import label_tables
from ethnicmer_lib.errors import StudyError


def codes(**subjects: str) -> pd.DataFrame:
    """Codes of clips: s018='0440' is subject 018 with four clips, '-' a failed one."""
    rows = [
        ("SAMM", name[1:], f"{name[1:]}_{i}", "Error" if code == "-" else code)
        for name, text in subjects.items()
        for i, code in enumerate(text)
    ]
    return pd.DataFrame(rows, columns=["database", "subject", "clip", "code"])


def outcome(text: str, **rules) -> dict:
    return screen(codes(s001=text), Rules(**rules)).subjects.iloc[0].to_dict()


@pytest.mark.parametrize(
    ("text", "rules", "code", "flagged"),
    [
        ("22", {}, "2", False),
        ("244", {}, "4", True),
        ("244", {"vote": "first"}, "2", True),
        ("0440", {}, "0", True),
        ("4004", {}, "4", True),
        ("0440", {"tie": "none"}, "", True),
        ("0440", {"vote": "first", "tie": "none"}, "0", True),
        ("244", {"conflict": "none"}, "", True),
        ("22", {"conflict": "none"}, "2", False),
        ("-3-", {}, "3", False),
        ("-3-", {"vote": "first"}, "3", False),
        ("--", {}, "", True),
    ],
)
def test_each_rule(text, rules, code, flagged):
    row = outcome(text, **rules)
    assert (row["code"], row["flagged"]) == (code, flagged)
    assert row["failed"] == text.count("-")
    assert row["clips"] == len(text)


def test_every_change_is_logged_with_its_rule():
    log = screen(codes(s001="2-44", s002="0440", s003="22"), Rules(tie="none")).log
    assert list(log.columns) == screening.LOG_COLUMNS
    assert log[["subject", "clip", "old", "new", "rule"]].to_numpy().tolist() == [
        ["001", "001_0", "2", "4", "vote=majority"],
        ["001", "001_1", "Error", "4", "a failed clip does not vote"],
        ["002", "", "0", "", "tie=none"],
    ]


def test_samm_as_released_beside_a_majority_vote():
    found = screen(screening.released_codes())
    table = screening.beside_released(found).set_index("subject")
    assert len(table) == 29
    assert table.index[table["conflict"]].tolist() == ["012", "017", "018", "034", "035", "037"]
    assert table.index[table["tie"]].tolist() == ["018", "037"]
    assert table.index[table["failed"] > 0].tolist() == ["032"]
    assert table.loc["032", ["failed", "clips", "votes"]].tolist() == [5, 6, "3 x 1"]
    assert table.loc["018", "votes"] == "0 x 2, 4 x 2"
    assert table.index[table["code"] != table["released"]].tolist() == ["037"]
    assert table.index[table["first"] != table["released"]].tolist() == ["034", "037"]
    assert table.index[table["group"] != table["group_released"]].tolist() == ["037"]


def test_votes_are_those_of_the_facts(shared):
    facts = pd.read_csv(shared / "facts" / "subjects.csv", dtype=str, keep_default_na=False)
    facts = facts[facts["raw_votes"] != ""].set_index("subject")["raw_votes"]
    ours = screening.released_codes().groupby("subject")["code"].agg("|".join)
    assert ours.to_dict() == facts.to_dict()


def test_corrections_have_the_last_word_and_their_author(tmp_path):
    path = tmp_path / "corrections.csv"
    path.write_text("database,subject,code,reason,author\nsamm,18,4,second look,R. Reader\n")
    found = screen(codes(s018="0440", s019="22"), Rules(tie="none"), screening.read_corrections(path))
    subjects = found.subjects.set_index("subject")
    assert subjects.loc["018", ["code", "rule"]].tolist() == ["4", "correction by R. Reader"]
    assert subjects.loc["019", "code"] == "2"
    last = found.log.iloc[-1]
    assert last[["subject", "old", "new", "rule", "reason", "author"]].tolist() == [
        "018", "", "4", "correction", "second look", "R. Reader",
    ]  # fmt: skip
    with pytest.raises(StudyError, match="correction of subject SAMM/018: no clip of this subject"):
        screen(codes(s019="22"), None, screening.read_corrections(path))


HEAD = "database,subject,code,reason,author\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("database,subject,code,reason\n", r"lacks the columns \['author'\]"),
        ("", "cannot be read as CSV"),
        (HEAD + "SAMM,18,4,,me\n", r"line 2 \(subject '18'\): reason is empty"),
        (HEAD + "SAMM,18,4,seen,\n", "author is empty"),
        (HEAD + "SAMM,18,7,seen,me\n", "code '7' is none of 0 White"),
        (HEAD + "SAMM,x,4,seen,me\n", "subject 'x'"),
        (HEAD + "SMIC,18,4,seen,me\n", "database 'SMIC'"),
        (HEAD + "SAMM,18,4,seen,me\nSAMM,018,0,seen,me\n", "018 is corrected twice"),
    ],
)
def test_a_wrong_correction_is_named(tmp_path, text, message):
    path = tmp_path / "corrections.csv"
    path.write_text(text)
    with pytest.raises(StudyError, match=message):
        screening.read_corrections(path)
    with pytest.raises(StudyError, match="no corrections at"):
        screening.read_corrections(tmp_path / "none.csv")


def test_screened_codes_become_a_readers_groups(tmp_path):
    table = codes(s001="2244", s002="00", s003="--", s004="44")
    found = screen(table)
    groups = screening.groups_table(table, found)
    assert groups.groupby("subject")["group"].first().to_dict() == {
        "001": "Asian", "002": "Non-Asian", "004": "Asian",
    }  # fmt: skip
    groups.to_csv(tmp_path / "groups.csv", index=False)
    pd.testing.assert_frame_equal(label_tables.read_groups(tmp_path / "groups.csv"), groups)


@settings(deadline=None, max_examples=30)
@given(st.text("01234-", min_size=1, max_size=9))
def test_a_majority_is_a_code_of_the_clips_and_none_is_more_frequent(text):
    row = outcome(text)
    given_codes = [code for code in text if code != "-"]
    assert (row["code"] == "") == (not given_codes)
    if given_codes:
        assert text.count(row["code"]) == max(text.count(code) for code in given_codes)
        assert row["conflict"] == (len(set(given_codes)) > 1)
    log = screen(codes(s001=text)).log
    assert len(log) == (sum(code != row["code"] for code in text) if given_codes else 1)
