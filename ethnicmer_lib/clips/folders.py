"""Find and read the frames of one database: clip folders of numbered image files."""

from __future__ import annotations

import io
import os
import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.clips.table import neighbour_steps

#: A frame's number is the last one in its file's name, but for that of a copy, ' (1)'; hidden files are others'.
_FRAME = re.compile(r"(?!\.)(.*?)(?: ?\(\d+\))?\.(?:jpe?g|jp2|png|webp|bmp|tiff?|p[bgpn]m)", re.IGNORECASE)
_NUMBER = re.compile(r"(?:.*\D)?(\d{1,9})\D*")
UNCROPPED = 1.25  #: width by height from which no face alone is seen: CASME II raw has 1.33, SAMM raw 1.88
_TAIL = 4096  # bytes in which a JPEG must end: some programs append to it


@dataclass(frozen=True, eq=False)
class FrameFolders:
    """One folder a clip, ``root/<subject>/<clip>``, of files that carry their frame number.

    Frames are found by number, not by spelling: SAMM pads most numbers to five digits, but not all. Folders
    are found in any spelling of the subject's number ('006', '6', 'sub6') and the clip's name (case, spaces).

    ``paths`` are the clips' folders below the root where a table names them; with a ``fence`` no link may lead to
    files out of that folder. ``steps`` says by how much the frames of a clip count higher than their files say,
    ``boxes`` what of its frames is read. What was looked up once is not looked up again.
    """

    database: str
    root: Path
    paths: Mapping[tuple[str, str], Path] | None = None
    fence: Path | None = None
    steps: Mapping[tuple[str, str], int] = field(default_factory=dict)
    boxes: Mapping[tuple[str, str], tuple[int, int, int, int]] = field(default_factory=dict)
    _listed: dict[tuple[str, str], tuple[dict[int, Path], list[str]]] = field(
        default_factory=dict, repr=False
    )
    _spelled: dict[tuple[str, str], list[Path]] = field(default_factory=dict, repr=False)
    _sizes: dict[Path, tuple[int, ...] | str] = field(default_factory=dict, repr=False)

    def spellings(self, subject: str, clip: str = "") -> list[Path]:
        """The folders that can be meant by a subject, or by a clip of it: the exact name first."""
        if self.paths is not None:
            path = self.root / self.paths.get((subject, clip), "")
            return [path] if clip and os.path.isdir(path) else []
        if (subject, clip) not in self._spelled:
            name, parents = clip or subject, self.spellings(subject)[:1] if clip else [self.root]
            paths = [path for parent in parents for path in inside(parent)]
            found = [path for path in paths if same_name(path.name) == same_name(name) and path.is_dir()]
            self._spelled[subject, clip] = sorted(found, key=lambda path: path.name != name)
        return self._spelled[subject, clip]

    def folder(self, subject: str, clip: str) -> Path:
        """The folder of a clip as it is spelled there; where there is none, as the database spells it."""
        there = self.root / (self.paths or {}).get((subject, clip), f"{subject}/{clip}")
        return next(iter(self.spellings(subject, clip)), there)

    def scan(self, subject: str, clip: str) -> tuple[dict[int, Path], list[str]]:
        """Frame number -> file of one clip, in ascending order, and the names of files whose number is taken."""
        if (subject, clip) not in self._listed:
            frames: dict[int, Path] = {}
            twice = []
            for path in (file for folder in self.spellings(subject, clip)[:1] for file in inside(folder)):
                image = _FRAME.fullmatch(path.name)
                match = image and _NUMBER.fullmatch(image[1])
                if match and path.is_file() and frames.setdefault(int(match[1]), path) != path:
                    twice.append(f"{frames[int(match[1])].name} and {path.name}")
            self._listed[subject, clip] = (dict(sorted(frames.items())), twice)
        return self._listed[subject, clip]

    def listing(self, subject: str, clip: str) -> dict[int, Path]:
        """Frame number -> file of one clip, in ascending order; empty where the folder is missing."""
        frames, step = self.scan(subject, clip)[0], self.steps.get((subject, clip), 0)
        return {number + step: path for number, path in frames.items()} if step else frames

    def counted(self, steps: Mapping[tuple[str, str], int]) -> FrameFolders:
        """The same folders, the frames of some clips counted so much higher than their files say."""
        return replace(self, steps=steps)

    def extent(self, subject: str, clip: str) -> str:
        """Which frames of a clip are there, in words."""
        there = list(self.listing(subject, clip))
        return f"the folder holds frames {there[0]} to {there[-1]}" if there else "the folder holds no frame"

    def around(self, subject: str, clip: str, frame: int, before: int, after: int) -> list[int]:
        """Numbers of the frames that exist up to so many before and after a frame, the nearest first."""
        there = self.listing(subject, clip)
        return [frame + step for step in neighbour_steps(before, after) if frame + step in there]

    def read(self, subject: str, clip: str, frame: int, moment: str) -> np.ndarray | Problem:
        """One frame, (H, W) of a one-channel file or (H, W, 3) RGB, uint8; or what is wrong with its file."""
        path = self._file(subject, clip, frame, moment)
        if isinstance(path, Problem):
            return path
        image = decode(path)
        if isinstance(image, str):
            return self._wrong(image, subject, clip, path, moment, frame)
        x, y, width, height = self.boxes.get((subject, clip), (0, 0, *image.shape[1::-1]))
        return np.ascontiguousarray(image[y : y + height, x : x + width])

    def size(self, subject: str, clip: str, frame: int, moment: str) -> tuple[int, ...] | Problem:
        """(H, W) of one frame's file, or what is wrong with its file, as :meth:`read` says."""
        path = self._file(subject, clip, frame, moment)
        if isinstance(path, Problem):
            return path
        if path not in self._sizes:
            image = decode(path)
            self._sizes[path] = image if isinstance(image, str) else image.shape[:2]
        size = self._sizes[path]
        return self._wrong(size, subject, clip, path, moment, frame) if isinstance(size, str) else size

    def _file(self, subject: str, clip: str, frame: int, moment: str) -> Path | Problem:
        there, folder = self.listing(subject, clip), self.folder(subject, clip)
        wrong = partial(
            Problem, database=self.database, clip=f"{self.database}/{subject}/{clip}", file=folder
        )
        if not there:
            names = [path.name for path in inside(folder)]
            value = f"{len(names)} files that are no numbered images: {', '.join(names[:3])}" if names else ""
            return wrong("no_frames", value=value)
        if frame not in there:
            value = f"{moment} frame {frame}, {self.extent(subject, clip)}"
            return wrong(f"no_{moment}_file", value=value)
        if self.fence and not is_inside(self.fence, there[frame]):
            return wrong("outside", file=there[frame], value=f"{moment} frame {frame} is a link")
        return there[frame]

    def _wrong(self, code: str, subject: str, clip: str, path: Path, moment: str, frame: int) -> Problem:
        clip_id = f"{self.database}/{subject}/{clip}"
        return Problem(code, self.database, clip_id, path, f"{moment} frame {frame}")


