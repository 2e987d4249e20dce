"""Parameters: one source for names, types, ranges, notebook cells and error messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import old_chapters as study
from ethnicmer_lib.publish import old_parameters as parameters


def test_an_unknown_name_is_refused_with_the_allowed_ones():
    with pytest.raises(StudyError, match=r"unknown parameter n_subject .*Did you mean n_subjects\?.*n_draws"):
        parameters.PrimaFacie.check({"n_subject": 12})


@pytest.mark.parametrize("value", [99, 2, 7, "many", None])
def test_a_value_out_of_range_is_refused_with_the_range(value):
    with pytest.raises(StudyError, match=r"n_subjects=.*a whole number, multiple of 2 from 4 to 16"):
        parameters.PrimaFacie.check({"n_subjects": value})


@given(st.integers(2, 8).map(lambda half: 2 * half), st.integers(0, 2**31 - 1))
def test_values_in_range_are_taken_as_they_are(n_subjects, seed):
    checked = parameters.PrimaFacie.check({"n_subjects": n_subjects, "seed": seed})
    assert (checked.n_subjects, checked.seed) == (n_subjects, seed)


def test_a_notebook_with_a_stray_value_is_refused_as_papermill_alone_would_not():
    namespace = {"n_subjects": 12, "In": [], "Out": {}, "_i1": "text", "parameters": parameters}
    assert parameters.PrimaFacie.from_notebook(namespace).n_subjects == 12
    with pytest.raises(StudyError, match="unknown parameter n_subject"):
        parameters.PrimaFacie.from_notebook(namespace | {"n_subject": 12})


def test_a_parameter_whose_name_the_notebook_gave_to_a_module_is_refused():
    with pytest.raises(StudyError, match="parameter seed is hidden: the notebook gave its name to a module"):
        parameters.PrimaFacie.from_notebook({"n_subjects": 12, "seed": parameters})


@pytest.mark.parametrize("page", study.PAGES, ids=lambda page: page.name)
def test_every_parameter_is_explained_and_its_notebook_cell_gives_the_quick_profile(page):
    assert all(field.description for field in page.model.model_fields.values())
    namespace: dict = {}
    exec(study.notebook_cell(page), namespace)
    assert page.model.from_notebook(namespace) == study.resolve(page)


def test_where_the_data_lie_does_not_change_the_identity_of_a_result():
    here = parameters.PrimaFacie(data="flow", flow_dir="/a")
    assert here.identity() == parameters.PrimaFacie(data="flow", flow_dir="/b").identity()
    assert here.identity() != parameters.PrimaFacie(data="flow", flow_dir="/a", seed=1).identity()


def test_allowed_values_are_said_in_words():
    assert parameters.allowed(parameters.Benchmark, "folds") == "'loso' or a whole number from 2 to 20"
    assert parameters.allowed(parameters.Benchmark, "learning_rate") == "a number above 0, at most 1"
    assert parameters.allowed(parameters.Benchmark, "variants").startswith(
        "a list of 'resnet18', 'dual_motion'"
    )
    assert parameters.allowed(parameters.Dataset, "flow_dir") == "a path or None"
