"""The networks of Table V: an emotion backbone, optionally an ethnic backbone beside it, and their heads."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import ResNet18_Weights, resnet18

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.switches import MEAN, STD

VARIANTS = ("resnet18", "dual_motion", "dual_rgb", "tinyvit")
RGB_VARIANTS = ("dual_rgb", "tinyvit")  #: their ethnic backbone sees the apex frame instead of the motion
MIN_SIZE = 28  #: px; both backbones halve an image five times
TINYVIT = "tiny_vit_5m_224"
TINYVIT_IMAGENET = "tiny_vit_5m_224.dist_in22k_ft_in1k"  # like ResNet-18's weights: ends on ImageNet-1k
_HEADS = {"resnet18": "fc.", "tinyvit": "head.fc."}


class Outputs(NamedTuple):
    """Logits of one batch; None where the variant has no such head."""

    emotion: Tensor  #: (n, labels), from the emotion features alone
    ethnicity: Tensor | None  #: (n, groups), from the ethnic features alone
    fusion: Tensor | None  #: (n, labels), from both features side by side (Eq. 8)

    @property
    def decision(self) -> Tensor:
        """The logits that predict the emotion: fused where there is a fusion, else the emotion head's."""
        return self.emotion if self.fusion is None else self.fusion


class EthnicNet(nn.Module):
    """One row of Table V: backbones without weight sharing, late fusion (Fig. 2, Eq. 8).

    ``forward(motion, rgb=None)`` takes (n, 3, S, S) float32 images, S at least 28 px: the optical flow image, and
    for the variants of ``RGB_VARIANTS`` the apex frame in [0, 1], which is standardised with ImageNet's mean and
    standard deviation inside.  The flow image goes in as it is: zero means no motion.

    Attributes
    ----------
    variant : str
    emotion, ethnic : backbones that give (n, features); ``ethnic`` is None for 'resnet18'.
    emotion_head, ethnic_head, fusion_head : fully connected layers.
    shared : whether the emotion backbone is called for both branches, as the release does; both features are then
        the same, and the ethnic backbone is there but idle.
    """

    def __init__(self, variant: str, n_labels: int = 3, n_groups: int = 2, shared: bool = False):
        super().__init__()
        if variant not in VARIANTS:
            raise StudyError(f"variant {variant!r} is unknown; allowed: {', '.join(VARIANTS)}")
        if shared and variant in RGB_VARIANTS:
            raise StudyError(
                f"shared_backbone: the branches of {variant!r} see different images and cannot share a backbone; "
                "it is about 'dual_motion'"
            )
        self.variant, self.shared = variant, shared
        # The emotion branch comes first, so one seed gives it one start in all variants: rows stay paired.
        self.emotion, width = _resnet18()
        self.emotion_head = nn.Linear(width, n_labels)
        self.ethnic = self.ethnic_head = self.fusion_head = None
        if variant != "resnet18":
            self.ethnic, ethnic_width = _tinyvit() if variant == "tinyvit" else _resnet18()
            self.ethnic_head = nn.Linear(ethnic_width, n_groups)
            self.fusion_head = nn.Linear(width + ethnic_width, n_labels)
        self.register_buffer("rgb_mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("rgb_std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    @property
    def needs_rgb(self) -> bool:
        """Whether the ethnic backbone sees the apex frame."""
        return self.variant in RGB_VARIANTS

    def forward(self, motion: Tensor, rgb: Tensor | None = None) -> Outputs:
        """Logits of a batch; StudyError for images that are too small or of the wrong shape."""
        emotion, ethnic = self.features(motion, rgb)
        if ethnic is None:
            return Outputs(self.emotion_head(emotion), None, None)
        fused = torch.cat([emotion, ethnic], dim=1)
        return Outputs(self.emotion_head(emotion), self.ethnic_head(ethnic), self.fusion_head(fused))

    def features(self, motion: Tensor, rgb: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Features of a batch, (n, width) of the emotion and of the ethnic branch; None where there is none."""
        _check_images(motion, "motion")
        emotion = self.emotion(motion)
        if self.ethnic is None:
            return emotion, None
        if self.shared:
            # A second call, as released: in training mode it moves the running statistics a second time.
            return emotion, self.emotion(motion)
        if self.needs_rgb:
            if rgb is None:
                raise StudyError(
                    f"variant {self.variant!r} needs the apex frame; give rgb (n, 3, S, S) in [0, 1]"
                )
            _check_images(rgb, "rgb")
            return emotion, self.ethnic((rgb - self.rgb_mean) / self.rgb_std)
        return emotion, self.ethnic(motion)


def loss(outputs: Outputs, label: Tensor, group: Tensor, ethnic: bool = True) -> Tensor:
    """Sum of the unweighted cross-entropies of the emotion, ethnic and fusion heads (Eqs 1-4).

    A variant without an ethnic branch has the first term only.

    Parameters
    ----------
    label, group : (n,) int64 class numbers.
    ethnic : whether the ethnic head's term counts; without it the second branch learns from the fusion alone.
    """
    total = functional.cross_entropy(outputs.emotion, label)
    if outputs.ethnicity is not None:
        if ethnic:
            total = total + functional.cross_entropy(outputs.ethnicity, group)
        total = total + functional.cross_entropy(outputs.fusion, label)
    return total


def build_model(
    variant: str, weights: str = "none", n_labels: int = 3, n_groups: int = 2, shared: bool = False
) -> EthnicNet:
    """A network of Table V, its heads always new.

    Random parts come from torch's global generator: seed it before, as ``training`` does.

    Parameters
    ----------
    weights : start of the backbones.
        'none': random.
        'imagenet': trained on ImageNet-1k, downloaded (ResNet-18 from torchvision, TinyViT-5M from timm).
        A path: a file saved by ``torch.save``: the state dict of a torchvision ResNet-18, for every ResNet-18
        backbone; or, which 'tinyvit' needs, ``{'resnet18': state dict, 'tinyvit': state dict}``.  The classifier
        ('fc.*', 'head.fc.*') is not used; everything else must fit exactly.
    shared : as in :class:`EthnicNet`.

    Raises
    ------
    StudyError
        Unknown variant, a failed download, or a file that is missing, unreadable or does not fit.
    """
    model = EthnicNet(variant, n_labels, n_groups, shared)
    if weights != "none":
        _load(model.emotion, "resnet18", weights)
        if model.ethnic is not None:
            _load(model.ethnic, "tinyvit" if variant == "tinyvit" else "resnet18", weights)
    return model


def resnet18_features(images: np.ndarray, weights: str, seed: int, batch: int = 64) -> np.ndarray:
    """Off-the-shelf ResNet-18 features, in eval mode and never trained here (Section IV-A).

    Parameters
    ----------
    images : (n, 3, S, S) float32, S at least 28 px.
    weights : as in :func:`build_model`; with 'none' the network is random, drawn from ``seed``.
    batch : images per step; it does not change the result beyond rounding.

    Returns
    -------
    (n, 512) float32.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise StudyError(f"images are {images.shape}; ResNet-18 needs (n, 3, S, S)")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        backbone, width = _resnet18()
    if weights != "none":
        _load(backbone, "resnet18", weights)
    backbone = backbone.to(device).eval()
    features = np.empty((len(images), width), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            chunk = torch.from_numpy(np.array(images[start : start + batch], dtype=np.float32))
            _check_images(chunk, "images")
            features[start : start + batch] = backbone(chunk.to(device)).cpu().numpy()
    return features


def _resnet18() -> tuple[nn.Module, int]:
    backbone = resnet18(weights=None)
    width = backbone.fc.in_features
    backbone.fc = nn.Identity()
    return backbone, width


def _tinyvit() -> tuple[nn.Module, int]:
    """TinyViT-5M for any image size: where the feature map is no multiple of the attention window, timm pads it
    with zeros at the right and bottom before attention and crops it after; nothing is resized."""
    backbone = timm.create_model(TINYVIT, pretrained=False, num_classes=0)
    return backbone, backbone.num_features


def _check_images(images: Tensor, name: str) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < MIN_SIZE:
        raise StudyError(
            f"{name} images are {tuple(images.shape)}; give (n, 3, S, S) with S at least {MIN_SIZE} px"
        )


def _load(backbone: nn.Module, kind: str, weights: str) -> None:
    """Put downloaded or saved weights into a backbone, or say why not."""
    state = _imagenet(kind) if weights == "imagenet" else _from_file(kind, weights)
    kept = {name: value for name, value in state.items() if not name.startswith(_HEADS[kind])}
    try:
        backbone.load_state_dict(kept, strict=True)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise StudyError(
            f"weights={weights!r} does not fit {kind}: {reason}. Give the state dict of a "
            f"{'torchvision ResNet-18' if kind == 'resnet18' else 'timm ' + TINYVIT}, 'imagenet' or 'none'"
        ) from error


def _imagenet(kind: str) -> Mapping[str, Tensor]:
    fetch = {
        "resnet18": partial(ResNet18_Weights.IMAGENET1K_V1.get_state_dict, progress=False, check_hash=True),
        "tinyvit": lambda: timm.create_model(TINYVIT_IMAGENET, pretrained=True).state_dict(),
    }[kind]
    try:
        return fetch()
    # What a failed download raises depends on the versions of three download libraries; none of it is a bug here.
    except Exception as error:
        raise StudyError(
            f"weights='imagenet': the download of {kind} failed ({type(error).__name__}: {str(error)[:200]}). "
            "Connect once, or fetch the file elsewhere and give its path as weights, or use weights='none'"
        ) from error


def _from_file(kind: str, weights: str) -> Mapping[str, Tensor]:
    path = Path(weights).expanduser()
    if not path.is_file():
        raise StudyError(f"weights={weights!r} is not a file; allowed: 'none', 'imagenet' or a file's path")
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise StudyError(
            f"weights={weights!r} cannot be read ({str(error)[:200]}); save a plain state dict with torch.save"
        ) from error
    if isinstance(saved, Mapping) and kind in saved:
        saved = saved[kind]
    elif kind == "tinyvit":
        raise StudyError(
            f"weights={weights!r} has no TinyViT in it; save {{'resnet18': state_dict, 'tinyvit': state_dict}} with "
            "torch.save for the variant 'tinyvit', or use 'imagenet' or 'none'"
        )
    if not isinstance(saved, Mapping):
        raise StudyError(f"weights={weights!r} holds a {type(saved).__name__}, not a state dict")
    return saved
