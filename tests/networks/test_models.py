"""The networks of Table V: shapes, losses, starting weights and their refusals."""

from __future__ import annotations

import copy
import urllib.error

import numpy as np
import pytest
import timm
import torch
from timm.models.tiny_vit import TinyVitBlock
from torch import nn
from torch.nn import functional
from torchvision.models import resnet18

from ethnicmer_lib.design import backbones
from ethnicmer_lib.design.backbones import resnet18_features
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import models
from ethnicmer_lib.networks.models import VARIANTS, build_network, loss
from ethnicmer_lib.networks.windows import without_padding

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def seeded(variant: str, **options) -> models.EthnicNet:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return build_network(variant, **options)


@pytest.mark.parametrize("variant", VARIANTS)
def test_heads_have_the_shapes_of_the_task(variant):
    model = seeded(variant).eval()
    outputs = model(IMAGES, IMAGES)
    assert outputs.emotion.shape == (2, 3)
    if variant == "resnet18":
        assert outputs.ethnicity is None
        assert outputs.decision is outputs.emotion
    else:
        assert outputs.ethnicity.shape == (2, 2)
        assert outputs.decision is outputs.fusion
        assert outputs.fusion.shape == (2, 3)


@pytest.mark.parametrize("size", [28, 45, 112])
def test_tinyvit_takes_any_image_size(size):
    images = torch.zeros(1, 3, size, size)
    assert seeded("tinyvit").eval()(images, images).fusion.shape == (1, 3)


def test_the_larger_tinyvit_is_that_of_the_release():
    """timm names its weights as those of the smaller one; 576 features, and stochastic depth, which that one lacks."""
    known = timm.list_pretrained("tiny_vit_*")
    assert {models.TINYVIT_IMAGENET.format(name) for name in backbones.TINYVIT.values()} <= set(known)
    smaller, larger = seeded("tinyvit").ethnic, seeded("tinyvit_21m").ethnic
    assert (smaller.num_features, larger.num_features) == (320, 576)
    assert sum(w.numel() for w in larger.parameters()) > 20e6
    rates = [[m.drop_prob for m in one.modules() if hasattr(m, "drop_prob")] for one in (smaller, larger)]
    assert max(rates[0], default=0) == 0 < max(rates[1])


def test_backbones_share_no_weights_and_see_their_own_input():
    """The ethnic branch is its own network (the release calls the emotion backbone for both)."""
    model = seeded("dual_rgb").eval()
    assert not {id(p) for p in model.emotion.parameters()} & {id(p) for p in model.ethnic.parameters()}
    base, other = model(IMAGES, IMAGES), model(IMAGES, IMAGES.flip(0))
    assert torch.equal(base.emotion, other.emotion)
    assert not torch.allclose(base.ethnicity, other.ethnicity)
    assert not torch.allclose(base.fusion, other.fusion)
    dual = seeded("dual_motion").eval()
    assert not torch.allclose(dual.emotion(IMAGES), dual.ethnic(IMAGES))


def test_one_seed_starts_the_emotion_branch_alike_in_all_variants():
    states = [seeded(variant).emotion.state_dict() for variant in VARIANTS]
    for state in states[1:]:
        assert all(torch.equal(state[name], states[0][name]) for name in state)


def test_loss_is_the_sum_of_three_cross_entropies():
    label, group = torch.tensor([0, 2]), torch.tensor([1, 0])
    outputs = seeded("dual_motion").eval()(IMAGES)
    terms = [(outputs.emotion, label), (outputs.ethnicity, group), (outputs.fusion, label)]
    expected = sum(functional.cross_entropy(logits, truth) for logits, truth in terms)
    assert torch.isclose(loss(outputs, label, group), expected)
    plain = seeded("resnet18").eval()(IMAGES)
    assert torch.isclose(loss(plain, label, group), functional.cross_entropy(plain.emotion, label))


