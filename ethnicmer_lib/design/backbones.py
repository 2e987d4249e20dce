"""ResNet-18 off the shelf, the weights that networks start from, and the features it gives without training."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, resnet18

from ethnicmer_lib.errors import StudyError

MIN_SIZE = 28  #: px; ResNet-18 and TinyViT halve an image five times
TINYVIT = "tiny_vit_5m_224"
_HEADS = {"resnet18": "fc.", "tinyvit": "head.fc."}
_BATCH = 64  # images a step
_resnet18_weights = partial(ResNet18_Weights.IMAGENET1K_V1.get_state_dict, progress=False, check_hash=True)


def resnet18_features(images: np.ndarray, weights: str, seed: int) -> np.ndarray:
    """Off-the-shelf ResNet-18 features, in eval mode and never trained here (Section IV-A).

    Parameters
    ----------
    images : (n, 3, S, S) float32, S at least 28 px.
    weights : as in :func:`load_weights`; with 'none' the network is random, drawn from ``seed``.

    Returns
    -------
    (n, 512) float32.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise StudyError(f"images are {images.shape}; ResNet-18 needs (n, 3, S, S)")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        backbone, width = resnet18_backbone()
    load_weights(backbone, "resnet18", weights)
    backbone = backbone.to(device).eval()
    features = np.empty((len(images), width), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(images), _BATCH):
            chunk = torch.from_numpy(np.array(images[start : start + _BATCH], dtype=np.float32))
            check_images(chunk, "images")
            features[start : start + _BATCH] = backbone(chunk.to(device)).cpu().numpy()
    return features


def resnet18_backbone() -> tuple[nn.Module, int]:
    """A ResNet-18 without its classifier, drawn from torch's random state, and the width of its features."""
    backbone = resnet18(weights=None)
    width = backbone.fc.in_features
    backbone.fc = nn.Identity()
    return backbone, width


def check_images(images: Tensor, name: str) -> None:
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
    """Put downloaded or saved weights into a backbone, or say why not.

    Parameters
    ----------
    kind : 'resnet18' or 'tinyvit'.
    weights : 'none' leaves the backbone as it is; 'imagenet' is trained on ImageNet-1k, downloaded.
        A path: a file saved by ``torch.save``: the state dict of a torchvision ResNet-18, for every ResNet-18
        backbone; or, which 'tinyvit' needs, ``{'resnet18': state dict, 'tinyvit': state dict}``.  The classifier
        ('fc.*', 'head.fc.*') is not used; everything else must fit exactly.
    download : fetches the weights for 'imagenet'.

    Raises
    ------
    StudyError
        A failed download, or a file that is missing, unreadable or does not fit.
    """
    if weights == "none":
        return
    state = _downloaded(kind, download) if weights == "imagenet" else _from_file(kind, weights)
    kept = {name: value for name, value in state.items() if not name.startswith(_HEADS[kind])}
    try:
        backbone.load_state_dict(kept, strict=True)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise StudyError(
            f"weights={weights!r} does not fit {kind}: {reason}. Give the state dict of a "
            f"{'torchvision ResNet-18' if kind == 'resnet18' else 'timm ' + TINYVIT}, 'imagenet' or 'none'"
        ) from error


def _downloaded(kind: str, download: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    try:
        return download()
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
