"""Executors: the same answers everywhere, killed processes replaced, and an end to it when that does not help."""

from __future__ import annotations

import os
from functools import partial

import deaths
import pytest

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import where
from ethnicmer_lib.networks.where import Processes, Serial

JOBS = [deaths.Job(f"t{i}", i) for i in range(6)]


def results(executor, work=deaths.work) -> list:
    found = list(executor.run(work, JOBS, deaths.Box(), lambda: None))
    return sorted(found, key=lambda answer: answer.task.number)


def test_here_or_in_processes_every_task_is_done_once():
    here, there = results(Serial()), results(Processes(2))
    assert [a.task for a in here] == [a.task for a in there] == JOBS
    assert [a.value for a in here] == [a.value for a in there]
    assert {a.process for a in here} == {os.getpid()}
    assert os.getpid() not in {a.process for a in there}


def test_a_killed_process_is_said_and_its_tasks_are_done_by_another(tmp_path, capsys):
    dies = partial(deaths.dies_once, deaths.work, str(tmp_path / "died"))
    assert [a.task for a in results(Processes(2), dies)] == JOBS
    assert (tmp_path / "died").exists()
    assert "a worker was killed" in capsys.readouterr().err


def test_a_task_that_always_kills_its_process_ends_with_one_clear_error(monkeypatch):
    monkeypatch.setattr(where, "PAUSE", 0)
    with pytest.raises(StudyError, match=r"3 times in a row .*t1 is the first.*memory.*processes:1"):
        results(Processes(2), deaths.always_dies)


def test_what_the_work_raises_is_not_tried_again():
    with pytest.raises(StudyError, match="this clip is wrong"):
        results(Processes(2), deaths.refuses)


def test_rounds_go_on_as_long_as_something_is_finished(monkeypatch):
    class Weak(where.Spread):
        """One task in three rounds, then it is lost."""

        lost = (ProcessLookupError,)
        rounds = 0

        def one_round(self, work, tasks, data):
            self.rounds += 1
            if self.rounds % where.PATIENCE == 0:
                yield work(tasks[0], data)
            raise ProcessLookupError

    monkeypatch.setattr(where, "PAUSE", 0)
    assert [answer.task for answer in results(Weak())] == JOBS


@pytest.mark.parametrize(
    ("name", "expected"),
    [("serial", Serial()), ("processes:3", Processes(3)), ("processes:12", Processes(12))],
)
def test_names_of_engines(name, expected, monkeypatch):
    assert where.named(name) == expected
    monkeypatch.setenv(where.ENVIRONMENT, name)
    assert where.chosen(jobs=5) == expected, "what the reader names goes before what the study would do"


def test_without_a_name_the_study_decides(monkeypatch):
    monkeypatch.delenv(where.ENVIRONMENT, raising=False)
    assert where.chosen(1) == Serial()
    assert where.chosen(2) == Processes(2)
    assert where.named("processes").jobs >= 1
    where.use(None)
    assert where.ENVIRONMENT not in os.environ


@pytest.mark.parametrize(
    "name", ["", "gpu", "processes:0", "processes:-1", "tcp://host", "tcp://:8786", "http://a:1", "host:8786"]
)
def test_an_unknown_engine_names_the_allowed_ones(name):
    with pytest.raises(StudyError, match=r"engine .* is unknown; allowed: 'serial'.*tcp://host:port"):
        where.use(name)
