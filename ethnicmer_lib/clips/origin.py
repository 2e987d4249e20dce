"""Frames of licensed clips say whose they are, so that they go on no page and into no run by mistake."""

from __future__ import annotations

from typing import Any

import numpy as np

from ethnicmer_lib.errors import StudyError


class Frame(np.ndarray):
    """A frame with its ``origin``, the clip; ``shown`` says whether its subject is on the list of those who may be.

    Views and copies carry both on. What is computed from one is a plain array: motion, means, resized images.
    """

    origin: str = ""
    shown: bool = False

    @classmethod
    def of(cls, image: np.ndarray, origin: str, shown: bool) -> Frame:
        """The frame of a clip."""
        frame = image.view(cls)
        frame.origin, frame.shown = origin, shown
        return frame

    def __array_finalize__(self, other: Any) -> None:
        self.origin, self.shown = getattr(other, "origin", ""), getattr(other, "shown", False)

    def __array_wrap__(self, array: np.ndarray, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if return_scalar else array


def refuse(array: Any, where: str) -> None:
    """StudyError where an array is a frame of a subject who may not be shown."""
    origin = getattr(array, "origin", "") if isinstance(array, np.ndarray) else ""
    if origin and not array.shown:
        raise StudyError(
            f"a frame of the licensed clip {origin} is on its way {where}; leave it out, or if your agreement lets you "
            f"show this subject name it: -p 'source.publishable=[{origin.rpartition('/')[0]}]'"
        )
