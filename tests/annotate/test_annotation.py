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
from ethnicmer_lib.annotate.annotation import annotate, annotator, groups_from, screened
from ethnicmer_lib.annotate.records import CLASSES, COLUMNS, PROBABILITIES, check_name, typed, write_records
from ethnicmer_lib.clips.faces import FaceDetector, Found, open_detector
from ethnicmer_lib.clips.label_tables import read_groups
from ethnicmer_lib.clips.labels import GROUP_COLUMNS, annotations, coded_clips
from ethnicmer_lib.errors import StudyError

RACES = CLASSES["race"]


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

    def forward(self, images):
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
def how(tmp_path):
    """A checkpoint, and detectors that see no face in a black frame."""
    path = tmp_path / "model.pt"
    path.write_bytes(b"weights")
    picky = Picky("whole", "", None)
    return path, {"CASME II": picky, "SAMM": picky}


@pytest.fixture
def cohort():
    return Faces(subjects=3, per_subject=3, simulated=True, frames=True, groups=("A", "B"))


def test_there_is_a_record_of_every_clip_in_order(cohort, how, network):
    records = annotate(cohort, *how, batch=4)
    assert list(records) == list(COLUMNS)
    assert records["clip"].tolist() == cohort.table["clip"].tolist()
    assert records["subject"].tolist() == cohort.table["subject"].tolist()
    assert records["simulated"].all()
    assert sorted(network.sizes) == [2, 3, 4, 4, 4]  # the first frame shows no face
    seen = records[~records["failed"]]
    for task, names in PROBABILITIES.items():
        assert np.allclose(seen[names].sum(axis=1), 1, atol=1e-6), task
    best = seen[PROBABILITIES["race"]].to_numpy().argmax(axis=1)
    assert [RACES[i] for i in best] == seen["ethnicity"].tolist()
    assert seen["race_code"].tolist() == best.tolist()
    assert seen["gender"].isin(CLASSES["gender"]).all()
    assert seen["age"].isin(CLASSES["age"]).all()
    assert (seen[["x", "y", "width", "height"]] == [0, 0, 30, 40]).all(axis=None)


def test_a_frame_without_a_face_is_a_failed_record(cohort, how, network):
    first = annotate(cohort, *how).iloc[0]
    assert first["failed"]
    assert first["faces"] == 0
    assert first[["x", "race_code", "ethnicity", "gender", "age", "p_White"]].isna().all()


def test_what_was_computed_is_not_computed_again_and_an_interruption_costs_one_batch(
    cohort, how, network, monkeypatch
):
    monkeypatch.setattr(annotation.os, "cpu_count", lambda: 1)
    plain = Network.forward

    def interrupted(self, images):
        if len(self.sizes) == 2:
            raise KeyboardInterrupt
        return plain(self, images)

    monkeypatch.setattr(Network, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        annotate(cohort, *how, batch=5)
    monkeypatch.setattr(Network, "forward", plain)
    resumed = annotate(cohort, *how, batch=5)
    assert network.sizes == [4, 5, 5, 3]
    again = annotate(cohort, *how, batch=5)
    assert network.sizes == [4, 5, 5, 3]
    pd.testing.assert_frame_equal(resumed, again)
    pd.testing.assert_frame_equal(resumed, annotate(cohort, *how, batch=7), rtol=1e-5)


def test_another_moment_or_detector_is_another_run(cohort, how, network):
    annotate(cohort, *how, batch=18)
    assert set(annotate(cohort, *how, moment="apex", batch=18)["moment"]) == {"apex"}
    other = {"CASME II": open_detector("whole"), "SAMM": FaceDetector("other", "", None)}
    assert not annotate(cohort, how[0], other, batch=18)["failed"].any()
    assert network.sizes == [17, 17, 18]  # one batch each time


def test_a_cohort_of_frames_without_any_face_needs_no_network(cohort, how, network, monkeypatch):
    monkeypatch.setattr(Faces, "frames", lambda *_: np.zeros((40, 30), np.uint8))
    records = annotate(cohort, *how)
    assert records["failed"].all()
    assert network.sizes == []


def test_what_cannot_be_annotated_says_why(how, cohort, network, monkeypatch):
    with pytest.raises(StudyError, match="fake clips: there is no face to annotate"):
        annotate(FakeClips(), *how)
    monkeypatch.setattr(Faces, "frames", lambda *_: np.ones((48, 64), np.uint8))
    with pytest.raises(StudyError, match="clip SAMM/a00/clip0: the frame is 64x48 px, too wide"):
        annotate(cohort, *how)


@pytest.mark.parametrize("name", ["records.csv", "records.parquet"])
def test_records_come_back_from_their_file(cohort, how, network, tmp_path, name):
    records = annotate(cohort, *how)
    beside = write_records(records, tmp_path / name, annotator(*how))
    assert beside.name == f"{name}.json"
    assert annotator(*how)["checkpoint_sha256"] in beside.read_text()
    read = pd.read_csv if name.endswith("csv") else pd.read_parquet
    pd.testing.assert_frame_equal(typed(read(tmp_path / name)), records, atol=1e-6)


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"kept as \.csv or \.parquet, not as 'records.txt'"):
        check_name(tmp_path / "records.txt")


