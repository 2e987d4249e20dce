"""Opening CASME II and SAMM folders: what is read, and what every kind of damage is called."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.clips.labels import SAMM
from ethnicmer_lib.clips.licensed import open_licensed
from ethnicmer_lib.clips.table import COLUMNS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.sources import open_clips

APEXLESS = "CASME II/sub01/EP19_05f"


def test_both_databases_become_one_clips_table(study):
    study.write()
    cohort = open_licensed(study.casme2, study.samm)
    clips = cohort.table.set_index("clip_id")
    assert list(cohort.table.columns) == list(COLUMNS)
    assert list(clips.index) == [
        "CASME II/sub01/EP02_01f",
        APEXLESS,
        "CASME II/sub02/EP01_11f",
        "SAMM/006/006_1_2",
        "SAMM/006/006_3_5",
        "SAMM/007/007_6_1",
    ]
    assert list(clips["label"]) == ["Positive", "Negative", "Negative", "Negative", "Surprise", "Positive"]
    assert list(clips["emotion"].iloc[:3]) == ["happiness", "disgust", "repression"]
    assert list(clips["action_units"]) == ["12", "4", "4+L10", "4", "1+2", "R12"]
    assert set(clips.loc[clips["database"] == "CASME II", "group"]) == {"Asian"}
    assert clips.loc["SAMM/006/006_1_2", ["ethnicity", "group"]].tolist() == ["White", "Non-Asian"]
    assert clips.loc["SAMM/007/007_6_1", ["onset", "apex", "offset"]].tolist() == [100001, 100010, 100020]
    assert clips["apex"].tolist() == [59, (111 + 241) // 2, 91, 5588, (99 + 120) // 2, 100010]
    assert clips["onset"].dtype == "Int64"
    assert cohort.provenance.source == "CASME II + SAMM, licensed frames"
    assert not cohort.provenance.simulated
    assert cohort.has_frames
    assert cohort.root is None


def test_frames_keep_colour_order_and_gray_stays_flat(study):
    study.write()
    cohort = open_licensed(study.casme2, study.samm)
    colour = cohort.frames("CASME II/sub01/EP02_01f", "apex")
    assert colour.shape == (48, 40, 3)
    assert colour.dtype == np.uint8
    assert colour[..., 0].min() > 200 > 60 > colour[..., 2].max()  # red first
    gray = cohort.frames("SAMM/006/006_1_2", "onset")
    assert gray.shape == (48, 40)
    assert abs(int(gray.mean()) - 5562 % 200) <= 2


def test_frame_numbers_are_found_with_and_without_padding(study):
    study.write()
    cohort = open_licensed(None, study.samm)
    assert (study.samm / "006" / "006_3_5" / "006_99.jpg").exists()
    assert abs(int(cohort.frames("SAMM/006/006_3_5", "onset").mean()) - 99) <= 2
    assert cohort.frames("SAMM/007/007_6_1", "offset").shape == (48, 40)


@pytest.mark.parametrize("frames", ["Cropped", "CASME2_RAW_selected"])
def test_one_database_alone_and_raw_frames(study, frames):
    study.frames = frames
    study.write()
    cohort = open_licensed(study.casme2, None)
    assert cohort.provenance.source == "CASME II, licensed frames"
    assert cohort.groups == ["Asian"]
    assert cohort.frames("CASME II/sub02/EP01_11f", "onset").shape == (48, 40, 3)


def test_samm_folder_may_be_the_parent(study):
    study.write()
    inner, outer = open_licensed(None, study.samm), open_licensed(None, study.root)
    pd.testing.assert_frame_equal(outer.table, inner.table)
    assert outer.frames("SAMM/006/006_1_2", "apex").shape == (48, 40)


def test_open_cohort_dispatches(study, tmp_path):
    study.write()
    groups = study.write_groups(tmp_path / "mine.csv", ("X", "Y"))
    source = {"kind": "licensed", "casme2": study.casme2, "samm": study.samm, "annotations": groups}
    assert open_clips(source).groups == ["X", "Y"]
    with pytest.raises(StudyError, match="--casme2 DIR, --samm DIR or both"):
        open_clips({"kind": "licensed"})


def test_a_frame_that_the_coder_did_not_give_says_so(study):
    study.casme2_rows[0] = (1, "EP02_01f", 46, 59, "", 12, "happiness")
    study.write()
    cohort = open_licensed(study.casme2, study.samm)
    assert cohort.frames("CASME II/sub01/EP02_01f", "onset").shape == (48, 40, 3)
    with pytest.raises(StudyError, match=r"CASME II/sub01/EP02_01f.* no offset frame"):
        cohort.frames("CASME II/sub01/EP02_01f", "offset")
    with pytest.raises(StudyError, match="no clip 'SAMM/001/x'"):
        cohort.frames("SAMM/001/x", "onset")


def test_missing_frame_names_clip_file_value_and_fix(study):
    study.write()
    (study.casme2 / "Cropped/sub01/EP02_01f/reg_img59.jpg").unlink()
    shutil.rmtree(study.samm / "007" / "007_6_1")
    cohort = open_licensed(study.casme2, study.samm)
    with pytest.raises(StudyError) as error:
        cohort.frames("CASME II/sub01/EP02_01f", "apex")
    for part in ("CASME II/sub01/EP02_01f", "Cropped/sub01/EP02_01f", "apex frame 59", "46 to 86", "copy it"):
        assert part in str(error.value)
    with pytest.raises(StudyError, match="007_6_1: no frame of a clip"):
        cohort.frames("SAMM/007/007_6_1", "onset")


def test_unreadable_frame_and_doubled_number(study):
    study.write()
    folder = study.samm / "006" / "006_1_2"
    (folder / "006_05562.jpg").write_bytes(b"not a picture")
    (study.casme2 / "Cropped/sub01/EP02_01f/reg_img46.jpg").write_bytes(b"")
    cohort = open_licensed(study.casme2, study.samm)
    with pytest.raises(StudyError, match=r"not a readable image.*006_05562\.jpg"):
        cohort.frames("SAMM/006/006_1_2", "onset")
    with pytest.raises(StudyError, match=r"not a readable image.*reg_img46\.jpg"):
        cohort.frames("CASME II/sub01/EP02_01f", "onset")
    shutil.copy(folder / "006_05588.jpg", folder / "006_5588.jpg")
    with pytest.raises(
        StudyError, match=r"clip SAMM/006/006_1_2: .*006_05588\.jpg and 006_5588\.jpg .*; keep one"
    ):
        open_licensed(study.casme2, study.samm)


def test_fingerprint_changes_with_label_and_frame_only(study, tmp_path):
    study.write()
    first = open_licensed(study.casme2, study.samm).provenance.fingerprint
    assert len(first) == 16
    (study.casme2 / "Cropped/sub01/EP02_01f/notes.txt").write_text("not a frame")
    assert open_licensed(study.casme2, study.samm).provenance.fingerprint == first
    frame = study.samm / "006" / "006_1_2" / "006_05588.jpg"
    content = frame.read_bytes()
    frame.unlink()
    without = open_licensed(study.casme2, study.samm).provenance.fingerprint
    frame.write_bytes(content + b"\0")
    longer = open_licensed(study.casme2, study.samm).provenance.fingerprint
    frame.write_bytes(content[:200] + b"\0\0" + content[202:])  # damaged, of the same size
    damaged = open_licensed(study.casme2, study.samm).provenance.fingerprint
    frame.write_bytes(content)
    groups = study.write_groups(tmp_path / "groups.csv")
    regrouped = open_licensed(study.casme2, study.samm, groups).provenance.fingerprint
    assert (
        len(
            {first, without, longer, damaged, regrouped}
            | {open_licensed(study.casme2, None).provenance.fingerprint}
        )
        == 6
    )
    assert open_licensed(study.casme2, study.samm).provenance.fingerprint == first


def test_simulated_marker_is_honoured(study):
    study.casme2_rows = [row for row in study.casme2_rows if row[3] != "/"]
    study.samm_rows = [row for row in study.samm_rows if row[3] > 0]
    study.write().mark_simulated()
    cohort = open_licensed(study.casme2, study.samm)
    assert cohort.provenance.simulated
    assert cohort.provenance.source == "simulated cohort (seed 7)"
    assert cohort.root == study.root.resolve()
    assert cohort.groups == ["A", "B"]
    first = cohort.provenance.fingerprint
    # Another machine's JPEG encoder may give other bytes for the same cohort.
    frame = study.samm / "006" / "006_1_2" / "006_05588.jpg"
    frame.write_bytes(frame.read_bytes() + b"\0")
    study.seal()
    assert open_licensed(study.casme2, study.samm).provenance.fingerprint == first


def test_simulated_fingerprint_follows_settings_labels_and_completeness(study):
    study.casme2_rows = [row for row in study.casme2_rows if row[3] != "/"]
    study.samm_rows = [row for row in study.samm_rows if row[3] > 0]
    study.write().mark_simulated()

    def fingerprint() -> str:
        return open_licensed(study.casme2, study.samm).provenance.fingerprint

    first = fingerprint()
    study.mark_simulated("fedcba9876543210")
    other = fingerprint()
    study.write_groups(study.root / "groups.csv", ("A", "B"))
    study.seal()
    swapped = fingerprint()
    (study.samm / "006" / "006_1_2" / "006_05588.jpg").unlink()
    assert len({first, other, swapped, fingerprint()}) == 4


def test_simulated_and_real_never_mix(study, tmp_path):
    study.write().mark_simulated()
    real = type(study)(tmp_path / "real").write()
    with pytest.raises(StudyError, match="not of one cohort"):
        open_licensed(study.casme2, real.samm)
    (study.root / "SIMULATED.json").write_text("{}")
    with pytest.raises(StudyError, match="no JSON with a 'fingerprint'"):
        open_licensed(study.casme2, study.samm)
    (study.root / "SIMULATED.json").write_text("{")
    with pytest.raises(StudyError, match="no JSON with a 'fingerprint'"):
        open_licensed(study.casme2, study.samm)


@pytest.mark.catalogue
@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((1, "EP02_01f", 46, 59, 86, 12, "joy"), "clip CASME II/sub01/EP02_01f: .*emotion 'joy'"),
        (
            (1, "EP02_01f", 46, "fifty", 86, 12, "fear"),
            r"clip CASME II/sub01/EP02_01f: .*apex 'fifty' .*row 2",
        ),
        ((1, "EP02_01f", -5, 59, 86, 12, "fear"), "onset '-5'"),
        ((1, "EP02_01f", 1.5, 59, 86, 12, "fear"), r"onset '1\.5'"),
        (
            ("1a", "EP02_01f", 46, 59, 86, 12, "fear"),
            "without subject number or Filename: subject '1a', .*row 2",
        ),
        ((1, "", 46, 59, 86, 12, "fear"), "without subject number or Filename: subject '1', Filename ''"),
        (
            (1, "EP99_99", 46, 59, 86, 12, "fear"),
            "clip CASME II/sub01/EP99_99: .* without group label.*released",
        ),
        ((2, "EP01_11f", 46, 59, 86, 12, "fear"), "clip CASME II/sub02/EP01_11f: given in two rows"),
    ],
)
def test_a_wrong_row_is_named(study, row, message):
    study.write()
    study.casme2_rows[0] = row
    study.write_coding()
    with pytest.raises(StudyError, match=message):
        open_licensed(study.casme2, study.samm)


def test_a_missing_or_doubled_coding_file_is_named(study):
    study.write()
    coding = study.casme2 / "CASME2-coding-20140508.xlsx"
    shutil.copy(coding, study.casme2 / "CASME2-coding-20190701.xlsx")
    with pytest.raises(
        StudyError, match=r"CASME2-coding-20140508\.xlsx, CASME2-coding-20190701\.xlsx .*; keep one"
    ):
        open_licensed(study.casme2, None)
    (study.casme2 / "CASME2-coding-20190701.xlsx").unlink()
    coding.write_bytes(b"no spreadsheet")
    with pytest.raises(StudyError, match=r"cannot be read as \.xlsx.*20140508\.xlsx"):
        open_licensed(study.casme2, None)
    coding.unlink()
    with pytest.raises(
        StudyError, match=r"no coding file: CASME2-coding-\*\.xlsx; there: Cropped .*--casme2"
    ):
        open_licensed(study.casme2, None)


def test_the_header_is_found_and_must_be_whole(study):
    study.write()
    pd.DataFrame([["no", "header"]]).to_excel(study.samm / "SAMM_Micro_FACS_Codes_v2.xlsx", index=False)
    with pytest.raises(StudyError, match="no header row with Subject and Filename"):
        open_licensed(None, study.samm)
    pd.DataFrame([[6, "006_1_2"]], columns=["Subject", "Filename"]).to_excel(
        study.samm / "SAMM_Micro_FACS_Codes_v2.xlsx", index=False
    )
    with pytest.raises(StudyError, match=r"name each of these once: onset \(0 times\), .*row 1"):
        open_licensed(None, study.samm)


def test_missing_folders_are_named(study, tmp_path):
    study.write()
    with pytest.raises(StudyError, match=r"CASME II: .*not a folder .*nowhere.*--casme2"):
        open_licensed(tmp_path / "nowhere", study.samm)
    with pytest.raises(StudyError, match=r"SAMM: .*not a folder .*nowhere.*--samm"):
        open_licensed(study.casme2, tmp_path / "nowhere")
    shutil.rmtree(study.casme2 / "Cropped")
    with pytest.raises(
        StudyError, match=r"no folder of frames: no sub01/EP02_01f/ .*CASME2-coding-20140508\.xlsx"
    ):
        open_licensed(study.casme2, None)
    for subject in ("006", "007"):
        shutil.rmtree(study.samm / subject)
    with pytest.raises(StudyError, match="no folder of frames: no 006/006_1_2/"):
        open_licensed(None, study.samm)


def test_the_cohort_travels_to_another_process(study):
    study.write()
    cohort = pickle.loads(pickle.dumps(open_licensed(study.casme2, study.samm)))
    assert cohort.frames("SAMM/006/006_1_2", "apex").shape == (48, 40)
    assert set(cohort.folders) == {"CASME II", SAMM}
