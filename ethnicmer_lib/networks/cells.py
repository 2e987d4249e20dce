"""Activation maps (Grad-CAM; Selvaraju et al. 2017) in the cells of a network's stage, and enlarged to the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ethnicmer_lib.errors import StudyError, check_name
from ethnicmer_lib.networks.models import EthnicNet
from ethnicmer_lib.networks.training import Inputs

STRIDES = {
    "layer1": 4,
    "layer2": 8,
    "layer3": 16,
    "layer4": 32,
}  #: ResNet-18 stage -> image px per cell of its map
KEPT = ("layer2", "layer3", "layer4")  #: stages whose maps every fold keeps
MAPPED = "resnet18"  #: plain ResNet-18 without ethnic context, as in the paper
_BATCH = 32


def grad_cam(
    network: EthnicNet, images: np.ndarray, layer: str = "layer4", branch: str = "emotion"
) -> np.ndarray:
    """Where a branch, 'emotion' or 'ethnic', found evidence for the class that it predicts.

    The maps of a stage ('layer1' to 'layer4') are weighted by the mean gradient of the class's logit, summed, cut at
    zero, enlarged to the image (bilinear) and stretched to [0, 1] clip by clip; so a map shows where, never how much.

    ``images`` are (n, 3, S, S) float32 optical flow images. Returns (n, S, S) float32 in [0, 1], all zeros where the
    evidence is the same everywhere. Raises StudyError for an unknown layer, images too small, or a branch that
    the network has not.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> network = em.build_network("resnet18").eval()
    >>> em.grad_cam(network, np.random.rand(2, 3, 64, 64), layer="layer3").shape
    (2, 64, 64)
    """
    map_side(layer, images.shape[-1])
    there = [name for name in ("emotion", "ethnic") if hasattr(getattr(network, name), layer)]
    check_name("branch", branch, there)
    tensor = torch.from_numpy(np.array(images, dtype=np.float32)).to(next(network.parameters()).device)
    return enlarged(class_cells(network.eval(), tensor, [layer], branch=branch)[layer], images.shape[-1])


def class_cells(
    network: EthnicNet,
    images: Tensor,
    layers: Sequence[str],
    target: Tensor | None = None,
    branch: str = "emotion",
) -> dict[str, np.ndarray]:
    """(n, h, w) float32 evidence for a class of a branch in each cell of every stage: the predicted one, or (n,)
    ``target``.

    The network stays as it is.
    """
    seen: list[Tensor] = []
    backbone, head = getattr(network, branch), getattr(network, f"{branch}_head")
    hooks = [
        getattr(backbone, layer).register_forward_hook(lambda *called: seen.append(called[2]))
        for layer in layers
    ]
    try:
        logits = head(backbone(images))
    finally:
        for hook in hooks:
            hook.remove()
    score = logits.max(1).values if target is None else logits.gather(1, target[:, None])
    slopes = [one.mean(dim=(2, 3), keepdim=True) for one in torch.autograd.grad(score.sum(), seen)]
    cells = [
        torch.relu((slope * one).sum(1)).detach().cpu().numpy()
        for slope, one in zip(slopes, seen, strict=True)
    ]
    return dict(zip(layers, cells, strict=True))


def enlarged(cells: np.ndarray, size: int) -> np.ndarray:
    """(n, h, w) evidence as maps (n, size, size) in [0, 1], each stretched from its least to its largest value."""
    from pytorch_grad_cam.utils.image import scale_cam_image  # takes seconds to import

    return scale_cam_image(scale_cam_image(cells, (size, size)))


def map_side(layer: str, image_size: int) -> int:
    """Cells along a side of a map before it is enlarged: what it can tell apart.

    Raises StudyError for an unknown layer, or a map of one cell, which has no place to show.
    """
    check_name("layer", layer, STRIDES)
    side = -(-image_size // STRIDES[layer])
    if side < 2:
        raise StudyError(
            f"{layer} sees an image of {image_size} px as a single cell, so a map cannot show a place; set image_size "
            f"above {STRIDES[layer]}"
        )
    return side


def cell_columns(network: EthnicNet, inputs: Inputs, rows: np.ndarray) -> dict[str, list]:
    """Of plain ResNet-18 the cells of every held-out clip's maps for its predicted class, as bytes of float32.

    They are made where the network is, fold by fold, so that no network has to be kept or trained again for them.
    """
    if network.variant != MAPPED:
        return {}
    images = [inputs.batch(part)[0] for part in torch.from_numpy(rows).split(_BATCH)]
    found = [class_cells(network, one, KEPT) for one in images]
    return {f"cells_{layer}": [one.tobytes() for part in found for one in part[layer]] for layer in KEPT}
