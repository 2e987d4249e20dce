"""The network equals the published one: its tensors by name and shape, its outputs on golden weights."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.annotate.facexformer.network import HEADS, SIDE, FaceXFormer
from ethnicmer_lib.annotate.facexformer.two_way import Attention, FourierPlaces
from ethnicmer_lib.errors import StudyError

SHAPES = {"landmark": 136, "headpose": 3, "attribute": 40, "visibility": 29, "age": 8, "gender": 2, "race": 5}


@pytest.fixture(scope="module")
def images():
    drawn = np.random.Generator(np.random.PCG64(7)).standard_normal((2, 3, SIDE, SIDE))
    return torch.from_numpy(drawn.astype(np.float32))


@pytest.fixture(scope="module")
def found(network, images):
    with torch.inference_mode():
        return {head: values.numpy() for head, values in network(images).items()}


def test_every_tensor_has_the_published_name_shape_and_type(shared):
    with (shared / "golden" / "facexformer_state_dict.tsv").open(newline="") as stream:
        published = [tuple(row) for row in csv.reader(stream, delimiter="\t")]
    with torch.device("meta"):
        ours = FaceXFormer().state_dict()
    assert len(published) == 505
    assert sorted(published) == sorted(
        (name, str(tuple(tensor.shape)), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in ours.items()
    )


@pytest.mark.parametrize("head", HEADS)
def test_outputs_equal_the_golden_ones(found, shared, head):
    golden = np.load(shared / "golden" / "facexformer_golden.npz")[head]
    assert found[head].shape == golden.shape
    assert np.abs(found[head] - golden).max() <= 1e-4


def test_outputs_have_the_documented_shapes(found):
    assert {head: values.shape for head, values in found.items()} == {
        head: (2, n) for head, n in SHAPES.items()
    }
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}


def test_an_image_is_seen_alone(network, images, found):
    with torch.inference_mode():
        one = network(images[1:])
    assert tuple(one) == tuple(HEADS)
    for head, values in one.items():
        assert np.abs(values.numpy() - found[head][1:]).max() < 1e-4


def test_wrong_images_are_refused(network):
    with pytest.raises(StudyError, match=r"\(1, 3, 112, 112\); FaceXFormer needs \(n, 3, 224, 224\)"):
        network(torch.zeros(1, 3, 112, 112))


def test_heads_are_in_the_order_of_their_tokens():
    assert tuple(HEADS) == tuple(SHAPES)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 9), st.integers(1, 9))
def test_places_are_bounded_distinct_and_mirrored(height, width):
    generator = torch.Generator().manual_seed(height * 10 + width)
    places = FourierPlaces(16)
    places.positional_encoding_gaussian_matrix = torch.randn(2, 8, generator=generator)
    codes = places(height, width)
    assert codes.shape == (1, height * width, 16)
    assert codes.abs().max() <= 1
    assert len(torch.unique(codes[0], dim=0)) == height * width
    # The opposite pixel has the opposite place: sines change sign, cosines do not.
    turned = codes.flip(1)
    assert torch.allclose(turned[..., :8], -codes[..., :8], atol=1e-5)
    assert torch.allclose(turned[..., 8:], codes[..., 8:], atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 6), st.permutations(range(5)))
def test_attention_does_not_depend_on_the_order_of_what_is_read(queries, order):
    generator = torch.Generator().manual_seed(queries)
    torch.manual_seed(0)
    attention = Attention(16, 8, heads=2)
    query, key = torch.randn(2, queries, 16, generator=generator), torch.randn(2, 5, 16, generator=generator)
    with torch.inference_mode():
        straight = attention(query, key, key)
        assert straight.shape == query.shape
        assert torch.allclose(attention(query, key[:, order], key[:, order]), straight, atol=1e-6)
