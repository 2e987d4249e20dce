"""The chapters: which parameters each gets, what its notebook is told, and what a source allows."""

from __future__ import annotations

import re

import pytest
from papermill.translators import PythonTranslator

from ethnicmer_lib.errors import StudyError, checked
from ethnicmer_lib.publish import build, chapters
from ethnicmer_lib.publish.chapters import chapter, resolve
from ethnicmer_lib.publish.cli.options import typed
from ethnicmer_lib.sources import source_of

WITH_PARAMETERS = [page for page in chapters.PAGES if page.model.model_fields]
FLOW = {"kind": "flow", "folder": "."}
NAMED = pytest.mark.parametrize("page", WITH_PARAMETERS, ids=lambda page: page.name)


@NAMED
def test_the_parameters_cell_names_every_parameter_in_few_lines_and_holds_valid_values(page):
    assert list(chapters.notebook_values(page)) == list(page.model.model_fields)
    assert resolve(page, "quick")
    (cell,) = [source for source, tags in chapters.code(page) if "parameters" in tags]
    assert len(cell.splitlines()) <= 12
    read = PythonTranslator.inspect({"source": cell})  # what it cannot read it would call unknown
    assert [parameter.name for parameter in read] == list(page.model.model_fields)


@pytest.mark.parametrize("page", chapters.CHAPTERS, ids=lambda page: page.name)
def test_a_chapter_walks_in_short_visible_cells_without_loops(page):
    found = [(source, set(tags)) for source, tags in chapters.code(page)]
    assert not any({"remove-cell", "remove-input"} & tags for _, tags in found)
    shown = [source for source, tags in found if not {"hide-input", "parameters"} & tags]
    assert len(shown) >= 4
    for source in shown:
        assert len(source.splitlines()) <= 10, source
    for source, _ in found:
        assert not re.search(r"^(for|while|def|class) ", source, re.MULTILINE), source


@NAMED
@pytest.mark.parametrize("profile", chapters.PROFILES)
def test_a_notebook_is_told_what_differs_from_its_own_cell_and_comes_to_the_same(page, profile):
    p = resolve(page, profile, {"source.texture_cue": 0.5} if "source" in page.model.model_fields else {})
    told = chapters.written(page, p)
    assert checked(page.model, chapters.notebook_values(page) | told) == p
    quick = resolve(page)
    assert chapters.written(page, quick) == {}
    for name, value in told.items():
        assert getattr(p, name) != getattr(quick, name), (name, value)


def test_one_entry_of_a_source_or_recipe_is_set_and_the_others_stay():
    page = chapter("benchmark")
    p = resolve(
        page,
        "quick",
        {"source.texture_cue": 1, "recipe.gamma": 0.5, "benchmark.switches.context": "database"},
    )
    assert (p.source.texture_cue, p.source.seed) == (1, 2025)
    assert (p.recipe.gamma, p.recipe.batch_size) == (0.5, 32)
    assert p.recipe.epochs == resolve(page).recipe.epochs
    assert p.switches.context == "database"


def test_a_page_is_told_the_name_of_its_source_and_no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ETHNICMER_FLOW", str(tmp_path))
    page = chapter("benchmark")
    assert chapters.written(page, resolve(page, "quick", {"source": "flow"})) == {"source": "flow"}
    mine = {"kind": "licensed", "casme2": str(tmp_path / "a"), "publishable": ["CASME II/sub01"]}
    p = resolve(page, "quick", {"source": mine})
    told = chapters.written(page, p)
    assert str(tmp_path) not in str(told)
    assert checked(page.model, chapters.notebook_values(page) | told) == p


def test_an_override_reaches_every_chapter_that_has_it_or_the_one_that_it_names():
    plain = {page.name: resolve(page) for page in chapters.PAGES}

    def moved(**overrides):
        changed = {page.name: resolve(page, "quick", overrides) for page in chapters.PAGES}
        return {name for name in plain if plain[name] != changed[name]}

    told = {"intro", "claims"}  # with what the chapters were built
    assert moved(flow_method="farneback") - told == {"motion", "prima_facie", "benchmark", "activation_maps"}
    assert moved(**{"benchmark.recipe.epochs": 2}) - told == {"benchmark"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"n_subject": 1}, "no chapter has a parameter n_subject"),
        ({"prima_face.seed": 1}, "no chapter has a parameter prima_face"),
        ({"benchmark.epochs": 1}, "unknown parameter epochs"),
        ({"recipe.epochs": 0}, "recipe.epochs=0 is refused"),
        (
            {"source": FLOW, "flow_method": "dis"},
            "flow_method changes nothing here: others have computed the flow",
        ),
        ({"source": FLOW, "benchmark.scaling": "none"}, "benchmark.scaling changes nothing here"),
    ],
)
def test_wrong_overrides_are_refused(overrides, message):
    with pytest.raises(StudyError, match=message):
        resolve(chapter("benchmark"), "quick", overrides)


def test_a_profile_may_set_what_a_source_does_not_use():
    assert resolve(chapter("benchmark"), "tiny", {"source": FLOW}).flow_method == "dis"


def test_a_rerun_takes_only_the_chapters_own_names():
    with pytest.raises(StudyError, match="unknown parameter n_seeds"):
        build.rerun("prima_facie", "quick", {"n_seeds": 1})


def test_unknown_profiles_and_chapters_name_the_known_ones():
    with pytest.raises(StudyError, match="allowed: quick, paper, tiny"):
        resolve(chapter("dataset"), "fast")
    with pytest.raises(StudyError, match="allowed: intro, dataset, simulator, motion"):
        chapter("data")


def test_flow_leaves_out_the_chapters_that_need_frames_and_says_why():
    flow = source_of(FLOW)
    reasons = {one.name: one.left_out(flow) for one in chapters.CHAPTERS}
    assert {name for name, reason in reasons.items() if reason} == {"simulator", "motion"}
    assert "no frames" in reasons["motion"]
    assert not any(one.left_out(source_of("tiny")) for one in chapters.CHAPTERS)
    licensed = source_of({"kind": "licensed"})
    assert [one.name for one in chapters.CHAPTERS if one.left_out(licensed)] == ["simulator"]


def test_values_on_the_command_line_are_typed():
    values = typed(["a=3", "b=loso", "c=[x, y]", "d=0.5"])
    assert values == {"a": 3, "b": "loso", "c": ["x", "y"], "d": 0.5}
    with pytest.raises(StudyError, match="write name=value"):
        typed(["seed"])
