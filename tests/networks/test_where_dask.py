"""Folds on a Dask scheduler: the bytes of the serial run, lost workers replaced, wrong addresses refused."""

from __future__ import annotations

import multiprocessing
import re
from functools import partial

import dask
import deaths
import pandas as pd
import pytest
import toy
from distributed import LocalCluster
from distributed.utils import get_mp_context

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import atlas, atlas_pool, atlas_runs
from ethnicmer_lib.networks import Recipe, folds, where, where_dask

JOBS = [deaths.Job(f"t{i}", i) for i in range(6)]


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes, forked from a server that has imported torch once."""
    options = {
        "distributed.worker.multiprocessing-method": "forkserver",
        "distributed.worker.daemon": True,
        "distributed.scheduler.allowed-failures": 1,
    }
    with dask.config.set(options):
        get_mp_context()  # sets a preload of its own, which ours replaces
        multiprocessing.get_context("forkserver").set_forkserver_preload(
            ["distributed", "ethnicmer_lib.networks.fold_task", "ethnicmer_lib.networks.where_dask"]
        )
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as made:
            yield made


@pytest.fixture
def dask_engine(cluster) -> where.Round:
    return where.engine(cluster.scheduler_address)


def results(engine, work=deaths.work) -> list:
    found = list(where.run(engine, work, JOBS, deaths.Box()))
    return sorted(found, key=lambda answer: answer.task.number)


def test_serial_and_dask_with_a_killed_worker_end_with_the_same_bytes(
    cluster, workspace, monkeypatch, tmp_path, capsys
):
    clips = toy.clips()
    arguments = (
        ["dual_motion"],
        toy.images(),
        None,
        clips,
        toy.folds(clips)[:2],
        Recipe(epochs=1, batch_size=4),
    )
    monkeypatch.setenv("ETHNICMER_ENGINE", "serial")
    serial = folds.train_and_predict(*arguments, progress=False)
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(tmp_path / "dask"))
    monkeypatch.setenv("ETHNICMER_ENGINE", cluster.scheduler_address)
    monkeypatch.setattr(
        folds, "predicted", partial(deaths.dies_once, folds.predicted, str(tmp_path / "died"))
    )
    spread = folds.train_and_predict(*arguments, progress=False)
    assert (tmp_path / "died").exists(), "no worker was killed: the test tests nothing"
    pd.testing.assert_frame_equal(serial, spread, check_exact=True)


def test_studies_of_the_atlas_are_those_of_the_serial_run(cluster, workspace, monkeypatch, tmp_path):
    pool, grid = atlas_pool.coded_pool(28), [atlas.Cell(0.5, 1.0, 1.0, atlas.JOINT, 28)]
    about = {"n_studies": 3 * atlas_runs.BLOCK // 2, "n_ours": 2, "resamples": 20, "progress": False}
    monkeypatch.setenv("ETHNICMER_ENGINE", "serial")
    serial = atlas_runs.studies(pool, grid, **about)
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(tmp_path / "dask"))
    monkeypatch.setenv("ETHNICMER_ENGINE", cluster.scheduler_address)
    pd.testing.assert_frame_equal(serial, atlas_runs.studies(pool, grid, **about), check_exact=True)
    assert len(list((tmp_path / "dask").rglob("*.parquet"))) == 2, "two blocks were kept"


def test_every_task_is_done_once_by_a_worker(dask_engine):
    found = results(dask_engine)
    assert [answer.task for answer in found] == JOBS
    assert [answer.value for answer in found] == [10.0 + i for i in range(6)]


def test_a_task_that_takes_its_workers_with_it_ends_with_one_clear_error(dask_engine, capsys):
    with pytest.raises(StudyError, match=r"3 times in a row .*t1 is the first"):
        results(dask_engine, deaths.always_dies)
    assert re.search(r"a worker was killed \(\w+\); \d folds are left", capsys.readouterr().err)
    assert [answer.task for answer in results(dask_engine)] == JOBS, "the cluster serves the next run"


def test_a_mistake_in_the_input_is_not_tried_again(dask_engine):
    with pytest.raises(StudyError, match="this clip is wrong"):
        results(dask_engine, deaths.refuses)


def test_a_worker_of_another_version_is_refused_by_name(dask_engine, monkeypatch):
    other = where_dask.identity() | {"torch": "1.0"}
    monkeypatch.setattr(where_dask, "identity", lambda: other)
    with pytest.raises(
        StudyError, match=r"worker tcp://\S+ has torch 2\S+ \(here 1\.0\).*requirements\.lock"
    ):
        results(dask_engine)


def test_a_wrong_address_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(where_dask, "CONNECT", 0.3)
    with pytest.raises(
        StudyError, match=r"'tcp://127\.0\.0\.1:1': no Dask scheduler answers.*dask scheduler"
    ):
        where.use("tcp://127.0.0.1:1")
    with pytest.raises(StudyError, match="no Dask scheduler answers"):
        where.use("tcp://no-such-host.invalid:8786")


def test_waiting_for_a_worker_is_said(monkeypatch, capsys):
    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as empty:
        monkeypatch.setattr(where_dask, "say", lambda text: (empty.scale(1), print(text)))
        assert len(results(where_dask.workers_of(empty.scheduler_address))) == len(JOBS)
        said = capsys.readouterr().out
        assert f"no worker at {empty.scheduler_address} yet" in said
        assert f"{empty.scheduler_address} gets of these clips: values" in said
