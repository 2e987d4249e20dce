"""Find and read the frames of one database: clip folders of numbered image files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ethnicmer_lib.errors import StudyError


@dataclass(frozen=True)
class FrameFolders:
    """One folder a clip, ``root/<subject>/<clip>``, of files that carry their frame number.

    Frames are found by number, not by spelling: SAMM pads most numbers to five digits, but not all.

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
    _listed: dict[tuple[str, str], dict[int, Path]] = field(default_factory=dict, repr=False, compare=False)

    def listing(self, subject: str, clip: str) -> dict[int, Path]:
        """Frame number -> file of one clip, in ascending order; empty where the folder is missing.

        Raises
        ------
        StudyError
            When two files carry the same frame number.
        """
        key = (subject, clip)
        if key not in self._listed:
            found: dict[int, Path] = {}
            folder = self.root / subject / clip
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                match = re.fullmatch(self.number, path.name, flags=re.IGNORECASE)
                if match is None:
                    continue
                frame = int(match.group(1))
                if frame in found:
                    raise StudyError(
                        f"clip {self.database}/{subject}/{clip}: {found[frame].name} and {path.name} "
                        f"in {folder} are both frame {frame}; keep one"
                    )
                found[frame] = path
            self._listed[key] = dict(sorted(found.items()))
        return self._listed[key]

    def find(self, subject: str, clip: str, frame: int) -> Path | None:
        """The file of a frame, or None."""
        return self.listing(subject, clip).get(frame)

    def read(self, subject: str, clip: str, frame: int, moment: str) -> np.ndarray:
        """One frame, (H, W) of a one-channel file or (H, W, 3) RGB, uint8.

        Raises
        ------
        StudyError
            When the clip's folder or the frame's file is missing, or the file is not an image.
        """
        name = f"clip {self.database}/{subject}/{clip}"
        folder = self.root / subject / clip
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
        content = np.fromfile(path, np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_ANYCOLOR) if content.size else None
        if image is None:
            raise StudyError(
                f"{name}: {path} ({moment} frame {frame}) is not a readable image; copy it again"
            )
        return image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])
