"""Writing: official layouts, same bytes again, resuming after an interrupt, refusing foreign folders."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pandas as pd
import pytest

from ethnicmer_lib.cohort import simulated
from ethnicmer_lib.cohort.clips import COLUMNS, Cohort, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.parameters import CohortParameters
from ethnicmer_lib.simulator import protocol, write
from ethnicmer_lib.simulator.protocol import CASME2, SAMM, SimulatorSettings

SETTINGS = SimulatorSettings("tiny", seed=5)


def two_subjects(settings):
    """One subject of each layout: two clips and one."""
    plan = protocol.plan_cohort(settings)
    return [replace(plan[0], clips=plan[0].clips[:2]), replace(plan[6], clips=plan[6].clips[:1])]


@pytest.fixture(autouse=True)
def few_clips(monkeypatch):
    monkeypatch.setattr(write, "plan_cohort", two_subjects)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "plan_cohort", two_subjects)
        return write.write_cohort(tmp_path_factory.mktemp("cohort"), SETTINGS, jobs=2)


def content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_layout_is_the_official_one(written):
    clips = [clip for subject in two_subjects(SETTINGS) for clip in subject.clips]
    casme2, samm = clips[0], clips[2]
    assert (written / f"CASME2/Cropped/sub01/{casme2.clip}/reg_img{casme2.onset}.jpg").is_file()
    assert (written / f"SAMM/001/{samm.clip}/001_{samm.apex:05d}.jpg").is_file()
    assert len(list(written.rglob("*.jpg"))) == 3 * len(clips)
    assert not [p for p in written.rglob("*") if p.name.startswith(".")]
    colour, gray = (
        cv2.imread(str(write.frame_paths(written, c)[0]), cv2.IMREAD_UNCHANGED) for c in (casme2, samm)
    )
    assert colour.shape == (340, 280, 3)
    assert gray.shape == (340, 280)


def test_coding_files(written):
    sheet = pd.read_excel(written / "CASME2" / write.CASME2_CODES)
    assert [*sheet.columns] == [
        *("Subject", "Filename", "Unnamed: 2", "OnsetFrame", "ApexFrame", "OffsetFrame", "Unnamed: 6"),
        *("Action Units", "Estimated Emotion"),
    ]
    clip = two_subjects(SETTINGS)[0].clips[0]
    assert sheet.loc[0, ["Subject", "Filename", "ApexFrame"]].tolist() == [1, clip.clip, clip.apex]
    assert str(sheet.loc[0, "Action Units"]) == clip.action_unit_text
    rows = list(
        openpyxl.load_workbook(written / "SAMM" / write.SAMM_CODES).active.iter_rows(values_only=True)
    )
    assert rows[13] == write.SAMM_COLUMNS
    assert rows[14][0] == "001"
    assert rows[14][9] == two_subjects(SETTINGS)[1].clips[0].emotion.capitalize()
    groups = pd.read_csv(written / "groups.csv", dtype=str)
    assert tuple(groups.columns) == write.GROUP_COLUMNS
    assert groups[["database", "subject", "group"]].iloc[0].tolist() == [CASME2, "sub01", "A"]
    assert (groups["ethnicity"] == groups["group"]).all()
    assert groups[["gender", "age"]].isna().all(axis=None)


def test_marker_says_simulated(written):
    marker = json.loads((written / write.MARKER).read_text())
    assert marker["complete"] is True
    assert marker["settings"] == {"size": "tiny", "seed": 5, "texture_cue": 0.0}
    assert marker["fingerprint"] == write.fingerprint(SETTINGS)
    assert write.fingerprint(SETTINGS) != write.fingerprint(SimulatorSettings("tiny", 6))


def test_truth_is_stored_with_the_amplitudes_shown(written):
    clip = two_subjects(SETTINGS)[0].clips[0]
    with np.load(write.truth_path(written, clip.database, clip.subject, clip.clip)) as truth:
        assert truth["flow"].shape == (340, 280, 2)
        assert truth["flow"].dtype == np.float16
        assert truth["mask"].dtype == np.uint8
        assert truth["occluded"].dtype == bool
        assert not truth["flow"][truth["mask"] == 0].any()
        assert truth["action_units"].tolist() == list(clip.action_units)
        share = clip.expression[1] - clip.expression[0]
        assert np.allclose(truth["sides"], share * np.array(list(clip.action_units.values())))


def test_interrupted_write_resumes_and_same_seed_gives_same_bytes(written, tmp_path, monkeypatch):
    taken = []

    def breaks_on_the_fourth(path, frame):
        if len(taken) == 4:
            raise KeyboardInterrupt
        taken.append(path)
        return original(path, frame)

    original = write._write_frame
    monkeypatch.setattr(write, "_write_frame", breaks_on_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        write.write_cohort(tmp_path, SETTINGS, jobs=1)
    assert json.loads((tmp_path / write.MARKER).read_text())["complete"] is False
    first = write.frame_paths(tmp_path, two_subjects(SETTINGS)[0].clips[0])[0]
    before = first.stat().st_mtime_ns
    monkeypatch.setattr(write, "_write_frame", original)
    write.write_cohort(tmp_path, SETTINGS, jobs=1)
    assert first.stat().st_mtime_ns == before  # the finished clip was kept
    assert content(tmp_path) == content(written)  # those were written by two processes, without a break


def test_foreign_and_other_folders_are_refused(written, tmp_path):
    with pytest.raises(StudyError, match="another simulated cohort"):
        write.write_cohort(written, SimulatorSettings("tiny", seed=6), jobs=1)
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(StudyError, match="not empty"):
        write.write_cohort(tmp_path, SETTINGS, jobs=1)
    with pytest.raises(StudyError, match="jobs=0"):
        write.write_cohort(written, SETTINGS, jobs=0)


class Stored(Cohort):
    """The clips of two_subjects without any loader."""

    def __init__(self, root: Path, is_simulated: bool = True):
        rows = []
        for clip in (clip for subject in two_subjects(SETTINGS) for clip in subject.clips):
            known = {name: getattr(clip, name, "") for name in COLUMNS}
            rows.append(known | {"label": "Negative", "ethnicity": clip.group, "clip_id": clip.clip_id})
        super().__init__(pd.DataFrame(rows), Provenance("a test", is_simulated, "0" * 16))
        self.root = root

    def frames(self, clip_id, moment):
        raise StudyError(f"{clip_id} {moment}: no frames in this test")


def test_truth_reader(written):
    cohort = Stored(written)
    clip = two_subjects(SETTINGS)[1].clips[0]
    flow, mask, occluded = simulated.truth(cohort, clip.clip_id)
    assert flow.dtype == np.float32
    assert flow.shape == (*mask.shape, 2) == (*occluded.shape, 2)
    assert set(simulated.true_action_units(cohort, clip.clip_id)) == set(clip.action_units)
    with pytest.raises(StudyError, match="simulated clips only"):
        simulated.truth(Stored(written, is_simulated=False), clip.clip_id)
    with pytest.raises(StudyError, match="is missing"):
        simulated.truth(Stored(written / "nowhere"), clip.clip_id)


def test_open_simulated_goes_through_the_licensed_loader(written, tmp_path, monkeypatch):
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(tmp_path))
    folder = simulated.simulated_folder(SETTINGS)
    assert folder == tmp_path / "cohorts" / f"simulated-{write.fingerprint(SETTINGS)}"
    shutil.copytree(written, folder)
    parameters = CohortParameters(cohort_size="tiny", simulator_seed=5)
    cohort = simulated.open_simulated(parameters)
    assert cohort.provenance.simulated
    assert len(cohort.clips) == 3
    assert set(cohort.clips["database"]) == {CASME2, SAMM}
    assert simulated.settings_of(parameters) == SETTINGS
    for clip_id in cohort.clips["clip_id"]:
        flow, _, _ = simulated.truth(cohort, clip_id)
        assert cohort.frames(clip_id, "onset").shape[:2] == flow.shape[:2]
