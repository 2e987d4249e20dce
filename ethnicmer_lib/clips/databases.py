"""The two databases on disk: where their coding file and their frames lie (Yan et al. 2014, Davison et al. 2016)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ethnicmer_lib.clips.folders import FrameFolders
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.clips.table import Decision


class Layout(NamedTuple):
    """One way in which frames lie there: their folder ('' the given one), file names as in ``FrameFolders``."""

    folder: str
    written: str
    choice: str = ""  #: of the policy ``casme2_frames``; '' where there is nothing to choose


# Frame numbers are padded in most clips, not in all; a cropped copy has the same layout.
_SAMM_FILES = "{subject}_{frame:05d}.jpg"
#: Database -> (pattern of its coding file's name, its layouts, the preferred one first).
DATABASES = {
    CASME2: (
        "CASME2-coding-*.xlsx",
        (
            Layout("Cropped", "reg_img{frame}.jpg", "cropped"),
            Layout("CASME2_RAW_selected", "img{frame}.jpg", "raw"),
        ),
    ),
    SAMM: ("SAMM_Micro_FACS_Codes*.xlsx", (Layout("SAMM", _SAMM_FILES), Layout("", _SAMM_FILES))),
}


def coding_file(name: str, directory: Path, choice: str, log: list[Decision]) -> Path | Problem:
    """The spreadsheet of a database to use, from the first folder that holds any, or why there is none.

    Among several, ``choice`` 'only' gives none, 'newest' the one with the latest date in its name (eight digits), any
    other text the one whose name holds it; which one it was is added to ``log``.
    """
    pattern, layouts = DATABASES[name]
    found: list[Path] = []
    for place in (directory, *(directory / layout.folder for layout in layouts)):
        found = found or [one for one in sorted(place.glob(pattern)) if not one.name.startswith("~$")]
    if not found:
        return Problem("no_coding_file", name, file=directory, value=pattern)
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found)
    rule = f"coding_file={choice!r}"
    fitting = [path for path in found if choice in path.name]
    if choice == "newest":
        dates = [max(re.findall(r"(?<!\d)\d{8}(?!\d)", path.stem), default="") for path in found]
        fitting = [path for path, date in zip(found, dates, strict=True) if all(dates) and date == max(dates)]
    if len(fitting) != 1:
        value = f"{rule} fits {len(fitting)} of {names}"
        return Problem("several_coding_files", name, file=found[0].parent, value=value)
    log.append(Decision(name, "coding file", names, fitting[0].name, rule))
    return fitting[0]


def frame_folders(
    name: str, directory: Path, subjects: Sequence[str], policies: Policies, log: list[Decision]
) -> FrameFolders | Problem:
    """Where the frames of ``subjects`` are, or why they are nowhere; what was decided is added to ``log``."""
    layouts, chosen = DATABASES[name][1], policies.casme2_frames
    wanted = [layout for layout in layouts if chosen == "any" or layout.choice in ("", chosen)]
    there = [layout for layout in wanted if (directory / layout.folder).is_dir()]
    if not there:
        names = " nor ".join(f"{layout.folder}/" for layout in wanted)
        return Problem("no_frame_folder", name, file=directory, value=names)
    first = there[0]
    if first.choice and chosen == "any" and (len(there) > 1 or first != layouts[0]):
        found = " and ".join(f"{layout.folder}/" for layout in there)
        log.append(Decision(name, "frames", found, f"{first.folder}/", "casme2_frames='any'"))
    folders = FrameFolders(name, directory / first.folder, first.written)
    if any(folders.spellings(subject) for subject in subjects):
        return folders
    return Problem("no_frame_folder", name, file=folders.root, value=f"{subjects[0]}/")
