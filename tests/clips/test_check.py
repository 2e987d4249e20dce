"""The data check: every kind of problem, planted alone, is named and nothing else is; sound copies are silent."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import sys
from pathlib import Path

import cv2
import licensed_copy
import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image
from typer.testing import CliRunner

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.check import FINE, UNUSABLE, WARNINGS, check
from ethnicmer_lib.clips.licensed import open_licensed
from ethnicmer_lib.clips.policies import AS_WRITTEN, Policies
from ethnicmer_lib.clips.problems import KINDS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import cli
from ethnicmer_lib.simulator import protocol, write
from ethnicmer_lib.simulator.settings import SimulatorSettings

CLIP = "CASME II/sub01/EP02_01f"
CODING = "CASME2-coding-20140508.xlsx"


@pytest.fixture
def sound(study):
    """A small copy without a flaw, and labels for it; ``groups`` is their file."""
    study.casme2_rows[1] = (1, "EP19_05f", 111, 150, 241, "4", "disgust")
    study.samm_rows[1] = ("006", "006_3_5", 99, 110, 120, "1+2", "Surprise")
    study.write()
    study.groups = study.write_groups(study.root / "labels.csv")
    return study


def clip_folder(study) -> Path:
    return study.casme2 / "Cropped" / "sub01" / "EP02_01f"


def recode(index: int = 0, **changes):
    """A plant: other cells in a row of CASME II."""
    names = ("subject", "clip", "onset", "apex", "offset", "units", "emotion")

    def plant(study):
        row = dict(zip(names, study.casme2_rows[index], strict=True)) | changes
        study.casme2_rows[index] = tuple(row.values())
        study.write_coding()
        for moment in ("onset", "apex", "offset"):
            if isinstance(row[moment], int) and "clip" not in changes:
                licensed_copy.picture(clip_folder(study) / f"reg_img{row[moment]}.jpg", 1, colour=True)

    return plant


def more(*row):
    """A plant: one more row in CASME II's coding file."""

    def plant(study):
        study.casme2_rows.append(row)
        study.write_coding()

    return plant


def header(change):
    def plant(study):
        path = study.casme2 / CODING
        cells = pd.read_excel(path, header=None, dtype=object)
        licensed_copy.save(path, change(cells.astype(object).where(cells.notna(), None).to_numpy().tolist()))

    return plant


def renamed(rows):
    return [["Top" if cell == "ApexFrame" else cell for cell in rows[0]], *rows[1:]]


def file(name: str, content: bytes | None = None):
    """A plant: a file of the first clip with other content, or gone."""

    def plant(study):
        path = clip_folder(study) / name
        path.unlink() if content is None else path.write_bytes(content)

    return plant


def move(old: str, new: str):
    return lambda study: (clip_folder(study) / old).rename(clip_folder(study) / new)


def jpeg(height: int, width: int, colour: bool = True) -> bytes:
    shape = (height, width, 3) if colour else (height, width)
    return cv2.imencode(".jpg", np.full(shape, 90, np.uint8))[1].tobytes()


def noted(orientation: int, kind: str = "JPEG") -> bytes:
    """A picture with a note of how it is to be turned."""
    note = Image.Exif()
    note[ExifTags.Base.Orientation] = orientation
    Image.new("RGB", (40, 48), "gray").save(file := io.BytesIO(), kind, exif=note)
    return file.getvalue()


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def huge() -> bytes:
    """A JPEG whose head says 65,500 x 65,500 px."""
    content = bytearray(jpeg(48, 40))
    head = content.index(b"\xff\xc0")
    content[head + 5 : head + 9] = b"\xff\xdc\xff\xdc"
    return bytes(content)


def do(*steps):
    def plant(study):
        for step in steps:
            step(study)

    return plant


def labels_with(change):
    return lambda study: study.groups.write_text(change(study.groups.read_text()))


def nested(depth: int):
    def plant(study):
        shutil.move(study.casme2 / "Cropped", study.root / "moved")
        shutil.move(study.root / "moved", study.casme2.joinpath(*["Cropped"] * depth))

    return plant


