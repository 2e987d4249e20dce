"""How many places an activation map can tell apart; apart from the networks, so that pages need not load them."""

from __future__ import annotations

from ethnicmer_lib.errors import StudyError

STRIDES = {"layer3": 16, "layer4": 32}  #: ResNet-18 stage -> image px per cell of its map


def map_side(layer: str, image_size: int) -> int:
    """Cells along a side of the map that Grad-CAM enlarges to the image.

    Raises
    ------
    StudyError
        For an unknown layer, or a map of one cell, which has no place to show.
    """
    if layer not in STRIDES:
        raise StudyError(f"layer={layer!r} is unknown; allowed: {', '.join(STRIDES)}")
    side = -(-image_size // STRIDES[layer])
    if side < 2:
        raise StudyError(
            f"{layer} sees an image of {image_size} px as a single cell, so a map cannot show a place; set image_size "
            f"above {STRIDES[layer]}"
            + (" or layer='layer3'" if layer == "layer4" and image_size > 16 else "")
        )
    return side
