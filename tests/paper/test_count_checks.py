"""Why counts differ: each cell of the audit of Tables I to III, the mappings, and pairwise association."""

from __future__ import annotations

import pytest

from ethnicmer_lib.annotate.screening import beside_released, released_codes, screen
from ethnicmer_lib.clips import labels
from ethnicmer_lib.paper import counted


def test_the_counts_that_differ_are_explained_by_what_was_counted():
    table = counted.mismatches()
    assert table[["table", "row", "paper", "kept", "everyone"]].to_numpy().tolist() == [
        ["Table I", "Asian", 31, 30, 32],
        ["Table I", "total", 54, 53, 55],
        ["Table II", "White", 88, 87, 98],
        ["Table II", "total", 291, 290, 415],
    ]


def test_every_row_of_tables_i_to_iii():
    tables = counted.count_tables(labels.released_clips())
    assert tables["table_i"]["ours"].tolist() == [15, 2, 30, 2, 4, 53]
    assert tables["table_ii"]["ours"].tolist() == [87, 4, 183, 5, 11, 290]
    assert tables["table_iii"]["ours"].tolist() == tables["table_iii"]["paper"].tolist() == [58, 192, 40, 290]


def test_the_screening_is_told_in_counts_and_names_nobody():
    _, words = counted.screening_claim(beside_released(screen(released_codes())))
    assert words["listed"] == "2 of them a tie"
    assert not any(subject in str(words) for subject in labels.conflicting_subjects())
    assert not any(
        subject in " ".join(labels.ETHNIC_MAPPINGS.values()) for subject in labels.conflicting_subjects()
    )


def test_mapping_counts_add_up():
    table = counted.mapping_counts()
    assert list(table["mapping"].unique()) == list(labels.ETHNIC_MAPPINGS)
    for mapping, part in table.groupby("mapping"):
        assert part["clips"].sum() + part["left_out"].iloc[0] == 290, mapping
        casme2 = part[(part["database"] == "CASME II") & (part["group"] == "Non-Asian")]
        assert casme2["clips"].tolist() == [0]
        assert 0.7 < part["association"].iloc[0] < 0.85
    paper = table[table["mapping"] == "paper"].set_index(["database", "group"])
    assert paper["clips"].to_dict() == {
        ("CASME II", "Asian"): 157, ("CASME II", "Non-Asian"): 0, ("SAMM", "Asian"): 42, ("SAMM", "Non-Asian"): 91,
    }  # fmt: skip
    assert paper["association"].iloc[0] == pytest.approx(0.735, abs=5e-4)


def test_associations_of_every_pair():
    table = counted.associations(labels.released_clips())
    assert table[["of", "clips of", "clips"]].to_numpy().tolist() == [
        ["database and group", "all", 290],
        ["database and label", "all", 290],
        ["group and label", "all", 290],
        ["group and label", "SAMM", 133],
    ]
    assert all(v.low <= v.value <= v.high for v in table["V"])
    one = labels.released_clips()
    one = one[one["database"] == "CASME II"]
    assert counted.associations(one).empty