def flat(study):
    """CASME II's clips beside each other: Cropped/sub01_EP02_01f/."""
    for subject in sorted((study.casme2 / "Cropped").iterdir()):
        for clip in sorted(subject.iterdir()):
            clip.rename(clip.parents[1] / f"{subject.name}_{clip.name}")
        subject.rmdir()


def wide(study):
    for path in [*study.casme2.rglob("*.jpg"), *study.samm.rglob("*.jpg")]:
        path.write_bytes(jpeg(48, 64) if study.casme2 in path.parents else path.read_bytes())


def samm(*rows, frames=None):
    """A plant: these rows of SAMM more, and their frames, those that are coded or ``frames``."""

    def plant(study):
        study.samm_rows += rows
        study.write_coding()
        study.write_groups(study.groups)
        for subject, clip, onset, _, offset, *_ in rows:
            for number in frames or range(onset, offset + 1):
                licensed_copy.picture(
                    study.samm / subject / clip / f"{subject}_{number:05d}.jpg", number, colour=False
                )

    return plant


TYPED = ("032", "032_3_1", 4896, 1930, 4970, "4A", "Anger")
SHORT = ("028", "028_4_1", 1071, 1143, 1134, "A14C", "Contempt")


def still(study):
    """No clip moves: apexes on their onsets."""
    study.casme2_rows = [(*row[:3], row[2], *row[4:]) for row in study.casme2_rows]
    study.samm_rows = [(*row[:3], row[2], *row[4:]) for row in study.samm_rows]
    study.write_coding()


def others(study):
    study.samm_rows = [(*row[:-1], "Other") for row in study.samm_rows]
    study.write_coding()


def renumber(first: int = 1, last: int = 86 - 46 + 1, clip: str = "sub01/EP02_01f"):
    def plant(study):
        folder = study.casme2 / "Cropped" / clip
        shutil.rmtree(folder)
        for frame in range(first, last + 1):
            licensed_copy.picture(folder / f"reg_img{frame}.jpg", 45 + frame, colour=True)

    return plant


def one_label(study):
    study.write_groups(study.groups, ("A", "A"))


