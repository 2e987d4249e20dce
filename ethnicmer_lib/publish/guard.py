"""The privacy guard: pictures that are to be handed on are searched for anything like a frame of licensed clips."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from ethnicmer_lib.clips.table import Clips
from ethnicmer_lib.errors import StudyError

CLIPS = 3  #: of a subject are looked for: its other frames are much like theirs
SIDE = 128  #: px of the longer side of a frame where it is compared
#: Correlation of local contrast from which a picture counts as the frame: without, and with what faces have in common.
OWN, LIKE = 0.35, 0.5
CLOSE = 0.78  #: of two descriptors of length 1, the product from which they may be of one point
POINTS, PART = 4, 0.1  #: so many points must agree on where a frame lies, and span this share of it
LARGEST, SMALLEST = 1600, 256  #: px: larger pictures are made smaller, smaller ones larger
_ENCODED = re.compile(rb"(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR)(?:[A-Za-z0-9+/=]|\\n)+")  # PNG, JPEG, GIF, WebP
_SIFT = {"contrastThreshold": 0.015, "edgeThreshold": 20}  # skin is smooth


def pictures(content: bytes) -> Iterator[np.ndarray]:
    """Every picture (H, W) uint8 in the content of a file: an image, an array, or what a page or notebook embeds."""
    if content.startswith(b"\x93NUMPY"):
        with suppress(ValueError, EOFError):  # cut
            yield from _of_array(np.load(io.BytesIO(content)))
    elif (image := _decoded(content)) is not None:
        yield image
    else:
        for found in _ENCODED.findall(content):
            text = found.replace(b"\\n", b"").rstrip(b"=")
            image = _decoded(base64.b64decode(text[: len(text) - (len(text) % 4 == 1)] + b"=="))
            if image is not None:
                yield image


def _decoded(content: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:  # empty, or larger than any picture
        return None


def _of_array(array: np.ndarray) -> Iterator[np.ndarray]:
    """The images of an array (n, C, H, W), (n, H, W, C), (n, H, W), (H, W, C) or (H, W), each on its own scale."""
    if array.ndim in (2, 3, 4) and array.dtype.kind in "uif":
        colours = [axis for axis in (1, -1) if array.ndim > 2 and array.shape[axis] in (1, 3, 4)]
        gray = array.mean(axis=colours[0]) if colours else array
        for image in np.nan_to_num(gray.reshape(-1, *gray.shape[-2:]).astype(np.float32)):
            yield cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)


class Guard:
    """Looks for frames: ``frames`` are one or several of every subject who may not be shown, by clip."""

    def __init__(self, frames: Mapping[str, np.ndarray]):
        self.sift = cv2.SIFT_create(**_SIFT)
        self.clips = list(frames)
        gray = [_gray(frame) for frame in frames.values()]
        points = [self._points(frame) for frame in gray]
        self._of = np.repeat(np.arange(len(gray)), [len(places) for places, _ in points])
        self._places, self._descriptors = (np.concatenate(part) for part in zip(*points, strict=True))
        self._frames = [_contrast(frame) for frame in gray]
        self._common = [self._others(one) for one in range(len(gray))]
        self._seen: dict[bytes, str | None] = {}

    @classmethod
    def of(cls, clips: Clips) -> Guard | None:
        """A guard of clips, None where all their frames may be shown, or there are none."""
        if clips.provenance.simulated or not clips.has_frames:
            return None
        rows = clips.table[~clips.table["clip_id"].map(clips.may_show)]
        own = [
            ids.iloc[:: -(-len(ids) // CLIPS)] for _, ids in rows.groupby(["database", "subject"])["clip_id"]
        ]
        return (
            cls({clips.own_name(clip_id): clips.frames(clip_id, "onset") for ids in own for clip_id in ids})
            if own
            else None
        )

    def look(self, picture: np.ndarray) -> str | None:
        """The clip a frame of which is in a picture (H, W) uint8, whole or in part and at any size; None for none."""
        key = sha256(f"{picture.shape}".encode() + picture.tobytes()).digest()
        if key not in self._seen:  # the same picture lies in several files of a site
            shapes = [frame.shape for frame in self._frames]
            sizes = {
                shape: cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA) for shape in set(shapes)
            }
            whole = (n for n, shape in enumerate(shapes) if self._like(sizes[shape], n, np.ones(shape, bool)))
            one = next(whole, None)
            one = self._part_of(picture) if one is None else one
            self._seen[key] = None if one is None else self.clips[one]
        return self._seen[key]

    def _part_of(self, picture: np.ndarray) -> int | None:
        """The frame that is somewhere in a picture: points agree on the place, and contrasts are alike there."""
        size = min(max(max(picture.shape), SMALLEST), LARGEST) / max(picture.shape)
        how = cv2.INTER_LINEAR if size > 1 else cv2.INTER_AREA
        picture = cv2.resize(picture, None, fx=size, fy=size, interpolation=how)
        places, descriptors = self._points(picture)
        if not len(places) or not len(self._of):
            return None
        alike = descriptors @ self._descriptors.T
        votes = np.bincount(
            self._of[alike.argmax(axis=1)][alike.max(axis=1) > CLOSE], minlength=len(self.clips)
        )
        for one in np.argsort(-votes)[: min(5, np.count_nonzero(votes))]:
            own = np.flatnonzero(self._of == one)
            nearest = own[alike[:, own].argmax(axis=1)]
            at = np.flatnonzero(alike[np.arange(len(places)), nearest] > CLOSE)
            if len(at) >= POINTS and self._is_at(picture, one, places[at], self._places[nearest[at]]):
                return int(one)
        return None

    def _is_at(self, picture: np.ndarray, one: int, places: np.ndarray, points: np.ndarray) -> bool:
        """Whether a frame is where most places (n, 2) in a picture say that its points (n, 2) are."""
        to_frame, agree = cv2.estimateAffinePartial2D(places, points, ransacReprojThreshold=4)
        if to_frame is None or agree.sum() < POINTS or not 0.02 < (scale := np.hypot(*to_frame[:, 0])) < 10:
            return False
        if scale < 1:  # the picture is larger
            picture = cv2.GaussianBlur(picture, (0, 0), 0.5 / float(scale))
        place = cv2.warpAffine(
            picture, to_frame, self._frames[one].shape[::-1], borderMode=cv2.BORDER_REPLICATE
        )
        left, top, width, height = cv2.boundingRect(points[agree.ravel() == 1])
        there = np.zeros(place.shape, bool)
        there[top : top + height, left : left + width] = True  # a part alone may be in the picture
        return bool(there.mean() > PART) and self._like(place, one, there)

    def _like(self, place: np.ndarray, one: int, there: np.ndarray) -> bool:
        """Whether a picture of a frame's size is like it in some pixels, and not only as any face is like another."""
        picture, frame = _contrast(place)[there], self._frames[one][there]
        if (common := self._common[one]) is None:
            return _correlations(picture, frame)[0] > LIKE
        both, in_picture, in_frame = _correlations(picture, frame, common[there])
        own = (both - in_picture * in_frame) / np.sqrt((1 - in_picture**2) * (1 - in_frame**2) + 1e-9)
        return both > LIKE and own > OWN

    def _others(self, one: int) -> np.ndarray | None:
        """What frames of other subjects in the same format have in common, None without any."""
        subjects = [clip_id.rpartition("/")[0] for clip_id in self.clips]
        others = [
            frame
            for frame, subject in zip(self._frames, subjects, strict=True)
            if subject != subjects[one] and frame.shape == self._frames[one].shape
        ]
        return np.mean(others, axis=0) if others else None

    def _points(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places (n, 2) and descriptors (n, 128), of length 1 (the roots of SIFT's), of a picture's points."""
        points, found = self.sift.detectAndCompute(picture, None)
        if found is None:
            return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
        return cv2.KeyPoint.convert(points), np.sqrt(found / (found.sum(axis=1, keepdims=True) + 1e-7))

    def search(self, folder: Path) -> str:
        """What a folder holds that may be handed on, in words; StudyError where a picture is like a frame."""
        count = sum(
            self.refuse(path.read_bytes(), path) for path in sorted(folder.rglob("*")) if path.is_file()
        )
        return f"{count} pictures in {folder} are not like a frame of the {len(self.clips)} licensed clips looked for"

    def refuse(self, content: bytes, where: object) -> int:
        """How many pictures a file holds; StudyError where one of them is like a frame."""
        count = 0
        for count, picture in enumerate(pictures(content), 1):
            if clip_id := self.look(picture):
                raise StudyError(
                    f"{where}: picture {count} is like a frame of the licensed clip {clip_id}; do not hand it on, "
                    "take the picture out, or if your agreement lets you show this subject name it: "
                    f"-p 'source.publishable=[{clip_id.rpartition('/')[0]}]'"
                )
        return count


def _gray(frame: np.ndarray) -> np.ndarray:
    """A frame (H, W) or (H, W, 3) RGB in gray, its longer side SIDE px."""
    gray = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    size = SIDE / max(gray.shape)
    return cv2.resize(np.asarray(gray), None, fx=size, fy=size, interpolation=cv2.INTER_AREA)


def _contrast(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W) less what surrounds each pixel, over how much that varies there: float32."""
    smooth = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.5)
    detail = smooth - cv2.GaussianBlur(smooth, (0, 0), 6)
    return detail / (np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 6)) + 2)


def _correlations(*vectors: np.ndarray) -> np.ndarray:
    """Correlations of the first two vectors, the first and the third, the second and the third; 0 for a constant."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.corrcoef(vectors)[np.triu_indices(len(vectors), 1)])
