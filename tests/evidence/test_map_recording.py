"""Recorded maps: made on simulated clips, trained again on real ones, and what is read off them."""

from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from ethnicmer_lib.design import subject_folds
from ethnicmer_lib.evidence import map_recording, map_runs, map_trust
from ethnicmer_lib.evidence.map_groups import CLAIMS
from ethnicmer_lib.evidence.map_runs import LAYERS, SHUFFLED, STAGES, TRAINED
from ethnicmer_lib.motion.extract import motion_images
from ethnicmer_lib.networks import Recipe
from ethnicmer_lib.networks.folds import planned
from ethnicmer_lib.networks.maps import LABELLED, MEASURES
from ethnicmer_lib.networks.models import build_network
from ethnicmer_lib.networks.switches import AS_DESCRIBED
from ethnicmer_lib.sources import open_clips
from ethnicmer_lib.store import recording

RNG = np.random.default_rng(0)


@pytest.fixture
def made(tiny, workspace, tmp_path, monkeypatch):
    """A recording of two runs of one epoch on the tiny cohort."""
    monkeypatch.setenv("ETHNICMER_ENGINE", "serial")
    (tmp_path / "_toc.yml").touch()
    monkeypatch.chdir(tmp_path)
    about = {"folds": 2, "n_seeds": 2, "flow_method": "dis", "recipe": Recipe(epochs=1)}
    map_recording.record_maps(tiny, "typed", **about)
    return about


def test_every_clip_has_a_map_of_every_network_and_run_and_finished_folds_stay(tiny, made, monkeypatch):
    real = recording("maps")
    maps, shown = real.table("maps"), tiny.table[tiny.table["label"].isin(LABELLED)]
    assert set(maps["arm"]) == {TRAINED, SHUFFLED, *(f"random from {stage}" for stage in STAGES)}
    assert not maps.duplicated(["arm", "seed", "clip_id"]).any()
    assert (maps.groupby(["arm", "seed"])["clip_id"].agg(set) == set(shown["clip_id"])).all()
    assert maps["p"].between(0, 1).all()
    explained = maps.pivot(index=["seed", "clip_id"], columns="arm", values="predicted")
    assert explained.eq(explained[TRAINED], axis=0).all(axis=None)

    read = {arm: map_trust.measured(real, arm, "layer1") for arm in (TRAINED, SHUFFLED, map_trust.STRAIN)}
    assert [len(table) for table in read.values()] == [2 * len(shown), 2 * len(shown), len(shown)]
    assert read[TRAINED][list(MEASURES)].notna().any().all()
    assert [map_trust.recorded(real, TRAINED, one).side for one in (*LAYERS, "gradient", "occlusion")] == [
        7,
        4,
        2,
        28,
        7,
    ]
    read = map_trust.readings(real, "layer1")
    claimed = {f"{measure}, {label}" for label, measure in CLAIMS.values()}
    assert set(read) == claimed | {"tilt, A", "tilt, B"}
    assert read.index[3] == "layer1, moved by 1.5 px"
    assert (
        read.loc["layer1, moved by 1.5 px", "tilt, A"].value != read.loc["layer1, all clips", "tilt, A"].value
    )
    for way in ("drop", "alone"):
        fell = map_trust.deletion_table(real, way).map(lambda one: one.value)["layer1"]
        assert len(fell) == 2 * len(map_trust.QUARTERS) - 1
        own, strain = fell[map_trust.QUARTERS["map"]], fell[map_trust.QUARTERS["strain"]]
        assert fell["map - strain"] == pytest.approx(own - strain)

    monkeypatch.setattr(map_recording, "mapped", lambda *task, checks: pytest.fail("trained again"))
    map_recording.record_maps(tiny, "typed", **made)
    pd.testing.assert_frame_equal(recording("maps").table("maps"), maps)


def test_a_recorded_fold_is_what_training_gives_today(shared):
    real, clips = recording("maps"), open_clips({"kind": "flow", "folder": str(shared / "flow_features")})
    known, kept = real.parameters, real.table("maps")
    recipe = Recipe(**{name: known["recipe"][name] for name in Recipe.__dataclass_fields__})
    images = motion_images(clips, size=known["image_size"], progress=False)
    splits = subject_folds(clips.table, known["folds"], seed=known["seed"])
    number = int(kept["fold"].value_counts().idxmin())
    nets = [("resnet18", AS_DESCRIBED)]
    data, _, tasks = planned(nets, images, None, clips, splits, recipe, [known["seed"]], known["weights"])
    found = map_runs.mapped(tasks[number], data).table.set_index(["arm", "clip_id"])
    kept = (
        kept.query("seed == @known['seed'] and fold == @number")
        .set_index(["arm", "clip_id"])
        .loc[found.index]
    )
    # Equal on the machine that recorded it. On another processor sums are made in another order, and 15 epochs later
    # a run of the same seed may be nearly as far away as one of another seed: a mean of .17 was seen, and .16 to .31
    # between recorded seeds.
    assert (found["predicted"] == kept["predicted"])[TRAINED].mean() >= 0.6
    assert np.abs(found["p"] - kept["p"])[[TRAINED, SHUFFLED]].mean() < 0.35
    cells = (np.frombuffer(b"".join(one.loc[TRAINED, "cells_layer1"]), np.float32) for one in (found, kept))
    assert np.corrcoef(*cells)[0, 1] > 0.5


