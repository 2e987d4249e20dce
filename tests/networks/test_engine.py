"""The LOSO engine: resumption to the same bytes, in one process or several."""

from __future__ import annotations

import json
from functools import partial

import deaths
import numpy as np
import pandas as pd
import pytest
import torch
import toy

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import engine, training
from ethnicmer_lib.networks.switches import AS_DESCRIBED, Switches
from ethnicmer_lib.publish.old_parameters import TrainingParameters
from ethnicmer_lib.store.old_runs import Run

SETTINGS = TrainingParameters(epochs=1, batch_size=4, image_size=28)
CLIPS = toy.clips()
FOLDS = toy.folds(CLIPS)[:2]


@pytest.fixture
def run(workspace, monkeypatch) -> Run:
    monkeypatch.delenv("ETHNICMER_ENGINE", raising=False)
    return another("test")


def another(step: str) -> Run:
    return Run.open(step, module="ethnicmer_lib.networks.engine", cohort="c", parameters={})


@pytest.mark.parametrize("variant", ["resnet18", "dual_rgb"])
def test_one_row_per_clip_with_probabilities_that_decide(variant, run):
    table = engine.predict_folds(variant, toy.images(), toy.images(1), CLIPS, FOLDS, SETTINGS, run)
    assert list(table.columns) == [
        "variant", "seed", "fold", "clip_id", "subject", "database", "label", "predicted",
        "p_Negative", "p_Positive", "p_Surprise", "group", "taught", "predicted_group",
    ]  # fmt: skip
    assert table["clip_id"].tolist() == CLIPS["clip_id"].tolist()[:6]
    p = table[[f"p_{label}" for label in LABELS]].to_numpy()
    assert np.allclose(p.sum(axis=1), 1)
    assert table["predicted"].tolist() == [LABELS[i] for i in p.argmax(axis=1)]
    assert set(table["predicted_group"]) <= ({""} if variant == "resnet18" else {"A", "B"})
    known = CLIPS.set_index("clip_id").loc[table["clip_id"]]
    assert (table["group"].to_numpy() == known["group"].to_numpy()).all()
    assert (table["taught"] == ("" if variant == "resnet18" else table["group"])).all()


def test_a_killed_run_resumes_and_ends_with_the_same_bytes(run, monkeypatch):
    arguments = ("resnet18", toy.images(), None, CLIPS, FOLDS, SETTINGS)
    trained = []
    real = training.train_fold

    def killed(*args, **options):
        trained.append(args[4])
        if len(trained) == 2:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(training, "train_fold", killed)
    with pytest.raises(KeyboardInterrupt):
        engine.predict_folds(*arguments, run)
    torch.rand(7)  # what happens in between must not matter
    resumed = engine.predict_folds(*arguments, run)
    assert trained == [0, 1, 1]
    whole = engine.predict_folds(*arguments, another("other"))
    pd.testing.assert_frame_equal(resumed, whole, check_exact=True)
    names = {path.stem for path in run.path.glob("*.parquet")}
    assert names == {f"resnet18-seed0-fold{i:03d}" for i in range(2)}
    seconds = json.loads((run.path / "seconds.json").read_text())
    assert set(seconds) == names
    assert min(seconds.values()) > 0


def test_finished_folds_need_no_images(run):
    table = engine.predict_folds("resnet18", toy.images(), None, CLIPS, FOLDS[:1], SETTINGS, run)
    broken = np.full_like(toy.images(), np.nan)
    again = engine.predict_folds("resnet18", broken, None, CLIPS, FOLDS[:1], SETTINGS, run)
    pd.testing.assert_frame_equal(table, again)
    damaged = run.path / "resnet18-seed0-fold000.parquet"
    damaged.write_bytes(damaged.read_bytes()[:40])
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(StudyError, match="not finite"):
        engine.predict_folds("resnet18", broken, None, CLIPS, FOLDS[:1], SETTINGS, run)


