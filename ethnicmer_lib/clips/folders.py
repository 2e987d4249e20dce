"""Find and read the frames of one database: clip folders of numbered image files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.clips.table import neighbour_steps
from ethnicmer_lib.errors import StudyError

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
_TAIL = 4096  # bytes in which a JPEG must end: some programs append to it
#: What damage is called, in words.
DAMAGE = {
    "empty_file": "is an empty file",
    "truncated_file": "stops before the end of the picture",
    "not_an_image": "is not a readable image",
}


class Picture(NamedTuple):
    """What the head of an image file says: height and width in px, and 1 (gray) or 3 (colour) channels."""

    height: int
    width: int
    channels: int


class Listing(NamedTuple):
    """The files of one clip: frame number -> file in ascending order, and what is wrong with their names."""

    frames: dict[int, Path]
    problems: list[Problem]


@dataclass(frozen=True)
class FrameFolders:
    """One folder a clip, ``root/<subject>/<clip>``, of files that carry their frame number.

    Frames are found by number, not by spelling: SAMM pads most numbers to five digits, but not all. Folders
    are found in any spelling of the subject's number ('006', '6', 'sub6') and the clip's name (case, spaces).

    Attributes
    ----------
    database : str
    root : Path
        Folder that holds the subjects' folders.
    number : str
        Regular expression of a frame's file name with one group, the frame number.
    written : str
        How the database writes a file name, with ``{subject}`` and ``{frame}``: for messages.
    """

    database: str
    root: Path
    number: str
    written: str
    _listed: dict[tuple[str, str], Listing] = field(default_factory=dict, repr=False, compare=False)
    _children: dict[Path, dict[str, list[str]]] = field(default_factory=dict, repr=False, compare=False)

    def spellings(self, subject: str, clip: str = "") -> list[Path]:
        """The folders that can be meant by a subject, or by a clip of it: the exact name first."""
        parents = [self.root] if not clip else self.spellings(subject)[:1]
        wanted = clip or subject
        found = []
        for parent in parents:
            names = self.children(parent).get(_same(wanted, bool(clip)), [])
            found += [parent / name for name in sorted(names, key=lambda name: (name != wanted, name))]
        return found

    @staticmethod
    def meaning(name: str, is_clip: bool = True) -> str:
        """What the spellings of a clip's folder, or of a subject's, have in common."""
        return _same(name, is_clip)

    def children(self, folder: Path) -> dict[str, list[str]]:
        """Names of the folders in ``folder`` by what they mean: subjects by number, clips in lower case."""
        if folder not in self._children:
            is_clip = folder != self.root
            found: dict[str, list[str]] = {}
            if folder.is_dir():
                with os.scandir(folder) as entries:
                    names = sorted(entry.name for entry in entries if entry.is_dir())
                for name in names:
                    found.setdefault(_same(name, is_clip), []).append(name)
            self._children[folder] = found
        return self._children[folder]

    def folder(self, subject: str, clip: str) -> Path:
        """The folder of a clip as it is spelled there; where there is none, as the database spells it."""
        found = self.spellings(subject, clip)
        return found[0] if found else self.root / subject / clip

    def scan(self, subject: str, clip: str) -> Listing:
        """The frames of one clip and what is wrong with the files' names; no frame where the folder is missing."""
        key = (subject, clip)
        if key not in self._listed:
            found: dict[int, Path] = {}
            problems = []
            folder = self.folder(subject, clip)
            name = f"{self.database}/{subject}/{clip}"
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                match = re.fullmatch(self.number, path.name, flags=re.IGNORECASE)
                frame = int(match.group(1)) if match else None
                if frame is None and path.suffix.lower() in IMAGES and not path.name.startswith("."):
                    message = f"clip {name}: {path} carries no frame number; delete or rename it"
                    problems.append(
                        Problem("stray_image", self.database, message, name, str(folder), path.name)
                    )
                elif frame in found:
                    both = f"{found[frame].name} and {path.name}"
                    message = f"clip {name}: {both} in {folder} are both frame {frame}; keep one"
                    problems.append(Problem("double_frame", self.database, message, name, str(folder), both))
                elif frame is not None:
                    found[frame] = path
            self._listed[key] = Listing(dict(sorted(found.items())), problems)
        return self._listed[key]

    def listing(self, subject: str, clip: str) -> dict[int, Path]:
        """Frame number -> file of one clip, in ascending order; empty where the folder is missing.

        Raises
        ------
        StudyError
            When two files carry the same frame number, or two folders can be meant.
        """
        if (subject, clip) not in self._listed:
            for found in (self.spellings(subject), self.spellings(subject, clip)):
                if len(found) > 1:
                    names = " and ".join(path.name for path in found)
                    raise StudyError(
                        f"clip {self.database}/{subject}/{clip}: {names} in {found[0].parent} are the same; merge "
                        "them, or move one away"
                    )
        frames, problems = self.scan(subject, clip)
        for problem in problems:
            if problem.code == "double_frame":
                raise StudyError(problem.message)
        return frames

    def find(self, subject: str, clip: str, frame: int) -> Path | None:
        """The file of a frame, or None."""
        return self.listing(subject, clip).get(frame)

    def around(self, subject: str, clip: str, frame: int, before: int, after: int) -> list[int]:
        """Numbers of the frames that exist up to so many before and after a frame, the nearest first."""
        there = self.listing(subject, clip)
        return [frame + step for step in neighbour_steps(before, after) if frame + step in there]

    def read(self, subject: str, clip: str, frame: int, moment: str) -> np.ndarray:
        """One frame, (H, W) of a one-channel file or (H, W, 3) RGB, uint8.

        Raises
        ------
        StudyError
            When the clip's folder or the frame's file is missing, or the file is no complete image.
        """
        name = f"clip {self.database}/{subject}/{clip}"
        folder = self.folder(subject, clip)
        path = self.find(subject, clip, frame)
        if path is None:
            there = list(self.listing(subject, clip))
            have = (
                f"it holds frames {there[0]} to {there[-1]}" if there else "it is missing or holds no frame"
            )
            wanted = self.written.format(subject=subject, frame=frame)
            raise StudyError(
                f"{name}: no file for {moment} frame {frame} ({wanted}) in {folder}; {have}; "
                f"copy the frame there, or correct the {moment} in the coding file"
            )
        image = _decode(path.read_bytes())
        if isinstance(image, str):
            raise StudyError(
                f"{name}: {path} ({moment} frame {frame}) {DAMAGE[image]} and so is not a readable image; "
                "copy it again"
            )
        return image


