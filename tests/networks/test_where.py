"""Executors: the same answers everywhere, killed processes replaced, and an end to it when that does not help."""

from __future__ import annotations

import os
from concurrent.futures import BrokenExecutor
from functools import partial

import deaths
import pytest

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import where
from ethnicmer_lib.networks.where import engine

JOBS = [deaths.Job(f"t{i}", i) for i in range(6)]


def results(name, work=deaths.work) -> list:
    found = list(where.run(engine(name), work, JOBS, deaths.Box()))
    return sorted(found, key=lambda answer: answer.task.number)


def test_here_or_in_processes_every_task_is_done_once():
    here, there = results("serial"), results("processes:2")
    assert [a.task for a in here] == [a.task for a in there] == JOBS
    assert [a.value for a in here] == [a.value for a in there]
    assert {a.process for a in here} == {os.getpid()}
    assert os.getpid() not in {a.process for a in there}


def test_a_killed_process_is_said_and_its_tasks_are_done_by_another(tmp_path, capsys):
    dies = partial(deaths.dies_once, deaths.work, str(tmp_path / "died"))
    assert [a.task for a in results("processes:2", dies)] == JOBS
    assert (tmp_path / "died").exists()
    assert "a worker was killed" in capsys.readouterr().err


def test_a_task_that_always_kills_its_process_ends_with_one_clear_error(monkeypatch):
    monkeypatch.setattr(where, "PAUSE", 0)
    with pytest.raises(StudyError, match=r"3 times in a row .*t1 is the first.*memory.*processes:1"):
        results("processes:2", deaths.always_dies)


def test_what_the_work_raises_is_not_tried_again():
    with pytest.raises(StudyError, match="this clip is wrong"):
        results("processes:2", deaths.refuses)


def test_rounds_go_on_as_long_as_something_is_finished(monkeypatch):
    rounds = []

    def weak(work, tasks, data):
        """One task in three rounds, then it is lost."""
        rounds.append(len(tasks))
        if len(rounds) % where.PATIENCE == 0:
            yield work(tasks[0], data)
        raise BrokenExecutor

    monkeypatch.setattr(where, "PAUSE", 0)
    found = where.run(weak, deaths.work, JOBS, deaths.Box())
    assert [answer.task for answer in found] == JOBS
    assert rounds == [left for left in range(6, 0, -1) for _ in range(where.PATIENCE)]


@pytest.mark.parametrize(("name", "jobs"), [("processes:3", 3), ("processes:12", 12)])
def test_names_of_engines(name, jobs, monkeypatch):
    assert engine(name).args == (jobs,)
    monkeypatch.setenv(where.ENVIRONMENT, name)
    assert where.chosen("processes:5").args == (jobs,), (
        "what the reader names goes before what the study would do"
    )


def test_without_a_name_the_study_decides(monkeypatch):
    monkeypatch.delenv(where.ENVIRONMENT, raising=False)
    assert where.chosen("serial") is None
    assert where.chosen("processes:2").args == (2,)
    assert 1 <= engine("processes").args[0] <= where.MOST_PROCESSES
    where.use(None)
    assert where.ENVIRONMENT not in os.environ


@pytest.mark.parametrize(
    "name", ["", "gpu", "processes:0", "processes:-1", "tcp://host", "tcp://:8786", "http://a:1", "host:8786"]
)
def test_an_unknown_engine_names_the_allowed_ones(name):
    with pytest.raises(StudyError, match=r"engine .* is unknown; allowed: 'serial'.*tcp://host:port"):
        where.use(name)
