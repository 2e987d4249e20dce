"""The weights of the golden outputs: FaceXFormer's tensors drawn by a rule from their names, without a checkpoint."""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch


def golden_state(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state dict of ``network`` (which may be on the meta device) by the rule of the reference data's README."""
    whole = relative_places()
    state = {}
    for name, tensor in network.state_dict().items():
        state[name] = drawn(name, tuple(tensor.shape)) if tensor.is_floating_point() else whole[name]
    return state


def drawn(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    z = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).standard_normal(shape)
    if len(shape) == 1:
        z = 1 + 0.1 * z if name.endswith("weight") else 0.1 * z
    elif "gaussian" not in name and not ("token" in name and "to_" not in name):
        z /= math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(z.astype(np.float32))


def relative_places() -> dict[str, torch.Tensor]:
    """The integer tensors: Swin's table of relative places in a 7 x 7 window, the same in every block."""
    y, x = np.divmod(np.arange(49), 7)
    index = (y[:, None] - y + 6) * 13 + (x[:, None] - x + 6)
    table = torch.from_numpy(index.ravel())
    blocks = {1: 2, 3: 2, 5: 18, 7: 2}
    return {
        f"backbone.0.{stage}.{block}.attn.relative_position_index": table
        for stage, n in blocks.items()
        for block in range(n)
    }
