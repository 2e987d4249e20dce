"""Layouts in the wild: however a copy is nested and called, it is read, or refused by what is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import openpyxl
import pandas as pd
import pytest
from licensed_copy import refused
from PIL import ExifTags, Image

from ethnicmer_lib.clips.check import UNUSABLE, WARNINGS, check
from ethnicmer_lib.clips.licensed import open_licensed
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.sources import check_source, open_clips

CODING = "CASME2-coding-20140508.xlsx"


@pytest.fixture
def copy(study):
    """A copy without a doubtful clip."""
    study.casme2_rows[1] = (1, "EP19_05f", 111, 150, 241, "4", "disgust")
    study.samm_rows[1] = ("006", "006_3_5", 99, 110, 120, "1+2", "Surprise")
    return study.write()


def use(copy, **policies) -> int:
    """Check and open the copy with the released labels, read every frame; how many clips there are."""
    chosen = Policies(**policies)
    report = check(copy.casme2, copy.samm, policies=chosen)
    assert report.exit_code == WARNINGS, report.text()
    cohort = open_licensed(copy.casme2, copy.samm, policies=chosen)
    for clip in cohort.table["clip_id"]:
        for moment in ("onset", "apex"):
            assert cohort.frames(clip, moment).shape[:2] == (48, 40)
    return len(cohort)


def move(old: Path, new: Path) -> None:
    aside = old.parents[1] / "aside"
    shutil.move(old, aside)
    new.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(aside, new)


@pytest.mark.catalogue
@pytest.mark.parametrize(
    "name",
    [
        "Cropped-updated/Cropped", "cropped", "Cropped/Cropped", "CASME2_Cropped", "CASME2-RAW",
        "CASME2-RAW/CASME2-RAW", "CASME2_RAW_selected/CASME2_RAW_selected", "frames/cropped images", "data",
    ],
)  # fmt: skip
def test_frames_of_casme2_are_found_under_any_name(copy, name):
    move(copy.casme2 / "Cropped", copy.casme2 / name)
    assert use(copy) == 6


@pytest.mark.catalogue
@pytest.mark.parametrize("name", ["SAMM_crop", "SAMM/SAMM", "SAMM_faces/cropped"])
def test_frames_of_samm_are_found_under_any_name(copy, name):
    for subject in ("006", "007"):
        move(copy.samm / subject, copy.samm / name / subject)
    assert use(copy) == 6


def test_the_given_folder_may_be_above_or_below(copy):
    inner, outer = copy.casme2, copy.casme2.parent
    for folder in (outer, inner / "Cropped"):
        cohort = open_licensed(folder, copy.samm)
        assert cohort.folders["CASME II"].root == (inner / "Cropped").resolve()
    both = open_licensed(outer, outer)  # SAMM has subjects of the same numbers
    assert both.folders["SAMM"].root == copy.samm.resolve()
    for subject in ("sub01", "sub02"):
        shutil.move(inner / "Cropped" / subject, inner / subject)
    assert open_licensed(inner, None).folders["CASME II"].root == inner.resolve()


def test_what_lies_there_instead_of_frames_is_named(copy):
    shutil.rmtree(copy.casme2 / "Cropped")
    (copy.casme2 / "Cropped.zip").write_bytes(b"PK")
    refused(copy, "Cropped.zip", "no sub01/EP02_01f/", "unpack the frames there")
    for clip in ("sub01_EP02_01f", "sub02_EP01_11f"):
        (copy.casme2 / "happiness" / clip).mkdir(parents=True)
    refused(copy, "happiness/sub01_EP02_01f")


@pytest.mark.catalogue
@pytest.mark.parametrize(
    "name",
    [
        "img{}.png", "{}.jpeg", "{}.JPG", "reg_img{}.webp", "{}.jp2", "{}.bmp", "{}.tiff", "frame{}_cropped.jpg",
        "2_{}.png", "reg_img{} (1).jpg", "reg_img{:06d}.jpg",
    ],
)  # fmt: skip
def test_frames_are_known_by_the_last_number_of_any_image(copy, name):
    for path in list((copy.casme2 / "Cropped").rglob("*.jpg")):
        number = int(path.stem.removeprefix("reg_img"))
        image = cv2.imread(str(path))
        path.unlink()
        cv2.imwrite(str(path.with_name(name.format(number))), image)
    assert use(copy) == 6


@pytest.mark.catalogue
def test_an_opaque_alpha_channel_and_a_note_that_turns_nothing_do_no_harm(copy):
    for number, path in enumerate(sorted((copy.casme2 / "Cropped").rglob("*.jpg"))):
        image = Image.open(path).convert("RGBA" if number % 2 else "RGB")
        note = Image.Exif()
        note[ExifTags.Base.Orientation] = 1
        path.unlink()
        image.save(path.with_suffix(".png"), exif=note)
    assert use(copy) == 6


def test_a_copied_file_is_a_second_one_of_its_frame(copy):
    path = copy.casme2 / "Cropped/sub01/EP02_01f/reg_img59.jpg"
    shutil.copy(path, path.with_name("reg_img59 (1).jpg"))
    refused(copy, "CASME II/sub01/EP02_01f", "reg_img59 (1).jpg", "keep one")


def test_files_that_are_no_numbered_images_are_named(copy):
    for path in list((copy.casme2 / "Cropped/sub01/EP02_01f").iterdir()):
        path.rename(path.with_suffix(".avi"))
    report = check(copy.casme2, copy.samm)
    assert "no_frames" in report.text()
    assert "3 files that are no numbered images: reg_img46.avi" in report.text()


@pytest.mark.catalogue
@pytest.mark.parametrize(
    "name",
    [
        "CASME2-coding-20140508.XLSX", "casme2-coding-20140508.xlsx", "CASME2-coding.xlsx",
        "CASME2_coding_20140508.xlsx", "CASME II-coding (1).xlsx", "labels/CASME2-coding-20190701.xlsx",
        "CASME2-coding-20140508.xls", "../CASME2-coding.xlsx",
    ],
)  # fmt: skip
def test_a_coding_file_is_found_under_a_near_miss_of_its_name(copy, name):
    (copy.casme2 / name).parent.mkdir(exist_ok=True)
    shutil.move(copy.casme2 / CODING, copy.casme2 / name)
    assert use(copy) == 6


@pytest.mark.catalogue
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_coding_file_may_be_text(copy, separator):
    cells = pd.read_excel(copy.casme2 / CODING, header=None, dtype=str, keep_default_na=False)
    (copy.casme2 / CODING).unlink()
    cells.iloc[1:, 3] += ".0"  # as a table program writes a column with gaps
    path = copy.casme2 / "CASME2-coding-20140508.csv"
    cells.to_csv(path, sep=separator, header=False, index=False, encoding="utf-8-sig")
    assert use(copy) == 6
    path.write_bytes(b"\xff\xfe\x00")
    refused(copy, "CASME2-coding-20140508.csv", "cannot be read", "save it again as .xlsx")


def test_another_name_is_listed_and_can_be_chosen(copy):
    shutil.move(copy.samm / "SAMM_Micro_FACS_Codes_v2.xlsx", copy.samm / "table of 2018.xlsx")
    refused(copy, "SAMM_Micro_FACS_Codes*.xlsx", "table of 2018.xlsx", "coding_file")
    assert use(copy, coding_file="of 2018") == 6


def test_a_coding_file_is_named_by_its_path(copy, tmp_path):
    path = tmp_path / "elsewhere" / "my codes.xlsx"
    path.parent.mkdir()
    shutil.copy(copy.casme2 / CODING, path)
    shutil.copy(path, copy.casme2 / "CASME2-coding-20190701.xlsx")
    refused(copy, "it is not clear which coding file to use")
    source = {"kind": "licensed", "casme2": copy.casme2, "samm": copy.samm, "casme2_coding": path}
    text = check_source(source, progress=False).text()
    assert "coding file: looked for in the folder; used: my codes.xlsx (named by its path)" in text
    assert len(open_clips(source)) == 6
    for wrong, words in (
        (source | {"casme2_coding": path.parent}, r"no coding file .*source\.casme2_coding=FILE"),
        (source | {"casme2": None}, "CASME II: its coding file .*my codes.xlsx is given, and no folder"),
        (source | {"policies": {"coding_file": "2019"}}, "coding_file='2019' fits none of my codes.xlsx"),
    ):
        with pytest.raises(StudyError, match=words):
            open_clips(wrong)
        if wrong["casme2"]:
            assert check_source(wrong, progress=False).exit_code == UNUSABLE


def test_a_choice_that_fits_no_coding_file_is_not_passed_over(copy):
    refused(copy, "coding_file='20190701' fits none of CASME2-coding-20140508.xlsx", coding_file="20190701")
    assert use(copy, coding_file="20140508") == 6


def test_short_headers_and_other_sheets_are_read(copy):
    path = copy.casme2 / CODING
    cells = pd.read_excel(path, header=None, dtype=str, keep_default_na=False)
    short = {"OnsetFrame": "onset", "ApexFrame": "Apex", "OffsetFrame": "offset", "Action Units": "AU"}
    cells.iloc[0] = [(short | {"Estimated Emotion": "Emotion"}).get(name, name) for name in cells.iloc[0]]
    book = openpyxl.Workbook()
    book.active.append(["what this is"])
    sheet = book.create_sheet("codes")
    for row in cells.to_numpy():
        sheet.append(list(row))
    book.save(path)
    assert use(copy) == 6
    book.remove(sheet)
    book.save(path)
    refused(copy, "no header row with Subject and Filename", "sheets Sheet")


def test_a_coding_file_that_is_cut_short_is_noticed_with_numbers(copy):
    report = check(copy.casme2, copy.samm)
    assert report.table()["kind"].tolist().count("short_table") == 2
    assert (
        "4 clips in the file, 256 in the released label table, 253 of them not in the file" in report.text()
    )


def test_of_two_folders_of_frames_the_used_one_is_said(copy):
    shutil.copytree(copy.casme2 / "Cropped", copy.casme2 / "CASME2-RAW")
    text = check(copy.casme2, copy.samm).text()
    assert "frames: Cropped/ and CASME2-RAW/; used: Cropped/ (casme2_frames='any')" in text
    raw = open_licensed(copy.casme2, copy.samm, policies=Policies(casme2_frames="raw"))
    assert raw.folders["CASME II"].root.name == "CASME2-RAW"
