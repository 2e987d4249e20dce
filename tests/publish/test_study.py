"""The study: which parameters a chapter gets, and which chapters a source allows."""

from __future__ import annotations

import pytest

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import chapters as study


def test_every_profile_resolves_for_every_page():
    for profile in study.profiles():
        for page in study.PAGES:
            assert isinstance(study.resolve(page, profile), page.model)


def test_an_override_reaches_every_chapter_that_has_it_and_no_other():
    plain = {page.name: study.resolve(page) for page in study.PAGES}
    changed = {page.name: study.resolve(page, "quick", {"flow_method": "farneback"}) for page in study.PAGES}
    moved = {name for name in plain if plain[name] != changed[name]}
    assert moved == {"motion", "prima_facie", "benchmark", "activation_maps"}


def test_a_chapters_own_override_reaches_that_chapter_only():
    plain = {page.name: study.resolve(page) for page in study.PAGES}
    changed = {page.name: study.resolve(page, "quick", {"benchmark.epochs": 2}) for page in study.PAGES}
    assert {name for name in plain if plain[name] != changed[name]} == {"benchmark"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"n_subject": 1}, "no chapter has a parameter n_subject"),
        ({"prima_face.seed": 1}, "no chapter 'prima_face'"),
        ({"prima_facie.epochs": 1}, "unknown parameter epochs"),
        ({"benchmark.epochs": 0}, "epochs=0 is refused"),
    ],
)
def test_wrong_overrides_are_refused(overrides, message):
    with pytest.raises(StudyError, match=message):
        study.resolve(study.chapter("dataset"), "quick", overrides)


def test_a_rerun_takes_only_the_chapters_own_names():
    with pytest.raises(StudyError, match="unknown parameter epochs"):
        study.resolve(study.chapter("prima_facie"), "quick", {"epochs": 1}, own=True)


def test_unknown_profiles_and_chapters_name_the_known_ones():
    with pytest.raises(StudyError, match="profiles: quick, paper, tiny"):
        study.resolve(study.chapter("dataset"), "fast")
    with pytest.raises(StudyError, match="chapters: intro, dataset, simulator, motion"):
        study.chapter("data")


def test_flow_leaves_out_the_chapters_that_need_frames_and_says_why():
    reasons = {one.name: one.left_out("flow") for one in study.CHAPTERS}
    assert {name for name, reason in reasons.items() if reason} == {"dataset", "simulator", "motion"}
    assert "hold no frames" in reasons["motion"]
    assert not any(one.left_out("simulated") for one in study.CHAPTERS)
    assert [one.name for one in study.CHAPTERS if one.left_out("licensed")] == ["simulator"]


def test_values_on_the_command_line_are_typed():
    assert study.typed(["a=3", "b=loso", "c=[x, y]", "d=0.5"]) == {
        "a": 3,
        "b": "loso",
        "c": ["x", "y"],
        "d": 0.5,
    }
    with pytest.raises(StudyError, match="write name=value"):
        study.typed(["seed"])