def test_labels_are_shuffled_in_training_alone_and_weights_are_new_from_the_top():
    label = torch.arange(40) % 3
    inputs = map_runs.Inputs(motion=torch.zeros(40, 1), faces=None, label=label, group=label, context=())
    train = np.arange(5, 40)
    dealt = map_runs.shuffled(inputs, train, [1, 2]).label
    assert (dealt[:5] == label[:5]).all()
    assert (dealt[5:] != label[5:]).any()
    assert (dealt[train].bincount() == label[train].bincount()).all()

    network = build_network("resnet18")
    before = {name: one.clone() for name, one in network.state_dict().items()}
    new: list[set[str]] = []
    for _, other in map_runs.randomised(network, [0]):
        moved = {name for name, one in other.state_dict().items() if not torch.equal(one, before[name])}
        new.append({name.split(".")[1 if name.startswith("emotion.") else 0] for name in moved})
    tops = [{"emotion_head", *STAGES[1 : i + 1]} for i in range(len(STAGES))]
    assert new == tops


class Sums(nn.Module):
    """A network that adds up each channel: what is relevant for the third class is the strain."""

    def __init__(self) -> None:
        super().__init__()
        mean = nn.Conv2d(3, 3, 4, stride=4, groups=3, bias=False)
        nn.init.constant_(mean.weight, 1 / 16)
        stages = {
            "layer1": mean,
            "layer2": nn.AvgPool2d(2, ceil_mode=True),
            "layer3": nn.AvgPool2d(2),
        }
        stages |= {"pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten()}
        self.emotion, self.emotion_head = nn.Sequential(OrderedDict(stages)), nn.Linear(3, 3, bias=False)
        nn.init.eye_(self.emotion_head.weight)
        self.emotion_head.weight.data *= 20

    def forward(self, images: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(emotion=self.emotion_head(self.emotion(images)))


def test_deleting_what_a_network_rests_on_hurts_most_and_a_blank_map_says_nothing():
    images = torch.zeros(2, 3, 28, 28)
    images[0, 2, 8:16, 12:20] = 1  # four cells of layer1
    images[0, 0] = 0.01
    elsewhere = np.zeros((2, 7, 7), np.float32)
    elsewhere[:, 5:, :2] = 1  # where nothing moves
    fell = map_runs.drops(
        Sums(), images, torch.tensor([2, 2]), {"shuffled": {"layer1": elsewhere}}, np.random.default_rng(0)
    )
    assert fell["drop_shuffled_layer1"][0] < fell["drop_random_layer1"][0]
    assert fell["drop_map_layer1"][0] == pytest.approx(fell["drop_strain_layer1"][0], abs=0.02)
    assert fell["drop_map_layer1"][0] > fell["drop_random_layer1"][0] + 0.1
    assert np.isnan(fell["drop_map_layer1"][1])  # no strain, no evidence
    # The class rests on these cells alone: nothing is lost while they move, whatever else is still.
    assert fell["alone_map_layer1"][0] == pytest.approx(0, abs=0.02)
    assert fell["alone_shuffled_layer1"][0] > fell["alone_random_layer1"][0]
    assert fell["alone_shuffled_layer1"][0] == pytest.approx(fell["drop_map_layer1"][0], abs=0.05)
    assert np.isnan(fell["alone_map_layer1"][1])

    cells = np.frombuffer(map_runs.occluded(Sums(), images, torch.tensor([2, 2]))["occlusion"][0], np.float32)
    strain = images[0, 2].reshape(7, 4, 7, 4).mean((1, 3)).numpy()
    assert ((cells.reshape(7, 7) > 0) == (strain > 0)).all()


def record_of(ours: np.ndarray, theirs: np.ndarray) -> SimpleNamespace:
    """A recording of (runs, clips, 16) cells at layer2, the others like ``theirs``."""

    def table(arm: str, cells: np.ndarray) -> pd.DataFrame:
        rows = [
            (arm, s, f"c{i}", c.astype(np.float32).tobytes())
            for s, run in enumerate(cells)
            for i, c in enumerate(run)
        ]
        table = pd.DataFrame(rows, columns=["arm", "seed", "clip_id", "cells_layer2"])
        return table.assign(
            occlusion=[
                np.kron(one, np.ones((2, 2))).astype(np.float32).tobytes() for one in cells.reshape(-1, 4, 4)
            ],
            gradient=[one.astype(np.float16).tobytes() for one in cells.reshape(-1, 4, 4)],
        )

    arms = [SHUFFLED, *(f"random from {stage}" for stage in STAGES)]
    tables = {"maps": pd.concat([table(TRAINED, ours), *(table(arm, theirs) for arm in arms)])}
    tables["strain"] = table("", theirs[:1]).drop(columns="seed")
    return SimpleNamespace(table=tables.__getitem__)


def test_maps_are_alike_by_the_ranks_of_their_cells():
    same = np.repeat(RNG.random((1, 6, 16)), 3, axis=0)
    grown = np.exp(3 * same)  # other values, the same order
    found = map_trust.likeness(record_of(same, grown), "layer2")
    assert found["the same clip, another run"] == pytest.approx(1)
    assert found["labels shuffled, the same start"] == pytest.approx(1)
    assert found["strain of the clip"] == pytest.approx(1)
    assert found["its own occlusion"] == pytest.approx(1)  # of twice as many cells a side
    assert found["its own input gradient"] == pytest.approx(1, abs=0.05)  # rounded to half precision
    assert found[map_trust.ADDED] == pytest.approx(0, abs=1e-9)
    assert abs(found["another clip"]).max() < 0.6
    noise = np.stack([RNG.random((6, 16)) for _ in range(3)])
    noise[:, 0] = 0.5  # blank
    found = map_trust.likeness(record_of(same, noise), "layer2")
    assert (found["labels shuffled, the same start"][:, 0] == 0).all()
    assert found[map_trust.ADDED].mean() > 0.5
    assert (map_trust.likeness(record_of(-same, grown), "layer2")["strain of the clip"] < -0.99).all()
