"""Image files: decoded, or looked at without decoding, and what can be wrong with them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_TAIL = 4096  # bytes in which a JPEG must end: some programs append to it


class Picture(NamedTuple):
    """What the head of an image file says: height and width in px, and 1 (gray) or 3 (colour) channels."""

    height: int
    width: int
    channels: int

    @property
    def size(self) -> str:
        """Width x height, for messages."""
        return f"{self.width} x {self.height}"


def decode(content: bytes) -> np.ndarray | str:
    """(H, W) or (H, W, 3) RGB uint8; or what is wrong with the file, a code of ``problems.KINDS``."""
    if not content:
        return "empty_file"
    if content.startswith(_JPEG_START) and _JPEG_END not in content[-_TAIL:]:
        return "truncated_file"  # it would be decoded all the same, its end gray
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_ANYCOLOR)
    if image is None:
        return "not_an_image"
    return image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])


def look(path: Path) -> Picture | str:
    """Size and channels of an image file; or what is wrong, a code of ``problems.KINDS``.

    A JPEG is known by its head and its end mark; any other file is decoded.
    """
    with path.open("rb") as stream:
        if stream.read(2) == _JPEG_START:
            stream.seek(-min(_TAIL, os.fstat(stream.fileno()).st_size), os.SEEK_END)
            if _JPEG_END not in stream.read():
                return "truncated_file"
            try:
                image = Image.open(stream)
            except OSError:
                return "not_an_image"
            return Picture(image.height, image.width, 1 if image.mode == "L" else 3)
    decoded = decode(path.read_bytes())
    if isinstance(decoded, str):
        return decoded
    return Picture(*decoded.shape[:2], 1 if decoded.ndim == 2 else 3)
