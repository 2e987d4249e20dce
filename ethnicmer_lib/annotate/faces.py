"""Where the face is in a frame: the whole frame of a cropped copy, or what an established detector finds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import cv2
import numpy as np

from ethnicmer_lib.errors import StudyError

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
_RAW = 1.25  # width by height from which a frame is no crop of a face: CASME II raw has 1.33, SAMM raw 1.88


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
    """A named detector: ``find(frame)`` gives the box that the annotator looks at.

    Attributes
    ----------
    name : one of :data:`DETECTORS`
    model_sha256 : of the model file, '' where the detector needs none
    """

    name: str
    model_sha256: str
    _detect: Callable[[np.ndarray], np.ndarray] | None
    _one_at_a_time: Lock = field(
        default_factory=Lock, repr=False, compare=False
    )  # OpenCV's detectors hold state

    def find(self, frame: np.ndarray) -> Found:
        """The largest face, its box enlarged by half of its size and cut at the frame's borders.

        Parameters
        ----------
        frame : (H, W) or (H, W, 3) RGB, uint8.

        Raises
        ------
        StudyError
            A frame of another kind; with 'whole', one so wide that it cannot be a crop of a face.
        """
        if frame.dtype != np.uint8 or frame.ndim not in (2, 3) or frame.shape[2:] not in ((), (3,)):
            raise StudyError(f"frame is {frame.shape} {frame.dtype}; give (H, W) or (H, W, 3) RGB, uint8")
        height, width = frame.shape[:2]
        if self._detect is None:
            if width >= _RAW * height:
                raise StudyError(
                    f"the frame is {width}x{height} px, too wide for a crop of a face; choose a detector for raw "
                    f"frames ({', '.join(name for name in DETECTORS if name != 'whole')})"
                )
            return Found(Box(0, 0, width, height), 1)
        with self._one_at_a_time:
            boxes = self._detect(frame)
        if len(boxes) == 0:
            return Found(None, 0)
        largest = boxes[np.argmax(boxes[:, 2] * boxes[:, 3])]
        return Found(enlarged(largest, width, height), len(boxes))


def enlarged(box: np.ndarray, width: int, height: int, by: float = ENLARGED) -> Box | None:
    """A detected box with ``by`` of its size added, cut at the borders of a frame of width x height px.

    Parameters
    ----------
    box : (4,) x, y, width, height in px, any real numbers.

    Returns
    -------
    Box or None
        None where nothing of it lies inside the frame.  Corners are cut to whole pixels, as FaceXFormer does.
    """
    x, y, w, h = (float(value) for value in box[:4])
    left, right = (int(min(max(edge, 0), width)) for edge in (x - by * w / 2, x + w + by * w / 2))
    top, bottom = (int(min(max(edge, 0), height)) for edge in (y - by * h / 2, y + h + by * h / 2))
    return Box(left, top, right - left, bottom - top) if right > left and bottom > top else None


def open_detector(name: str, model: Path | None = None) -> FaceDetector:
    """The detector called ``name`` with its model file.

    Raises
    ------
    StudyError
        Unknown name; a model file that is not given, missing or not readable as this detector's.
    """
    if name not in DETECTORS:
        raise StudyError(f"no face detector {name!r}; allowed: {', '.join(DETECTORS)}")
    if name == "whole":
        return FaceDetector(name, "", None)
    if model is None or not model.is_file():
        given = "no --face-model was given" if model is None else f"there is no file {model}"
        raise StudyError(f"face detector {name!r}: {given}. It is {DETECTORS[name]}")
    opened = {"yunet": _yunet, "cascade": _cascade}[name]
    try:
        detect = opened(model)
    except (cv2.error, SystemError) as error:
        reason = " ".join(str(error).split())[:200]
        raise StudyError(
            f"face detector {name!r}: {model} is not its model ({reason}). It is {DETECTORS[name]}"
        ) from error
    return FaceDetector(name, hashlib.sha256(model.read_bytes()).hexdigest(), detect)


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
