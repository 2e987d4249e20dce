"""Where a database's coding file is, and which one counts where there are several."""

from __future__ import annotations

import re
from pathlib import Path

from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.clips.samm import samm_root
from ethnicmer_lib.errors import StudyError

CODING_FILES = {CASME2: "CASME2-coding-*.xlsx", SAMM: "SAMM_Micro_FACS_Codes*.xlsx"}
OPTIONS = {CASME2: "--casme2", SAMM: "--samm"}


def coding_places(name: str, directory: Path) -> list[Path]:
    """The folders in which a database's coding file may lie, in the order they are searched."""
    return [directory] if name == CASME2 else list(dict.fromkeys([directory, samm_root(directory)]))


def missing_folder(name: str, directory: Path) -> Problem:
    """The problem of a database's folder that is none."""
    message = f"{name}: {directory} is not a folder; name your copy with {OPTIONS[name]}"
    return Problem("no_folder", name, message, file=str(directory))


def find_coding_file(
    folders: list[Path], database: str, coding_file: str = "only"
) -> tuple[Path | None, list[Problem]]:
    """The spreadsheet to use, from the first of ``folders`` that holds any.

    Parameters
    ----------
    coding_file : str
        Among several: 'only' is a problem, 'newest' takes the latest date in the names (eight digits), any
        other text the one file whose name holds it.

    Returns
    -------
    The file, or None with the problem that says why.
    """
    pattern = CODING_FILES[database]
    found: list[Path] = []
    for folder in folders:
        found = [path for path in sorted(folder.glob(pattern)) if not path.name.startswith("~$")]
        if found:
            break
    if not found:
        message = (
            f"{database}: no coding file {pattern} in {folders[0]}; copy the database's spreadsheet there, "
            f"or name the folder that holds it with {OPTIONS[database]}"
        )
        return None, [Problem("no_coding_file", database, message, file=str(folders[0]), value=pattern)]
    if len(found) == 1:
        return found[0], []
    names = ", ".join(path.name for path in found)
    message = (
        f"{database}: {found[0].parent} holds {names}; keep the one to use there, or name it with the parameter "
        "coding_file ('newest', or a part of its name)"
    )
    several = [Problem("several_coding_files", database, message, file=str(found[0].parent), value=names)]
    if coding_file == "only":
        return None, several
    if coding_file == "newest":
        dates = {path: max(re.findall(r"(?<!\d)\d{8}(?!\d)", path.stem), default="") for path in found}
        best = max(dates.values())
        newest = [path for path, date in dates.items() if date == best]
        if all(dates.values()) and len(newest) == 1:
            return newest[0], several
        raise StudyError(
            f"{database}: coding_file='newest' cannot tell by the dates in their names which of {names} in "
            f"{found[0].parent} is the newest; write a part of the name instead, such as coding_file='{found[0].stem}'"
        )
    named = [path for path in found if coding_file in path.name]
    if len(named) != 1:
        raise StudyError(
            f"{database}: coding_file={coding_file!r} is in the names of {len(named)} of {names} in "
            f"{found[0].parent}; write a part that only one has, 'newest', or 'only'"
        )
    return named[0], several
