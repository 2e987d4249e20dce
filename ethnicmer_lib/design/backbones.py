"""ResNet-18 off the shelf, the weights that networks start from, and the features it gives without training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, resnet18

from ethnicmer_lib.errors import StudyError

MIN_SIZE = 28  #: px; ResNet-18 and TinyViT halve an image five times
#: Second branch of a variant -> its network in timm; the release has the larger one.
TINYVIT = {"tinyvit": "tiny_vit_5m_224", "tinyvit_21m": "tiny_vit_21m_224"}
_HEADS = {"resnet18": "fc."} | dict.fromkeys(TINYVIT, "head.fc.")
_BATCH = 64  # images a step
_resnet18_weights = partial(ResNet18_Weights.IMAGENET1K_V1.get_state_dict, progress=False, check_hash=True)


def resnet18_features(images: np.ndarray, weights: str, seed: int) -> np.ndarray:
    """Features (n, 512) float32 of images (n, 3, S, S) by a ResNet-18 that is never trained here (Section IV-A).

    ``weights`` as in :func:`load_weights`; with 'none' the network is random, drawn from ``seed``.
    """
    check_images(images, "motion")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        backbone, _ = resnet18_backbone()
    load_weights(backbone, "resnet18", weights)
    backbone = backbone.to(device).eval()
    batches = torch.from_numpy(np.array(images, dtype=np.float32)).split(_BATCH)
    with torch.inference_mode():
        return torch.cat([backbone(batch.to(device)).cpu() for batch in batches]).numpy()


def resnet18_backbone() -> tuple[nn.Module, int]:
    """A ResNet-18 without its classifier, drawn from torch's random state, and the width of its features."""
    backbone = resnet18(weights=None)
    width = backbone.fc.in_features
    backbone.fc = nn.Identity()
    return backbone, width


def check_images(images: Tensor | np.ndarray, name: str) -> None:
    """StudyError unless a batch is (n, 3, S, S) and large enough."""
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < MIN_SIZE:
        raise StudyError(
            f"{name} images are {tuple(images.shape)}; give (n, 3, S, S) with S at least {MIN_SIZE} px"
        )


def load_weights(
    backbone: nn.Module,
    kind: str,
    weights: str,
    download: Callable[[], Mapping[str, Tensor]] = _resnet18_weights,
) -> None:
    """Put weights into a backbone of ``kind`` 'resnet18' or one of :data:`TINYVIT`, all but its classifier; StudyError
    if they do not fit exactly.

    ``weights`` is 'none', which leaves the backbone as it is; 'imagenet' (ImageNet-1k, by ``download``); or a file
    saved by ``torch.save``: the state dict of a torchvision ResNet-18, for every ResNet-18 backbone; or, which
    a TinyViT needs, ``{'resnet18': state dict, 'tinyvit': state dict}``, with 'tinyvit_21m' for the larger one.
    """
    if weights == "none":
        return
    try:
        file = Path(weights).expanduser()
        state = (
            download() if weights == "imagenet" else torch.load(file, map_location="cpu", weights_only=True)
        )
        kept = {
            name: part for name, part in state.get(kind, state).items() if not name.startswith(_HEADS[kind])
        }
        backbone.load_state_dict(kept, strict=True)
    # What a failed download or an unreadable file raises depends on the versions of several libraries.
    except Exception as error:
        raise StudyError(
            f"weights={weights!r} are not those of {kind} ({type(error).__name__}: {str(error)[:300]}); connect once "
            "for 'imagenet', use 'none', or save with torch.save the state dict of a torchvision ResNet-18, or, which "
            f"TinyViT needs, {{'resnet18': state dict, KIND: state dict}} with KIND and timm's name as in {TINYVIT}"
        ) from error
