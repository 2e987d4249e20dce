"""Faster training on a CPU, the same network: no taps that meet padding alone, weight gradients by matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

# Of the three convolutions in a step the gradient of the weights is the slow one: about half the rate of a matrix
# product for large images, a tenth and less where the feature map is a few pixels (benchmarks/convolution.py).
LARGE = 28  #: px; from here on copying every window of a 3x3 kernel costs more than it saves
_BLOCK = 2**20  # numbers in the matrix of one product, so that it stays in the cache


class Convolution(nn.Conv2d):
    """A convolution that while it trains on a CPU computes its weight gradient by :func:`weight_gradient`."""

    def forward(self, images: Tensor) -> Tensor:
        large = self.stride[0] == 1 < self.weight.shape[2] and min(images.shape[2:]) > LARGE
        if self.training and images.device.type == "cpu" and not large:
            return _Convolve.apply(images, self.weight, self.stride[0], self.padding[0])
        return super().forward(images)


def hasten(network: nn.Module) -> nn.Module:
    """Make :class:`Convolution` of every convolution of a network that can be one; parameters and names stay."""
    for module in network.modules():
        if type(module) is nn.Conv2d and _fits(module):
            module.__class__ = Convolution
    return network


def _fits(conv: nn.Conv2d) -> bool:
    square = all(len(set(pair)) == 1 for pair in (conv.kernel_size, conv.stride, conv.padding))
    plain = conv.groups == 1 and conv.bias is None and conv.dilation == (1, 1)
    return square and plain and conv.padding_mode == "zeros" and conv.in_channels >= 16  # fewer: no faster


def used_taps(size: int, kernel: int, stride: int, padding: int) -> slice:
    """Taps of a kernel's side that meet an image of ``size`` px: the others multiply zeros (all but the centre of 3x3
    on the 1 px maps that end ResNet-18 at 28 px)."""
    steps = (size + 2 * padding - kernel) // stride * stride
    return slice(max(0, padding - steps), min(kernel, size + padding))


@contextmanager
def without_idle_taps(network: nn.Module, *images: Tensor | None) -> Iterator[None]:
    """Within it the kernels of a hastened network have only the taps that meet square images of this size, as new
    parameters; afterwards they are whole again, with what those have become.  No other tap has a gradient: a
    convolution without them computes the same, and neither zeros are written nor Adam's steps made for them."""
    sizes: dict[Convolution, int] = {}

    def note(conv: Convolution, given: tuple[Tensor, ...]) -> None:
        sizes[conv] = given[0].shape[-1]

    convolutions = [one for one in network.modules() if isinstance(one, Convolution)]
    hooks = [one.register_forward_pre_hook(note) for one in convolutions]
    training = network.training
    with torch.no_grad():
        network.eval()(*images)
    network.train(training)
    for hook in hooks:
        hook.remove()
    whole = {}
    for conv, size in sizes.items():
        part = used_taps(size, conv.kernel_size[0], conv.stride[0], conv.padding[0])
        if (part.start, part.stop) != (0, conv.kernel_size[0]):
            whole[conv] = (weight := conv.weight), (..., part, part), conv.padding
            used = weight.detach()[..., part, part].contiguous(memory_format=torch.channels_last)
            conv.weight, conv.padding = nn.Parameter(used), (conv.padding[0] - part.start,) * 2
    try:
        yield
    finally:
        for conv, (weight, taps, padding) in whole.items():
            with torch.no_grad():
                weight[taps] = conv.weight
            conv.weight, conv.padding = weight, padding


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.geometry = stride, padding
        return functional.conv2d(images, weight, None, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        images, weight = ctx.saved_tensors
        by_images = torch.nn.grad.conv2d_input(images.shape, weight, gradient, *ctx.geometry)
        return by_images, weight_gradient(images, gradient, weight.shape[2], *ctx.geometry), None, None


def weight_gradient(images: Tensor, gradient: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """Gradient of a loss by the (o, c, kernel, kernel) weights of a convolution, float32, channels last in memory.

    ``images`` are the (n, c, H, W) that went in, ``gradient`` (n, o, H', W') that of the loss by what came out: one
    product of it with every window of the images, some images at a time.
    """
    n, channels = images.shape[:2]
    out, height, width = gradient.shape[1:]
    padded = functional.pad(images, (padding,) * 4).permute(0, 2, 3, 1)
    windows = padded.unfold(1, kernel, stride).unfold(2, kernel, stride)[:, :height, :width]
    windows = windows.permute(0, 1, 2, 4, 5, 3)  # image, row, column, row and column in the window, channel
    rows = gradient.permute(0, 2, 3, 1)
    total = images.new_zeros(out, kernel * kernel * channels)
    step = max(1, _BLOCK // (height * width * kernel * kernel * channels))
    for start in range(0, n, step):
        part = slice(start, start + step)
        total.addmm_(rows[part].reshape(-1, out).t(), windows[part].reshape(-1, kernel * kernel * channels))
    return total.view(out, kernel, kernel, channels).permute(0, 3, 1, 2)


def as_stored(tensor: Tensor) -> Tensor:
    """A view with the axes in the order of memory: of one with channels last Adam would copy everything, every step."""
    return tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor
