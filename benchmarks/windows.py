"""CPU seconds of a training step of TinyViT as timm computes it and as we do, and how far their outputs are apart.

    python benchmarks/windows.py                      32 images of 28, 36, 56 and 112 px
    python benchmarks/windows.py --sizes 28 --batch 8

timm pads a feature map to the attention window; networks.windows computes the padding as one token.  One thread, both
in turn in one process; the difference of outputs is of float64 networks with random weights.
"""

from __future__ import annotations

import argparse
import time

import timm
import torch
from torch import nn

from ethnicmer_lib.design.backbones import TINYVIT
from ethnicmer_lib.networks.windows import without_padding

STEPS = 3


def network(ours: bool) -> nn.Module:
    """The TinyViT of Table V, the same weights both times; attention biases are not zero, so that they count."""
    torch.manual_seed(0)
    model = timm.create_model(TINYVIT["tinyvit"], pretrained=False, num_classes=0)
    for name, parameter in model.named_parameters():
        if name.endswith("attention_biases"):
            nn.init.normal_(parameter)
    return without_padding(model) if ours else model


def step(model: nn.Module, images: torch.Tensor) -> float:
    """CPU seconds of forward and backward, the mean of some after one that warms up."""
    model(images).sum().backward()
    started = time.process_time()
    for _ in range(STEPS):
        model(images).sum().backward()
    return (time.process_time() - started) / STEPS


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sizes", default="28,36,56,112")
    options.add_argument("--batch", type=int, default=32)
    asked = options.parse_args()
    torch.set_num_threads(1)
    print(f"{'px':>4} {'timm, s':>9} {'ours, s':>9} {'times':>6} {'outputs apart':>14}")
    for size in map(int, asked.sizes.split(",")):
        images = torch.rand(asked.batch, 3, size, size)
        with torch.no_grad():
            said = [network(ours).double().eval()(images.double()) for ours in (False, True)]
        apart = float((said[0] - said[1]).abs().max())
        timms, ours = (step(network(one).train(), images) for one in (False, True))
        print(f"{size:>4} {timms:>9.3f} {ours:>9.3f} {timms / ours:>6.1f} {apart:>14.1e}", flush=True)


if __name__ == "__main__":
    main()