PLANTS = {
    "no_folder": lambda study: shutil.rmtree(study.samm),
    "not_simulated": lambda study: (study.samm / "SIMULATED.json").write_text("{}"),
    "not_simulated (marker)": lambda study: (study.root / "SIMULATED.json").write_text("{"),
    "foreign_file": do(
        lambda study: study.mark_simulated(),
        lambda study: licensed_copy.picture(study.samm / "006/006_1_2/006_05590.jpg", 9, colour=False),
    ),
    "changed_file": do(lambda study: study.mark_simulated(), file("reg_img86.jpg", jpeg(48, 40))),
    "no_coding_file": lambda study: (study.casme2 / CODING).unlink(),
    "several_coding_files": lambda study: shutil.copy(
        study.casme2 / CODING, study.casme2 / "CASME2-coding-20190701.xlsx"
    ),
    "coding_unreadable": lambda study: (study.casme2 / CODING).write_bytes(b"no spreadsheet"),
    "no_header": header(lambda rows: rows[1:]),
    "wrong_columns": header(renamed),
    "wrong_columns (twice)": header(lambda rows: [[*row, row[0]] for row in rows]),
    "no_kept_clip": others,
    "unnamed_row": more("1a", "EP99_99", 1, 2, 3, "4", "fear"),
    "unnamed_row (no clip)": more(1, "", 1, 2, 3, "4", "fear"),
    "unknown_emotion": recode(emotion="joy"),
    "unsettled": recode(apex="/", offset=""),
    "wrong_frame": recode(offset="fifty"),
    "wrong_frame (large)": recode(offset="9" * 5000),
    "no_onset": recode(onset=""),
    "no_offset": recode(offset=""),
    "no_apex": do(recode(apex="/"), lambda study: licensed_copy.picture(clip_folder(study) / "reg_img66.jpg", 1, True)),
    "typing_error": samm(TYPED),
    "typing_error (the other one)": samm(SHORT),
    "apex_outside": recode(apex=90),
    "apex_is_onset": recode(apex=46),
    "onset_after_offset": recode(offset=40),
    "double_row": more(1, "EP02_01f", 46, 60, 86, "12", "happiness"),
    "no_action_units": recode(units=""),
    "labels_unreadable": labels_with(lambda text: text.replace("ethnicity", "origin")),
    "no_group_label": labels_with(lambda text: text.replace("CASME2,1,EP02_01f,B,B,,\n", "")),
    "two_groups": labels_with(lambda text: text.replace("EP02_01f,B,B", "EP02_01f,A,A")),
    "group_count": one_label,
    "nothing_left": still,
    "few_subjects": labels_with(lambda text: text),
    "short_table": labels_with(lambda text: text + "".join(f"SAMM,7,007_9_{n},A,A,,\n" for n in range(10, 16))),
    "nearest_frame": move("reg_img59.jpg", "reg_img61.jpg"),
    "clip_not_coded": labels_with(lambda text: text + "SAMM,7,007_9_9,A,A,,\n"),
    "no_frame_folder": lambda study: shutil.rmtree(study.casme2 / "Cropped"),
    "no_frame_folder (too deep)": nested(4),
    "no_frame_folder (flat)": flat,
    "double_folder": lambda study: (study.casme2 / "Cropped" / "sub1").mkdir(),
    "odd_folder_name": lambda study: (study.casme2 / "Cropped/sub02").rename(study.casme2 / "Cropped/2"),
    "renumbered": renumber(),
    "renumbered (from 0)": renumber(0, 86 - 46),
    "renumbered_part": renumber(1, 86 - 46),
    "renumbered_part (the numbers are there)": renumber(1, 151 - 46, "sub02/EP01_11f"),
    "not_cropped": wide,
    "no_frames": lambda study: shutil.rmtree(clip_folder(study)),
    "no_frames (empty)": do(*(file(f"reg_img{frame}.jpg") for frame in (46, 59, 86))),
    "double_frame": lambda study: shutil.copy(
        study.samm / "006/006_1_2/006_05588.jpg", study.samm / "006/006_1_2/006_5588.jpg"
    ),
    "no_onset_file": file("reg_img46.jpg"),
    "no_apex_file": file("reg_img59.jpg"),
    "no_apex_file (a folder)": do(file("reg_img59.jpg"), lambda study: (clip_folder(study) / "reg_img59.jpg").mkdir()),
    "no_apex_file (a dead link)": do(
        file("reg_img59.jpg"), lambda study: (clip_folder(study) / "reg_img59.jpg").symlink_to("/not/fetched")
    ),
    "no_apex_file (a pipe)": do(file("reg_img59.jpg"), lambda study: os.mkfifo(clip_folder(study) / "reg_img59.jpg")),
    "no_offset_file": file("reg_img86.jpg"),
    "not_an_image (empty)": file("reg_img59.jpg", b""),
    "not_an_image (huge)": file("reg_img59.jpg", huge()),
    "turned_image": file("reg_img59.jpg", noted(6)),
    "turned_image (upside down, PNG)": file("reg_img59.jpg", noted(3, "PNG")),
    "deep_image": file("reg_img59.jpg", png(np.full((48, 40), 4000, np.uint16))),
    "transparent_image": file("reg_img59.jpg", png(np.full((48, 40, 4), 90, np.uint8))),
    "truncated_file": file("reg_img59.jpg", jpeg(48, 40)[:-40]),
    "not_an_image": file("reg_img59.jpg", b"no picture at all"),
    "sizes_differ": file("reg_img59.jpg", jpeg(50, 40)),
    "small_frame": do(*(file(f"reg_img{frame}.jpg", jpeg(20, 20)) for frame in (46, 59))),
}  # fmt: skip
#: What a plant needs beside the defaults.
GIVEN = {
    "few_subjects": {"n_subjects": 3},
    "nearest_frame": {"policies": Policies(missing_frames="nearest")},
    "nothing_left": {"policies": Policies(apex="drop")},
}
#: Only the released labels come with emotions.
RELEASED_ONLY = {"emotion_differs", "units_differ"}
#: Of frames that are cropped by a detector, planted in test_policies.py.
CROPPED_ONLY = {"no_face"}
#: Of manifests and flow features, planted in test_manifest.py.
LISTED_ONLY = {
    "no_manifest", "wrong_manifest", "not_released", "label_differs", "bad_name", "outside", "same_subject",
    "same_frames", "no_flow_image", "wrong_flow_image",
}  # fmt: skip
#: What is named with a kind: it cannot come alone.
WITH = {
    "unsettled": ["no_apex", "no_offset"],
    "nothing_left": ["apex_is_onset"] * 8,
    "renumbered": ["no_onset_file", "no_apex_file", "no_offset_file"],
    "renumbered_part": ["no_onset_file", "no_apex_file", "no_offset_file"],
    "renumbered_part (the numbers are there)": ["no_offset_file"],
}


