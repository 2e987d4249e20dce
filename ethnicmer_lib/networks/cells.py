"""Activation maps (Grad-CAM; Selvaraju et al. 2017) in the cells of a network's stage, and enlarged to the image."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.models import EthnicNet
from ethnicmer_lib.networks.training import Inputs

STRIDES = {"layer3": 16, "layer4": 32}  #: ResNet-18 stage -> image px per cell of its map
MAPPED = "resnet18"  #: plain ResNet-18 without ethnic context, as in the paper
_BATCH = 32


def grad_cam(network: EthnicNet, images: np.ndarray, layer: str = "layer4") -> np.ndarray:
    """Where the emotion branch found evidence for a class.

    The maps of a stage ('layer3' or 'layer4') are weighted by the mean gradient of the class's logit, summed, cut at
    zero, enlarged to the image (bilinear) and stretched to [0, 1] clip by clip; so a map shows where, never how much.

    ``images`` are (n, 3, S, S) float32 optical flow images, or one of them; the class is what the emotion branch
    predicts. Returns (n, S, S) float32 in [0, 1], or one; all zeros for a clip without positive evidence, or with the
    same everywhere. Raises StudyError for an unknown layer, or images too small for it.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> network = em.build_network("resnet18").eval()
    >>> em.grad_cam(network, np.random.rand(2, 3, 64, 64), layer="layer3").shape
    (2, 64, 64)
    """
    batch = np.array(images, dtype=np.float32)
    batch = batch[None] if batch.ndim == 3 else batch
    map_side(layer, batch.shape[-1])
    tensor = torch.from_numpy(batch).to(next(network.parameters()).device)
    maps = enlarged(class_cells(network.eval(), tensor, None, layer), batch.shape[-1])
    return maps if np.ndim(images) == 4 else maps[0]


def class_cells(network: EthnicNet, images: Tensor, targets: Tensor | None, layer: str) -> np.ndarray:
    """(n, h, w) float32 evidence for a class in each cell of a stage, not negative; the network stays as it is.

    ``targets`` are (n,) class numbers; None: what the emotion branch predicts.
    """
    seen: list[Tensor] = []
    hook = getattr(network.emotion, layer).register_forward_hook(lambda *called: seen.append(called[2]))
    try:
        logits = network.emotion_head(network.emotion(images))
    finally:
        hook.remove()
    wanted = logits.argmax(1) if targets is None else targets.to(images.device)
    (gradient,) = torch.autograd.grad(logits.gather(1, wanted[:, None]).sum(), seen[0])
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return torch.relu((weights * seen[0]).sum(1)).detach().cpu().numpy()


def enlarged(cells: np.ndarray, size: int) -> np.ndarray:
    """(n, h, w) evidence as maps (n, size, size) in [0, 1], each stretched from its least to its largest value."""
    from pytorch_grad_cam.utils.image import scale_cam_image  # takes seconds to import

    return scale_cam_image(scale_cam_image(cells, (size, size)))


def map_side(layer: str, image_size: int) -> int:
    """Cells along a side of a map before it is enlarged: what it can tell apart.

    Raises StudyError for an unknown layer, or a map of one cell, which has no place to show.
    """
    if layer not in STRIDES:
        raise StudyError(f"layer={layer!r} is unknown; allowed: {', '.join(STRIDES)}")
    side = -(-image_size // STRIDES[layer])
    if side < 2:
        raise StudyError(
            f"{layer} sees an image of {image_size} px as a single cell, so a map cannot show a place; set image_size "
            f"above {STRIDES[layer]}" + " or layer='layer3'" * (16 < image_size <= 32)
        )
    return side


def cell_columns(
    network: EthnicNet, inputs: Inputs, rows: np.ndarray, predicted: np.ndarray
) -> dict[str, list]:
    """Of plain ResNet-18 the cells of every held-out clip's maps for its predicted class, as bytes of float32.

    They are made where the network is, fold by fold, so that no network has to be kept or trained again for them.
    """
    if network.variant != MAPPED:
        return {}
    parts = np.array_split(np.arange(len(rows)), -(-len(rows) // _BATCH))
    images = [inputs.batch(torch.from_numpy(rows[part]))[0] for part in parts]
    targets = [torch.tensor([LABELS.index(label) for label in predicted[part]]) for part in parts]
    found = {}
    for layer in STRIDES:
        cells = [class_cells(network, *batch, layer) for batch in zip(images, targets, strict=True)]
        found[f"cells_{layer}"] = [one.tobytes() for cell in cells for one in cell]
    return found


def from_bytes(column: pd.Series) -> np.ndarray:
    """(n, h, h) float32 cells out of a column of :func:`cell_columns`."""
    cells = np.stack([np.frombuffer(one, np.float32) for one in column])
    return cells.reshape(len(cells), *[round(cells.shape[1] ** 0.5)] * 2)
