"""The LOSO engine: no leak, no dependence on history, resumption to the same bytes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib import training
from ethnicmer_lib.cohort.clips import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.parameters import TrainingParameters
from ethnicmer_lib.runs import Run

SETTINGS = TrainingParameters(epochs=1, batch_size=4, image_size=28)
N = 9


def clips() -> pd.DataFrame:
    subject = np.repeat(["s0", "s1", "s2"], 3)
    table = pd.DataFrame({"subject": subject, "clip_id": [f"SAMM/{s}/c{i}" for i, s in enumerate(subject)]})
    return table.assign(label=[LABELS[i % 3] for i in range(N)], group=np.where(subject == "s1", "B", "A"))


def images(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((N, 3, 28, 28)).astype(np.float32)


FOLDS = [
    (np.flatnonzero(clips()["subject"] != s), np.flatnonzero(clips()["subject"] == s))
    for s in ("s0", "s1", "s2")
]


@pytest.fixture
def run(workspace) -> Run:
    return Run.open("test", module="ethnicmer_lib.training", cohort="c", parameters={})


@pytest.mark.parametrize("variant", ["resnet18", "dual_rgb"])
def test_one_row_per_clip_with_probabilities_that_decide(variant, run):
    table = training.predict_folds(variant, images(), images(1), clips(), FOLDS[:2], SETTINGS, run)
    assert list(table.columns) == [
        "variant", "seed", "fold", "clip_id", "subject", "label", "predicted",
        "p_Negative", "p_Positive", "p_Surprise", "group", "predicted_group",
    ]  # fmt: skip
    assert table["clip_id"].tolist() == clips()["clip_id"].tolist()[:6]
    p = table[[f"p_{label}" for label in LABELS]].to_numpy()
    assert np.allclose(p.sum(axis=1), 1)
    assert table["predicted"].tolist() == [LABELS[i] for i in p.argmax(axis=1)]
    assert set(table["predicted_group"]) <= ({""} if variant == "resnet18" else {"A", "B"})
    assert (table["group"].to_numpy() == clips().set_index("clip_id").loc[table["clip_id"], "group"]).all()


def test_a_killed_run_resumes_and_ends_with_the_same_bytes(run, workspace, monkeypatch):
    arguments = ("resnet18", images(), None, clips(), FOLDS[:2], SETTINGS)
    trained = []
    real = training.train_fold

    def killed(*args, **options):
        trained.append(args[4])
        if len(trained) == 2:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(training, "train_fold", killed)
    with pytest.raises(KeyboardInterrupt):
        training.predict_folds(*arguments, run)
    torch.rand(7)  # what happens in between must not matter
    resumed = training.predict_folds(*arguments, run)
    assert trained == [0, 1, 1]
    other = Run.open("other", module="ethnicmer_lib.training", cohort="c", parameters={})
    pd.testing.assert_frame_equal(resumed, training.predict_folds(*arguments, other), check_exact=True)
    names = {path.stem for path in run.path.glob("*.parquet")}
    assert names == {f"resnet18-seed0-fold{i:03d}" for i in range(2)}
    assert set(json.loads((run.path / "seconds.json").read_text())) == names


def test_finished_folds_need_no_images(run):
    table = training.predict_folds("resnet18", images(), None, clips(), FOLDS[:1], SETTINGS, run)
    broken = np.full_like(images(), np.nan)
    pd.testing.assert_frame_equal(
        table, training.predict_folds("resnet18", broken, None, clips(), FOLDS[:1], SETTINGS, run)
    )


def test_held_out_clips_reach_neither_the_network_nor_each_other():
    data, other = images(), images()
    other[FOLDS[0][1]] = 5.0
    train, test = FOLDS[0]
    models = [
        training.train_fold("resnet18", training.prepare("resnet18", x, None, clips()), train, SETTINGS, 0)
        for x in (data, other)
    ]
    states = [model.state_dict() for model in models]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    inputs = training.prepare("resnet18", data, None, clips())
    together = training.predict(models[0], inputs, test, 8).decision
    alone = torch.cat([training.predict(models[0], inputs, test[i : i + 1], 8).decision for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-5)
    after = models[0].state_dict()
    assert all(torch.equal(states[1][name], after[name]) for name in after)


def test_seed_and_fold_change_the_network_and_the_caller_keeps_its_random_state():
    inputs = training.prepare("resnet18", images(), None, clips())
    before = torch.random.get_rng_state()

    def first_weights(seed: int, fold: int) -> torch.Tensor:
        chosen = SETTINGS.model_copy(update={"seed": seed})
        return training.train_fold("resnet18", inputs, FOLDS[0][0], chosen, fold).emotion.conv1.weight

    base = first_weights(0, 0)
    assert torch.equal(base, first_weights(0, 0))
    assert not torch.allclose(base, first_weights(1, 0))
    assert not torch.allclose(base, first_weights(0, 1))
    assert torch.equal(before, torch.random.get_rng_state())


def test_it_learns_what_is_there_to_learn():
    """Each label lights one channel, seen on a subject that was held out."""
    n = 24
    code = np.arange(n) % 3
    table = pd.DataFrame({"clip_id": np.arange(n).astype(str), "subject": np.repeat(list("abcd"), 6)})
    table = table.assign(label=np.array(LABELS)[code], group="A")
    data = np.random.default_rng(0).random((n, 3, 28, 28)).astype(np.float32) * 0.2
    data[np.arange(n), code] += 1
    inputs = training.prepare("resnet18", data, None, table)
    # Batch norm's running means need some 30 steps to follow the weights.
    chosen = SETTINGS.model_copy(update={"epochs": 10, "batch_size": 6})
    ticks = []
    model = training.train_fold(
        "resnet18", inputs, np.arange(18), chosen, 0, on_epoch=lambda: ticks.append(1)
    )
    assert len(ticks) == 10
    decided = training.predict(model, inputs, np.arange(18, 24), 4).decision.argmax(1)
    assert decided.tolist() == [0, 1, 2, 0, 1, 2]


@given(st.integers(2, 70), st.integers(2, 33))
@settings(deadline=None, max_examples=60)
def test_batches_hold_every_row_once_and_never_a_single_one(n, size):
    batches = training._batches(torch.arange(n), size)
    assert torch.cat(batches).tolist() == list(range(n))
    assert all(2 <= len(batch) <= size + 1 for batch in batches)


def test_refusals_name_clip_subject_and_fix(run):
    def predict(variant="resnet18", motion=None, rgb=None, folds=FOLDS, chosen=SETTINGS):
        data = images() if motion is None else motion
        return training.predict_folds(variant, data, rgb, clips(), folds, chosen, run)

    with pytest.raises(StudyError, match="fold 0: subject s1 is in training and test"):
        predict(folds=[(np.arange(4), np.arange(4, 9))])
    with pytest.raises(StudyError, match="no folds"):
        predict(folds=[])
    with pytest.raises(StudyError, match="fold 0 tests no clip"):
        predict(folds=[(np.arange(4), np.arange(0))])
    with pytest.raises(StudyError, match=r"tinyvit.*RGB"):
        predict("tinyvit")
    with pytest.raises(StudyError, match=r"\(5, 3, 28, 28\) for 9 clips"):
        predict(motion=images()[:5])
    broken = images()
    broken[4, 0, 3, 3] = np.inf
    with pytest.raises(StudyError, match=r"SAMM/s1/c4.*not finite"):
        predict(motion=broken)
    with pytest.raises(StudyError, match="fold 0 has 1 training clip"):
        predict(folds=[(np.array([0]), np.array([4]))])
    with pytest.raises(
        StudyError, match="fold 0: the loss is no longer finite in epoch 1; lower learning_rate"
    ):
        predict(motion=images() * np.float32(3e38))


def test_no_finished_fold_is_left_by_a_refusal(run):
    with pytest.raises(StudyError):
        training.predict_folds("tinyvit", images(), None, clips(), FOLDS, SETTINGS, run)
    assert not list(run.path.glob("*.parquet"))