def test_a_sound_copy_is_silent(sound):
    report = check(sound.casme2, sound.samm, sound.groups)
    assert report.problems == ()
    assert report.exit_code == FINE
    assert "Nothing is missing and nothing is odd" in report.text()


def test_there_is_a_plant_for_every_kind():
    assert {plant.split(" (")[0] for plant in PLANTS} | RELEASED_ONLY | CROPPED_ONLY | LISTED_ONLY == set(
        KINDS
    )
    assert all(kind.meaning and kind.fix for kind in KINDS.values())
    assert all(hasattr(Policies(), kind.policy) for kind in KINDS.values() if kind.policy)


def use(study, policies=AS_WRITTEN, groups=True):
    """Open the folders and look at every frame that the study needs."""
    cohort = open_licensed(study.casme2, study.samm, study.groups if groups else None, policies)
    for clip_id in cohort.table["clip_id"]:
        frames = [cohort.frames(clip_id, moment) for moment in ("onset", "apex")]
        if frames[0].shape[:2] != frames[1].shape[:2] or min(frames[0].shape[:2]) < 32:
            raise StudyError("the flow refuses such a pair")
    return cohort


@pytest.mark.catalogue
@pytest.mark.parametrize("plant", list(PLANTS))
def test_a_planted_problem_is_named_and_nothing_else(sound, plant):
    PLANTS[plant](sound)
    code = plant.split(" (")[0]
    given = GIVEN.get(code, {})
    policies = given.get("policies", AS_WRITTEN)
    report = check(sound.casme2, sound.samm, sound.groups, **given)
    found = sorted(one.code for one in report.problems)
    assert found == sorted([code, *WITH.get(plant, WITH.get(code, []))])
    at = [one.code for one in report.problems].index(code)
    problem = report.problems[at]
    stops = problem.stops(policies)
    assert report.exit_code == (UNUSABLE if stops else WARNINGS)
    text = report.text()
    assert KINDS[code].fix in text
    for part in (problem.clip, str(problem.file), problem.value):
        assert part in text
        assert part in problem.message
    row = report.table().iloc[at]
    assert (row["kind"], row["stops"], row["fix"]) == (code, stops, KINDS[code].fix)
    # The loader stops where the check says so, and opens otherwise.
    if stops:
        with pytest.raises(StudyError):
            use(sound, policies)
    else:
        use(sound, policies)


def test_all_problems_are_collected_and_grouped(sound):
    for code in ("apex_is_onset", "double_frame", "no_offset_file", "odd_folder_name", "clip_not_coded"):
        PLANTS[code](sound)
    report = check(sound.casme2, sound.samm, sound.groups)
    assert {one.code for one in report.problems} == {
        "apex_is_onset", "double_frame", "no_offset_file", "odd_folder_name", "clip_not_coded",
    }  # fmt: skip
    text = report.text()
    assert text.index("To mend before") < text.index("double_frame") < text.index("To know (4)")
    assert text.index("To know (4)") < text.index("apex_is_onset")
    assert report.exit_code == UNUSABLE


