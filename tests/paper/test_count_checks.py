"""Why counts differ: each cell of the audit of Tables I to III, the mappings, and pairwise association."""

from __future__ import annotations

import pytest

from ethnicmer_lib.clips import labels
from ethnicmer_lib.paper import counted


def test_every_cell_of_tables_i_to_iii():
    table = counted.mismatches()
    rows = table.set_index(["table", "row"])
    names = ["White", "Black", "Asian", "Indian", "Others", "total"]
    wanted = {
        "Table I": ([15, 2, 31, 2, 4, 54], [15, 2, 30, 2, 4, 53], [15, 2, 32, 2, 4, 55]),
        "Table II": ([88, 4, 183, 5, 11, 291], [87, 4, 183, 5, 11, 290], [98, 4, 293, 7, 13, 415]),
    }
    for name, columns in wanted.items():
        found = rows.loc[name].loc[names]
        assert tuple(found[column].tolist() for column in ("paper", "kept", "everyone")) == columns
    third = rows.loc["Table III"]
    assert third["kept"].tolist() == third["paper"].tolist() == [58, 192, 40, 290]
    assert third["everyone"].isna().all()
    differ = table[~table["equal"]]
    assert list(zip(differ["table"], differ["row"], strict=True)) == [
        ("Table I", "Asian"), ("Table I", "total"), ("Table II", "White"), ("Table II", "total"),
    ]  # fmt: skip


def test_mismatches_are_explained_by_what_was_counted():
    rows = counted.mismatches().set_index(["table", "row"])["explanation"]
    assert "1 more than the kept clips give and 1 fewer than all clips give" in rows["Table I", "Asian"]
    assert "025 and sub18 have only clips labelled Others" in rows["Table I", "Asian"]
    assert "Table III prints 290" in rows["Table II", "White"]
    assert rows["Table II", "Asian"] == ""


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
