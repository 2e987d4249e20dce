"""Faster training on a CPU, the same network: no taps that meet padding alone, weight gradients by matrix products."""

from __future__ import annotations

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
        large = self.stride[0] == 1 < self.kernel_size[0] and min(images.shape[2:]) > LARGE
        if self.training and images.device.type == "cpu" and not large:
            return _Convolve.apply(images, self.weight, self.stride[0], self.padding[0])
        return super().forward(images)


def used_taps(size: int, kernel: int, stride: int, padding: int) -> tuple[int, int]:
    """First tap of a kernel's side that meets an image of ``size`` px, and the one after the last: the others multiply
    zeros (all but the centre of 3x3 on the 1 px maps that end ResNet-18 at 28 px)."""
    steps = (size + 2 * padding - kernel) // stride * stride
    return max(0, padding - steps), min(kernel, size + padding)


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


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        rows, columns = (used_taps(size, weight.shape[2], stride, padding) for size in images.shape[2:])
        taps = (..., *((slice(*rows),) * 2 if rows == columns else (slice(None),) * 2))
        padding = padding - (taps[1].start or 0)
        ctx.save_for_backward(images, weight)
        ctx.geometry = taps, stride, padding
        return functional.conv2d(images, weight[taps], None, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        images, weight = ctx.saved_tensors
        taps, stride, padding = ctx.geometry
        used = weight[taps]
        by_images = torch.nn.grad.conv2d_input(images.shape, used, gradient, stride, padding)
        by_weight = weight_gradient(images, gradient, used.shape[2], stride, padding)
        if used.shape != weight.shape:  # the gradient of the others is zero
            shape = (len(weight), *weight.shape[2:], weight.shape[1])
            by_weight, part = weight.new_zeros(shape).permute(0, 3, 1, 2), by_weight
            by_weight[taps] = part
        return by_images, by_weight, None, None


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
