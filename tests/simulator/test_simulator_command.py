"""The command 'simulate': its options are the simulator's settings, its last line says what to do next."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import fields, replace

import pytest
from typer.testing import CliRunner

from ethnicmer_lib.clips import simulated
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import cli
from ethnicmer_lib.simulator import protocol, write
from ethnicmer_lib.simulator.settings import SimulatorSettings


def two_subjects(settings):
    """One clip of each database, in six frames."""
    plan = protocol.plan_cohort(settings)
    return [
        replace(
            subject,
            clips=tuple(replace(c, apex=c.onset + 3, offset=c.onset + 5) for c in subject.clips[:1]),
        )
        for subject in (plan[0], plan[6])
    ]


@pytest.fixture(autouse=True)
def few_clips(monkeypatch):
    monkeypatch.setattr(write, "plan_cohort", two_subjects)


def test_writes_a_cohort_and_says_how_to_open_it(tmp_path):
    out = tmp_path / "my cohort"
    knobs = ("size=tiny", "seed=8", "texture_cue=0.5", "database_shift=0", "without=[light, noise]")
    options = [word for knob in knobs for word in ("-p", knob)]
    result = CliRunner().invoke(cli.app, ["simulate", str(out), *options], catch_exceptions=False)
    assert result.exit_code == 0
    stored = json.loads((out / simulated.MARKER).read_text())["settings"]
    wanted = SimulatorSettings("tiny", 8, texture_cue=0.5, database_shift=0.0, without=("light", "noise"))
    assert SimulatorSettings(**stored | {"without": tuple(stored["without"])}) == wanted
    last = result.stdout.splitlines()[-1]
    assert "6 frames" in last
    words = shlex.split(last.partition("ethnicmer ")[2])
    assert words == [
        *("build", "--data", "licensed"),
        *("--casme2", str(out / "CASME2"), "--samm", str(out / "SAMM")),
    ]
    more = ["--frames", "all"]
    result = CliRunner().invoke(cli.app, ["simulate", str(out), *options, *more], catch_exceptions=False)
    assert "12 frames" in result.stdout.splitlines()[-1]


def test_every_setting_is_listed_with_its_default_and_meaning():
    result = CliRunner().invoke(cli.app, ["params", "simulator"], catch_exceptions=False)
    for field in fields(SimulatorSettings):
        assert f"source.{field.name} = {field.default!r}" in result.stdout
    assert "strength (0..1) of the abstract texture" in result.stdout


@pytest.mark.parametrize(
    "wrong", [["-p", "texture_cue=2"], ["--around", "100000"], ["-p", "without=[faces]"]]
)
def test_a_mistake_is_one_line(tmp_path, capsys, monkeypatch, wrong):
    monkeypatch.setattr(
        sys, "argv", ["ethnicmer", "simulate", str(tmp_path / "out"), "-p", "size=tiny", *wrong]
    )
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert not (tmp_path / "out").exists()


def test_settings_are_refused_as_the_library_refuses_them(tmp_path):
    arguments = ["simulate", str(tmp_path), "-p", "size=tiny", "-p", "repeats=0"]
    result = CliRunner().invoke(cli.app, arguments)
    assert isinstance(result.exception, StudyError)
    assert "repeats 0" in str(result.exception)
