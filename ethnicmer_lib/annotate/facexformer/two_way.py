"""The two-way transformer of FaceXFormer: tokens read the image, and the image reads the tokens.

The design is that of the mask decoder of Segment Anything (Kirillov et al. 2023, arXiv 2304.02643, Section A):
two blocks of self-attention among tokens, attention from tokens to image, a small perceptron, and attention from
image to tokens; after them the tokens read the image once more.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head attention from ``dim`` to ``dim`` that works in ``inner`` dimensions, a multiple of ``heads``."""

    def __init__(self, dim: int, inner: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(dim, inner) for _ in range(3))
        self.out_proj = nn.Linear(inner, dim)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(n, q, dim), (n, k, dim), (n, k, dim) to (n, q, dim)."""
        parts = (self.q_proj(query), self.k_proj(key), self.v_proj(value))
        read = functional.scaled_dot_product_attention(*map(self._split, parts))
        return self.out_proj(read.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class TwoWayBlock(nn.Module):
    """One block: tokens among themselves, tokens to image, perceptron, image to tokens.

    In the ``first`` the tokens still equal their own encoding: self-attention replaces them instead of adding.
    """

    def __init__(self, dim: int, hidden: int, heads: int, first: bool):
        super().__init__()
        self.first = first
        self.self_attn = Attention(dim, dim, heads)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attn_token_to_image = Attention(dim, dim // 2, heads)
        self.norm2 = nn.LayerNorm(dim)
        parts = {"lin1": nn.Linear(dim, hidden), "relu": nn.ReLU(), "lin2": nn.Linear(hidden, dim)}
        self.mlp = nn.Sequential(OrderedDict(parts))
        self.norm3 = nn.LayerNorm(dim)
        self.norm4 = nn.LayerNorm(dim)
        self.cross_attn_image_to_token = Attention(dim, dim // 2, heads)

    def forward(self, tokens: Tensor, image: Tensor, code: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (n, t, dim) and image (n, p, dim), with the tokens' encoding and the pixels' places."""
        marked = tokens if self.first else tokens + code
        read = self.self_attn(marked, marked, tokens)
        tokens = self.norm1(read if self.first else tokens + read)
        placed = image + place
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + code, placed, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.cross_attn_image_to_token(placed, tokens + code, tokens))
        return tokens, image


class TwoWayTransformer(nn.Module):
    """Two blocks and a last look of the tokens at the image.

    ``forward(tokens, image, place)`` takes (n, t, dim), (n, p, dim) and (1, p, dim) and gives tokens (n, t, dim)
    and image (n, p, dim).
    """

    def __init__(self, dim: int = 256, hidden: int = 2048, heads: int = 8, depth: int = 2):
        super().__init__()
        self.layers = nn.ModuleList(TwoWayBlock(dim, hidden, heads, first=i == 0) for i in range(depth))
        self.final_attn_token_to_image = Attention(dim, dim // 2, heads)
        self.norm_final_attn = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor, image: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        code = tokens
        for block in self.layers:
            tokens, image = block(tokens, image, code, place)
        seen = self.final_attn_token_to_image(tokens + code, image + place, image)
        return self.norm_final_attn(tokens + seen), image


class FourierPlaces(nn.Module):
    """Random Fourier features of a pixel's place: a fixed draw of ``dim / 2`` frequencies that the checkpoint holds."""

    def __init__(self, dim: int = 256):
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, dim // 2))

    def forward(self, height: int, width: int) -> Tensor:
        """(1, height * width, dim), rows first; a pixel's place is its centre, x and y in [-1, 1]."""
        frequencies = self.positional_encoding_gaussian_matrix
        y, x = (
            (2 * torch.arange(n, dtype=frequencies.dtype, device=frequencies.device) + 1) / n - 1
            for n in (height, width)
        )
        y, x = torch.meshgrid(y, x, indexing="ij")
        phase = 2 * math.pi * (torch.stack([x, y], dim=-1).flatten(0, 1) @ frequencies)
        return torch.cat([phase.sin(), phase.cos()], dim=-1)[None]
