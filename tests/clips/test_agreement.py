"""The check and the study are one reading: over policies and damaged copies they cannot differ."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields
from functools import lru_cache
from itertools import product
from typing import get_args, get_type_hints

import licensed_copy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from licensed_copy import Study

from ethnicmer_lib.clips import reading
from ethnicmer_lib.clips.check import UNUSABLE, check
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.licensed import open_licensed
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.clips.table import MOMENTS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion import motion_images
from ethnicmer_lib.paper.counted import count_tables
from ethnicmer_lib.sources import check_source, open_clips

CHOICES = {one.name: get_args(get_type_hints(Policies)[one.name]) for one in fields(Policies)}
CHOICES |= {
    "nearest_within": (1, 3),
    "coding_file": ("only", "newest", "0508", "2019"),
    "uncropped": ("as_is",),
}


def as_published(study):
    """SAMM's two typing errors, all frames of these clips."""
    typed = [
        ("028", "028_4_1", 1071, 1143, 1134, "A14C", "Contempt"),
        ("032", "032_3_1", 4896, 1930, 4970, "4A", "Anger"),
    ]
    study.casme2_rows[1] = (1, "EP19_05f", 111, 150, 241, "4", "disgust")
    study.samm_rows[1] = ("006", "006_3_5", 99, 110, 120, "1+2", "Surprise")
    study.samm_rows += typed
    study.write()
    for subject, clip, onset, apex, offset, *_ in typed:
        (study.samm / subject / clip / f"{subject}_{apex:05d}.jpg").unlink()
        for number in range(onset, offset, 1):
            licensed_copy.picture(
                study.samm / subject / clip / f"{subject}_{number:05d}.jpg", number, colour=False
            )


def renumbered(study):
    study.write()
    for clip, last in (("sub01/EP02_01f", 41), ("sub02/EP01_11f", 106), ("sub01/EP19_05f", 130)):
        folder = study.casme2 / "Cropped" / clip
        shutil.rmtree(folder)
        for number in range(1, last + 1):
            licensed_copy.picture(folder / f"reg_img{number}.jpg", number, colour=True)


def gaps(study):
    """Missing and damaged frames: near ones there, near ones not there, a whole clip gone."""
    study.write()
    folder = study.casme2 / "Cropped/sub01/EP02_01f"
    (folder / "reg_img46.jpg").rename(folder / "reg_img45.jpg")
    (folder / "reg_img59.jpg").rename(folder / "reg_img62.jpg")
    (study.casme2 / "Cropped/sub02/EP01_11f/reg_img91.jpg").write_bytes(b"")
    shutil.rmtree(study.samm / "007/007_6_1")


def doubtful(study):
    """Apexes outside, missing, on the onset; an offset missing; rows and coding files twice."""
    study.casme2_rows[0] = (1, "EP02_01f", 46, 99, 86, 12, "happiness")
    study.casme2_rows[2] = (2, "EP01_11f", 46, 46, "", "4+L10", "repression")
    study.casme2_rows.append((2, "EP01_11f", 46, 91, 151, "4+L10", "repression"))
    study.write()
    shutil.copy(study.casme2 / "CASME2-coding-20140508.xlsx", study.casme2 / "CASME2-coding-20190701.xlsx")


def two_kinds(study):
    """Cropped frames of one subject only, raw ones of both."""
    study.write()
    shutil.copytree(study.casme2 / "Cropped", study.casme2 / "CASME2-RAW")
    shutil.rmtree(study.casme2 / "Cropped/sub02")


#: Of each tree the policies that its problems name; all of them at once, those of coding files too, hypothesis tries.
TREES = {
    as_published: ("known_errors", "apex", "missing_frames"),
    renumbered: ("renumbered", "missing_frames", "nearest_within"),
    gaps: ("missing_frames", "nearest_within", "missing_apex"),
    doubtful: ("apex", "missing_apex", "double_rows"),
    two_kinds: ("casme2_frames", "missing_frames", "missing_apex"),
}
COMBINATIONS = [
    (plant, {"coding_file": "newest", **dict(zip(names, values, strict=True))})
    for plant, names in TREES.items()
    for values in product(*(CHOICES[name] for name in names))
]


#: Steps of a reading, each by the policies that it is given.
STEPS = (
    "read_labels", "coding_file", "labelled", "frame_folders", "settle_apexes", "folder_problems", "settle_numbers",
)  # fmt: skip


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    made = {}
    for plant in TREES:
        made[plant] = Study(tmp_path_factory.mktemp(plant.__name__))
        plant(made[plant])
    with pytest.MonkeyPatch.context() as patch:  # what is given the same is the same: the trees never change
        for step in STEPS:
            patch.setattr(reading, step, lru_cache(2000)(getattr(reading, step)))
        yield made


def outcome(study, policies) -> tuple[set[str], str]:
    """The clips that the study uses, every frame of them read, or why it stops."""
    try:
        cohort = open_licensed(study.casme2, study.samm, policies=policies)
        for clip in cohort.table["clip_id"]:
            for moment in ("onset", "apex"):
                cohort.frames(clip, moment)
    except StudyError as error:
        return set(), str(error)
    return set(cohort.table["clip_id"]), ""


def disagreement(study, policies) -> str:
    """How the check and the study differ, '' where they agree."""
    report = check(study.casme2, study.samm, policies=policies)
    used, stopped = outcome(study, policies)
    said = [one.message for one in report.problems if one.stops(policies)]
    # The study stops in the words of one of the problems that the check found.
    fine = stopped in said if stopped else report.exit_code != UNUSABLE
    return "" if fine else f"{policies}\nstudy: {stopped or used}\n{report.text()}"


