"""Runs are listed with what tells them apart, and compared to the last bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import toy
from typer.testing import CliRunner

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import cli
from ethnicmer_lib.publish.cli.runs import every
from ethnicmer_lib.store import Provenance, Run

SOURCE = Provenance("toy clips", True, "c0")


def predictions(arm: str, seed: int = 0, wrong: int = 0) -> pd.DataFrame:
    """Right but for the first ``wrong`` clips."""
    clips = toy.clips()
    predicted = clips["label"].to_numpy(copy=True)
    predicted[:wrong] = LABELS[2]
    return clips.assign(arm=arm, seed=seed, predicted=predicted, p_Surprise=0.25)


def make(epochs: int, wrong: int = 0, arms=("resnet18",), step: str = "networks", planned=None) -> Run:
    inputs = {"recipe": {"epochs": epochs}, "image_size": 28}
    run = Run.open(step, code=("stats",), inputs=inputs, provenance=SOURCE, planned=planned)
    for arm in arms:
        whole = predictions(arm, wrong=wrong)
        for fold, rows in enumerate((whole[:6], whole[6:])):
            run.kept(f"{arm}-seed0-fold{fold:03d}", lambda rows=rows, fold=fold: rows.assign(fold=fold))
    return run


def key(run: Run) -> str:
    return run.path.name.rpartition("-")[2]


def call(*words: str, **options) -> str:
    result = CliRunner().invoke(cli.app, ["runs", *words], catch_exceptions=False, **options)
    assert result.exit_code == options.get("code", 0), result.output
    return result.output


def compared(shown: str) -> dict[str, list[str]]:
    """The words of each row about predictions, by its arm: macro F1 of both runs, whether they are identical."""
    rows = shown[shown.index("macro F1") :].splitlines()[2:]
    return {row.split()[0]: row.split()[1:] for row in rows}


def test_the_list_names_source_folds_and_what_differs(workspace):
    first, second = make(1, planned={"resnet18-seed0": 4, "tinyvit-seed0": 4}), make(2)
    (first.path / ".half-fold003.parquet").write_bytes(b"left by a kill")
    make(1, step="other")
    lines = call("list").splitlines()
    assert len(lines) == 5, "a table for each step"
    assert lines[0].split() == ["source", "folds", "age", "MB", "inputs.recipe.epochs"]
    one = next(line for line in lines if first.path.name in line)
    two = next(line for line in lines if second.path.name in line)
    assert "toy clips (SIMULATED)" in one
    assert " 2/8 " in one
    assert one.split()[-1] == "1"
    assert two.split()[-1] == "2"
    assert "toy clips (SIMULATED)" in two
    assert " 0 days" in one
    assert every().loc[first.path.name, "MB"] > 0.01
    assert lines[3].split() == ["source", "folds", "age", "MB"], "nothing to tell a single run from"


def test_a_run_that_was_killed_at_its_start_is_listed(workspace):
    (workspace / "runs" / "networks-0123456789abcdef").mkdir(parents=True)
    (found,) = every().itertuples()
    assert (found.step, found.source, found.folds) == ("networks", "", "")
    assert "networks-0123456789abcdef" in call("list")


def test_identical_predictions_and_scores_are_told_from_others(workspace):
    same, other = make(1), make(2, wrong=6)
    shown = call("compare", key(same), same.path.name)
    assert "inputs and code are the same" in shown
    assert compared(shown) == {"resnet18": ["1.0", "1.0", "True"]}
    shown = call("compare", key(same)[:6], key(other)[:6])
    assert ["inputs.recipe.epochs", "1", "2"] in [line.split() for line in shown.splitlines()]
    # Six clips are said to be 'Surprise', two of them are: F1 2·2/(2·2+2) for the others, 2·4/(2·4+4) for it.
    assert compared(shown) == {"resnet18": ["1.0", "0.6667", "False"]}


def test_one_bit_of_one_probability_makes_predictions_differ(workspace):
    same, other = make(1), make(2)
    assert compared(call("compare", key(same), key(other)))["resnet18"][2] == "True"
    table = other.read("resnet18-seed0-fold001")
    table.loc[2, "p_Surprise"] = np.nextafter(0.25, 1)
    other.write("resnet18-seed0-fold001", table)
    assert compared(call("compare", key(same), key(other)))["resnet18"][2] == "False"


def test_a_part_that_only_one_run_has_is_shown(workspace):
    both, one = make(1, arms=("resnet18", "tinyvit")), make(2)
    assert compared(call("compare", key(one), key(both)))["tinyvit"] == ["NaN", "1.0", "False"]


def test_a_name_that_is_none_or_several_is_refused(workspace):
    first, _ = make(1), make(2)
    with pytest.raises(StudyError, match=r"0 runs are called 'nothing'.*runs list"):
        call("compare", key(first), "nothing")
    with pytest.raises(StudyError, match=r"2 runs are called 'networks'"):
        call("compare", key(first), "networks")
