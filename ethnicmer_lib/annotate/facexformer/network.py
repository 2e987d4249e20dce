"""The network FaceXFormer: Swin-B features of four scales, one token a task, a two-way transformer, a head a task.

Written anew from the paper (Narayan et al. 2024, arXiv 2403.12960, Section 3); names and shapes of its tensors are
those of the published checkpoint, so that it loads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import swin_b
from torchvision.models.convnext import LayerNorm2d

from ethnicmer_lib.annotate.facexformer.two_way import FourierPlaces, TwoWayTransformer
from ethnicmer_lib.errors import StudyError

SIDE = 224  #: px of the square input
WIDTH = 256  #: of tokens and of the fused features
MASKS = 11  #: face parts of the segmentation
_SWIN_WIDTHS = (128, 256, 512, 1024)

#: Head -> its name in the checkpoint, its number of outputs; in the order of their tokens.
HEADS = {
    "landmark": ("landmarks", 136),
    "headpose": ("pose", 3),
    "attribute": ("attribute", 40),
    "visibility": ("visibility", 29),
    "age": ("age", 8),
    "gender": ("gender", 2),
    "race": ("race", 5),
}


class FaceXFormer(nn.Module):
    """All of FaceXFormer; new ones have random weights, see ``checkpoint.load`` for trained ones."""

    def __init__(self) -> None:
        super().__init__()
        swin = swin_b(weights=None)
        # The norm is in the checkpoint but nothing reads its output: features are taken before it.
        self.backbone = nn.Sequential(swin.features, swin.norm)
        self.pe_layer = FourierPlaces(WIDTH)
        self.face_decoder = Decoder()
        self.linear_c = nn.ModuleList(
            nn.ModuleDict({"proj": nn.Linear(width, WIDTH)}) for width in _SWIN_WIDTHS
        )
        self.linear_fuse = nn.Conv2d(len(_SWIN_WIDTHS) * WIDTH, WIDTH, kernel_size=1, bias=False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The heads' raw outputs (logits, not probabilities), float32, of images as of ``pixels.prepare``.

        images (n, 3, 224, 224) give landmark (n, 136), headpose (n, 3), attribute (n, 40), visibility (n, 29), age
        (n, 8), gender (n, 2), race (n, 5).  StudyError for another shape.
        """
        if tuple(images.shape[1:]) != (3, SIDE, SIDE):
            raise StudyError(f"images are {tuple(images.shape)}; FaceXFormer needs (n, 3, {SIDE}, {SIDE})")
        fused = self._fused(images)
        return self.face_decoder(fused, self.pe_layer(*fused.shape[2:]))

    def _fused(self, images: Tensor) -> Tensor:
        """One feature map of the four scales, (n, 256, 56, 56).

        The paper's order is: project, enlarge, concatenate (deepest first), mix by a 1x1 convolution.  Mixing and
        enlarging commute, so each scale is mixed at its own size and the enlarged results are added.
        """
        shares = self.linear_fuse.weight.flatten(1).split(WIDTH, dim=1)[::-1]
        stages, x = self.backbone[0], images
        fused = images.new_zeros(())
        for scale, (project, share) in enumerate(zip(self.linear_c, shares, strict=True)):
            x = stages[2 * scale + 1](stages[2 * scale](x))  # patches are embedded or merged, then blocks
            mixed = functional.linear(project["proj"](x), share).permute(0, 3, 1, 2)
            if scale:
                mixed = functional.interpolate(mixed, fused.shape[2:], mode="bilinear", align_corners=False)
            fused = fused + mixed
        return fused


class Decoder(nn.Module):
    """Task tokens, the transformer that lets them read the face, and a head for each."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer(WIDTH)
        # Its segmentation is not asked for here; the other tokens see the tokens of its masks.
        self.mask_tokens = nn.Embedding(MASKS, WIDTH)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(WIDTH, WIDTH // 4, kernel_size=2, stride=2),
            LayerNorm2d(WIDTH // 4, eps=1e-6),
            nn.GELU(),
            nn.ConvTranspose2d(WIDTH // 4, WIDTH // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetwork_mlps = Head(WIDTH // 8)
        for name, n in HEADS.values():
            setattr(self, f"{name}_token", nn.Embedding(1, WIDTH))
            setattr(self, f"{name}_prediction_head", Head(n))

    def forward(self, fused: Tensor, place: Tensor) -> dict[str, Tensor]:
        """Outputs of the heads from the features (n, 256, h, w) and the places of their pixels (1, h * w, 256)."""
        tokens = [getattr(self, f"{name}_token").weight for name, _ in HEADS.values()]
        tokens = torch.cat([*tokens, self.mask_tokens.weight]).expand(len(fused), -1, -1)
        tokens, _ = self.transformer(tokens, fused.flatten(2).transpose(1, 2), place)
        return {
            head: getattr(self, f"{name}_prediction_head")(tokens[:, i])
            for i, (head, (name, _)) in enumerate(HEADS.items())
        }


class Head(nn.Module):
    """Three linear layers with ReLU between, (..., 256) to (..., n)."""

    def __init__(self, n: int):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, out) for out in (WIDTH, WIDTH, n))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x))
        return self.layers[-1](x)
