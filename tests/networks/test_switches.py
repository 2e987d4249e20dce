"""Each switch between paper and release flips one behaviour, and leaves everything else as it is."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
import toy
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import Recipe, released, training
from ethnicmer_lib.networks.models import build_network
from ethnicmer_lib.networks.switches import AS_DESCRIBED, Switches, standardised, taught
from ethnicmer_lib.networks.table_v import departures

# One batch holds all training clips, so that a training is one step.
SETTINGS = Recipe(epochs=1, batch_size=16)
CLIPS = toy.clips()
TRAIN, TEST = toy.folds(CLIPS)[0]
IMAGES = toy.images(size=33)


@cache
def trained(switches: Switches = AS_DESCRIBED, variant: str = "dual_motion"):
    inputs = training.prepare(variant, IMAGES, None, CLIPS, switches, 0)
    return inputs, training.train_fold(variant, inputs, TRAIN, SETTINGS, 0, 0, switches=switches)


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    states = a.state_dict(), b.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.fixture(scope="module")
def described():
    return trained()


def test_a_departure_is_named_with_the_papers_value():
    assert departures("loso", vars(Recipe())) == []
    assert departures(3, {"epochs": 6, "compiled": False}) == [
        "folds=3 (paper: loso)",
        "epochs=6 (paper: 15)",
    ]
    assert departures("loso", {}, Switches(ethnic_loss=False)) == ["ethnic_loss=False (paper: True)"]


def test_the_papers_protocol_is_that_of_its_inputs_too():
    papers = {"weights": "imagenet", "image_size": 224, "flow_method": "classic_nl_fast", "scaling": "none"}
    assert departures("loso", {}, **papers, variants=["resnet18", "tinyvit_21m"]) == []
    assert departures("loso", {}, weights=None, image_size=None, variants=None) == []
    ours = {"weights": "none", "image_size": 28, "flow_method": "published", "scaling": "robust"}
    left = departures("loso", {}, **ours, variants=["resnet18", "tinyvit"])
    assert [one.split("=")[0] for one in left] == [*ours, "TinyViT"]
    assert left[1:3] == ["image_size=28 (release: 224)", "flow_method=published (paper: classic_nl_fast)"]
    assert left[-1] == "TinyViT=5M (release: 21M)"


@given(st.lists(st.sampled_from("AB"), min_size=2, max_size=12), st.integers(1, 4), st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=50)
def test_shuffled_groups_keep_subjects_whole_and_counts(groups, per_subject, seed):
    names = np.repeat([f"s{i:02d}" for i in range(len(groups))], per_subject)
    table = toy.clips().iloc[:0].reindex(range(len(names)))
    table = table.assign(subject=names, group=np.repeat(groups, per_subject))
    dealt = table.assign(dealt=taught(table, "shuffled", seed)).groupby("subject")["dealt"]
    assert dealt.nunique().eq(1).all()
    assert sorted(dealt.first()) == sorted(groups)
    assert (taught(table, "shuffled", seed) == taught(table, "shuffled", seed)).all()
    assert (taught(table, "group", seed) == table["group"]).all()


def test_the_context_is_what_the_ethnic_branch_is_taught_and_nothing_else():
    plain = training.prepare("dual_motion", IMAGES, None, CLIPS)
    assert plain.context == ("A", "B")
    database = training.prepare("dual_motion", IMAGES, None, CLIPS, Switches(context="database"))
    assert database.context == ("CASME II", "SAMM")
    shuffled = [
        training.prepare("dual_motion", IMAGES, None, CLIPS, Switches(context="shuffled"), seed)
        for seed in range(6)
    ]
    assert len({tuple(inputs.group.tolist()) for inputs in shuffled}) > 1
    for inputs in (database, *shuffled):
        assert torch.equal(inputs.motion, plain.motion)
        assert torch.equal(inputs.label, plain.label)


@pytest.mark.parametrize("switches", [Switches(context="database"), Switches(ethnic_loss=False)])
def test_what_the_second_branch_is_taught_reaches_the_emotion_branch_through_the_fusion_alone(
    switches, described
):
    """The one step of this training moves the emotion branch alike, and the ethnic branch not."""
    _, network = trained(switches)
    assert same(network.emotion, described[1].emotion)
    assert same(network.emotion_head, described[1].emotion_head)
    assert same(network.fusion_head, described[1].fusion_head)
    assert not same(network.ethnic, described[1].ethnic)


def test_without_ethnic_loss_the_ethnic_head_learns_nothing():
    _, network = trained(Switches(ethnic_loss=False))
    with torch.random.fork_rng():
        seed = int(np.random.default_rng([0, 0, 1]).integers(2**63))
        torch.manual_seed(seed)
        fresh = build_network("dual_motion")
    assert same(network.ethnic_head, fresh.ethnic_head)
    assert not same(network.ethnic, fresh.ethnic)  # the fusion still teaches the branch
    assert not same(network.fusion_head, fresh.fusion_head)


def test_a_shared_backbone_gives_both_branches_one_feature_and_idles_the_other():
    inputs, network = trained(Switches(shared_backbone=True))
    network.train()
    emotion, ethnic = network.features(inputs.motion)
    assert torch.equal(emotion, ethnic)
    with torch.random.fork_rng():
        torch.manual_seed(int(np.random.default_rng([0, 0, 1]).integers(2**63)))
        fresh = build_network("dual_motion")
    assert same(network.ethnic, fresh.ethnic)
    assert not same(network.emotion, fresh.emotion)


def test_a_network_with_one_branch_has_nothing_to_share_and_nothing_to_be_taught():
    base = trained(variant="resnet18")[1]
    for switches in (
        Switches(shared_backbone=True),
        Switches(ethnic_loss=False),
        Switches(context="shuffled"),
    ):
        assert same(trained(switches, "resnet18")[1], base)


def test_batch_mode_depends_on_the_subjects_own_clips_and_running_mode_does_not(described):
    inputs, network = described
    state = {name: value.clone() for name, value in network.state_dict().items()}

    def predicted(rows, **switches):
        return released.predict_held_out(network, inputs, rows, CLIPS, 4, Switches(**switches)).decision

    rows = np.concatenate([TEST, TRAIN[:3]])  # two subjects
    for switches in ({"test_batch_norm": "batch"}, {"weights_saved": "after_test"}):
        whole = predicted(rows, **switches)
        assert not torch.allclose(whole[:3], predicted(TEST[:2].repeat(2)[:3], **switches), atol=1e-4)
        assert torch.equal(whole[:3], predicted(TEST, **switches))  # other subjects do not matter
        assert not torch.allclose(whole, predicted(rows), atol=1e-4)
        mixed = np.random.default_rng(0).permutation(6)
        assert torch.allclose(whole[mixed], predicted(rows[mixed], **switches), atol=1e-4)
    assert torch.allclose(predicted(rows)[:1], predicted(TEST[:1]), atol=1e-5)
    both = {"test_batch_norm": "batch", "weights_saved": "after_test"}
    assert torch.equal(predicted(rows, **both), predicted(rows, test_batch_norm="batch"))
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    assert not network.training


def test_batch_norm_at_test_is_that_of_the_subjects_clips(described):
    inputs, network = described
    rows = released.predict_held_out(network, inputs, TEST, CLIPS, 4, Switches(test_batch_norm="batch"))
    network.train()
    before = network.emotion.bn1.running_mean.clone()
    with torch.no_grad():
        expected = network(inputs.motion[TEST]).decision
        network.emotion.bn1.running_mean.copy_(before)
    network.eval()
    assert torch.allclose(rows.decision, expected, atol=1e-5)


def test_a_subject_with_one_clip_cannot_be_normalised_by_one_value():
    inputs = training.prepare("resnet18", toy.images(), None, CLIPS)
    network = training.train_fold("resnet18", inputs, TRAIN, SETTINGS, 0, 0)
    with pytest.raises(StudyError, match=r"clip s0/c0 is the only one of subject s0.*above 32 px"):
        released.predict_held_out(network, inputs, TEST[:1], CLIPS, 4, Switches(test_batch_norm="batch"))


@given(st.integers(0, 10**6), st.floats(0.1, 50), st.floats(-5, 5))
@settings(deadline=None, max_examples=30)
def test_standardised_images_do_not_depend_on_how_the_flow_was_scaled(seed, scale, shift):
    images = np.random.default_rng(seed).random((2, 3, 5, 5)).astype(np.float32)
    found = standardised(images)
    assert found.dtype == np.float32
    assert np.allclose(found, standardised(images * np.float32(scale) + np.float32(shift)), atol=1e-3)
    low, high = found.min(axis=(0, 2, 3)), found.max(axis=(0, 2, 3))
    assert np.allclose(low, [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], atol=1e-4)
    assert np.allclose(high, [0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225], atol=1e-4)


def test_only_the_motion_is_standardised_and_a_still_channel_counts_as_zero():
    images = IMAGES.copy()
    images[0, 1] = 0.3
    inputs = training.prepare("dual_rgb", images, IMAGES, CLIPS, Switches(standardise="imagenet"))
    assert np.allclose(inputs.motion.numpy(), standardised(images))
    assert np.allclose(inputs.motion[0, 1], -0.456 / 0.224)
    assert np.allclose(inputs.faces.numpy(), IMAGES)
    plain = training.prepare("dual_rgb", images, IMAGES, CLIPS)
    assert np.array_equal(plain.motion.numpy(), images)
