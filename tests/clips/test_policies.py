"""Policies: what the loader does with doubtful clips by each choice, and that every decision is in the log."""

from __future__ import annotations

import shutil

import cv2
import licensed_copy
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.clips.coding import outside
from ethnicmer_lib.clips.folders import decode
from ethnicmer_lib.clips.licensed import open_licensed
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.clips.table import MOMENTS, Decision
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.sources import check_source, open_clips

OUT = "CASME II/sub01/EP02_01f"  # its apex is after its offset
NONE = "CASME II/sub01/EP19_05f"  # it has no apex
PLAIN = "CASME II/sub02/EP01_11f"


@pytest.fixture
def doubtful(study):
    study.casme2_rows[0] = (1, "EP02_01f", 46, 99, 86, "12", "happiness")
    study.samm_rows[1] = ("006", "006_3_5", 99, 110, 120, "1+2", "Surprise")
    study.write()
    folder = study.casme2 / "Cropped" / "sub01"
    for frame in range(46, 87, 10):
        licensed_copy.picture(folder / "EP02_01f" / f"reg_img{frame}.jpg", frame, colour=True)
    for frame in (150, 176):
        licensed_copy.picture(folder / "EP19_05f" / f"reg_img{frame}.jpg", frame, colour=True)
    return study


def opened(study, mapping="paper", **policies):
    return open_licensed(study.casme2, study.samm, policies=Policies(**policies), mapping=mapping)


def frames_of(cohort, clip_id) -> list[int]:
    return [None if pd.isna(number) else int(number) for number in cohort.row(clip_id)[["onset", "apex"]]]


@pytest.mark.parametrize(
    ("choice", "apex", "new"),
    [("as_is", 99, "99 (onset 46, offset 86)"), ("midpoint", 66, "66"), ("offset", 86, "86")],
)  # fmt: skip
def test_an_apex_outside_its_clip(doubtful, choice, apex, new):
    cohort = opened(doubtful, apex=choice)
    assert frames_of(cohort, OUT) == [46, apex]
    log = cohort.decisions[cohort.decisions["clip"] == OUT]
    assert log.to_numpy().tolist() == [[OUT, "apex", "99 (onset 46, offset 86)", new, f"apex={choice!r}"]]
    assert frames_of(cohort, PLAIN) == [46, 91]


@pytest.mark.parametrize(("choice", "apex"), [("midpoint", 176), ("offset", 241)])
def test_a_missing_apex(doubtful, choice, apex):
    cohort = opened(doubtful, missing_apex=choice)
    assert frames_of(cohort, NONE) == [111, apex]
    log = cohort.decisions[cohort.decisions["clip"] == NONE]
    assert log["old"].tolist() == ["none"]
    assert log["rule"].tolist() == [f"missing_apex={choice!r}"]
    assert cohort.frames(NONE, "apex").shape == (48, 40, 3)


def test_the_default_keeps_every_clip_and_says_what_it_did(doubtful):
    cohort = opened(doubtful)
    assert len(cohort.table) == 6
    assert set(cohort.decisions["rule"]) == {"apex='as_is'", "missing_apex='midpoint'"}
    assert list(cohort.decisions.columns) == list(Decision._fields)


def test_drop_leaves_the_clip_out_and_changes_the_fingerprint(doubtful):
    cohort = opened(doubtful, apex="drop", missing_apex="drop")
    assert not {OUT, NONE} & set(cohort.table["clip_id"])
    assert cohort.decisions["new"].tolist() == ["left out", "left out"]
    others = [opened(doubtful), opened(doubtful, apex="midpoint"), opened(doubtful, missing_apex="offset")]
    prints = {one.provenance.fingerprint for one in (cohort, *others)}
    assert len(prints) == 4
    assert opened(doubtful).provenance.fingerprint == others[0].provenance.fingerprint


def test_a_policy_without_what_it_needs_says_so(doubtful):
    doubtful.casme2_rows[1] = (1, "EP19_05f", 111, "/", "", "4", "disgust")
    doubtful.write_coding()
    with pytest.raises(
        StudyError, match=rf"clip {NONE}: .* needs the offset frame: missing_apex='midpoint' .*\.xlsx"
    ):
        opened(doubtful)


@pytest.mark.catalogue
@pytest.mark.parametrize("damage", ["gone", "empty", "truncated", "text"])
def test_missing_and_damaged_frames(doubtful, damage):
    path = doubtful.casme2 / "Cropped/sub02/EP01_11f/reg_img91.jpg"
    content = {"empty": b"", "truncated": path.read_bytes()[:-30], "text": b"hello"}
    path.unlink() if damage == "gone" else path.write_bytes(content[damage])
    with pytest.raises(StudyError, match=r"frame 91.*sub02/EP01_11f"):
        opened(doubtful).frames(PLAIN, "apex")
    dropped = opened(doubtful, missing_frames="drop")
    assert PLAIN not in set(dropped.table["clip_id"])
    row = dropped.decisions.iloc[-1]
    assert row[["clip", "new", "rule"]].tolist() == [PLAIN, "left out", "missing_frames='drop'"]
    assert "apex frame 91" in row["old"]


