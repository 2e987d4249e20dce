"""The networks of Table V: an emotion backbone, optionally an ethnic backbone beside it, and their heads."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms.functional import normalize

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.design.backbones import TINYVIT, check_images, load_weights, resnet18_backbone
from ethnicmer_lib.errors import StudyError, check_name
from ethnicmer_lib.networks.arms import RGB_VARIANTS, VARIANTS
from ethnicmer_lib.networks.switches import MEAN, STD
from ethnicmer_lib.networks.windows import without_padding

# timm's weights of a TinyViT: trained last on ImageNet-1k, as those of ResNet-18 are.
TINYVIT_IMAGENET = "{}.dist_in22k_ft_in1k"


class Outputs(NamedTuple):
    """Logits of one batch; None where the variant has no such head."""

    emotion: Tensor  #: (n, labels), from the emotion features alone
    ethnicity: Tensor | None = None  #: (n, groups), from the ethnic features alone
    fusion: Tensor | None = None  #: (n, labels), from both features side by side (Eq. 8)

    @property
    def decision(self) -> Tensor:
        """The logits that predict the emotion: fused where there is a fusion, else the emotion head's."""
        return self.emotion if self.fusion is None else self.fusion


class EthnicNet(nn.Module):
    """One row of Table V: backbones without weight sharing, late fusion (Fig. 2, Eq. 8).

    ``forward(motion, faces=None)`` takes (n, 3, S, S) float32 images, S at least 28 px: the optical flow image as it
    is, zero means no motion; and for the variants of ``RGB_VARIANTS`` the apex frame in [0, 1], which is standardised
    as ImageNet's photographs are.  For 'resnet18' all but the emotion's backbone and head are None.  With ``shared``
    the emotion backbone is called for both branches, as released, and the ethnic one is idle.
    """

    def __init__(self, variant: str, n_groups: int = 2, shared: bool = False):
        super().__init__()
        check_name("variant", variant, VARIANTS)
        self.variant, self.shared = variant, shared
        # The emotion branch comes first, so one seed gives it one start in all variants: rows stay paired.
        self.emotion, width = resnet18_backbone()
        self.emotion_head = nn.Linear(width, len(LABELS))
        self.ethnic = self.ethnic_head = self.fusion_head = None
        if variant != "resnet18":
            self.ethnic, ethnic_width = _tinyvit(variant) if variant in TINYVIT else resnet18_backbone()
            self.ethnic_head = nn.Linear(ethnic_width, n_groups)
            self.fusion_head = nn.Linear(width + ethnic_width, len(LABELS))

    def forward(self, motion: Tensor, faces: Tensor | None = None) -> Outputs:
        """Logits of a batch; StudyError for images that are too small or of the wrong shape."""
        emotion, ethnic = self.features(motion, faces)
        if ethnic is None:
            return Outputs(self.emotion_head(emotion))
        fused = torch.cat([emotion, ethnic], dim=1)
        return Outputs(self.emotion_head(emotion), self.ethnic_head(ethnic), self.fusion_head(fused))

    def features(self, motion: Tensor, faces: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Features of a batch, (n, width) of the emotion and of the ethnic branch; None where there is none."""
        check_images(motion, "motion")
        emotion = self.emotion(motion)
        if self.ethnic is None:
            return emotion, None
        if self.shared:
            # A second call, as released: in training mode it moves the running statistics a second time.
            return emotion, self.emotion(motion)
        if self.variant in RGB_VARIANTS:
            if faces is None:
                raise StudyError(f"{self.variant} needs the apex frames; give faces (n, 3, S, S) in [0, 1]")
            check_images(faces, "face")
            return emotion, self.ethnic(normalize(faces, MEAN, STD))
        return emotion, self.ethnic(motion)


def loss(outputs: Outputs, label: Tensor, group: Tensor, ethnic: bool = True) -> Tensor:
    """Sum of the unweighted cross-entropies of the emotion, ethnic and fusion heads (Eqs 1-4), of those there are.

    ``label`` and ``group`` are (n,) int64 class numbers; without ``ethnic`` the second branch learns from the fusion
    alone.
    """
    total = functional.cross_entropy(outputs.emotion, label)
    if outputs.ethnicity is not None and ethnic:
        total = total + functional.cross_entropy(outputs.ethnicity, group)
    if outputs.fusion is not None:
        total = total + functional.cross_entropy(outputs.fusion, label)
    return total


def build_network(variant: str, weights: str = "none", n_groups: int = 2, shared: bool = False) -> EthnicNet:
    """A network of Table V, its heads always new; random parts come from torch's global generator.

    ``weights`` are the start of the backbones, as of :func:`backbones.load_weights`: 'none' (random), 'imagenet' or a
    file; ``shared`` is as in :class:`EthnicNet`.

    Raises StudyError for an unknown variant, a failed download, or a file that is missing, unreadable or does not fit.

    Examples
    --------
    >>> import ethnicmer_lib as em, torch
    >>> network = em.build_network("dual_motion")
    >>> {name: tuple(logits.shape) for name, logits in network(torch.rand(4, 3, 28, 28))._asdict().items()}
    {'emotion': (4, 3), 'ethnicity': (4, 2), 'fusion': (4, 3)}
    """
    network = EthnicNet(variant, n_groups, shared)
    load_weights(network.emotion, "resnet18", weights)
    if variant in TINYVIT:
        load_weights(network.ethnic, variant, weights, partial(_tinyvit_weights, variant))
    elif network.ethnic is not None:
        load_weights(network.ethnic, "resnet18", weights)
    return network


def _tinyvit(variant: str) -> tuple[nn.Module, int]:
    """A TinyViT for any image size: feature maps are padded to the attention window, as in timm, nothing is resized."""
    backbone = without_padding(timm.create_model(TINYVIT[variant], pretrained=False, num_classes=0))
    return backbone, backbone.num_features


def _tinyvit_weights(variant: str) -> dict[str, Tensor]:
    return timm.create_model(TINYVIT_IMAGENET.format(TINYVIT[variant]), pretrained=True).state_dict()