def released_records():
    """The released label table as if an annotator had made it."""
    released = annotations()
    records = coded_clips()[["database", "subject", "clip"]].assign(simulated=False, failed=False)
    records["race_code"] = released["race_code"].astype("Int64")
    for name, column in (("gender", "gender"), ("age", "age_bin")):
        records[name] = [CLASSES[name][int(code)] for code in released[column]]
    return records


def test_the_released_records_give_the_released_groups():
    groups = groups_from(released_records(), "ethnicity")
    assert list(groups) == list(GROUP_COLUMNS)
    pd.testing.assert_frame_equal(groups, coded_clips()[list(GROUP_COLUMNS)], check_dtype=False)


@pytest.mark.parametrize(
    ("context", "names"),
    [("gender", {"Male", "Female"}), ("age", {"Under 30", "30 and over"})],
)
def test_gender_and_age_can_take_the_place_of_ethnicity(tmp_path, context, names):
    groups = groups_from(released_records(), context)
    assert set(groups["group"]) == names
    assert groups["ethnicity"].tolist() == coded_clips()["ethnicity"].tolist()
    assert groups.groupby("subject")["group"].nunique().eq(1).all()
    groups.to_csv(tmp_path / "groups.csv", index=False)
    pd.testing.assert_frame_equal(read_groups(tmp_path / "groups.csv"), groups, check_dtype=False)


def test_the_older_group_begins_at_thirty():
    records = released_records()
    older = groups_from(records, "age")["group"].eq("30 and over")
    assert older.tolist() == (~records["age"].isin(["0-9", "10-19", "20-29"])).tolist()


def some_records(votes, failed=()):
    rows = [("001", f"c{i}", vote, i in failed) for i, vote in enumerate(votes)]
    rows += [("002", "d", "White", False), ("003", "e", "Asian", False)]
    table = pd.DataFrame(rows, columns=["subject", "clip", "ethnicity", "failed"])
    table["race_code"] = table["ethnicity"].map(RACES.index)
    return table.assign(database="SAMM", simulated=False, gender="male", age="20-29")


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


def test_corrections_of_the_screening_apply():
    records = some_records(["Others", "White", "Others"])
    assert groups_from(records)["group"].tolist() == ["Asian"] * 3 + ["Non-Asian", "Asian"]
    row = {"database": "SAMM", "subject": "001", "code": "0", "reason": "told us", "author": "a reader"}
    corrected = groups_from(records, corrections=pd.DataFrame([row]))
    assert corrected["ethnicity"].tolist() == ["White"] * 4 + ["Asian"]
    assert screened(records, corrections=pd.DataFrame([row])).log["rule"].tolist()[-1] == "correction"


def test_groups_that_cannot_be_made_say_why():
    with pytest.raises(StudyError, match="simulated faces, whose groups are abstract"):
        groups_from(released_records().assign(simulated=True))
    with pytest.raises(StudyError, match="subject SAMM/001: no face was found in any of its clips"):
        groups_from(some_records(["White", "Asian"], failed={0, 1}))
    with pytest.raises(StudyError, match="by gender every subject is 'Male'"):
        groups_from(some_records(["White"]), "gender")