def test_processes_threads_and_a_killed_process_change_no_byte(run, tmp_path, monkeypatch):
    arguments = ("dual_motion", toy.images(), None, CLIPS, FOLDS, SETTINGS)
    before = torch.get_num_threads()
    serial = engine.predict_folds(*arguments, run)
    assert torch.get_num_threads() == before
    monkeypatch.setattr(engine, "timed", partial(deaths.dies_once, engine.timed, str(tmp_path / "died")))
    both = engine.predict_folds(*arguments, another("processes"), jobs=2)
    assert (tmp_path / "died").exists(), "no process was killed: the test tests less"
    pd.testing.assert_frame_equal(serial, both, check_exact=True)
    for path in run.path.glob("*.parquet"):
        theirs = pd.read_parquet(another("processes").path / path.name)
        pd.testing.assert_frame_equal(pd.read_parquet(path), theirs, check_exact=True)
    assert set(another("processes").seconds()) == set(run.seconds())


def test_one_training_serves_several_ways_of_testing(run):
    ways = tuple((name, Switches(test_batch_norm=name)) for name in ("running", "batch"))
    data = engine.Data(CLIPS, toy.images(size=33))
    task = engine.Task("t", "dual_motion", SETTINGS, 0, FOLDS[0], ways, probes=True)
    table = engine.predict_tasks([task], data, run)[0]
    assert table.groupby("arm", sort=False).size().to_dict() == {"running": 3, "batch": 3}
    alone = engine.Task("u", "dual_motion", SETTINGS, 0, FOLDS[0], ways[:1])
    first = engine.predict_tasks([alone], data, run)[0]
    shared = [name for name in first if name != "arm"]
    pd.testing.assert_frame_equal(table[table["arm"] == "running"][shared], first[shared], check_exact=True)
    assert table[table["arm"] == "batch"]["probe_ethnic_group"].isna().all()
    assert set(table.loc[table["arm"] == "running", "probe_ethnic_group"]) <= {"A", "B"}
    with pytest.raises(StudyError, match="different trainings"):
        engine.Task("v", "dual_motion", SETTINGS, 0, FOLDS[0], (*ways, ("x", Switches(ethnic_loss=False))))
    assert task.switches == AS_DESCRIBED


def test_refusals_name_clip_subject_and_fix(run):
    def predict(variant="resnet18", motion=None, rgb=None, folds=FOLDS, chosen=SETTINGS):
        data = toy.images() if motion is None else motion
        return engine.predict_folds(variant, data, rgb, CLIPS, folds, chosen, run)

    with pytest.raises(StudyError, match="fold 0: subject s1 is in training and test"):
        predict(folds=[(np.arange(4), np.arange(4, 9))])
    with pytest.raises(StudyError, match="no folds"):
        predict(folds=[])
    with pytest.raises(StudyError, match="fold 0 tests no clip"):
        predict(folds=[(np.arange(4), np.arange(0))])
    with pytest.raises(StudyError, match=r"tinyvit.*RGB"):
        predict("tinyvit")
    with pytest.raises(StudyError, match=r"\(5, 3, 28, 28\) for 12 clips"):
        predict(motion=toy.images()[:5])
    broken = toy.images()
    broken[4, 0, 3, 3] = np.inf
    with pytest.raises(StudyError, match=r"s1/c4.*not finite"):
        predict(motion=broken)
    with pytest.raises(StudyError, match="fold 0 has 1 training clip"):
        predict(folds=[(np.array([0]), np.array([4]))])
    wild = SETTINGS.model_copy(update={"learning_rate": 1e38, "epochs": 3})
    with pytest.raises(
        StudyError, match=r"fold 0: the loss is no longer finite in epoch \d; lower learning_rate"
    ):
        predict(chosen=wild)
    assert not list(run.path.glob("*.parquet"))


def test_small_work_starts_no_process():
    assert engine.processes(engine.WORTH_PROCESSES - 1) == 1
    assert 1 <= engine.processes(10**6) <= engine.MOST_PROCESSES