def decode(path: Path) -> np.ndarray | str:
    """(H, W) or (H, W, 3) RGB uint8; or what is wrong with the file, a code of ``problems.KINDS``."""
    try:
        content = path.read_bytes()
        if content.startswith(b"\xff\xd8") and b"\xff\xd9" not in content[-_TAIL:]:
            return "truncated_file"  # it would be decoded all the same, its end gray
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error):  # not to be opened, empty, or larger than any picture
        image = None
    if image is None:
        return "not_an_image"
    if _turned(content):
        return "turned_image"
    if image.dtype != np.uint8:
        return "deep_image"
    if image.ndim == 3 and image.shape[2] == 4:
        if image[..., 3].min() < 255:
            return "transparent_image"
        image = image[..., :3]
    return image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])


def _turned(content: bytes) -> bool:
    """Whether the file of an image says that it is to be shown turned or mirrored, which some programs do."""
    if b"exif" not in content.lower() and content[:2] not in (b"II", b"MM"):  # the latter a TIFF
        return False
    with suppress(Exception), Image.open(io.BytesIO(content)) as image:  # damaged notes are no notes
        return image.getexif().get(ExifTags.Base.Orientation, 1) not in (0, 1)
    return False


def flow_image(path: Path) -> np.ndarray | str:
    """An image file's R, G, B, that is u, v, strain: (H, W, 3) uint8; or what it is instead."""
    try:
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error):  # not to be opened, empty, or larger than any picture
        image = None
    if image is None:
        return "not a readable image"
    good = image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
    return np.ascontiguousarray(image[..., ::-1]) if good else f"{image.shape} {image.dtype}"


def is_inside(folder: Path, path: Path) -> bool:
    """Whether a path stays in a folder when all links are followed."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle, names that no system takes
        return False


def inside(folder: Path) -> list[Path]:
    """What lies in a folder, by name; nothing where it is none, or may not be read."""
    try:
        return sorted(folder.iterdir())
    except (OSError, ValueError):  # ValueError: a name that no system takes, as one with a NUL
        return []


def same_name(name: str) -> str:
    """What the spellings of a folder's name have in common: of a subject its number, of a clip lower case."""
    text = unicodedata.normalize("NFC", name.strip()).casefold()
    number = re.fullmatch(r"(?:sub|s)?[ _-]?0*(\d+)", text)
    return number[1] if number else text
