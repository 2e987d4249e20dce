"""Convolutions and weight gradients on a CPU: the same as autograd's, whatever the shape."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from ethnicmer_lib.networks.fast_cpu import Convolution, hasten, weight_gradient, without_idle_taps
from ethnicmer_lib.networks.models import build_network

FORMATS = (torch.channels_last, torch.contiguous_format)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 5),
    channels=st.integers(1, 20),
    out=st.integers(1, 20),
    height=st.integers(1, 33),
    width=st.integers(1, 33),
    geometry=st.sampled_from([(1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 2, 1), (3, 1, 0), (5, 2, 2), (7, 2, 3)]),
    layout=st.sampled_from(FORMATS),
)
def test_it_is_the_gradient_that_autograd_gives(n, channels, out, height, width, geometry, layout):
    kernel, stride, padding = geometry
    if min(height, width) + 2 * padding < kernel:
        return  # no window fits
    generator = torch.Generator().manual_seed(n * 1000 + height)
    images = torch.randn(n, channels, height, width, generator=generator).contiguous(memory_format=layout)
    weight = torch.randn(out, channels, kernel, kernel, generator=generator, dtype=torch.float64)
    weight.requires_grad_()
    exact = functional.conv2d(images.double(), weight, None, stride, padding)
    gradient = torch.randn(exact.shape, generator=generator)
    (expected,) = torch.autograd.grad(exact, weight, gradient.double())
    found = weight_gradient(images, gradient, kernel, stride, padding)
    assert found.shape == weight.shape
    # A sum in float32 is as exact as the size of its terms allows, however small it is itself.
    sizes = functional.conv2d(images.double().abs(), weight, None, stride, padding)
    (size,) = torch.autograd.grad(sizes, weight, gradient.double().abs())
    assert ((found - expected).abs() <= 1e-6 * size + 1e-6).all()


# At 28 px the last maps are of 2 and 1 px, and most taps of their convolutions meet padding alone.
@pytest.mark.parametrize(("variant", "size"), [("resnet18", 64), ("resnet18", 28), ("tinyvit", 64)])
def test_a_hastened_network_has_the_same_start_names_outputs_and_gradients(variant, size):
    torch.manual_seed(0)
    plain = build_network(variant).train()
    torch.manual_seed(0)
    hastened = hasten(build_network(variant)).train()
    assert sum(isinstance(module, Convolution) for module in hastened.modules()) > 15
    assert plain.state_dict().keys() == hastened.state_dict().keys()
    images = torch.rand(4, 3, size, size, generator=torch.Generator().manual_seed(1))
    for network in (plain, hastened):
        torch.manual_seed(2)
        network(images, images).decision.square().sum().backward()
    for (name, one), other in zip(plain.named_parameters(), hastened.parameters(), strict=True):
        if one.grad is not None:
            scale = float(one.grad.abs().max()) + 1e-6
            torch.testing.assert_close(other.grad, one.grad, rtol=0, atol=2e-3 * scale, msg=name)


@pytest.mark.parametrize(("size", "fewer"), [(28, 4), (64, 0)])
def test_a_step_without_idle_taps_is_the_step_of_the_whole_network(size, fewer):
    torch.manual_seed(0)
    whole = hasten(build_network("resnet18")).train()
    torch.manual_seed(0)
    part = hasten(build_network("resnet18")).train()
    start = {name: value.clone() for name, value in part.state_dict().items()}
    images = torch.rand(8, 3, size, size, generator=torch.Generator().manual_seed(1))

    def step(network):
        optimiser = torch.optim.SGD(network.parameters(), lr=1e-2)
        network(images, None).decision.square().sum().backward()
        optimiser.step()

    step(whole)
    with without_idle_taps(part, images[:1], None):
        sizes = [one.weight.shape for one in part.modules() if isinstance(one, Convolution)]
        assert sum(weight[2] < side for weight, side in zip(sizes, _kernels(part), strict=True)) >= fewer
        step(part)
    assert part.training
    assert not torch.equal(start["emotion.conv1.weight"], part.state_dict()["emotion.conv1.weight"])
    for (name, one), other in zip(whole.state_dict().items(), part.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4, msg=name)
    idle = (..., [0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 0, 2, 0, 1, 2])  # all taps of 3x3 but the centre
    last = "emotion.layer4.1.conv2.weight"
    same = torch.equal(start[last][idle], part.state_dict()[last][idle])
    assert same == (size == 28)
    assert not torch.equal(start[last][..., 1, 1], part.state_dict()[last][..., 1, 1])


def _kernels(network):
    return [one.kernel_size[0] for one in network.modules() if isinstance(one, Convolution)]


def test_what_does_not_fit_stays_as_it_was():
    left = nn.Sequential(
        nn.Conv2d(3, 8, 7),
        nn.Conv2d(16, 16, 3, groups=16),
        nn.Conv2d(16, 16, 3, bias=True),
        nn.Conv2d(16, 16, (1, 3), bias=False),
        nn.Conv2d(16, 16, 3, dilation=2, bias=False),
        nn.Conv2d(16, 16, 3, padding="same", bias=False),
        nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect", bias=False),
    )
    assert all(type(module) is nn.Conv2d for module in hasten(left))


def test_out_of_training_it_is_torchs_own():
    network = hasten(nn.Sequential(nn.Conv2d(16, 4, 3, bias=False))).eval()
    images = torch.rand(1, 16, 8, 8, requires_grad=True)
    assert torch.equal(network(images), functional.conv2d(images, network[0].weight))
    network(images).sum().backward()
    assert images.grad is not None
