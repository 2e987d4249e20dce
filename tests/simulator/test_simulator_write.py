"""Writing: official layouts, same bytes however written, resuming, adding frames, refusing foreign folders."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pandas as pd
import pytest

from ethnicmer_lib.clips.coding import read_coding
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.licensed import open_licensed
from ethnicmer_lib.clips.simulated import MARKER, SEAL, unsealed
from ethnicmer_lib.clips.table import COLUMNS, Clips, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator import clip_files, layout, protocol, scene, write
from ethnicmer_lib.simulator.appearance import paint
from ethnicmer_lib.simulator.layout import frame_path, frame_paths, truth_path
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.simulator.truth import true_action_units, truth
from ethnicmer_lib.sources import Simulated, open_clips

SETTINGS = SimulatorSettings("tiny", seed=5)


def short(clip):
    """The clip in eight frames, with a blink."""
    return replace(clip, apex=clip.onset + 4, offset=clip.onset + 7, blink=0.05)


def two_subjects(settings):
    """One subject of each layout: two clips and one."""
    plan = protocol.plan_cohort(settings)
    casme2, samm = plan[0], plan[6]
    return [
        replace(casme2, clips=tuple(short(clip) for clip in casme2.clips[:2])),
        replace(samm, clips=(short(samm.clips[0]),)),
    ]


def planned():
    return [clip for subject in two_subjects(SETTINGS) for clip in subject.clips]


@pytest.fixture(scope="module", autouse=True)
def few_clips_painted_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "plan_cohort", two_subjects)
        patch.setattr(scene, "_painted", cache(paint))
        yield


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Onset, apex and offset, by two processes."""
    return write.write_cohort(tmp_path_factory.mktemp("cohort"), SETTINGS, jobs=2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Every frame, by this process."""
    return write.write_cohort(tmp_path_factory.mktemp("whole"), SETTINGS, frames="all", jobs=1)


@pytest.fixture
def copied(written, tmp_path):
    return shutil.copytree(written, tmp_path / "copy")


def files(root: Path) -> list[Path]:
    """All but the seal: its lines stand in the order in which processes wrote."""
    return [path for path in sorted(root.rglob("*")) if path.is_file() and path.name != SEAL]


def content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in files(root)}


def times(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): p.stat().st_mtime_ns for p in files(root)}


def test_layout_is_the_official_one(written):
    clips = planned()
    casme2, samm = clips[0], clips[2]
    assert (written / f"CASME2/Cropped/sub01/{casme2.clip}/reg_img{casme2.onset}.jpg").is_file()
    assert (written / f"SAMM/001/{samm.clip}/001_{samm.apex:05d}.jpg").is_file()
    assert len(list(written.rglob("*.jpg"))) == 3 * len(clips)
    assert not [p for p in written.rglob("*") if p.name.startswith(".")]


def test_each_database_is_recorded_in_its_own_way(written):
    for clip, shape in zip(planned()[1:], [(340, 280, 3), (320, 300)], strict=True):
        frame = cv2.imread(str(frame_paths(written, clip)[0]), cv2.IMREAD_UNCHANGED)
        assert frame.shape == shape
        with np.load(truth_path(written, clip.database, clip.subject, clip.clip)) as truth:
            assert truth["flow"].shape == (*shape[:2], 2)


def test_coding_files(written):
    sheet = pd.read_excel(written / "CASME2" / layout.CASME2_CODES)
    assert [*sheet.columns] == [
        *("Subject", "Filename", "Unnamed: 2", "OnsetFrame", "ApexFrame", "OffsetFrame", "Unnamed: 6"),
        *("Action Units", "Estimated Emotion"),
    ]
    clip = planned()[0]
    assert sheet.loc[0, ["Subject", "Filename", "ApexFrame"]].tolist() == [1, clip.clip, clip.apex]
    assert str(sheet.loc[0, "Action Units"]) == clip.action_unit_text
    book = openpyxl.load_workbook(written / "SAMM" / layout.SAMM_CODES)
    rows = list(book.active.iter_rows(values_only=True))
    assert rows[13] == layout.SAMM_COLUMNS
    assert rows[14][0] == "001"
    assert rows[14][9] == planned()[2].emotion.capitalize()


def test_groups(written):
    groups = pd.read_csv(written / "groups.csv", dtype=str)
    assert tuple(groups.columns) == layout.GROUP_COLUMNS
    assert groups[["database", "subject", "group"]].iloc[0].tolist() == [CASME2, "sub01", "A"]
    assert (groups["ethnicity"] == groups["group"]).all()
    assert groups[["gender", "age"]].isna().all(axis=None)


def test_others_are_spelled_as_in_each_database_and_left_out_by_the_loader(tmp_path):
    clips = planned()
    clips += [replace(clip, clip=f"{clip.clip}9", emotion="others") for clip in clips[1:]]
    layout.write_tables(tmp_path, clips)
    spelled = {CASME2: (layout.CASME2_CODES, "others"), SAMM: (layout.SAMM_CODES, "Other")}
    for database, (name, emotion) in spelled.items():
        path = tmp_path / layout.FOLDERS[database] / name
        values = [
            cell for row in openpyxl.load_workbook(path).active.iter_rows(values_only=True) for cell in row
        ]
        assert emotion in values
        kept = set(read_coding(path, database)[0].dropna(subset="label")["clip"])
        assert kept == {c.clip for c in clips if c.database == database and c.emotion != "others"}


def test_marker_says_simulated(written):
    marker = json.loads((written / MARKER).read_text())
    assert marker["complete"] is True
    assert marker["settings"]["size"] == "tiny"
    assert marker["settings"]["seed"] == 5
    assert marker["fingerprint"] == write.fingerprint(SETTINGS)
    assert write.fingerprint(SETTINGS) != write.fingerprint(SimulatorSettings("tiny", 6))
    assert write.fingerprint(SETTINGS) == write.fingerprint(replace(SETTINGS, texture_cue=0))


def test_truth_is_stored_with_what_was_shown(written):
    clip = planned()[0]
    with np.load(truth_path(written, clip.database, clip.subject, clip.clip)) as stored:
        truth = dict(stored)
    assert truth["flow"].dtype == np.float16
    assert truth["mask"].dtype == np.uint8
    assert truth["occluded"].dtype == bool
    assert not truth["flow"][truth["mask"] == 0].any()
    assert truth["action_units"].tolist() == list(clip.action_units)
    share = clip.expression[1] - clip.expression[0]
    assert np.allclose(truth["sides"], share * np.array(list(clip.action_units.values())))
    seen = (truth["mask"] == 1) & ~truth["occluded"]
    assert truth["peak"] == pytest.approx(np.hypot(*truth["flow"][seen].T.astype(float)).max(), rel=2e-3)
    assert truth["frames"].tolist() == [clip.onset, clip.apex, clip.offset]
    assert np.allclose(truth["expression"], clip.expression)
    assert np.allclose(truth["pose"], clip.poses)
    assert np.allclose(truth["gain"], clip.gains)
    assert truth["blink"] == pytest.approx(clip.blink)


def test_the_truth_is_explained(written):
    text = (written / "truth" / "README.txt").read_text()
    clip = planned()[0]
    with np.load(truth_path(written, clip.database, clip.subject, clip.clip)) as truth:
        for name in truth:
            assert f"\n  {name} " in text


def test_whole_clips_hold_every_frame_and_the_three_are_the_same_bytes(written, whole):
    for clip in planned():
        folder = frame_paths(whole, clip)[0].parent
        wanted = {frame_path(whole, clip, n).name for n in range(clip.onset, clip.offset + 1)}
        assert {path.name for path in folder.iterdir()} == wanted
    # The two were written by two processes and by one.
    assert content(written).items() <= content(whole).items()


def test_neighbouring_frames_differ_by_noise_of_their_own(whole):
    clip = planned()[0]
    frames = [cv2.imread(str(frame_path(whole, clip, n))).astype(int) for n in range(clip.onset, clip.offset)]
    for before, after in pairwise(frames):
        assert 0.5 < np.abs(after - before)[:60, :30].mean() < 5  # the background: noise and flicker alone


def test_adding_frames_writes_only_what_is_missing(copied, whole):
    before, clip = times(copied), planned()[1]
    write.write_cohort(copied, SETTINGS, around=1, clips=[clip.clip_id], jobs=1)
    after, reference = content(copied), content(whole)
    added = sorted(after.keys() - before.keys())
    numbers = [clip.onset - 1, clip.onset + 1, clip.apex - 1, clip.apex + 1]
    assert added == sorted(str(frame_path(Path(), clip, number)) for number in numbers)
    assert {name: times(copied)[name] for name in before} == before
    within = [name for name in added if name != str(frame_path(Path(), clip, clip.onset - 1))]
    assert [after[name] for name in within] == [reference[name] for name in within]
    write.write_cohort(copied, SETTINGS, jobs=1)  # asking for fewer takes nothing away
    assert content(copied) == after


def test_deleted_files_are_written_again(copied, written):
    clip = planned()[0]
    lost = [
        frame_paths(copied, clip)[1],
        truth_path(copied, clip.database, clip.subject, clip.clip),
        copied / "SAMM" / layout.SAMM_CODES,
    ]
    for path in lost:
        path.unlink()
    write.write_cohort(copied, SETTINGS, jobs=1)
    assert content(copied) == content(written)


def test_interrupted_write_is_completed(tmp_path, written, monkeypatch):
    taken = []

    def breaks_on_the_fourth(path, *rest):
        if len(taken) == 4:
            raise KeyboardInterrupt
        taken.append(path)
        return original(path, *rest)

    original = clip_files._write_frame
    monkeypatch.setattr(clip_files, "_write_frame", breaks_on_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        write.write_cohort(tmp_path, SETTINGS, jobs=1)
    assert json.loads((tmp_path / MARKER).read_text())["complete"] is False
    before = times(tmp_path)
    monkeypatch.setattr(clip_files, "_write_frame", original)
    write.write_cohort(tmp_path, SETTINGS, jobs=1)
    kept = before.keys() - {MARKER}
    assert {name: times(tmp_path)[name] for name in kept} == {name: before[name] for name in kept}
    assert content(tmp_path) == content(written)
    assert unsealed(tmp_path, {}) == []


def test_every_file_is_sealed_by_whoever_writes_it(written, whole):
    for root in (written, whole):  # two processes, one process
        sealed = [line.split("  ")[1] for line in (root / SEAL).read_text().splitlines()]
        assert sorted(sealed) == sorted(content(root).keys() - {MARKER})


def test_a_file_that_was_found_is_never_sealed(copied):
    folders = {CASME2: copied / "CASME2", SAMM: copied / "SAMM"}
    frame = frame_paths(copied, planned()[0])[1]
    frame.write_bytes(b"a face of somebody")
    more = frame_path(copied, planned()[1], planned()[1].onset - 1)
    more.write_bytes(b"another")
    write.write_cohort(copied, SETTINGS, around=1, jobs=1)
    assert more.read_bytes() == b"another"  # nor overwritten: it may be the only copy
    assert {problem.file for problem in unsealed(copied, folders)} == {frame, more}
    with pytest.raises(StudyError, match="not as the simulator wrote it"):
        open_licensed(*folders.values())
    frame.unlink()
    more.unlink()
    write.write_cohort(copied, SETTINGS, around=1, jobs=1)
    assert open_licensed(*folders.values()).provenance.simulated


def test_a_bar_shows_only_where_there_is_something_to_do(copied, capsys):
    write.write_cohort(copied, SETTINGS, jobs=1, progress=True)
    assert capsys.readouterr().err == ""
    frame_paths(copied, planned()[0])[0].unlink()
    write.write_cohort(copied, SETTINGS, jobs=1, progress=True)
    assert "1/1" in capsys.readouterr().err


def test_foreign_and_other_folders_are_refused(written, tmp_path):
    with pytest.raises(StudyError, match=r"another simulated cohort.*seed=5, not 6"):
        write.write_cohort(written, SimulatorSettings("tiny", seed=6), jobs=1)
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(StudyError, match="not empty"):
        write.write_cohort(tmp_path, SETTINGS, jobs=1)
    (tmp_path / MARKER).write_text("[]")
    with pytest.raises(StudyError, match="not readable"):
        write.write_cohort(tmp_path, SETTINGS, jobs=1)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"jobs": 0}, "jobs=0"),
        ({"frames": "some"}, "frames='some'"),
        ({"around": -1}, "around=-1"),
        ({"around": 10_000}, "at most"),
        ({"clips": ["SAMM/001/001_1_1"]}, "add frames='all'"),
        ({"clips": ["SAMM/9"], "around": 1}, "'SAMM/9' is not in this cohort"),
    ],
)
def test_requests_that_make_no_sense_are_refused_before_anything_is_written(tmp_path, asked, says):
    with pytest.raises(StudyError, match=says):
        write.write_cohort(tmp_path, SETTINGS, **asked)
    assert not list(tmp_path.iterdir())


def test_large_subjects_are_split_and_nothing_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "FILES_PER_TASK", 5)
    plan = two_subjects(SETTINGS)
    wanted = {clip.clip_id: clip_files.numbers(clip, "all") for clip in planned()}
    tasks = write._tasks(tmp_path, plan, wanted)
    files = [(clip.clip_id, number) for task in tasks for clip, number in task.files]
    assert max(len(task.files) for task in tasks) == 5
    assert len(files) == len(set(files)) == sum(1 + len(numbers) for numbers in wanted.values())


class Stored(Clips):
    """The clips of two_subjects without any loader."""

    def __init__(self, root: Path, is_simulated: bool = True):
        rows = []
        for clip in planned():
            known = {name: getattr(clip, name, "") for name in COLUMNS}
            rows.append(known | {"label": "Negative", "ethnicity": clip.group, "clip_id": clip.clip_id})
        super().__init__(pd.DataFrame(rows), Provenance("a test", is_simulated, "0" * 16))
        self.root = root

    def frames(self, clip_id, moment):
        raise StudyError(f"{clip_id} {moment}: no frames in this test")


def test_truth_reader(written):
    cohort = Stored(written)
    clip = planned()[2]
    flow, mask, occluded = truth(cohort, clip.clip_id)
    assert flow.dtype == np.float32
    assert flow.shape == (*mask.shape, 2) == (*occluded.shape, 2)
    assert set(true_action_units(cohort, clip.clip_id)) == set(clip.action_units)
    with pytest.raises(StudyError, match="simulated clips only"):
        truth(Stored(written, is_simulated=False), clip.clip_id)
    with pytest.raises(StudyError, match="is missing"):
        truth(Stored(written / "nowhere"), clip.clip_id)


def test_open_simulated_goes_through_the_licensed_loader(written, tmp_path, monkeypatch):
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(tmp_path))
    source = Simulated(size="tiny", seed=5)
    shutil.copytree(written, tmp_path / "cohorts" / f"simulated-{write.fingerprint(SETTINGS)}")
    cohort = open_clips(source, progress=False)
    assert cohort.provenance.simulated
    assert len(cohort.table) == 3
    assert set(cohort.table["database"]) == {CASME2, SAMM}
    assert source.settings() == SETTINGS
    for clip_id in cohort.table["clip_id"]:
        flow, _, _ = truth(cohort, clip_id)
        assert cohort.frames(clip_id, "onset").shape[:2] == flow.shape[:2]


def test_more_frames_change_no_clip_but_the_fingerprint(written, whole):
    few, many = (open_licensed(root / "CASME2", root / "SAMM") for root in (written, whole))
    assert few.table.equals(many.table)
    for clip_id in few.table["clip_id"]:
        for moment in ("onset", "apex"):
            assert np.array_equal(few.frames(clip_id, moment), many.frames(clip_id, moment))
            assert len(few.neighbours(clip_id, moment).steps) < len(many.neighbours(clip_id, moment).steps)
    # Neighbouring frames are there to be looked at, so results with and without them have different keys.
    assert few.provenance.fingerprint != many.provenance.fingerprint


def test_settings_come_from_the_parameters_of_the_same_name():
    source = Simulated(size="tiny", seed=3, texture_cue=0.25)
    assert source.settings() == SimulatorSettings("tiny", 3, texture_cue=0.25)
