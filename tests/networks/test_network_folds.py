"""Networks fold by fold: one schema, resumption to the same bytes in one process or several, refusals."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial

import deaths
import numpy as np
import pandas as pd
import pytest
import torch
import toy

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.design import backbones
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import (
    Recipe,
    Switches,
    fold_task,
    folds,
    models,
    train_and_predict,
    trained,
    training,
)
from ethnicmer_lib.store import used_runs

RECIPE = Recipe(epochs=1, batch_size=4)
CLIPS = toy.clips()
FOLDS = toy.folds(CLIPS)[:2]


@pytest.fixture(autouse=True)
def here(workspace, monkeypatch, tiny_networks):
    monkeypatch.delenv("ETHNICMER_ENGINE", raising=False)


def predict(arms=("resnet18",), images=None, faces=None, splits=FOLDS, recipe=RECIPE, **more):
    images = toy.images() if images is None else images
    return train_and_predict(arms, images, faces, CLIPS, splits, recipe, progress=False, **more)


@pytest.mark.parametrize("variant", ["resnet18", "dual_rgb"])
def test_one_row_per_clip_with_probabilities_that_decide(variant):
    table = predict([variant], faces=toy.images(1))
    schema = ["arm", "seed", "fold", "clip_id", "subject", "database", "group", "label", "predicted"]
    assert list(table.columns)[:9] == schema
    assert set(table["arm"]) == {variant}
    assert table["clip_id"].tolist() == CLIPS["clip_id"].tolist()[:6]
    p = table[[f"p_{label}" for label in LABELS]].to_numpy()
    assert np.allclose(p.sum(axis=1), 1)
    assert table["predicted"].tolist() == [LABELS[i] for i in p.argmax(axis=1)]
    assert set(table["predicted_group"]) <= ({""} if variant == "resnet18" else {"A", "B"})
    known = CLIPS.set_index("clip_id").loc[table["clip_id"]]
    assert (table["group"].to_numpy() == known["group"].to_numpy()).all()
    assert (table["taught"] == ("" if variant == "resnet18" else table["group"])).all()


def test_a_killed_run_resumes_and_ends_with_the_same_bytes(monkeypatch, tmp_path):
    begun = []
    real = training.train_fold

    def killed(*args, **options):
        begun.append(args[5])
        if len(begun) == 2:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(training, "train_fold", killed)
    with pytest.raises(KeyboardInterrupt):
        predict()
    torch.rand(7)  # what happens in between must not matter
    resumed = predict()
    assert begun == [0, 1, 1]
    run = used_runs()[-1]
    assert set(run.seconds()) == {path.stem for path in run.path.glob("*.parquet")}
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(tmp_path / "other"))
    pd.testing.assert_frame_equal(resumed, predict(), check_exact=True)


def test_a_damaged_fold_is_trained_again():
    table = predict(splits=FOLDS[:1])
    path = next(used_runs()[-1].path.glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.warns(UserWarning, match="damaged"):
        pd.testing.assert_frame_equal(predict(splits=FOLDS[:1]), table, check_exact=True)


def test_processes_and_a_killed_process_change_no_byte(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "resnet18_backbone", backbones.resnet18_backbone)  # as in other processes
    before = torch.get_num_threads()
    serial = predict(["dual_motion"])
    assert torch.get_num_threads() == before
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(tmp_path / "other"))
    monkeypatch.setenv("ETHNICMER_ENGINE", "processes:2")
    monkeypatch.setattr(
        folds, "predicted", partial(deaths.dies_once, fold_task.predicted, str(tmp_path / "died"))
    )
    both = predict(["dual_motion"])
    assert (tmp_path / "died").exists(), "no process was killed: the test tests less"
    pd.testing.assert_frame_equal(serial, both, check_exact=True)


def test_arms_of_one_network_and_one_way_share_it(monkeypatch):
    begun = []
    real = training.train_fold
    monkeypatch.setattr(training, "train_fold", lambda *a, **o: (begun.append(a[0]), real(*a, **o))[1])
    table = predict(["plain", "resnet18"], splits=FOLDS[:1])
    assert begun == ["resnet18"]
    one, other = (rows.drop(columns="arm").reset_index(drop=True) for _, rows in table.groupby("arm"))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_the_network_of_a_fold_is_the_one_that_predicted_and_is_kept():
    table = predict()
    first, again = (trained("resnet18", toy.images(), CLIPS, FOLDS, RECIPE, number=1) for _ in range(2))
    test = torch.from_numpy(toy.images()[FOLDS[1][1]])
    with torch.inference_mode():
        p = torch.softmax(first(test).decision, dim=1).numpy()
        assert torch.equal(first(test).decision, again(test).decision)
    assert np.allclose(p, table.loc[table["fold"] == 1, [f"p_{label}" for label in LABELS]], atol=1e-5)


def elsewhere(work, tasks, data):
    """A round of which everything travels, there and back, but this process computes it."""
    for task in tasks:
        there = pickle.loads(pickle.dumps((work, task, data)))
        yield pickle.loads(pickle.dumps(there[0](*there[1:])))


@pytest.mark.parametrize("engine", [None, elsewhere])
def test_the_network_of_a_fold_can_be_trained_beside_the_others(engine, monkeypatch):
    monkeypatch.setattr(folds.where, "chosen", lambda otherwise: engine)
    alone = trained("resnet18", toy.images(), CLIPS, FOLDS, RECIPE, seed=5, number=1)
    beside = trained("resnet18", toy.images(), CLIPS, FOLDS, RECIPE, seed=6, number=1, all_folds=True)
    assert any((alone.state_dict()[name] != value).any() for name, value in beside.state_dict().items())
    monkeypatch.setattr(training, "train_fold", None)  # whatever still trained would fail
    table = predict(seeds=[6])
    with torch.inference_mode():
        decision = beside(torch.from_numpy(toy.images()[FOLDS[1][1]])).decision
    said = np.asarray(LABELS)[decision.argmax(1)]
    assert table.loc[table["fold"] == 1, "predicted"].tolist() == said.tolist()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"splits": [(np.arange(4), np.arange(4, 9))]}, "fold 0: subject s1 is in training and test"),
        ({"images": toy.images()[:5]}, r"\(5, 3, 28, 28\) for 12 clips"),
        ({"recipe": replace(RECIPE, learning_rate=1e38, epochs=3)}, r"no longer finite in epoch \d; lower"),
        ({"arms": ["resnet19"]}, "arm='resnet19' is unknown; allowed: resnet18"),
    ],
)
def test_refusals_name_clip_subject_and_fix(changes, said):
    with pytest.raises(StudyError, match=said):
        predict(**changes)


def test_a_pixel_that_is_not_finite_is_refused_with_its_clip():
    broken = toy.images()
    broken[4, 0, 3, 3] = np.inf
    with pytest.raises(StudyError, match=r"s1/c4.*not finite"):
        predict(images=broken)


def test_what_needs_faces_is_left_out_and_said(capsys):
    table = predict(["resnet18", "tinyvit"], splits=FOLDS[:1])
    assert set(table["arm"]) == {"resnet18"}
    assert "tinyvit is left out: these clips have no RGB frames" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["pixel", "clip", "fold", "recipe", "switch", "seed", "weights", "version"])
def test_whatever_can_change_a_prediction_trains_anew(what, monkeypatch, tmp_path):
    """Nothing that can change a prediction ever meets a fold that was computed without it."""
    begun = []

    def fake(job, data):
        (task,) = job.tasks
        begun.append(task.name)
        rows = data.table.iloc[task.fold[1]].reset_index(drop=True)[fold_task.COLUMNS]
        rows = rows.assign(seed=task.seed, fold=task.number, predicted=LABELS[0], taught="")
        return fold_task.Done(job, [rows.assign(predicted_group="")], [0.1])

    monkeypatch.setattr(folds, "predicted", fake)
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"1")
    base = {"images": toy.images(), "weights": str(weights)}
    predict(**base)
    predict(**base)
    assert len(begun) == 2, "what has not changed is not trained again"
    other = dict(base)
    if what == "pixel":
        other["images"] = toy.images()
        other["images"][3, 0, 0, 0] += 1e-3
    elif what == "clip":
        monkeypatch.setitem(globals(), "CLIPS", CLIPS.assign(label=LABELS[0]))
    elif what == "fold":
        train, test = FOLDS[0]
        other["splits"] = [(train[1:], test), FOLDS[1]]
    elif what == "recipe":
        other["recipe"] = replace(RECIPE, gamma=0.8)
    elif what == "switch":
        other["switches"] = Switches(standardise="imagenet")
    elif what == "seed":
        other["seeds"] = [1]
    elif what == "weights":
        weights.write_bytes(b"2")
    else:
        from ethnicmer_lib.store import fingerprint

        fingerprint.cache_clear()
        monkeypatch.setattr("ethnicmer_lib.__version__", "99.0")
    predict(**other)
    assert len(begun) == (3 if what == "fold" else 4)
    if what == "version":
        monkeypatch.undo()
        fingerprint.cache_clear()


def test_arms_that_differ_in_the_test_alone_are_trained_once(monkeypatch):
    arms, begun = ["dual", "batch_norm", "saved_after", "no_ethnic_loss"], []
    apart = pd.concat(predict([arm], seeds=[3]) for arm in arms).reset_index(drop=True)
    train = training.train_fold
    monkeypatch.setattr(training, "train_fold", lambda *about: begun.append(about) or train(*about))
    together = predict(arms, seeds=[4])
    assert len(begun) == 2 * len(FOLDS)
    assert together["predicted"].notna().all()
    monkeypatch.setattr(folds.Run, "read", lambda run, name: None)  # nothing is kept
    pd.testing.assert_frame_equal(predict(arms, seeds=[3]), apart)


@pytest.mark.parametrize(("worth", "expected"), [(13, "serial"), (12, "processes")])
def test_small_work_starts_no_process(worth, expected, monkeypatch):
    chosen = []
    pixels = toy.images()[0, 0].size
    monkeypatch.setattr(folds, "WORTH_PROCESSES", worth * pixels)  # two folds of six clips, one epoch
    monkeypatch.setattr(folds.where, "chosen", chosen.append)
    predict(splits=[(train[:6], test) for train, test in FOLDS])
    assert chosen == [expected]
