"""Find and read the frames of one database: clip folders of numbered image files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ethnicmer_lib.clips.pictures import SUFFIXES, decode
from ethnicmer_lib.clips.problems import KINDS, Problem
from ethnicmer_lib.clips.table import neighbour_steps
from ethnicmer_lib.errors import StudyError

#: The files of one clip: frame number -> file in ascending order, and what is wrong with their names.
Listing = tuple[dict[int, Path], list[Problem]]


@dataclass(frozen=True)
class FrameFolders:
    """One folder a clip, ``root/<subject>/<clip>``, of files that carry their frame number.

    Frames are found by number, not by spelling: SAMM pads most numbers to five digits, but not all. Folders
    are found in any spelling of the subject's number ('006', '6', 'sub6') and the clip's name (case, spaces).
    ``number`` is a regular expression of a file name whose group is the frame number; ``written`` is how the
    database writes a file name, with ``{subject}`` and ``{frame}``, for messages.
    """

    database: str
    root: Path
    number: str
    written: str
    _listed: dict[tuple[str, str], Listing] = field(default_factory=dict, repr=False, compare=False)
    _children: dict[Path, dict[str, list[str]]] = field(default_factory=dict, repr=False, compare=False)

    def spellings(self, subject: str, clip: str = "") -> list[Path]:
        """The folders that can be meant by a subject, or by a clip of it: the exact name first."""
        parent = next(iter(self.spellings(subject)), None) if clip else self.root
        names = self.children(parent).get(same(clip or subject), []) if parent else []
        return [parent / name for name in sorted(names, key=lambda name: name != (clip or subject))]

    def children(self, folder: Path) -> dict[str, list[str]]:
        """Names of the folders in ``folder`` by what they mean."""
        if folder not in self._children:
            found: dict[str, list[str]] = {}
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if path.is_dir():
                    found.setdefault(same(path.name), []).append(path.name)
            self._children[folder] = found
        return self._children[folder]

    def folder(self, subject: str, clip: str) -> Path:
        """The folder of a clip as it is spelled there; where there is none, as the database spells it."""
        return next(iter(self.spellings(subject, clip)), self.root / subject / clip)

    def scan(self, subject: str, clip: str) -> Listing:
        """The frames of one clip and what is wrong with the files' names; no frame where the folder is missing."""
        if (subject, clip) not in self._listed:
            frames: dict[int, Path] = {}
            problems = []
            folder = self.folder(subject, clip)
            name = f"{self.database}/{subject}/{clip}"
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                match = re.fullmatch(self.number, path.name, flags=re.IGNORECASE)
                if not match:
                    if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
                        problems.append(Problem("stray_image", self.database, name, folder, path.name))
                elif (frame := int(match[1])) in frames:
                    both = f"{frames[frame].name} and {path.name}"
                    problems.append(Problem("double_frame", self.database, name, folder, both))
                else:
                    frames[frame] = path
            self._listed[subject, clip] = (dict(sorted(frames.items())), problems)
        return self._listed[subject, clip]

    def listing(self, subject: str, clip: str) -> dict[int, Path]:
        """Frame number -> file of one clip, in ascending order; empty where the folder is missing."""
        return self.scan(subject, clip)[0]

    def around(self, subject: str, clip: str, frame: int, before: int, after: int) -> list[int]:
        """Numbers of the frames that exist up to so many before and after a frame, the nearest first."""
        there = self.listing(subject, clip)
        return [frame + step for step in neighbour_steps(before, after) if frame + step in there]

    def read(self, subject: str, clip: str, frame: int, moment: str) -> np.ndarray:
        """One frame, (H, W) of a one-channel file or (H, W, 3) RGB, uint8.

        StudyError when the clip's folder or the frame's file is missing, or the file is no complete image.
        """
        name = f"clip {self.database}/{subject}/{clip}"
        there = self.listing(subject, clip)
        if frame not in there:
            numbers = list(there)
            have = f"frames {numbers[0]} to {numbers[-1]}" if there else "no frame, or is missing"
            wanted = self.written.format(subject=subject, frame=frame)
            raise StudyError(
                f"{name}: no file for {moment} frame {frame} ({wanted}) in {self.folder(subject, clip)}, which holds "
                f"{have}; copy the frame there, or correct the {moment} in the coding file"
            )
        image = decode(there[frame].read_bytes())
        if isinstance(image, str):
            raise StudyError(
                f"{name}: {there[frame]} ({moment} frame {frame}) is not a readable image: {KINDS[image].meaning}; "
                "copy it again"
            )
        return image


def same(name: str) -> str:
    """What the spellings of a folder's name have in common: of a subject its number, of a clip lower case."""
    text = name.strip().casefold()
    number = re.fullmatch(r"(?:sub|s)?[ _-]?0*(\d+)", text)
    return number[1] if number else text