@pytest.mark.parametrize(("choice", "apex"), [("first", 91), ("last", 140)])
def test_double_rows(doubtful, choice, apex):
    doubtful.casme2_rows.append((2, "EP01_11f", 46, 140, 151, "4+L10", "repression"))
    doubtful.write_coding()
    with pytest.raises(StudyError, match=rf"clip {PLAIN}: given in two rows: rows 4, 6"):
        opened(doubtful)
    cohort = opened(doubtful, double_rows=choice)
    assert frames_of(cohort, PLAIN) == [46, apex]
    row = cohort.decisions[cohort.decisions["clip"] == PLAIN].iloc[0]
    lost = {"first": "row 6", "last": "row 4"}[choice]
    assert row[["what", "old", "new"]].tolist() == ["coding row", lost, "left out"]


def test_coding_files(doubtful):
    first = doubtful.casme2 / "CASME2-coding-20140508.xlsx"
    doubtful.casme2_rows[2] = (2, "EP01_11f", 46, 92, 151, "4+L10", "repression")
    shutil.move(first, doubtful.root / "kept.xlsx")
    doubtful.write_coding()
    shutil.move(first, doubtful.casme2 / "CASME2-coding-20190701.xlsx")
    shutil.move(doubtful.root / "kept.xlsx", first)
    (doubtful.casme2 / "~$CASME2-coding-20190701.xlsx").write_bytes(b"a lock of a spreadsheet program")
    with pytest.raises(StudyError, match="coding_file"):
        opened(doubtful)
    assert frames_of(opened(doubtful, coding_file="newest"), PLAIN) == [46, 92]
    older = opened(doubtful, coding_file="0508")
    assert frames_of(older, PLAIN) == [46, 91]
    assert "CASME2-coding-20140508.xlsx" in older.decisions["new"].tolist()
    with pytest.raises(StudyError, match=r"coding_file='2011' fits 0 of"):
        opened(doubtful, coding_file="2011")
    shutil.move(first, doubtful.casme2 / "CASME2-coding-updated.xlsx")
    with pytest.raises(StudyError, match=r"coding_file='newest' fits 0 of"):
        opened(doubtful, coding_file="newest")


def test_cropped_and_raw_frames(doubtful):
    shutil.copytree(doubtful.casme2 / "Cropped", doubtful.casme2 / "CASME2_RAW_selected")
    for path in (doubtful.casme2 / "CASME2_RAW_selected").rglob("reg_img*.jpg"):
        path.rename(path.with_name(path.name.removeprefix("reg_")))
    for choice, folder in (("any", "Cropped"), ("cropped", "Cropped"), ("raw", "CASME2_RAW_selected")):
        cohort = opened(doubtful, casme2_frames=choice)
        assert cohort.folders["CASME II"].root.name == folder
        assert ("casme2_frames='any'" in set(cohort.decisions["rule"])) == (choice == "any")
        assert cohort.frames(PLAIN, "apex").shape == (48, 40, 3)
    shutil.rmtree(doubtful.casme2 / "CASME2_RAW_selected")
    with pytest.raises(StudyError, match=r"no folder of frames: .*Cropped.*casme2_frames"):
        opened(doubtful, casme2_frames="raw")


@pytest.mark.catalogue
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CASME2/Cropped/sub02", "CASME2/Cropped/Sub2"),
        ("CASME2/Cropped/sub02", "CASME2/Cropped/2"),
        ("SAMM/006", "SAMM/6"),
        ("CASME2/Cropped/sub02/EP01_11f", "CASME2/Cropped/sub02/ep01_11F "),
    ],
)
def test_folders_are_found_in_any_spelling(doubtful, old, new):
    (doubtful.root / old).rename(doubtful.root / new)
    cohort = opened(doubtful)
    for clip_id in ("SAMM/006/006_1_2", PLAIN):
        assert cohort.frames(clip_id, "apex").shape[:2] == (48, 40)