def check_root(folders: FrameFolders, subjects: Iterable[str]) -> tuple[FrameFolders | None, list[Problem]]:
    """The folders where at least one subject's is there; else None and the problem, in words to act on."""
    subjects = list(subjects)
    root, database = folders.root, folders.database
    if any(folders.spellings(subject) for subject in subjects):
        return folders, []
    example = f"{subjects[0]}/" if subjects else "of a subject"
    for deeper in sorted(path for path in root.iterdir() if path.is_dir()):
        if any(replace(folders, root=deeper, _listed={}, _children={}).spellings(s) for s in subjects):
            message = (
                f"{database}: the subjects' folders, such as {example}, are in {deeper}; move them to {root}"
            )
            return None, [Problem("folder_too_deep", database, message, file=str(deeper), value=example)]
    message = f"{database}: no subject folder such as {example} in {root}; unpack the frames there"
    return None, [Problem("no_frame_folder", database, message, file=str(root), value=example)]


def _same(name: str, is_clip: bool) -> str:
    """What two spellings of a folder's name have in common."""
    text = name.strip().casefold()
    number = re.fullmatch(r"(?:sub|s)?[ _-]?0*(\d+)", text)
    return text if is_clip or number is None else number[1]


def _decode(content: bytes) -> np.ndarray | str:
    """(H, W) or (H, W, 3) RGB uint8; or what is wrong with the file, a key of :data:`DAMAGE`."""
    if not content:
        return "empty_file"
    if content.startswith(JPEG_START) and JPEG_END not in content[-_TAIL:]:
        return "truncated_file"  # it would be decoded all the same, its end gray
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_ANYCOLOR)
    if image is None:
        return "not_an_image"
    return image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])


def look(path: Path) -> Picture | str:
    """Size and channels of an image file without decoding it; or what is wrong, a key of :data:`DAMAGE`.

    A JPEG is known by its head and its end mark; any other file is decoded.
    """
    with path.open("rb") as stream:
        head = stream.read(2)
        if not head:
            return "empty_file"
        if head == JPEG_START:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _TAIL))
            if JPEG_END not in stream.read():
                return "truncated_file"
            stream.seek(2)
            picture = _jpeg_head(stream)
            return picture or "not_an_image"
    image = _decode(path.read_bytes())
    if isinstance(image, str):
        return image
    return Picture(image.shape[0], image.shape[1], 1 if image.ndim == 2 else 3)


def _jpeg_head(stream) -> Picture | None:
    """Size and channels from a JPEG's frame header (ITU-T T.81, B.2.2); None where there is none."""
    while True:
        mark = stream.read(4)
        if len(mark) < 4 or mark[0] != 0xFF:
            return None
        kind, length = mark[1], int.from_bytes(mark[2:4])
        if kind == 0xFF:  # a fill byte: the mark begins one later
            stream.seek(-3, os.SEEK_CUR)
            continue
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            head = stream.read(6)
            if len(head) < 6:
                return None
            height, width = int.from_bytes(head[1:3]), int.from_bytes(head[3:5])
            return Picture(height, width, 1 if head[5] == 1 else 3)
        stream.seek(length - 2, os.SEEK_CUR)
