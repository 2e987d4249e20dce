"""Where the face is in a frame: the whole frame of a cropped copy, or what an established detector finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import cv2
import numpy as np

from ethnicmer_lib.clips.folders import UNCROPPED
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store.identity import file_digest

#: Name -> what it is and which file it needs ('' for none).
DETECTORS = {
    "whole": "the whole frame, for copies that are cropped to the face",
    "yunet": "YuNet (Wu et al. 2023), OpenCV's FaceDetectorYN; needs face_detection_yunet_2023mar.onnx "
    "of the OpenCV Zoo (github.com/opencv/opencv_zoo)",
    "cascade": "boosted cascade (Viola and Jones 2001), OpenCV's CascadeClassifier; needs an .xml such as "
    "haarcascade_frontalface_default.xml, in the folder cv2/data of every opencv-python 4",
}
ENLARGED = 0.5  #: share of a detected box's width and height that is added, half on each side
MIN_SCORE = 0.6  #: of YuNet
MIN_SHARE = 0.15  #: of the frame's height that a cascade's face has at the least
_NEIGHBOURS = 5  # boxes that a cascade must agree on, OpenCV's usual choice for stills


class Box(NamedTuple):
    """A rectangle inside a frame, px; x and y of its upper left corner."""

    x: int
    y: int
    width: int
    height: int


class Found(NamedTuple):
    """The chosen face of a frame, None where there is none, and how many were found."""

    box: Box | None
    faces: int


@dataclass(frozen=True)
class FaceDetector:
    """One of :data:`DETECTORS`, by name; ``model_sha256`` is '' where it needs no model file."""

    name: str
    model_sha256: str
    _detect: Callable[[np.ndarray], np.ndarray] | None
    _alone: Lock = field(default_factory=Lock, repr=False, compare=False)  # OpenCV's detectors hold state

    def find(self, frame: np.ndarray) -> Found:
        """The largest face in a frame ((H, W) or (H, W, 3) RGB, uint8), its box :func:`enlarged`.

        StudyError with 'whole' for a frame so wide that it cannot be a crop of a face.
        """
        height, width = frame.shape[:2]
        if self._detect is None:
            if width >= UNCROPPED * height:
                raise StudyError(
                    f"the frame is {width}x{height} px, too wide for a crop of a face; choose a detector for raw "
                    f"frames ({', '.join(name for name in DETECTORS if name != 'whole')})"
                )
            return Found(Box(0, 0, width, height), 1)
        with self._alone:
            boxes = self._detect(frame)
        if len(boxes) == 0:
            return Found(None, 0)
        largest = boxes[np.argmax(boxes[:, 2] * boxes[:, 3])]
        return Found(enlarged(largest, width, height), len(boxes))


def enlarged(box: np.ndarray, width: int, height: int) -> Box | None:
    """A detected box (4,) px with half of its size added, cut at the borders of a frame of width x height px.

    None where nothing of it lies inside the frame.  Corners are cut to whole pixels, as FaceXFormer does.
    """
    start, size = np.asarray(box[:2], float), np.asarray(box[2:4], float)
    corners = np.array([start - ENLARGED * size / 2, start + size + ENLARGED * size / 2])
    (left, top), (right, bottom) = corners.clip(0, [width, height]).astype(int).tolist()
    return Box(left, top, right - left, bottom - top) if right > left and bottom > top else None


def open_detector(name: str, model: Path | None = None) -> FaceDetector:
    """The detector called ``name`` with its model file.

    StudyError for an unknown name, or a model file that is not given, missing or not readable as this detector's.
    """
    if name not in DETECTORS:
        raise StudyError(f"no face detector {name!r}; allowed: {', '.join(DETECTORS)}")
    if name == "whole":
        return FaceDetector(name, "", None)
    if model is None or not model.is_file():
        asked = "no model file was given (source.face_model; of data annotate --face-model)"
        given = asked if model is None else f"there is no file {model}"
        raise StudyError(f"face detector {name!r}: {given}. It is {DETECTORS[name]}")
    try:
        detect = {"yunet": _yunet, "cascade": _cascade}[name](model)
    except (cv2.error, SystemError) as error:
        reason = " ".join(str(error).split())[:200]
        raise StudyError(
            f"face detector {name!r}: {model} is not its model ({reason}). It is {DETECTORS[name]}"
        ) from error
    return FaceDetector(name, file_digest(model), detect)


def _yunet(model: Path) -> Callable[[np.ndarray], np.ndarray]:
    detector = cv2.FaceDetectorYN.create(str(model), "", (320, 320), MIN_SCORE)

    def detect(frame: np.ndarray) -> np.ndarray:
        bgr = cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR if frame.ndim == 2 else cv2.COLOR_RGB2BGR)
        detector.setInputSize(frame.shape[1::-1])
        faces = detector.detect(bgr)[1]
        return np.empty((0, 4)) if faces is None else faces[:, :4]

    return detect


def _cascade(model: Path) -> Callable[[np.ndarray], np.ndarray]:
    cascade = cv2.CascadeClassifier(str(model))
    if cascade.empty():
        raise cv2.error("no cascade in it")

    def detect(frame: np.ndarray) -> np.ndarray:
        gray = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        side = round(MIN_SHARE * gray.shape[0])
        found = cascade.detectMultiScale(gray, minNeighbors=_NEIGHBOURS, minSize=(side, side))
        return np.reshape(np.asarray(found, dtype=float), (-1, 4))

    return detect
