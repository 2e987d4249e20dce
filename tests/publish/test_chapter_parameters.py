"""Parameters: what a reader may write, and what is said of anything else."""

from __future__ import annotations

import pytest

from ethnicmer_lib import sources
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import parameters
from ethnicmer_lib.publish.parameters import Benchmark, PrimaFacie, described, from_notebook


def test_a_source_is_a_name_or_its_entries_and_paths_are_no_part_of_its_identity(tmp_path):
    tiny = PrimaFacie.check({"source": "tiny"})
    assert tiny.source == sources.Simulated(size="tiny")
    assert PrimaFacie.check({"source": {"size": "tiny"}}) == tiny
    here, there = (
        PrimaFacie.check({"source": {"kind": "flow", "folder": str(tmp_path / name)}}) for name in "ab"
    )
    assert here != there
    assert here.identity() == here.identity() == there.identity()


def test_an_environment_variable_names_a_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ETHNICMER_FLOW", str(tmp_path))
    assert sources.source_of("flow").folder == tmp_path


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"source": "nope"}, r"source='nope' is no name .*allowed: simulated, tiny"),
        (
            {"source": {"kind": "video"}},
            r"source.kind='video' is refused; allowed: simulated, flow, licensed",
        ),
        ({"source": {"kind": "flow"}}, r"source.folder=.*Field required"),
        ({"source": {"folder": "x"}}, r"source.folder='x' is refused: there is no such entry.*texture_cue"),
        ({"source": {"texture_cue": 2}}, r"source.texture_cue=2 is refused: .*less than or equal to 1"),
        ({"recipe": {"epochs": 0}}, r"recipe.epochs=0 is refused: .*Allowed: a whole number from 1 to 500"),
        ({"recipe": {"epoch": 3}}, r"recipe.epoch=3 is refused: there is no such entry. Allowed: epochs,"),
        ({"switches": {"context": "x"}}, r"switches.context='x' .*Allowed: 'group', 'shuffled', 'database'"),
        ({"seeds": 3}, r"unknown parameter seeds for Benchmark. Did you mean seed\?"),
        ({"folds": 1}, r"folds=1 is refused.*Allowed: 'loso' or a whole number from 2 to 20"),
    ],
)
def test_a_wrong_name_or_value_is_refused_with_the_allowed_ones(values, said):
    with pytest.raises(StudyError, match=said):
        Benchmark.check(values)


def test_what_differs_is_all_that_is_written():
    p = Benchmark.check({"recipe": {"epochs": 3}, "switches": {"shared_backbone": True}})
    assert (p.recipe.epochs, p.recipe.batch_size) == (3, 32)
    assert p.switches.shared_backbone
    assert p.switches.context == "group"


def test_a_notebook_gives_its_plain_values_and_a_hidden_one_is_said():
    namespace = {"source": "tiny", "seed": 3, "_i": "code", "In": [], "module": pytest}
    assert from_notebook(PrimaFacie, namespace).seed == 3
    with pytest.raises(
        StudyError, match="the parameter seed is hidden: the notebook gave its name to a module"
    ):
        from_notebook(PrimaFacie, namespace | {"seed": pytest})
    with pytest.raises(StudyError, match="unknown parameter sead"):
        from_notebook(PrimaFacie, namespace | {"sead": 1})


def test_every_parameter_of_every_chapter_says_what_it_is():
    models = [
        model
        for model in vars(parameters).values()
        if isinstance(model, type) and issubclass(model, parameters.Parameters)
    ]
    assert len(models) > 10
    for model in models:
        for name, _, allowed, meaning in described(model):
            assert allowed, (model, name)
            assert meaning or name.startswith("switches."), (model, name)
