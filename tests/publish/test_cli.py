"""The command line as a program: what a mistake and Ctrl-C look like."""

from __future__ import annotations

import re
import sys

import pytest

from ethnicmer_lib.publish import cli
from ethnicmer_lib.publish.cli import recordings, runs


def run(monkeypatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ethnicmer", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


def test_a_mistake_is_one_line_and_no_traceback(workspace, monkeypatch, capsys):
    assert run(monkeypatch, "runs", "compare", "nothing", "nothing") == 1
    said = capsys.readouterr().err
    assert said.startswith("error: 0 runs are called 'nothing'")
    assert said.count("\n") == 1


def test_an_interrupted_command_says_that_it_can_go_on(workspace, monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "every", interrupted)
    assert run(monkeypatch, "runs", "list") == cli.INTERRUPTED
    assert "what was computed is kept" in capsys.readouterr().err


def test_an_unknown_engine_ends_a_command_before_it_computes(monkeypatch, capsys):
    assert run(monkeypatch, "build", "--engine", "cloud") == 1
    assert "engine 'cloud' is unknown; allowed: 'serial'" in capsys.readouterr().err


def test_a_wrong_parameter_is_one_line_with_what_is_allowed(workspace, monkeypatch, capsys):
    assert run(monkeypatch, "rerun", "prima_facie", "-p", "n_subject=12") == 1
    unknown = capsys.readouterr().err
    assert unknown.startswith("error: unknown parameter n_subject")
    assert "Did you mean n_subjects?" in unknown
    assert unknown.count("\n") == 1
    assert run(monkeypatch, "rerun", "prima_facie", "-p", "n_subjects=98") == 1
    outside = capsys.readouterr().err
    assert "n_subjects=98 is refused" in outside
    assert "less than or equal to 16" in outside
    assert not any(workspace.iterdir())


def test_a_folder_of_another_source_is_refused(workspace, monkeypatch, capsys):
    assert run(monkeypatch, "build", "--flow-dir", str(workspace)) == 1
    assert "--flow-dir is for --data flow, and this is --data simulated" in capsys.readouterr().err


def test_params_prints_values_what_is_allowed_and_what_it_means(monkeypatch, capsys):
    assert run(monkeypatch, "params", "benchmark", "--profile", "tiny") == 0
    said = capsys.readouterr().out
    assert re.search(
        r"^recipe.epochs = 1\n +training epochs \(integer, minimum 1, maximum 500\)$", said, re.M
    )
    assert re.search(r"^source.size = 'tiny'$", said, re.M)


def test_recordings_are_named_and_take_their_own_parameters(workspace, monkeypatch, capsys):
    assert run(monkeypatch, "record", "everything") == 1
    said = capsys.readouterr().err
    assert f"allowed: {', '.join(recordings.RECORDINGS)}" in said
    for name in recordings.RECORDINGS:
        assert run(monkeypatch, "record", name, "-p", "sead=1") == 1
        said = capsys.readouterr().err
        assert "unknown parameter sead. " in said
        assert ("Did you mean seed?" in said) == (name not in ("motion", "simulator")), "these two have none"


def test_a_wrong_value_of_a_recording_is_refused_before_its_clips_are_opened(workspace, monkeypatch, capsys):
    assert run(monkeypatch, "record", "table_v", "-p", "recipe.epochs=0", "-p", "n_seeds=many") == 1
    said = capsys.readouterr().err
    assert "recipe.epochs=0 is refused: " in said
    assert "n_seeds='many' is refused: " in said
    assert not any(workspace.iterdir())