def test_mappings_need_the_released_labels(doubtful, tmp_path):
    groups = doubtful.write_groups(tmp_path / "groups.csv")
    with pytest.raises(StudyError, match="mapping='drop_others' maps the released labels"):
        open_licensed(doubtful.casme2, doubtful.samm, groups, mapping="drop_others")
    doubtful.samm_rows[2] = (12, "012_3_1", 100001, 100010, 100020, "7", "Fear")
    doubtful.write()
    kept, dropped = opened(doubtful), opened(doubtful, mapping="drop_others")
    assert set(kept.table["clip_id"]) - set(dropped.table["clip_id"]) == {"SAMM/012/012_3_1"}
    assert "mapping='drop_others'" in dropped.decisions["rule"].tolist()
    moved = opened(doubtful, mapping="others_non_asian")
    assert (kept.row("SAMM/012/012_3_1")["group"], moved.row("SAMM/012/012_3_1")["group"]) == (
        "Asian", "Non-Asian",
    )  # fmt: skip
    folders = {"kind": "licensed", "casme2": doubtful.casme2, "samm": doubtful.samm}
    assert (
        len(open_clips(folders | {"policies": {"apex": "drop"}, "mapping": "drop_others"}).table)
        == len(dropped.table) - 1
    )


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_an_apex_is_outside_where_it_is_not_between(onset, apex, offset):
    def out(*frames) -> bool:
        return outside(pd.DataFrame([frames], columns=list(MOMENTS), dtype="Int64")).item()

    if onset <= offset:
        assert out(onset, apex, offset) == (not onset <= apex <= offset)
    assert not out(onset, None, offset)
    assert not out(None, apex, offset)
    assert out(onset, apex, None) == (apex < onset)


@settings(deadline=None, max_examples=25)
@given(height=st.integers(1, 80), width=st.integers(1, 80), colour=st.booleans(), quality=st.integers(30, 95))
def test_what_a_file_holds_is_decoded_or_named(tmp_path_factory, height, width, colour, quality):
    path = tmp_path_factory.mktemp("jpeg") / "f.jpg"
    shape = (height, width, 3) if colour else (height, width)
    content = cv2.imencode(".jpg", np.full(shape, 77, np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    path.write_bytes(content.tobytes())
    assert decode(path).shape == shape
    path.write_bytes(b"\xff\xd8\xff\xff\xff" + content.tobytes()[3:])  # fill bytes before a mark are allowed
    assert decode(path).shape == shape
    # Below a quality of 30 a table of so tiny a file may hold the bytes of the end mark; frames are larger.
    path.write_bytes(content.tobytes()[:-2])
    assert decode(path) == "truncated_file"
    path.write_bytes(cv2.imencode(".png", np.full(shape, 77, np.uint8))[1].tobytes())
    assert decode(path).shape == shape
    for broken in (b"", b"no picture"):
        path.write_bytes(broken)
        assert decode(path) == "not_an_image"


def test_wide_frames_are_cropped_to_the_face_by_a_named_detector(study, cascade):
    study.write()
    places = {}
    for number, path in enumerate(sorted((study.casme2 / "Cropped").rglob("*.jpg"))):
        place = places.setdefault(path.parent, (40 + 10 * len(places), 40))  # the head moves, the box stays
        cv2.imwrite(str(path), licensed_copy.squares((place[0] + number % 2, place[1])))
    source = {"kind": "licensed", "casme2": study.casme2, "policies": {"missing_apex": "drop"}}
    raw = open_clips(source, progress=False)
    report = check_source(source, progress=False)
    assert "not_cropped" in report.table()["kind"].tolist()
    assert "uncropped='yunet' or 'cascade'" in report.text()
    cut = source | {"policies": {"missing_apex": "drop", "uncropped": "cascade"}, "face_model": cascade}
    clips = open_clips(cut, progress=False)
    assert clips.provenance.fingerprint != raw.provenance.fingerprint
    assert "uncropped='cascade'" in clips.decisions["rule"].tolist()
    assert (
        "frames wider than a face: as they are; used: by the faces of 2 clips"
        in check_source(cut, progress=False).text()
    )
    for clip_id in clips.table["clip_id"]:
        onset, apex = (clips.frames(clip_id, moment) for moment in ("onset", "apex"))
        whole = raw.frames(clip_id, "onset")
        box = clips.folders["CASME II"].boxes[tuple(clip_id.split("/")[1:])]
        assert onset.shape == apex.shape == (box.height, box.width, *whole.shape[2:])
        assert np.array_equal(onset, whole[box.y : box.y + box.height, box.x : box.x + box.width])
        assert onset.shape[1] < whole.shape[1]
    faceless = study.casme2 / "Cropped/sub01/EP02_01f/reg_img46.jpg"
    cv2.imwrite(str(faceless), licensed_copy.squares())
    assert "no face is found in the onset frame" in check_source(cut, progress=False).text()
    with pytest.raises(StudyError, match="EP02_01f: no face is found in the onset frame"):
        open_clips(cut, progress=False)
    cut["policies"]["missing_frames"] = "drop"
    assert open_clips(cut, progress=False).table["clip_id"].tolist() == [PLAIN]
    for read in (open_clips, check_source):
        with pytest.raises(StudyError, match=r"'cascade': no model file was given \(source\.face_model"):
            read(cut | {"face_model": None}, progress=False)