def test_features_are_reproducible_and_need_no_batch():
    images = np.random.default_rng(0).random((5, 3, 28, 28)).astype(np.float32)
    state = torch.random.get_rng_state()
    features = resnet18_features(images, "none", seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert features.shape == (5, 512)
    assert features.dtype == np.float32
    assert np.array_equal(features, resnet18_features(images, "none", seed=1))
    assert not np.allclose(features, resnet18_features(images, "none", seed=2))


def test_a_saved_state_dict_starts_every_resnet(tmp_path):
    torch.manual_seed(11)
    network = resnet18(weights=None, num_classes=7)
    path = tmp_path / "resnet18.pt"
    torch.save(network.state_dict(), path)
    model = build_network("dual_motion", weights=str(path))
    for backbone in (model.emotion, model.ethnic):
        assert torch.equal(backbone.layer4[1].conv2.weight, network.layer4[1].conv2.weight)
    network.fc = torch.nn.Identity()
    images = np.random.default_rng(0).random((2, 3, 28, 28)).astype(np.float32)
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(images)).numpy()
    assert np.allclose(resnet18_features(images, str(path), seed=0), expected, atol=1e-5)


def test_tinyvit_needs_a_file_with_both_networks(tmp_path):
    source = seeded("tinyvit")
    both, alone = tmp_path / "both.pt", tmp_path / "alone.pt"
    torch.save({"resnet18": source.emotion.state_dict(), "tinyvit": source.ethnic.state_dict()}, both)
    torch.save(source.emotion.state_dict(), alone)
    loaded = build_network("tinyvit", weights=str(both))
    assert torch.equal(
        loaded.ethnic.patch_embed.conv1.conv.weight, source.ethnic.patch_embed.conv1.conv.weight
    )
    with pytest.raises(StudyError, match=r"(?s)not those of tinyvit.*which TinyViT needs"):
        build_network("tinyvit", weights=str(alone))


def test_unfit_files_are_refused_with_the_reason(tmp_path):
    with pytest.raises(StudyError, match=r"absent\.pt.*not those of resnet18.*No such file"):
        build_network("resnet18", weights=str(tmp_path / "absent.pt"))
    torn = tmp_path / "torn.pt"
    torn.write_bytes(b"no checkpoint")
    with pytest.raises(StudyError, match=r"(?s)torn\.pt.*not those of resnet18"):
        build_network("resnet18", weights=str(torn))
    state = resnet18(weights=None).state_dict()
    del state["conv1.weight"]
    short = tmp_path / "short.pt"
    torch.save(state, short)
    with pytest.raises(StudyError, match=r"(?s)not those of resnet18.*conv1\.weight"):
        build_network("resnet18", weights=str(short))
    number = tmp_path / "number.pt"
    torch.save(torch.zeros(3), number)
    with pytest.raises(StudyError, match=r"not those of resnet18.*the state dict of a torchvision"):
        build_network("resnet18", weights=str(number))


@pytest.mark.parametrize("kind", ["resnet18", "tinyvit"])
def test_a_failed_download_says_what_to_do(kind):
    def offline():
        raise urllib.error.URLError("no network")

    with pytest.raises(StudyError, match=f"not those of {kind}.*no network.*connect once.*'none'"):
        backbones.load_weights(torch.nn.Identity(), kind, "imagenet", offline)


def test_refusals_name_variant_size_and_missing_frames():
    with pytest.raises(StudyError, match=r"vgg.*resnet18, dual_motion, dual_rgb, tinyvit"):
        build_network("vgg")
    with pytest.raises(StudyError, match=r"24, 24.*28 px"):
        seeded("resnet18")(torch.zeros(2, 3, 24, 24))
    with pytest.raises(StudyError, match="apex frame"):
        seeded("dual_rgb")(IMAGES)
    with pytest.raises(StudyError, match=r"\(4, 28, 28\)"):
        resnet18_features(np.zeros((4, 28, 28), np.float32), "none", 0)


@pytest.mark.parametrize(
    ("height", "width", "same"), [(1, 1, False), (2, 2, False), (3, 7, False), (7, 7, True), (9, 9, True)]
)
def test_padding_counts_in_tinyvits_attention_as_if_computed_token_by_token(height, width, same):
    torch.manual_seed(1)
    whole = TinyVitBlock(dim=32, num_heads=4, window_size=7).double().train()
    for parameter in whole.parameters():
        nn.init.normal_(parameter)
    short = without_padding(nn.Sequential(copy.deepcopy(whole)))
    images = torch.randn(5, height, width, 32, dtype=torch.float64)
    outputs = []
    for block in (whole, short):
        given = images.clone().requires_grad_()
        out = block(given)
        out.square().sum().backward()
        outputs.append([out, given.grad, *[one.grad for one in block.parameters()]])
    assert same == all(torch.equal(*pair) for pair in zip(*outputs, strict=True))
    for expected, computed in zip(*outputs, strict=True):
        torch.testing.assert_close(computed, expected, rtol=1e-9, atol=1e-8)
