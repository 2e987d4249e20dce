"""The dataset chapter: its counts against the audited facts, and its statistics against SciPy."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.labels import released_clips
from ethnicmer_lib.clips.published import CODES, IMAGES, TABLE
from ethnicmer_lib.clips.table import Cohort, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.old_sources import open_cohort
from ethnicmer_lib.paper import counts, dataset
from ethnicmer_lib.paper.counts import released_tables, tables
from ethnicmer_lib.publish.old_parameters import Dataset


@pytest.fixture(scope="module")
def released() -> counts.Tables:
    return released_tables()


def as_groups_a_and_b(clips: pd.DataFrame) -> pd.DataFrame:
    back = {design: group for group, design in counts.DESIGN_OF.items()}
    return clips.assign(group=clips["group"].map(back), ethnicity=clips["group"].map(back))


class Opened(Cohort):
    """A cohort of a given table, for ``compute``."""

    def frames(self, clip_id, moment):
        raise AssertionError("the dataset chapter needs no frame")


def computed(monkeypatch, clips: pd.DataFrame, simulated: bool, **parameters) -> dataset.DatasetResult:
    cohort = Opened(clips, Provenance("a test", simulated, "0" * 16))
    monkeypatch.setattr(dataset, "open_cohort", lambda p, progress: cohort)
    return dataset.compute(Dataset(**parameters))


def test_tables_i_and_ii_of_the_released_labels(released):
    table = released.ethnicity.set_index("ethnicity")
    assert table["subjects"].to_dict() == {
        "White": 15, "Black": 2, "Asian": 30, "Indian": 2, "Others": 4, "total": 53,
    }  # fmt: skip
    assert table["clips"].to_dict() == {
        "White": 87, "Black": 4, "Asian": 183, "Indian": 5, "Others": 11, "total": 290,
    }  # fmt: skip
    assert table.loc["total", ["subjects_paper", "clips_paper"]].tolist() == [54, 291]
    assert table.index[~table["matches"]].tolist() == ["White", "Asian", "total"]


def test_table_iii_of_the_released_labels(released):
    assert released.emotions["clips"].tolist() == [58, 192, 40, 290]
    assert released.emotions["matches"].all()


def test_group_and_database_go_together(released):
    assert released.association.value == pytest.approx(0.735, abs=5e-4)
    assert released.database_rule.value == pytest.approx((157 + 91) / 290)
    assert released.majority_rule.value == pytest.approx(199 / 290)
    for estimate in (released.association, released.database_rule, released.majority_rule):
        assert estimate.low < estimate.value < estimate.high <= 1


def test_what_remains_inside_samm(released):
    assert set(released.within["database"]) == {"SAMM"}
    asian = released.within[released.within["group"] == "Asian"].set_index("label")
    other = released.within[released.within["group"] == "Non-Asian"].set_index("label")
    assert asian["clips"].to_dict() == {"Negative": 36, "Positive": 1, "Surprise": 5}
    assert other["clips"].to_dict() == {"Negative": 56, "Positive": 25, "Surprise": 10}
    assert asian.loc["Positive", "subjects"] == 1
    assert released.label_association["scope"].tolist() == ["all", "SAMM"]
    assert released.label_association["clips"].tolist() == [290, 133]


def test_crosstab_covers_every_cell_once(released):
    assert len(released.crosstab) == 2 * 2 * 3
    assert released.crosstab["clips"].sum() == 290
    casme2 = released.crosstab[released.crosstab["database"] == "CASME II"]
    assert casme2.groupby("group")["clips"].sum().to_dict() == {"Asian": 157, "Non-Asian": 0}


def test_same_seed_same_intervals(released):
    again, other = released_tables(0), released_tables(1)
    assert again.association == released.association
    assert other.association.value == released.association.value
    assert other.association != released.association


def test_simulated_groups_stand_beside_the_mapped_counts():
    table = tables(as_groups_a_and_b(released_clips()), simulated=True).ethnicity
    assert table["ethnicity"].tolist() == ["A", "B", "total"]
    assert table["subjects_paper"].tolist() == [37, 17, 54]
    assert table["clips_paper"].tolist() == [199, 92, 291]
    assert table["clips"].tolist() == [199, 91, 290]
    assert table["matches"].tolist() == [False, False, False]


def test_a_readers_own_ethnicity_has_no_printed_number():
    clips = released_clips()
    clips.loc[clips["ethnicity"] == "Others", ["ethnicity", "group"]] = ["Other origin", "Non-Asian"]
    table = tables(clips).ethnicity.set_index("ethnicity")
    assert table.loc["Other origin", "subjects"] == 4
    assert pd.isna(table.loc["Other origin", "subjects_paper"])
    assert pd.isna(table.loc["Other origin", "matches"])
    assert table.loc["Others", ["subjects", "subjects_paper", "matches"]].tolist() == [0, 4, False]
    assert table.index[-1] == "total"


def test_one_database_has_no_association():
    clips = released_clips()
    casme2 = tables(clips[clips["database"] == "CASME II"])
    assert casme2.association is None
    assert casme2.database_rule == casme2.majority_rule == (1, 1, 1)
    assert casme2.within.empty
    assert casme2.label_association["association"].isna().tolist() == [True]
    samm = tables(clips[clips["database"] == "SAMM"])
    assert samm.association is None
    assert samm.database_rule.value == pytest.approx(91 / 133)


def test_one_subject_is_refused():
    clips = released_clips()
    with pytest.raises(StudyError, match="at least 2 subjects"):
        tables(clips[clips["subject"] == "sub17"])


def test_the_interval_of_no_association_starts_at_zero():
    clips = released_clips()
    samm = clips[clips["database"] == "SAMM"]
    mirrored = samm.assign(database="CASME II", subject="x" + samm["subject"], clip_id="x" + samm["clip_id"])
    estimate = counts.cramers_v(pd.concat([samm, mirrored]), "database", "group")
    assert estimate.value == pytest.approx(0, abs=1e-7)
    assert estimate.low == 0
    assert estimate.high > 0.1


def test_findings_on_real_labels(monkeypatch):
    result = computed(monkeypatch, released_clips(), simulated=False, data="licensed")
    found = result.findings()
    assert [one.verdict for one in found] == [
        "not reproduced",
        "not reproduced",
        "reproduced",
        "not reproduced",
        "contradicted",
        "cannot be tested here",
        "contradicted",
        "not reproduced",
    ]
    assert [one.estimate for one in found[:4]] == [53, 290, 290, 290]
    assert "Asian 30 (printed 31)" in found[0].answer
    assert "White 87 (printed 88)" in found[1].answer
    assert found[4].low > dataset.LARGE
    assert "1 Positive clip(s) from 1 subject(s) of group Asian in SAMM" in found[5].answer
    assert 0.5 < found[6].estimate < released_tables().association.value
    assert "flip_018" in found[6].answer
    assert "28 of 29 subjects by a majority vote, 27 by the first clip" in found[7].answer
    assert "012, 017, 018, 034, 035, 037" in found[7].answer
    assert {one.chapter for one in found} == {"dataset"}


@pytest.mark.parametrize(("size", "words"), [("full", "design, not evidence"), ("tiny", "never meant")])
def test_findings_of_a_simulated_cohort_claim_nothing(monkeypatch, size, words):
    clips = as_groups_a_and_b(released_clips())
    result = computed(monkeypatch, clips, simulated=True, data="simulated", cohort_size=size)
    loaded = result.findings()[3]
    assert loaded.verdict == "cannot be tested here"
    assert words in loaded.reason
    assert words in result.note
    assert result.released.ethnicity["group"].isin(["Asian", "Non-Asian", ""]).all()


def flow_folder(tmp_path):
    clips = released_clips().iloc[::9]
    codes = {label: code for code, label in CODES.items()}
    names = {"CASME II": "casme2", "SAMM": "samm"}
    lines = ["dataset,sub,filename_o,label"]
    lines += [
        f"{names[row.database]},{row.subject},{row.clip},{codes[row.label]}" for row in clips.itertuples()
    ]
    (tmp_path / TABLE).write_text("\n".join(lines))
    (tmp_path / IMAGES).mkdir()
    for row in clips.itertuples():
        path = tmp_path / IMAGES / f"{row.subject}_{row.clip} .png"
        assert cv2.imwrite(str(path), np.zeros((28, 28, 3), np.uint8))
    return clips


def test_compute_on_a_flow_folder(tmp_path):
    clips = flow_folder(tmp_path)
    result = dataset.compute(Dataset(data="flow", flow_dir=tmp_path))
    assert result.tables.ethnicity["clips"].iloc[-1] == len(clips)
    assert f"{len(clips)} of the 290" in result.note
    assert result.findings()[3].verdict == "not reproduced"
    assert not result.provenance.simulated


@pytest.mark.parametrize("mapping", list(labels.ETHNIC_MAPPINGS))
def test_a_mapping_reaches_a_flow_cohort_its_fingerprint_and_its_log(tmp_path, mapping):
    clips = flow_folder(tmp_path)
    plain = open_cohort(Dataset(data="flow", flow_dir=tmp_path))
    cohort = open_cohort(Dataset(data="flow", flow_dir=tmp_path, ethnic_mapping=mapping))
    expected = released_clips(mapping).set_index("clip_id")
    kept = [clip_id for clip_id in clips["clip_id"] if clip_id in expected.index]
    assert cohort.clips["clip_id"].tolist() == kept
    assert cohort.clips["group"].tolist() == expected.loc[kept, "group"].tolist()
    assert len(cohort.decisions) == len(clips) - len(kept)
    assert set(cohort.decisions["rule"]) <= {f"ethnic_mapping={mapping!r}"}
    changed = len(kept) < len(clips) or cohort.clips["group"].tolist() != plain.clips["group"].tolist()
    assert (cohort.provenance.fingerprint != plain.provenance.fingerprint) == changed
    assert cohort.flow(kept[0]).shape == (28, 28, 3)
    if mapping == "drop_others":
        result = dataset.compute(Dataset(data="flow", flow_dir=tmp_path, ethnic_mapping=mapping))
        assert "ethnic_mapping='drop_others'" in result.note
        assert result.tables.ethnicity["clips"].iloc[-1] == len(kept)
