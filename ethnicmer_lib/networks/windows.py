"""TinyViT's attention on maps smaller than its window, without computing the padding token by token."""

from __future__ import annotations

import torch
from timm.models.tiny_vit import Attention, TinyVitBlock
from torch import Tensor, nn
from torch.nn import functional


class Block(TinyVitBlock):
    """timm's block, which pads a map smaller than the window with zeros: at 28 px 2 x 2 tokens become 14 x 14.

    Padding is not masked, so it is part of what the network computes; but all of it has the same key and value, and
    stands in a softmax as one token whose bias is the log of the summed exponentials of theirs.  The same outputs and
    gradients, up to rounding (benchmarks/windows.py); maps that fill a window or need several are timm's.
    """

    def forward(self, x: Tensor) -> Tensor:
        n, height, width, channels = x.shape
        if max(height, width) > self.window_size or height == width == self.window_size:
            return super().forward(x)
        seen = attention(self.attn, x.reshape(n, height * width, channels), height, width)
        x = x + self.drop_path1(seen.view_as(x))
        x = self.local_conv(x.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
        return (x + self.drop_path2(self.mlp(x))).view(n, height, width, channels)


def attention(attn: Attention, x: Tensor, height: int, width: int) -> Tensor:
    """What ``attn`` says of the (n, height * width, channels) tokens in the upper left corner of a window of zeros."""
    n, count, _ = x.shape
    at = torch.arange(attn.attention_bias_idxs.shape[0], device=x.device).view(attn.resolution)
    real = at[:height, :width].flatten()
    padding = at[~torch.isin(at, real)]
    bias = attn.attention_biases[:, attn.attention_bias_idxs[real]]  # head, query, key
    bias = torch.cat([bias[..., real], bias[..., padding].logsumexp(-1, keepdim=True)], -1)
    tokens = attn.norm(
        functional.pad(x, (0, 0, 0, 1))
    )  # the last stands for the padding, normalised as all are
    heads = attn.qkv(tokens).view(n, count + 1, attn.num_heads, -1).transpose(1, 2)
    query, key, value = heads.split([attn.key_dim, attn.key_dim, attn.val_dim], dim=-1)
    seen = functional.scaled_dot_product_attention(query[:, :, :count], key, value, attn_mask=bias)
    return attn.proj(seen.transpose(1, 2).reshape(n, count, attn.out_dim))


def without_padding(network: nn.Module) -> nn.Module:
    """Make :class:`Block` of every block of a TinyViT; parameters and names stay."""
    for module in network.modules():
        if type(module) is TinyVitBlock:
            module.__class__ = Block
    return network
