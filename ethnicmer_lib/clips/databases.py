"""Find a database's coding file and its frames in a reader's folder, however they are called and nested there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ethnicmer_lib.clips.folders import FrameFolders, inside, same_name
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.clips.settling import Settled
from ethnicmer_lib.clips.simulated import MARKER
from ethnicmer_lib.clips.table import Decision

#: Database -> how its coding file is distributed, and its names in lower case without what is no letter or digit.
CODING = {
    CASME2: ("CASME2-coding-*.xlsx", r"casme(2|ii)coding.*"),
    SAMM: ("SAMM_Micro_FACS_Codes*.xlsx", r"samm.*codes?.*"),
}
TABLES = (".xlsx", ".xls", ".csv")
DEPTH = 3  #: folders below the given one in which frames are looked for: CASME2/Cropped-updated/Cropped


def coding_file(
    name: str, directory: Path, choice: str, given: Path | None = None
) -> tuple[Path | Problem, list[Decision]]:
    """The table of a database to use, from the first folder that holds any, or why there is none; and what was decided.

    Looked into are the given folder, those in it, and the one above. Among several tables ``choice`` 'only' gives
    none, 'newest' the one with the latest date in its name (eight digits), any other text the one whose name holds
    it, whatever else it is called. A path that is ``given`` is used as it is.
    """
    if given is not None:
        log = [Decision(name, "coding file", "looked for in the folder", given.name, "named by its path")]
        there = given if os.path.isfile(given) else Problem("no_coding_file", name, file=given)
        return there, log
    below = [directory, *(path for path in inside(directory) if path.is_dir())]
    tables, found = [], []
    for place in (*below, directory.parent):
        there = [one for one in inside(place) if one.suffix.lower() in TABLES and one.name[0] not in ".~"]
        named = [one for one in there if re.match(CODING[name][1], re.sub(r"[\W_]", "", one.stem.lower()))]
        found = found or [one for one in named if one.suffix == ".xlsx"] or named
        tables += there if place in below else []
    fitting = [path for path in {*tables, *found} if choice != "only" and choice in path.name]
    if choice == "newest":
        dates = [max(re.findall(r"(?<!\d)\d{8}(?!\d)", path.stem), default="") for path in found]
        fitting = [path for path, date in zip(found, dates, strict=True) if all(dates) and date == max(dates)]
    if len(fitting) != 1 and len(found) == 1:
        return found[0], []
    names = ", ".join(path.name for path in found or tables)
    if len(fitting) == 1:
        chosen = Decision(name, "coding file", names, fitting[0].name, f"coding_file={choice!r}")
        return fitting[0], [chosen] if found != fitting else []
    if found:
        value = f"coding_file={choice!r} fits {len(fitting)} of {names}"
        return Problem("several_coding_files", name, file=found[0].parent, value=value), []
    value = f"{CODING[name][0]}; there: {names or _there(directory)}"
    return Problem("no_coding_file", name, file=directory, value=value), []


def frame_folders(
    name: str, directory: Path, found: Settled, chosen: str
) -> tuple[FrameFolders | Problem, list[Decision]]:
    """Where the frames of clips are, or why they are nowhere, and what was decided by the policy ``casme2_frames``."""
    clips = found.clips
    subjects, names = (set(clips[column].map(same_name)) for column in ("subject", "clip"))
    held = {
        place: [one for one in inside(place) if same_name(one.name) in subjects and one.is_dir()]
        for place in _below(directory, subjects)
    }
    # The other database may have subjects of these numbers, but not these clips.
    full = [p for p in held if names & {same_name(clip.name) for one in held[p] for clip in inside(one)}]
    full = full or [place for place in held if held[place]]
    there = sorted(
        (place for place in full if chosen == "any" or _kind(place, directory) in ("", chosen)),
        key=lambda place: (["cropped", "", "raw"].index(_kind(place, directory)), len(place.parts), place),
    )
    if not there:
        first = "/".join(clips[["subject", "clip"]].iloc[0])
        value = f"no {first}/ to a depth of {DEPTH}; there: {_there(directory, held)}"
        return Problem("no_frame_folder", name, file=directory, value=value), []
    names, log = [f"{place.relative_to(directory).as_posix()}/" for place in there], []
    if len(there) > 1 or (chosen == "any" and _kind(there[0], directory) == "raw"):
        log = [Decision(name, "frames", " and ".join(names), names[0], f"casme2_frames={chosen!r}")]
    return FrameFolders(name, there[0]), log


def _below(folder: Path, subjects: set[str], depth: int = DEPTH) -> Iterator[Path]:
    """A folder and those below it that may hold frames: no subject's own folder, and no simulated cohort's."""
    yield folder
    for path in inside(folder) if depth else []:
        if path.is_dir() and not (path / MARKER).is_file() and same_name(path.name) not in subjects:
            yield from _below(path, subjects, depth - 1)


def _kind(place: Path, directory: Path) -> str:
    """'cropped' or 'raw' by the names of a folder and those above it, '' where they do not say."""
    text = str(place.relative_to(directory) if place != directory else place.name).casefold()
    return "cropped" if "crop" in text else "raw" if "raw" in text else ""


def _there(folder: Path, places: Iterable[Path] = (), most: int = 8) -> str:
    """What lies in a folder and in ``places`` below it, in words."""
    paths = [path for place in {folder: 0, **dict.fromkeys(places)} for path in inside(place)]
    names = [str(path.relative_to(folder)) for path in paths]
    return ", ".join([*names[:most], *(["..."] if names[most:] else [])]) or "nothing"
