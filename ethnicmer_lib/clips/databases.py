"""The two databases on disk: where their coding file and their frames lie (Yan et al. 2014, Davison et al. 2016)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ethnicmer_lib.clips.folders import FrameFolders
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.clips.table import Decision
from ethnicmer_lib.errors import StudyError


@dataclass(frozen=True)
class Layout:
    """One way in which frames lie there: their folder ('' the given one), file names as in ``FrameFolders``."""

    folder: str
    number: str
    written: str
    choice: str = ""  #: of the policy ``casme2_frames``; '' where there is nothing to choose


@dataclass(frozen=True)
class Database:
    """One database: its name, the pattern of its coding file's name, and its layouts, the preferred one first."""

    name: str
    coding: str
    layouts: tuple[Layout, ...]

    def coding_file(self, directory: Path, choice: str = "only") -> tuple[Path | None, list[Problem]]:
        """The spreadsheet to use, from the first folder that holds any, and what is wrong.

        Among several, ``choice`` 'only' gives none, 'newest' the one with the latest date in its name (eight
        digits), any other text the one whose name holds it; StudyError where that is not exactly one.
        """
        found: list[Path] = []
        for place in (directory, *(directory / layout.folder for layout in self.layouts)):
            found = found or [one for one in sorted(place.glob(self.coding)) if not one.name.startswith("~$")]
        if not found:
            return None, [Problem("no_coding_file", self.name, file=directory, value=self.coding)]
        if len(found) == 1:
            return found[0], []
        folder, names = found[0].parent, ", ".join(path.name for path in found)
        several = [Problem("several_coding_files", self.name, file=folder, value=names)]
        if choice == "only":
            return None, several
        fitting = [path for path in found if choice in path.name]
        if choice == "newest":
            dates = [max(re.findall(r"(?<!\d)\d{8}(?!\d)", path.stem), default="") for path in found]
            newest = max(dates) if all(dates) else None
            fitting = [path for path, date in zip(found, dates, strict=True) if date == newest]
        if len(fitting) != 1:
            raise StudyError(
                f"{self.name}: coding_file={choice!r} fits {len(fitting)} of {names} in {folder}; write a part of a "
                "name that only one has, 'newest' where each has another date, or 'only'"
            )
        return fitting[0], several

    def frames(
        self, directory: Path, subjects: Sequence[str], policies: Policies, log: list[Decision]
    ) -> FrameFolders | Problem:
        """Where the frames of ``subjects`` are, or why they are nowhere; what was decided is added to ``log``."""
        chosen = policies.casme2_frames
        wanted = [layout for layout in self.layouts if chosen == "any" or layout.choice in ("", chosen)]
        there = [layout for layout in wanted if (directory / layout.folder).is_dir()]
        if not there:
            names = " nor ".join(f"{layout.folder}/" for layout in wanted)
            return Problem("no_frame_folder", self.name, file=directory, value=names)
        first = there[0]
        if first.choice and chosen == "any" and (len(there) > 1 or first != self.layouts[0]):
            found = " and ".join(f"{layout.folder}/" for layout in there)
            log.append(Decision(self.name, "frames", found, f"{first.folder}/", "casme2_frames='any'"))
        root = directory / first.folder
        folders = FrameFolders(self.name, root, first.number, first.written)
        if any(folders.spellings(subject) for subject in subjects):
            return folders
        example = f"{subjects[0]}/"
        for deeper in sorted(path for path in root.iterdir() if path.is_dir()):
            inside = FrameFolders(self.name, deeper, first.number, first.written)
            if any(inside.spellings(subject) for subject in subjects):
                return Problem("folder_too_deep", self.name, file=deeper, value=example)
        return Problem("no_frame_folder", self.name, file=root, value=example)


# Frame numbers are padded in most clips, not in all; a cropped copy has the same layout.
_SAMM_FILES = (r"(?:\d{1,3}_)?(\d+)\.jpg", "{subject}_{frame:05d}.jpg")
DATABASES = {
    CASME2: Database(
        CASME2,
        "CASME2-coding-*.xlsx",
        (
            Layout("Cropped", r"reg_img(\d+)\.jpg", "reg_img{frame}.jpg", "cropped"),
            Layout("CASME2_RAW_selected", r"img(\d+)\.jpg", "img{frame}.jpg", "raw"),
        ),
    ),
    SAMM: Database(
        SAMM,
        "SAMM_Micro_FACS_Codes*.xlsx",
        (Layout("SAMM", *_SAMM_FILES), Layout("", *_SAMM_FILES)),
    ),
}
