"""Weight gradients of ResNet-18's convolutions: PyTorch's own beside ours, layer by layer, on one core.

python benchmarks/convolution.py                at 28, 56, 112 and 224 px, batches of 32
python benchmarks/convolution.py --sizes 28     in half a minute
"""

from __future__ import annotations

import argparse
import time

REPEATS = 5


def best(function) -> float:
    """Seconds of the fastest of several calls."""
    least = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        least = min(least, time.perf_counter() - start)
    return least


def layers(size: int, batch: int):
    """(convolution, shape that goes in, shape that comes out) of every one that is ours, and how often it is there."""
    import torch

    from ethnicmer_lib.networks.fast_cpu import Convolution, hasten
    from ethnicmer_lib.networks.models import build_network

    found = {}
    network = hasten(build_network("resnet18")).emotion.eval()

    def note(conv, images, out):
        key = (tuple(images[0].shape), tuple(out.shape), conv.kernel_size, conv.stride, conv.padding)
        found[key] = (conv, found.get(key, (None, 0))[1] + 1)

    for module in network.modules():
        if isinstance(module, Convolution):
            module.register_forward_hook(note)
    with torch.inference_mode():
        network(torch.rand(batch, 3, size, size))
    return [(conv, key[0], key[1], count) for key, (conv, count) in found.items()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="28,56,112,224", help="px, comma-separated")
    parser.add_argument("--batch", type=int, default=32, help="images a step")
    options = parser.parse_args()

    import torch

    from ethnicmer_lib.networks.fast_cpu import weight_gradient

    torch.set_num_threads(1)
    side = torch.rand(2, 2048, 2048)
    rate = 2 * 2048**3 / best(lambda: torch.mm(*side))
    print(f"float32 matrix product on one core: {rate / 1e9:.0f} GFLOP/s; best of {REPEATS} calls")
    heads = ("px", "in", "out", "kernel", "stride", "times", "PyTorch, ms", "ours, ms", "ratio", "of matmul")
    print("".join(f"{head:>13}" for head in heads))
    for size in map(int, options.sizes.split(",")):
        sums = [0.0, 0.0]
        for conv, before, after, count in layers(size, options.batch):
            images, gradient = (
                torch.rand(shape).contiguous(memory_format=torch.channels_last) for shape in (before, after)
            )
            kernel, stride, padding = conv.kernel_size[0], conv.stride[0], conv.padding[0]
            arguments = (conv.weight.shape, gradient, stride, padding)
            theirs = best(lambda i=images, a=arguments: torch.nn.grad.conv2d_weight(i, *a))
            ours = best(
                lambda i=images, g=gradient, k=kernel, s=stride, p=padding: weight_gradient(i, g, k, s, p)
            )
            flops = 2 * gradient.numel() * before[1] * kernel**2
            cells = (
                size,
                "x".join(map(str, before[1:])),
                "x".join(map(str, after[1:])),
                kernel,
                stride,
                count,
            )
            cells += (
                f"{1e3 * theirs:.1f}",
                f"{1e3 * ours:.1f}",
                f"{theirs / ours:.2f}",
                f"{flops / ours / rate:.0%}",
            )
            print("".join(f"{cell:>13}" for cell in cells), flush=True)
            sums = [total + count * one for total, one in zip(sums, (theirs, ours), strict=True)]
        print(
            f"{size:>13} px, all: {1e3 * sums[0]:.0f} and {1e3 * sums[1]:.0f} ms, ratio {sums[0] / sums[1]:.2f}"
        )


if __name__ == "__main__":
    main()
