"""Tables of labels that a reader writes: what is read, and what is refused by name."""

from __future__ import annotations

import pytest

from ethnicmer_lib.clips import label_tables, labels
from ethnicmer_lib.errors import StudyError

HEADER = "database,subject,clip,ethnicity,group,gender\n"


def test_groups_are_read_from_a_readers_csv(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text(HEADER + "SAMM,6,006_1_2,NA,X,0\nCASME II, sub01 ,EP02_01f,None,Y,\n")
    table = label_tables.read_groups(path)
    assert list(table.columns) == list(labels.GROUP_COLUMNS)
    assert table.to_numpy().tolist() == [
        ["SAMM", "006", "006_1_2", "NA", "X"],
        ["CASME II", "sub01", "EP02_01f", "None", "Y"],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("database,subject,clip,group\n", r"lacks the columns \['ethnicity'\]"),
        ("", "cannot be read as CSV"),
        (HEADER + "SAMM,6,006_1_2,X,,\n", r"line 2 \(clip '006_1_2'\): group is empty"),
        (HEADER + "SAMM,6,c,X,X,\nSAMM,006,c,Y,Y,\n", "clip SAMM/006/c is given twice"),
        (HEADER + "SMIC,6,c,X,X,\n", "database 'SMIC'"),
        (HEADER + "SAMM,six,c,X,X,\n", "subject 'six'"),
    ],
)
def test_a_wrong_csv_is_named(tmp_path, text, message):
    path = tmp_path / "groups.csv"
    path.write_text(text)
    with pytest.raises(StudyError, match=message) as error:
        label_tables.read_groups(path)
    assert "groups.csv" in str(error.value)
    with pytest.raises(StudyError, match="no group labels at"):
        label_tables.read_groups(tmp_path / "none.csv")
