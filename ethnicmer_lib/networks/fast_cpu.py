"""Faster training on a CPU, the same network: a weight gradient by matrix products, and memory that is kept."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

# Of the three convolutions in a step the gradient of the weights is the slow one: about half the rate of a matrix
# product for large images, a tenth and less where the feature map is a few pixels (benchmarks/convolution.py).
LARGE = 28  #: px; from here on copying every window costs more than it saves
_BLOCK = 2**20  # numbers in the matrix of one product, so that it stays in the cache

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # mallopt's parameters in <malloc.h>


class Convolution(nn.Conv2d):
    """A convolution that while it trains on a CPU computes its weight gradient by :func:`weight_gradient`."""

    def forward(self, images: Tensor) -> Tensor:
        plain = images.device.type == "cpu" and images.dtype == torch.float32
        if self.training and plain and not torch.is_autocast_enabled("cpu"):
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


def weight_gradient(images: Tensor, gradient: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """Gradient of a loss by the (o, c, kernel, kernel) weights of a convolution, float32, channels last in memory.

    ``images`` are the (n, c, H, W) that went in, ``gradient`` (n, o, H', W') that of the loss by what came out.
    """
    if stride == 1 and kernel > 1 and min(gradient.shape[2:]) > LARGE:
        return _shifted(images, gradient, kernel, padding)
    return _unfolded(images, gradient, kernel, stride, padding)


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.geometry = stride, padding
        return functional.conv2d(images, weight, None, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        images, weight = ctx.saved_tensors
        stride, padding = ctx.geometry
        by_images = None
        if ctx.needs_input_grad[0]:
            by_images = torch.nn.grad.conv2d_input(images.shape, weight, gradient, stride, padding)
        return by_images, weight_gradient(images, gradient, weight.shape[2], stride, padding), None, None


def _unfolded(images: Tensor, gradient: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """One product of the gradient with every window of the images, some images at a time."""
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


def _shifted(images: Tensor, gradient: Tensor, kernel: int, padding: int) -> Tensor:
    """Image by image, one product a row of the kernel, without a copy for every window.

    In a padded image, its rows one after the other, what one place of the kernel has met is the image itself, shifted;
    the gradient is padded to the same rows with zeros.
    """
    n, channels, height, width = images.shape
    out = gradient.shape[1]
    high, wide = height + 2 * padding, width + 2 * padding
    length = high * wide - (kernel - 1) * wide  # the shift by whole rows ends inside the image
    image, around = images.new_zeros(high * wide, channels), images.new_zeros(high, wide, out)
    columns = images.new_zeros(high * wide, kernel * channels)  # shifted by the places in a row
    total = images.new_zeros(kernel, out, kernel * channels)
    inner = image.view(high, wide, channels)[padding : padding + height, padding : padding + width]
    for i in range(n):
        inner.copy_(images[i].permute(1, 2, 0))
        around[: gradient.shape[2], : gradient.shape[3]] = gradient[i].permute(1, 2, 0)
        for place in range(kernel):
            columns[: len(image) - place, place * channels : (place + 1) * channels] = image[place:]
        rows = around.view(-1, out)[:length].t()
        for place in range(kernel):
            total[place].addmm_(rows, columns[place * wide : place * wide + length])
    return total.view(kernel, out, kernel, channels).permute(1, 3, 0, 2)


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory until the end of the block, then give it back; does nothing where there is no glibc.

    By default glibc takes the activations of every training step from the system and gives them back at once, and the
    system fills every page with zeros: at 224 px about a fifth of the time of training ResNet-18.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "malloc_trim"):  # macOS, musl
        yield
        return
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_MAX, 65536)  # glibc's own values
        libc.mallopt(_TRIM_THRESHOLD, 128 * 1024)
        libc.malloc_trim(0)
