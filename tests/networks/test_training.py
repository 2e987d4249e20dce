"""Training of one fold: no leak, no dependence on history, and it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.networks import Recipe, training
from ethnicmer_lib.networks.switches import AS_DESCRIBED

SETTINGS = Recipe(epochs=1, batch_size=4)
N = 9


def fit(variant, inputs, rows, recipe=SETTINGS, fold=0, seed=0, switches=AS_DESCRIBED):
    return training.train_fold(variant, inputs, rows, recipe, seed, fold, "none", switches)


def clips() -> pd.DataFrame:
    subject = np.repeat(["s0", "s1", "s2"], 3)
    table = pd.DataFrame({"subject": subject, "clip_id": [f"SAMM/{s}/c{i}" for i, s in enumerate(subject)]})
    table["database"] = "SAMM"
    return table.assign(label=[LABELS[i % 3] for i in range(N)], group=np.where(subject == "s1", "B", "A"))


def images(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((N, 3, 28, 28)).astype(np.float32)


FOLDS = [
    (np.flatnonzero(clips()["subject"] != s), np.flatnonzero(clips()["subject"] == s))
    for s in ("s0", "s1", "s2")
]


def test_held_out_clips_reach_neither_the_network_nor_each_other():
    data, other = images(), images()
    other[FOLDS[0][1]] = 5.0
    train, test = FOLDS[0]
    models = [
        fit("resnet18", training.prepare("resnet18", x, None, clips()), train, SETTINGS, 0)
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
        return fit("resnet18", inputs, FOLDS[0][0], fold=fold, seed=seed).emotion.conv1.weight

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
    # Batch norm's running means need some 50 steps to follow the weights.
    chosen = replace(SETTINGS, epochs=20, batch_size=6)
    model = fit("resnet18", inputs, np.arange(18), chosen, 0)
    decided = training.predict(model, inputs, np.arange(18, 24), 4).decision.argmax(1)
    assert decided.tolist() == [0, 1, 2, 0, 1, 2]


@given(st.integers(2, 70), st.integers(2, 33))
@settings(deadline=None, max_examples=60)
def test_batches_hold_every_row_once_and_never_a_single_one(n, size):
    batches = training.batches(torch.arange(n), size)
    assert torch.cat(batches).tolist() == list(range(n))
    assert all(2 <= len(batch) <= size + 1 for batch in batches)