def test_a_long_list_is_cut_on_request_only(sound):
    for index in range(3):
        PLANTS["no_action_units"](sound) if index == 0 else recode(index, units="")(sound)
    report = check(sound.casme2, sound.samm, sound.groups)
    assert "and 1 more" in report.text(2)
    assert "more" not in report.text().split("no_action_units")[1]


def test_a_policy_settles_what_it_is_for(sound):
    for code in ("no_apex_file", "several_coding_files", "double_row"):
        PLANTS[code](sound)
    policies = Policies(missing_frames="drop", coding_file="20140508", double_rows="first")
    report = check(sound.casme2, sound.samm, sound.groups, policies)
    assert report.exit_code == WARNINGS
    assert set(report.table()["settled_by"]) == {"missing_frames='drop'", "double_rows='first'"}
    assert "used: CASME2-coding-20140508.xlsx (coding_file='20140508')" in report.text()
    assert check(sound.casme2, sound.samm, sound.groups).exit_code == UNUSABLE


def test_a_flaw_of_a_clip_that_is_left_out_never_stops(sound):
    folder = sound.casme2 / "Cropped" / "sub02" / "EP03_02"
    (folder / "reg_img2.jpg").unlink()
    (folder / "reg_img1.jpg").write_bytes(b"")
    report = check(sound.casme2, sound.samm, sound.groups)
    assert {one.code for one in report.problems} == {"no_apex_file", "not_an_image"}
    assert report.exit_code == WARNINGS


def test_what_is_looked_at_is_the_apex_that_the_policy_gives(sound):
    recode(apex=1930)(sound)
    (clip_folder(sound) / "reg_img1930.jpg").unlink()
    licensed_copy.picture(clip_folder(sound) / "reg_img66.jpg", 1, colour=True)
    written = check(sound.casme2, sound.samm, sound.groups)
    assert [one.code for one in written.problems] == ["apex_outside", "no_apex_file"]
    assert "choose a policy apex" in written.problems[1].message
    settled = check(sound.casme2, sound.samm, sound.groups, Policies(apex="midpoint"))
    assert settled.exit_code == WARNINGS
    recode(apex="/")(sound)
    (clip_folder(sound) / "reg_img66.jpg").unlink()
    assert check(sound.casme2, sound.samm, sound.groups).exit_code == UNUSABLE


@pytest.mark.catalogue
@pytest.mark.parametrize("name", ["reg_img{}.png", "{}.jpg", "img{}.JPEG", "006_{:05d}.bmp"])
def test_frames_are_known_by_the_last_number_of_any_image(sound, name):
    for frame in (46, 59, 86):
        path = clip_folder(sound) / f"reg_img{frame}.jpg"
        cv2.imwrite(str(path.with_name(name.format(frame))), cv2.imread(str(path)))
        path.unlink()
    (clip_folder(sound) / "._reg_img46.jpg").write_bytes(b"what a Mac leaves on a foreign disk")
    assert check(sound.casme2, sound.samm, sound.groups).exit_code == FINE
    use(sound)


def test_a_simulated_cohort_in_the_official_layouts_is_fine(tmp_path, monkeypatch):
    def few(settings):
        plan = protocol.plan_cohort(settings)
        cut = [dataclasses.replace(one, clips=one.clips[:1]) for one in (plan[0], plan[7])]
        return [
            dataclasses.replace(
                one,
                clips=tuple(
                    dataclasses.replace(clip, apex=clip.onset + 3, offset=clip.onset + 5)
                    for clip in one.clips
                ),
            )
            for one in cut
        ]

    monkeypatch.setattr(write, "plan_cohort", few)
    root = write.write_cohort(tmp_path / "cohort", SimulatorSettings("tiny", seed=5), jobs=1)
    report = check(root / "CASME2", root / "SAMM")
    assert report.problems == ()
    assert report.exit_code == FINE
    assert len(report.found) == 4


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """Folders with every clip of the released label table."""
    released = labels.annotations()
    study = licensed_copy.Study(tmp_path_factory.mktemp("complete"), [], [])
    gray, colour = jpeg(48, 40, colour=False), jpeg(48, 40)
    for place, row in enumerate(released.itertuples()):
        onset = 10 * place + 1
        cells = (row.filename, onset, onset + 3, onset + 6, row.action_units, row.emotion)
        if row.dataset == "CASME2":
            study.casme2_rows.append((int(row.subject.removeprefix("sub")), *cells))
            folder, name = study.casme2 / "Cropped", "reg_img{}.jpg"
        else:
            study.samm_rows.append((int(row.subject), *cells))
            folder, name = study.samm, row.subject + "_{:05d}.jpg"
        folder = folder / row.subject / row.filename
        folder.mkdir(parents=True)
        for frame in range(onset, onset + 7):
            (folder / name.format(frame)).write_bytes(colour if row.dataset == "CASME2" else gray)
    study.write_coding()
    return study


