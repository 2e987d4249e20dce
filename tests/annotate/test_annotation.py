"""Annotating a cohort with a stand-in network: records, failures, resuming, files, and groups from records."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from fake_cohort import FakeClips
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.annotate import annotation
from ethnicmer_lib.annotate.annotation import Annotator, annotate, groups_from, screened
from ethnicmer_lib.annotate.faces import FaceDetector, Found, open_detector
from ethnicmer_lib.annotate.records import (
    AGES,
    COLUMNS,
    GENDERS,
    PROBABILITIES,
    RACES,
    read_records,
    released_records,
    write_records,
)
from ethnicmer_lib.annotate.screening import Rules
from ethnicmer_lib.clips.label_tables import read_groups
from ethnicmer_lib.clips.labels import GROUP_COLUMNS, released_groups
from ethnicmer_lib.errors import StudyError


class Faces(FakeClips):
    """Clips with frames whose brightness is their row; frame 0 shows no face."""

    def frames(self, clip_id, moment):
        return np.full((40, 30), self._row[clip_id] % 250, np.uint8)


class Network(torch.nn.Module):
    """Stands in for FaceXFormer: what it says depends on the brightness of the image alone."""

    def __init__(self):
        super().__init__()
        self.linear_fuse = torch.nn.Conv2d(1, 1, 1)
        self.sizes = []

    def forward(self, images, outputs):
        self.sizes.append(len(images))
        level = images.mean(dim=(1, 2, 3))[:, None]
        return {
            head: level * torch.linspace(-3, 3, n) for head, n in (("race", 5), ("gender", 2), ("age", 8))
        }


class Picky(FaceDetector):
    def find(self, frame):
        return super().find(frame) if frame.max() else Found(None, 0)


@pytest.fixture
def network(monkeypatch, workspace):
    stand_in = Network()
    monkeypatch.setattr(annotation.weights, "load", lambda path: stand_in)
    return stand_in


@pytest.fixture
def annotator(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"weights")
    picky = Picky("whole", "", None)
    return Annotator.open(path, {"CASME II": picky, "SAMM": picky})


@pytest.fixture
def cohort():
    return Faces(subjects=3, per_subject=3, simulated=True, frames=True, groups=("A", "B"))


def test_there_is_a_record_of_every_clip_in_order(cohort, annotator, network):
    records = annotate(cohort, annotator, batch=4)
    assert list(records) == list(COLUMNS)
    assert records["clip"].tolist() == cohort.table["clip"].tolist()
    assert records["subject"].tolist() == cohort.table["subject"].tolist()
    assert records["simulated"].all()
    assert sorted(network.sizes) == [2, 3, 4, 4, 4]  # the first frame shows no face
    seen = records[~records["failed"]]
    for task, names in PROBABILITIES.items():
        assert np.allclose(seen[list(names)].sum(axis=1), 1, atol=1e-6), task
    best = seen[list(PROBABILITIES["race"])].to_numpy().argmax(axis=1)
    assert [RACES[i] for i in best] == seen["ethnicity"].tolist()
    assert seen["race_code"].tolist() == best.tolist()
    assert seen["gender"].isin(GENDERS).all()
    assert seen["age"].isin(AGES).all()
    assert (seen[["x", "y", "width", "height"]] == [0, 0, 30, 40]).all(axis=None)


def test_a_frame_without_a_face_is_a_failed_record(cohort, annotator, network):
    first = annotate(cohort, annotator).iloc[0]
    assert first["failed"]
    assert first["faces"] == 0
    assert first[["x", "race_code", "ethnicity", "gender", "age", "p_White"]].isna().all()


def test_what_was_computed_is_not_computed_again_and_an_interruption_costs_one_batch(
    cohort, annotator, network, monkeypatch
):
    monkeypatch.setattr(annotation.os, "cpu_count", lambda: 1)
    plain = Network.forward

    def interrupted(self, images, outputs):
        if len(self.sizes) == 2:
            raise KeyboardInterrupt
        return plain(self, images, outputs)

    monkeypatch.setattr(Network, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        annotate(cohort, annotator, batch=5)
    monkeypatch.setattr(Network, "forward", plain)
    resumed = annotate(cohort, annotator, batch=5)
    assert network.sizes == [4, 5, 5, 3]
    again = annotate(cohort, annotator, batch=5)
    assert network.sizes == [4, 5, 5, 3]
    pd.testing.assert_frame_equal(resumed, again)
    pd.testing.assert_frame_equal(resumed, annotate(cohort, annotator, batch=7), rtol=1e-5)


def test_another_moment_or_detector_is_another_run(cohort, annotator, network):
    annotate(cohort, annotator, batch=18)
    assert set(annotate(cohort, annotator, moment="apex", batch=18)["moment"]) == {"apex"}
    whole = open_detector("whole")
    other = Annotator(
        annotator.checkpoint, annotator.sha256, {"CASME II": whole, "SAMM": FaceDetector("other", "", None)}
    )
    assert not annotate(cohort, other, batch=18)["failed"].any()
    assert network.sizes == [17, 17, 18]  # one batch each time


def test_a_cohort_of_frames_without_any_face_needs_no_network(cohort, annotator, network, monkeypatch):
    monkeypatch.setattr(Faces, "frames", lambda *_: np.zeros((40, 30), np.uint8))
    records = annotate(cohort, annotator)
    assert records["failed"].all()
    assert network.sizes == []


def test_what_cannot_be_annotated_says_why(annotator, cohort, network, monkeypatch):
    with pytest.raises(StudyError, match="fake clips: there is no face to annotate"):
        annotate(FakeClips(), annotator)
    with pytest.raises(StudyError, match="batch=0"):
        annotate(cohort, annotator, batch=0)
    partial = Annotator(annotator.checkpoint, annotator.sha256, {"SAMM": open_detector("whole")})
    with pytest.raises(StudyError, match="no face detector is named for CASME II"):
        annotate(cohort, partial)
    monkeypatch.setattr(Faces, "frames", lambda *_: np.ones((48, 64), np.uint8))
    with pytest.raises(StudyError, match="clip SAMM/a00/clip0: the frame is 64x48 px, too wide"):
        annotate(cohort, annotator)


@pytest.mark.parametrize("name", ["records.csv", "records.parquet"])
def test_records_come_back_from_their_file(cohort, annotator, network, tmp_path, name):
    records = annotate(cohort, annotator)
    records["subject"] = [f"{i // 2:03d}" for i in range(len(records))]
    records["database"] = "SAMM"
    beside = write_records(records, tmp_path / name, annotator.identity())
    assert beside.name == f"{name}.json"
    assert annotator.sha256 in beside.read_text()
    pd.testing.assert_frame_equal(read_records(tmp_path / name), records, atol=1e-6)


def test_a_wrong_records_file_says_what_is_wrong(tmp_path):
    good = released_records().head(4)
    path = tmp_path / "records.csv"
    with pytest.raises(StudyError, match=r"kept as \.csv or \.parquet, not as 'records.txt'"):
        write_records(good, tmp_path / "records.txt", {})
    with pytest.raises(
        StudyError, match=r"no annotation records at .*; make them with `ethnicmer data annotate`"
    ):
        read_records(path)
    for broken, said in (
        (good.drop(columns="gender"), r"lacks the columns \['gender'\]"),
        (good.assign(failed="maybe"), "True or False only"),
        (good.assign(race_code="two"), "cannot be read as annotation records"),
        (pd.concat([good, good.head(1)]), "clip CASME II/sub01/EP02_01f is given twice"),
    ):
        broken.to_csv(path, index=False)
        with pytest.raises(StudyError, match=said):
            read_records(path)
    (tmp_path / "records.parquet").write_bytes(b"no")
    with pytest.raises(StudyError, match=r"records.parquet cannot be read"):
        read_records(tmp_path / "records.parquet")


def test_the_released_records_give_the_released_groups():
    records = released_records()
    groups = groups_from(records, "ethnicity")
    assert list(groups) == list(GROUP_COLUMNS)
    pd.testing.assert_frame_equal(groups, released_groups(), check_dtype=False)


@pytest.mark.parametrize(
    ("context", "names"),
    [("gender", {"Male", "Female"}), ("age", {"Under 30", "30 and over"})],
)
def test_gender_and_age_can_take_the_place_of_ethnicity(tmp_path, context, names):
    records = released_records()
    groups = groups_from(records, context)
    assert set(groups["group"]) == names
    assert groups["ethnicity"].tolist() == records["ethnicity"].tolist()
    assert groups.groupby("subject")["group"].nunique().eq(1).all()
    groups.to_csv(tmp_path / "groups.csv", index=False)
    pd.testing.assert_frame_equal(read_groups(tmp_path / "groups.csv"), groups, check_dtype=False)


def test_the_age_split_is_the_first_age_of_the_older_group():
    records = released_records()
    older = groups_from(records, "age", age_split=40)["group"].eq("40 and over")
    assert older.tolist() == records["age"].isin(["40-49", "50-59", "60-69", "70+"]).tolist()


def some_records(votes, failed=()):
    rows = [
        {"subject": "001", "clip": f"c{i}", "ethnicity": vote, "failed": i in failed}
        for i, vote in enumerate(votes)
    ]
    rows.append({"subject": "002", "clip": "d", "ethnicity": "White", "failed": False})
    rows.append({"subject": "003", "clip": "e", "ethnicity": "Asian", "failed": False})
    table = pd.DataFrame(rows).assign(database="SAMM", simulated=False, gender="male", age="20-29")
    table["race_code"] = table["ethnicity"].map(RACES.index)
    return table


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(RACES), min_size=1, max_size=9), st.data())
def test_most_clips_decide_for_the_subject_and_failed_ones_do_not_vote(votes, data):
    failed = data.draw(st.sets(st.integers(0, len(votes) - 1), max_size=len(votes) - 1))
    counted = [vote for i, vote in enumerate(votes) if i not in failed]
    groups = groups_from(some_records(votes, failed))
    chosen = groups.loc[groups["subject"] == "001", "ethnicity"].unique()
    assert len(chosen) == 1
    most = max(counted.count(vote) for vote in counted)
    assert chosen[0] == next(vote for vote in counted if counted.count(vote) == most)


def test_rules_corrections_and_mappings_of_the_screening_apply():
    records = some_records(["Others", "White", "Others"])
    assert groups_from(records)["group"].tolist() == ["Asian"] * 3 + ["Non-Asian", "Asian"]
    mapped = groups_from(records, mapping="others_non_asian")
    assert mapped["group"].tolist() == ["Non-Asian"] * 4 + ["Asian"]
    strict = groups_from(records, rules=Rules(conflict="none"))
    assert strict["subject"].tolist() == ["002", "003"]
    row = {"database": "SAMM", "subject": "001", "code": "0", "reason": "told us", "author": "a reader"}
    corrected = groups_from(records, corrections=pd.DataFrame([row]))
    assert corrected["ethnicity"].tolist() == ["White"] * 4 + ["Asian"]
    assert screened(records, corrections=pd.DataFrame([row])).log["rule"].tolist()[-1] == "correction"


def test_groups_that_cannot_be_made_say_why():
    records = released_records()
    with pytest.raises(StudyError, match="context 'height' is unknown; allowed: ethnicity, gender, age"):
        groups_from(records, "height")
    with pytest.raises(StudyError, match="age_split=25"):
        groups_from(records, "age", age_split=25)
    with pytest.raises(StudyError, match="simulated faces, whose groups are abstract"):
        groups_from(records.assign(simulated=True))
    with pytest.raises(StudyError, match="subject SAMM/001: no face was found in any of its clips"):
        groups_from(some_records(["White", "Asian"], failed={0, 1}))
    with pytest.raises(StudyError, match="by gender every subject is 'Male'"):
        groups_from(some_records(["White"]), "gender")
