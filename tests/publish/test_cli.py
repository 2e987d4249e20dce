"""The command line as a program: what a mistake and Ctrl-C look like."""

from __future__ import annotations

import sys

import pytest

from ethnicmer_lib.publish import cli, run_listing


def run(monkeypatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ethnicmer", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


def test_a_mistake_is_one_line_and_no_traceback(workspace, monkeypatch, capsys):
    assert run(monkeypatch, "runs", "remove", "nothing") == 1
    said = capsys.readouterr().err
    assert said.startswith("error: no run 'nothing'")
    assert said.count("\n") == 1


def test_an_interrupted_command_says_that_it_can_go_on(workspace, monkeypatch, capsys):
    def interrupted(step=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_listing, "every", interrupted)
    assert run(monkeypatch, "runs", "list") == cli.INTERRUPTED
    assert "what was computed is kept" in capsys.readouterr().err


def test_an_unknown_engine_ends_a_command_before_it_computes(monkeypatch, capsys):
    assert run(monkeypatch, "build", "--engine", "cloud") == 1
    assert "engine 'cloud' is unknown; allowed: 'serial'" in capsys.readouterr().err