def settled_and_judged(study, policies) -> tuple:
    """All that check and study are given: the settled copy, and what the policies still decide. Where it is the same
    they do the same, and one comparison is enough."""
    copy = reading.read_copy({CASME2: study.casme2, SAMM: study.samm}, None, policies)
    clips = [clips[["clip_id", *MOMENTS, "kept"]].to_csv() for clips in copy.clips.values()]
    folders = [(there.root, *there.steps.items()) for there in copy.folders.values()]
    stops = [problem.stops(policies) for problem in copy.problems]
    # Of the frames themselves, which are looked at only then, missing_frames decides.
    return (*clips, *folders, *copy.problems, *copy.decisions, *stops, policies.missing_frames)


@pytest.mark.parametrize(
    ("plant", "chosen"), COMBINATIONS, ids=lambda given: str(given) if isinstance(given, dict) else None
)
def test_over_all_policies_that_matter_the_check_says_what_the_study_does(trees, plant, chosen):
    assert disagreement(trees[plant], Policies(**chosen)) == ""


@pytest.mark.skipif(
    "ETHNICMER_LONG_TESTS" not in os.environ,
    reason="ten thousand combinations a tree: set ETHNICMER_LONG_TESTS=1, as the weekly workflow does",
)
@pytest.mark.parametrize("plant", TREES)
def test_over_every_combination_of_policies_the_check_says_what_the_study_does(trees, plant):
    every = [Policies(*values) for values in product(*CHOICES.values())]
    different = {settled_and_judged(trees[plant], policies): policies for policies in every}
    said = [disagreement(trees[plant], policies) for policies in different.values()]
    wrong = len(said) - said.count("")
    print(f"{plant.__name__}: {len(every)} combinations, {len(different)} different, {wrong} disagreements")
    assert "".join(said) == ""


@pytest.mark.parametrize("plant", TREES)
@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()}))
def test_the_check_says_what_the_study_does(trees, plant, chosen):
    assert disagreement(trees[plant], Policies(**chosen)) == ""


def test_the_default_settles_what_is_published_and_what_was_settled_is_said(trees, workspace):
    study = trees[as_published]
    report = check(study.casme2, study.samm)
    assert report.exit_code == 1
    for words in (
        "SAMM/032/032_3_1", "apex 1930 (onset 4896, offset 4970); used: 4930", "other public tables",
        "the folder holds frames 4896 to 4970", "known_errors='corrected'",
    ):  # fmt: skip
        assert words in report.text()
    cohort = open_licensed(study.casme2, study.samm)
    assert cohort.row("SAMM/032/032_3_1")["apex"] == 4930
    assert cohort.row("SAMM/028/028_4_1")["apex"] == 1124
    assert "known_errors='corrected'" in cohort.decisions["rule"].tolist()
    images = motion_images(cohort, size=28, progress=False)
    assert images.shape == (8, 3, 28, 28)
    assert set(count_tables(cohort.table, others=cohort.provenance.others)) >= {"table_iii"}
    middle = Policies(known_errors="as_is", apex="midpoint")
    assert check(study.casme2, study.samm, policies=middle).exit_code == 1
    assert open_licensed(study.casme2, study.samm, policies=middle).row("SAMM/032/032_3_1")["apex"] == 4933
    as_is = check(study.casme2, study.samm, policies=Policies(known_errors="as_is"))
    assert as_is.exit_code == UNUSABLE


def test_renumbered_frames_are_mapped_by_name(trees):
    study = trees[renumbered]
    with pytest.raises(
        StudyError, match=r"EP02_01f: frames numbered .*1 to 41, not 46 to 86 .*renumbered='map'"
    ):
        open_licensed(study.casme2, study.samm)
    policies = Policies(renumbered="map", missing_frames="drop")  # one clip lacks a frame: nobody knows which
    cohort = open_licensed(study.casme2, study.samm, policies=policies)
    assert "CASME II/sub01/EP19_05f" not in set(cohort.table["clip_id"])
    folder = study.casme2.resolve() / "Cropped/sub01/EP02_01f"
    listing = cohort.folders["CASME II"].listing("sub01", "EP02_01f")
    assert (listing[46], listing[59], listing[86]) == tuple(folder / f"reg_img{n}.jpg" for n in (1, 14, 41))
    assert "renumbered='map'" in cohort.decisions["rule"].tolist()


def test_the_nearest_frame_is_taken_within_a_distance(trees):
    study = trees[gaps]
    drop = {"missing_frames": "nearest", "nearest_within": 3}
    report = check(study.casme2, study.samm, policies=Policies(**drop))
    text = report.text()
    assert "onset 46; used: 45" in text
    assert "apex 59; used: 62" in text
    assert report.exit_code == UNUSABLE  # a damaged file and an empty folder have no nearest
    near = check(
        study.casme2, study.samm, policies=Policies(missing_frames="nearest", nearest_within=2)
    ).text()
    assert "apex frame 59, the folder holds frames 45 to 86" in near


def test_the_check_reads_by_the_mapping_of_the_source(tmp_path):
    study = Study(tmp_path).write()
    groups = study.write_groups(tmp_path / "groups.csv")
    source = {"kind": "licensed", "casme2": study.casme2, "samm": study.samm, "annotations": groups}
    assert "maps the released labels" not in check_source(source, progress=False).text()
    mapped = source | {"mapping": "asian_only"}
    with pytest.raises(StudyError, match="maps the released labels"):
        open_clips(mapped, progress=False)
    report = check_source(mapped, progress=False)
    assert report.exit_code == UNUSABLE
    assert "maps the released labels" in report.text()
