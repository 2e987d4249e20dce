"""Parameters: what a reader may write, and what is said of anything else."""

from __future__ import annotations

import pytest

from ethnicmer_lib import sources
from ethnicmer_lib.errors import StudyError, checked
from ethnicmer_lib.publish import chapters
from ethnicmer_lib.simulator.settings import SimulatorSettings

PRIMA_FACIE, BENCHMARK = (chapters.chapter(name).model for name in ("prima_facie", "benchmark"))


def test_a_source_is_a_name_or_its_entries_and_paths_are_no_part_of_its_identity(tmp_path):
    tiny = checked(PRIMA_FACIE, {"source": "tiny"})
    assert tiny.source == sources.Simulated(size="tiny")
    assert checked(PRIMA_FACIE, {"source": {"size": "tiny"}}) == tiny
    here, there = (
        checked(PRIMA_FACIE, {"source": {"kind": "flow", "folder": str(tmp_path / name)}}) for name in "ab"
    )
    assert here != there
    assert here.identity() == here.identity() == there.identity()


def test_an_environment_variable_names_a_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ETHNICMER_FLOW", str(tmp_path))
    assert sources.source_of("flow").folder == tmp_path
    monkeypatch.delenv("ETHNICMER_FLOW")
    with pytest.raises(StudyError, match=r"does not exist; .* name it with --flow-dir"):
        sources.open_clips("flow")
    monkeypatch.delenv("ETHNICMER_SAMM", raising=False)
    assert sources.source_of("licensed").samm is None, "of this database there is no copy"


def test_a_simulated_source_is_the_settings_of_the_simulator():
    source = sources.source_of({"size": "tiny", "without": ["light"], "others": True})
    assert source.settings() == SimulatorSettings("tiny", others=True, without=("light",))


@pytest.mark.catalogue
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"source": "nope"}, r"source='nope' is unknown; allowed: simulated, tiny"),
        ({"source": {"kind": "video"}}, r"source=.*Input tag 'video' .*'simulated', 'flow', 'licensed'"),
        ({"source": {"kind": "flow"}}, r"source.folder=.*Field required"),
        ({"source": {"folder": "x"}}, r"unknown parameter source.folder. Allowed: size, .*texture_cue"),
        (
            {"source": {"mapping": "asian_only"}},
            r"unknown parameter source.mapping.* is of sources flow, licensed, and this one is simulated",
        ),
        ({"source": {"texture_cue": 2}}, r"texture_cue 2.0: must be a number from 0 to 1"),
        ({"recipe": {"epochs": 0}}, r"recipe.epochs=0 is refused: .*greater than or equal to 1$"),
        (
            {"recipe": {"epoch": 3}},
            r"unknown parameter recipe.epoch. Did you mean epochs\? Allowed: epochs, ",
        ),
        ({"switches": {"context": "x"}}, r"switches.context='x' .*'group', 'shuffled' or 'database'$"),
        (
            {"source": {"kind": "licensed", "policies": {"apx": "drop"}}},
            r"unknown parameter source.policies.apx. Did you mean apex\? Allowed: known_errors, apex, ",
        ),
        ({"seeds": 3}, r"unknown parameter seeds. Did you mean seed\?"),
        ({"folds": 1}, r"^folds=1 is refused: Input should be 'loso', or: .*greater than or equal to 2$"),
    ],
)
def test_a_wrong_name_or_value_is_refused_with_the_allowed_ones(values, said):
    with pytest.raises(StudyError, match=said):
        checked(BENCHMARK, values)


def test_what_differs_is_all_that_is_written():
    p = checked(BENCHMARK, {"recipe": {"epochs": 3}, "switches": {"shared_backbone": True}})
    assert (p.recipe.epochs, p.recipe.batch_size) == (3, 32)
    assert p.switches.shared_backbone
    assert p.switches.context == "group"


def test_a_notebook_gives_its_plain_values_and_a_hidden_one_is_said():
    namespace = {"source": "tiny", "seed": 3, "_i": "code", "In": [], "module": pytest}
    assert chapters.parameters("prima_facie", namespace).seed == 3
    with pytest.raises(StudyError, match=r"seed=<module 'pytest' .*> is refused: .* valid integer"):
        chapters.parameters("prima_facie", namespace | {"seed": pytest})
    with pytest.raises(StudyError, match="unknown parameter sead"):
        chapters.parameters("prima_facie", namespace | {"sead": 1})


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"kind": "flow", "folder": "."},
        {"kind": "licensed"},
        {"kind": "manifest", "table": "x.csv", "flow": "."},
    ],
)
def test_every_parameter_of_every_chapter_says_what_it_is(kind):
    for page in chapters.PAGES:
        values = {"source": kind} if "source" in page.model.model_fields else {}
        for name, _, allowed, meaning in checked(page.model, values).explained():
            assert allowed, (page.name, name)
            assert meaning or name.startswith(("switches.", "source.policies.")), (page.name, name)