def test_all_415_clips_of_the_release_are_fine(complete):
    report = check(complete.casme2, complete.samm)
    assert report.problems == ()
    assert "CASME II: 256 clips of 26 subjects" in report.found[0]
    assert "157 with an emotion that the study keeps" in report.found[0]
    assert "SAMM: 159 clips of 29 subjects" in report.found[2]
    assert len(open_licensed(complete.casme2, complete.samm).table) == 290


def test_another_emotion_than_the_released_one_is_named(complete):
    row = complete.casme2_rows[0]
    complete.casme2_rows[0] = (*row[:-1], "fear")
    complete.write_coding()
    try:
        report = check(complete.casme2, complete.samm)
    finally:
        complete.casme2_rows[0] = row
        complete.write_coding()
    assert [one.code for one in report.problems] == ["emotion_differs"]
    assert "fear, not happiness" in report.text()
    assert report.exit_code == WARNINGS


def test_other_action_units_than_the_released_ones_are_named(complete):
    rows = complete.casme2_rows[:2]
    changed = [(*row[:-2], units, row[-1]) for row, units in zip(rows, ("12B", "R18"), strict=True)]
    complete.casme2_rows[:2] = changed
    complete.write_coding()
    try:
        report = check(complete.casme2, complete.samm)
    finally:
        complete.casme2_rows[:2] = rows
        complete.write_coding()
    assert [(one.code, one.value) for one in report.problems] == [("units_differ", "R18, not 18")]


def test_the_command_prints_the_report_and_its_exit_code_tells(sound, tmp_path):
    arguments = ["data", "check", "--casme2", str(sound.casme2), "--samm", str(sound.samm)]
    arguments += ["--annotations", str(sound.groups)]
    run = CliRunner()
    fine = run.invoke(cli.app, arguments, catch_exceptions=False)
    assert fine.exit_code == WARNINGS  # a scenario takes more subjects than there are
    assert "few_subjects" in fine.stdout
    assert "n_subjects=16" in fine.stdout
    PLANTS["no_apex_file"](sound)
    broken = run.invoke(cli.app, [*arguments, "--table", str(tmp_path / "t.csv")], catch_exceptions=False)
    assert broken.exit_code == UNUSABLE
    assert "no_apex_file" in broken.stdout
    assert pd.read_csv(tmp_path / "t.csv")["kind"].tolist() == ["no_apex_file"]
    lost = run.invoke(
        cli.app, [*arguments, "--table", str(tmp_path / "no" / "t.csv")], catch_exceptions=False
    )
    assert (lost.exit_code, "error: " in lost.stderr) == (UNUSABLE, True)
    settled = run.invoke(cli.app, [*arguments, "-p", "missing_frames=drop"], catch_exceptions=False)
    assert settled.exit_code == WARNINGS
    assert "missing_frames='drop'" in settled.stdout


def test_no_folder_at_all_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ethnicmer", "data", "check"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert (
        capsys.readouterr().err == "error: your own copy is needed: give --casme2 DIR, --samm DIR or both\n"
    )


def test_folders_that_are_not_there_are_problems_and_no_traceback(tmp_path):
    report = check(tmp_path / "nowhere", tmp_path / "nor here")
    assert report.table()["kind"].tolist() == ["no_folder", "no_folder"]
    assert report.exit_code == UNUSABLE
