"""Emotions, codes and group labels, checked against the released table and the paper's Tables I-III."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.paper import numbers as printed
from ethnicmer_lib.sources import Mapped

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("ETHNICMER_SHARED", REPOSITORY / ".." / "shared")).resolve()


def test_annotations_are_text_and_a_fresh_copy():
    table = labels.annotations()
    assert len(table) == 415
    assert table["subject"].nunique() == 55
    assert {"sub01", "006"} <= set(table["subject"])
    assert table.map(lambda cell: isinstance(cell, str)).all(axis=None)
    table.loc[0, "subject"] = "changed"
    assert labels.annotations().loc[0, "subject"] == "sub01"


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no facts at {SHARED} ($ETHNICMER_SHARED)")
def test_annotations_are_the_facts_verbatim():
    assert labels.ANNOTATIONS.read_bytes() == (SHARED / "facts" / "annotations.csv").read_bytes()


def test_emotion_map_equals_the_releases():
    table = labels.annotations()
    assert labels.label_emotions(table["emotion"]).fillna("Other").tolist() == list(table["mapped_emotion"])
    assert set(labels.EMOTION_LABEL) == set(table["emotion"])


def test_emotion_map_equals_table_iii():
    expected = {
        name: row["label"]
        for row in printed.read_yaml("counts")["table_iii"]["rows"]
        for name in row["emotions"]
    }
    assert expected == {name: label for name, label in labels.EMOTION_LABEL.items() if label}
    assert set(expected.values()) == set(LABELS) == set(labels.BINARY)


def test_emotions_are_read_in_any_case():
    given_emotions = pd.Series(["Happiness", " fear ", "OTHER"])
    assert labels.label_emotions(given_emotions).tolist() == ["Positive", "Negative", None]


def test_an_unknown_emotion_is_named_with_place_and_fix():
    with pytest.raises(StudyError, match=r"emotion 'joy' of SAMM/006/x is none of .*'others'"):
        labels.label_emotions(pd.Series({"SAMM/006/x": "joy"}))


def test_binary_labels():
    given_labels = pd.Series(["Surprise", "Negative", "Positive"], index=[4, 2, 9])
    expected = pd.Series(["Non-negative", "Negative", "Non-negative"], index=[4, 2, 9])
    pd.testing.assert_series_equal(labels.binary_labels(given_labels), expected)
    with pytest.raises(StudyError, match="label 'Other' at row 0"):
        labels.binary_labels(pd.Series(["Other"]))


def test_paper_numbers_add_up_as_printed():
    paper = printed.read_yaml("counts")
    table_i = paper["table_i"]
    assert sum(row["subjects"] for row in table_i["rows"]) == table_i["named"] == 54
    assert sum(row["clips"] for row in paper["table_ii"]["rows"]) == 291
    assert sum(row["clips"] for row in paper["table_iii"]["rows"]) == 290


def test_released_clips_are_the_kept_290():
    clips = labels.released_clips()
    assert len(clips) == 290
    assert clips["subject"].nunique() == 53
    assert clips["label"].value_counts().to_dict() == {"Negative": 192, "Positive": 58, "Surprise": 40}
    assert set(clips["ethnicity"]) == set(labels.RACE_CODES.values())
    assert clips.loc[clips["ethnicity"].isin(["White", "Black"]), "group"].eq("Non-Asian").all()
    assert clips.loc[~clips["ethnicity"].isin(["White", "Black"]), "group"].eq("Asian").all()


@settings(deadline=None, max_examples=60)
@given(number=st.integers(1, 99))
def test_subject_names_survive_spreadsheets(number):
    casme2, samm = f"sub{number:02d}", f"{number:03d}"
    for written in (number, float(number), str(number), casme2, f" {casme2} "):
        assert labels.subject_name(labels.CASME2, written, "s") == casme2
    for written in (number, float(number), str(number), samm):
        assert labels.subject_name(labels.SAMM, written, "s") == samm


@pytest.mark.parametrize("value", ["", "sub", "6.5", "s01x", None, "1234", -1])
def test_wrong_subjects_are_refused(value):
    with pytest.raises(StudyError, match=r"codes\.xlsx: subject .* is not a subject of SAMM"):
        labels.subject_name(labels.SAMM, value, "codes.xlsx")


@pytest.mark.parametrize("name", ["CASME2", "casme2", "CASME II", "CASME_II", "casmeii"])
def test_database_names(name):
    assert labels.database_name(name, "s") == "CASME II"
    with pytest.raises(StudyError, match="database 'SMIC' is none of"):
        labels.database_name("SMIC", "s")


@pytest.mark.parametrize(
    ("mapping", "clips", "subjects", "asian"),
    [
        ("paper", 290, 53, 199),
        ("others_non_asian", 290, 53, 188),
        ("asian_only", 290, 53, 183),
        ("drop_others", 279, 49, 188),
        ("drop_conflicting", 268, 47, 180),
        ("flip_tie", 290, 53, 202),
    ],
)
def test_each_mapping_gives_the_groups_it_says(mapping, clips, subjects, asian):
    table = labels.released_clips(mapping)
    assert (len(table), table["subject"].nunique()) == (clips, subjects)
    assert (table["group"] == "Asian").sum() == asian
    assert set(table["group"]) == set(labels.GROUPS)
    assert len(labels.coded_clips(mapping)) == 415


def test_the_papers_mapping_is_the_released_one():
    groups = labels.coded_clips()
    assert groups["group"].tolist() == labels.annotations()["mapped_label"].tolist()
    paper = {
        row["ethnicity"]: row["group"]
        for table in ("table_i", "table_ii")
        for row in printed.read_yaml("counts")[table]["rows"]
    }
    assert dict(zip(groups["ethnicity"], groups["group"], strict=True)) == paper


def test_a_mapping_changes_only_what_it_names():
    plain, flipped = (
        labels.coded_clips(mapping)[list(labels.GROUP_COLUMNS)].set_index("clip")
        for mapping in ("paper", "flip_tie")
    )
    changed = plain.index[(plain != flipped).any(axis=1)]
    assert set(plain.loc[changed, "subject"]) == {"018"}
    assert set(flipped.loc[changed, "ethnicity"]) == {"Others"}
    dropped = labels.coded_clips("drop_conflicting")
    out = dropped[dropped["group"] == labels.LEFT_OUT]
    assert sorted(out["subject"].unique()) == labels.conflicting_subjects()
    assert labels.conflicting_subjects() == ["012", "017", "018", "034", "035", "037"]
    with pytest.raises(StudyError, match="mapping='none' is unknown; allowed: paper, others_non_asian"):
        labels.coded_clips("none")


def test_the_parameter_offers_every_mapping():
    assert list(get_args(Mapped)) == list(labels.ETHNIC_MAPPINGS)
