"""From a frame and the box of a face to FaceXFormer's input."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from ethnicmer_lib.annotate.facexformer.network import SIDE
from ethnicmer_lib.clips.faces import Box

_MEAN, _STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet's RGB images


def prepare(frame: np.ndarray, box: Box) -> Tensor:
    """(3, 224, 224) float32 of the part ``box`` of a frame, (H, W) or (H, W, 3) RGB, uint8; gray is repeated.

    Resized (bicubic with antialiasing, sides stretched apart where the box is no square) and standardised.
    """
    rgb = np.repeat(frame[..., None], 3, axis=2) if frame.ndim == 2 else frame
    face = rgb[box.y : box.y + box.height, box.x : box.x + box.width]
    pixels = torch.from_numpy(np.ascontiguousarray(np.moveaxis(face, 2, 0)))
    small = functional.resize(pixels, [SIDE, SIDE], InterpolationMode.BICUBIC, antialias=True)
    return functional.normalize(small.to(torch.float32) / 255, _MEAN, _STD)
