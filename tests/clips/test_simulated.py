"""A folder is simulated by its content: frames of people among simulated ones are refused, wherever they lie."""

from __future__ import annotations

import shutil

import licensed_copy
import pytest
from licensed_copy import Study

from ethnicmer_lib.clips.licensed import open_licensed
from ethnicmer_lib.clips.simulated import MARKER, SEAL
from ethnicmer_lib.errors import StudyError


@pytest.fixture
def cohort(study):
    """What the simulator might have written."""
    return study.write().mark_simulated()


@pytest.fixture
def real(tmp_path):
    """Frames as the databases distribute them: the same layout, names and coding files."""
    study = Study(tmp_path / "real")
    study.casme2_rows[0] = (1, "EP02_01f", 46, 60, 86, 12, "happiness")
    study.write()
    for path in study.root.rglob("*.jpg"):
        licensed_copy.picture(path, 77, colour=False)
    return study


CLIP = "SAMM/006/006_1_2"
FRAME = f"{CLIP}/006_05588.jpg"
CODING = "CASME2/CASME2-coding-20140508.xlsx"


def over(name):
    return lambda cohort, real: shutil.copy(real.root / name, cohort.root / name)


def into(name):
    def plant(cohort, real):
        (cohort.root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(real.root / FRAME, cohort.root / name)

    return plant


def linked(cohort, real):
    shutil.rmtree(cohort.root / CLIP)
    (cohort.root / CLIP).symlink_to(real.root / CLIP, target_is_directory=True)


@pytest.mark.parametrize(
    ("plant", "names"),
    [
        (over(FRAME), f"clip {CLIP}: .*not as the simulator wrote it: 006_05588.jpg .*; delete it"),
        (into(f"{CLIP}/006_05589.jpg"), f"clip {CLIP}: .*not written by the simulator: 006_05589.jpg .*; move it out"),
        (into("SAMM/009/009_1_1/009_00001.jpg"), "clip SAMM/009/009_1_1: .*; move it out"),
        (over(CODING), "not as the simulator wrote it: CASME2-coding-20140508.xlsx"),
        (into("CASME2/CASME2-coding-20190701.xlsx"), "not written by the simulator: CASME2-coding-20190701.xlsx"),
        (into("holiday.jpg"), "not written by the simulator: holiday.jpg"),
        (lambda cohort, real: cohort.write_groups(cohort.root / "groups.csv", ("A", "B")), "it: groups.csv"),
        (lambda cohort, real: shutil.copytree(real.root, cohort.root / "mine"), "not written by .*mine/"),
        (linked, "not written by the simulator: 006_1_2"),
        (lambda cohort, real: (cohort.root / SEAL).unlink(), "SIMULATED.sha256 is missing"),
    ],
)  # fmt: skip
def test_what_another_hand_put_there_is_refused(cohort, real, plant, names):
    assert open_licensed(cohort.casme2, cohort.samm).provenance.simulated
    plant(cohort, real)
    with pytest.raises(StudyError, match=names):
        open_licensed(cohort.casme2, cohort.samm)


def test_real_folders_beside_or_below_a_marker_are_never_simulated(cohort, real):
    copied = shutil.copytree(real.casme2, cohort.root / "CASME2-mine")
    for folder in (copied, cohort.casme2):  # opened themselves, or merely there
        with pytest.raises(StudyError, match=r"not written by the simulator: .*CASME2-mine/"):
            open_licensed(folder, None)
    for name in (MARKER, SEAL):  # a marker and a seal that were copied prove nothing
        shutil.copy(cohort.root / name, real.root / name)
    with pytest.raises(StudyError, match=r"not as the simulator wrote it|was not written"):
        open_licensed(real.casme2, real.samm)
    for name in (MARKER, SEAL):
        (real.root / name).unlink()
    assert not open_licensed(real.casme2, real.samm).provenance.simulated


def test_a_cohort_may_lose_files_and_be_moved(cohort, tmp_path):
    (cohort.samm / "006" / "006_1_2" / "006_05632.jpg").unlink()
    (cohort.root / "SAMM" / ".DS_Store").write_bytes(b"")
    moved = shutil.move(cohort.root, tmp_path / "else where")
    clips = open_licensed(moved / "CASME2", moved / "SAMM")
    assert clips.provenance.simulated
    assert clips.frames(CLIP, "apex").shape == (48, 40)
