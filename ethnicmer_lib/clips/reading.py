"""One walk through a copy of the databases: its clips, where their frames are, what is wrong, what was decided."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.coding import read_coding
from ethnicmer_lib.clips.databases import coding_file, frame_folders
from ethnicmer_lib.clips.faces import FaceDetector, open_detector
from ethnicmer_lib.clips.folders import FrameFolders
from ethnicmer_lib.clips.label_tables import read_groups
from ethnicmer_lib.clips.labels import CASME2, CLIP_KEY, GROUP_COLUMNS
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.clips.settling import Settled, one_row_each, settle_apexes, settle_numbers
from ethnicmer_lib.clips.simulated import read_marker, simulated_root, unsealed
from ethnicmer_lib.clips.table import Decision, facts
from ethnicmer_lib.errors import StudyError

GROUPS = "groups.csv"
RELEASED = "the released label table"
FEW = 5  #: so many clips may lack a row before the coding file counts as cut short


@dataclass(frozen=True, eq=False)
class Labels:
    """A table of group labels, where it comes from, and by which mapping."""

    table: pd.DataFrame
    source: str
    mapping: str


@dataclass
class Copy:
    """What was found in a copy of one or more databases. Everything is by the database's name.

    ``coding`` holds the coding files; ``clips`` every coded clip once, with ethnicity and group (<NA> without one),
    its settled apex and ``kept`` (bool: whether the study uses it); ``images`` their flow by clip_id where there are no
    frames; ``title`` says what the clips of a manifest are, ``others`` whether they are not the paper's; ``root`` and
    ``marker`` those of a simulated cohort; ``detector`` crops frames that are wider than a face.
    """

    coding: dict[str, Path] = field(default_factory=dict)
    clips: dict[str, pd.DataFrame] = field(default_factory=dict)
    folders: dict[str, FrameFolders] = field(default_factory=dict)
    images: dict[str, np.ndarray] | None = None
    title: str = ""
    others: bool = False
    root: Path | None = None
    marker: dict[str, Any] | None = None
    detector: FaceDetector | None = None
    problems: list[Problem] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)


def read_copy(
    folders: Mapping[str, Path | None],
    groups: Path | None,
    policies: Policies,
    mapping: str = "paper",
    coding: Mapping[str, Path | None] | None = None,
    face_model: Path | None = None,
) -> Copy:
    """Walk through the reader's folders, by database (one may be None): every row, every folder, every file name.

    ``coding`` are paths of coding files by database, where they are not to be looked for; ``face_model`` is the file of
    the detector that the policy ``uncropped`` names. Nothing is refused but what leaves nothing to read: StudyError
    when no folder is given, or a coding file without one, or the detector cannot be opened.
    """
    coding = {name: path for name, path in (coding or {}).items() if path}
    given = {name: Path(folder).expanduser().resolve() for name, folder in folders.items() if folder}
    if not given:
        raise StudyError("your own copy is needed: give --casme2 DIR, --samm DIR or both")
    for name in [name for name in coding if name not in given]:
        raise StudyError(f"{name}: its coding file {coding[name]} is given, and no folder of its frames")
    copy = Copy(detector=face_detector(policies, face_model))
    present = {name: folder for name, folder in given.items() if folder.is_dir()}
    copy.problems += [Problem("no_folder", name, file=given[name]) for name in given if name not in present]
    if present:
        _read_simulated(copy, present)
    if groups is None and copy.root is not None:
        groups = copy.root / GROUPS
    known = read_labels(groups and Path(groups).expanduser(), mapping) if present else None
    if isinstance(known, StudyError):
        copy.problems.append(Problem("labels_unreadable", " and ".join(present), value=str(known)))
        known = None
    for name, folder in present.items():
        _read_database(copy, name, folder, policies, known, coding.get(name))
    names = ", ".join(path.name for path in copy.coding.values())
    if policies.coding_file not in ("only", "newest") and names and policies.coding_file not in names:
        value = f"coding_file={policies.coding_file!r} fits none of {names}"
        copy.problems.append(Problem("several_coding_files", " and ".join(given), value=value))
    return copy


def face_detector(policies: Policies, model: Path | None) -> FaceDetector | None:
    """The detector by which frames are cropped, None where they are not; StudyError as ``faces.open_detector``."""
    return None if policies.uncropped == "as_is" else open_detector(policies.uncropped, model)


def _read_simulated(copy: Copy, given: Mapping[str, Path]) -> None:
    """Marker and seal of a simulated cohort, added to ``copy``."""
    try:
        copy.root = simulated_root(given)
        if copy.root is not None:
            copy.marker = read_marker(copy.root)
            copy.problems += unsealed(copy.root, given)
    except StudyError as error:
        copy.problems.append(Problem("not_simulated", " and ".join(given), value=str(error)))


def read_labels(groups: Path | None, mapping: str) -> Labels | StudyError:
    """The group labels of a table, or the released ones by a mapping; or why they cannot be used."""
    try:
        if groups is None:
            return Labels(labels.coded_clips(mapping), RELEASED, mapping)
        if mapping != "paper":
            raise StudyError(
                f"mapping={mapping!r} maps the released labels, and the groups here come from "
                f"{groups}; write the groups you want there, or leave mapping at 'paper'"
            )
        return Labels(read_groups(groups), str(groups), mapping)
    except StudyError as error:
        return error


def labelled(name: str, coding: Path, double_rows: str, groups: Labels | None) -> Settled:
    """The clips of a coding file, each once as the policy ``double_rows`` says, with their groups where there are."""
    rows, wrong = read_coding(coding, name)
    found = one_row_each(rows, double_rows)
    if groups is None:
        return found.then(found.clips, wrong)
    given, problems = groups.table[groups.table["database"] == name], []
    clips = found.clips.merge(given[list(GROUP_COLUMNS)], on=CLIP_KEY, how="left", validate="one_to_one")
    if len(clips):
        problems = list(_label_problems(clips, given, name, groups.source, coding))
    clips, left_out = labels.drop_left_out(clips, groups.mapping)
    return found.then(clips, [*problems, *wrong], left_out)


def _read_database(
    copy: Copy, name: str, directory: Path, policies: Policies, groups: Labels | None, table: Path | None
) -> None:
    """Coding file, labels and frames of one database, all added to ``copy``."""
    coding, log = coding_file(name, directory, policies.coding_file, table)
    copy.decisions += log
    if isinstance(coding, Problem):
        copy.problems.append(coding)
        return
    found, there, log = labelled(name, coding, policies.double_rows, groups), None, []
    if len(found.clips):
        there, log = frame_folders(
            name, directory, found, policies.casme2_frames if name == CASME2 else "any"
        )
    copy.decisions += log
    settle(copy, name, found, coding, policies, there)


def settle(
    copy: Copy,
    name: str,
    found: Settled,
    coding: Path,
    policies: Policies,
    there: FrameFolders | Problem | None,
) -> None:
    """Settle the clips of one database, whose frames are ``there``, and add them to ``copy``."""
    found = settle_apexes(found, coding, policies.known_errors, policies.apex, policies.missing_apex)
    if isinstance(there, FrameFolders):
        copy.problems += folder_problems(found, there)
        numbers = policies.renumbered, policies.missing_frames, policies.nearest_within
        found, copy.folders[name] = settle_numbers(found, there, *numbers)
    elif there:
        copy.problems.append(there)
    copy.coding[name], copy.clips[name] = coding, found.clips.copy()
    copy.problems += found.problems
    copy.decisions += found.decisions


def _label_problems(
    clips: pd.DataFrame, groups: pd.DataFrame, name: str, source: str, coding: Path
) -> Iterator[Problem]:
    """Coding file against group labels."""
    for row in clips[clips["group"].isna() & clips["kept"]].itertuples():
        yield Problem("no_group_label", name, row.clip_id, source, row.clip)
    labelled = labels.clip_ids(groups)
    absent = labelled[~labelled.isin(clips["clip_id"])]
    if len(absent) > FEW:
        value = f"{len(clips)} clips in the file, {len(labelled)} in {source}, {len(absent)} of them not in the file"
        yield Problem("short_table", name, "", coding, value)
    for clip_id in absent if len(absent) <= FEW else []:
        nowhere = clip_id in facts("known")["in_no_public_copy"]
        yield Problem("clip_not_coded", name, clip_id, coding, "as in every public copy" if nowhere else "")
    yield from two_groups(groups, name, source)
    if source == RELEASED:
        told = ["clip_id", "emotion", "action_units"]
        both = clips.merge(groups[told], on="clip_id", suffixes=("", "_released"))
        for row in both[both["emotion"] != both["emotion_released"]].itertuples():
            value = f"{row.emotion}, not {row.emotion_released}"
            yield Problem("emotion_differs", name, row.clip_id, coding, value)
        units, released = (both[column].map(_units) for column in ("action_units", "action_units_released"))
        for row in both[units.ne(released) & both["action_units"].ne("")].itertuples():
            value = f"{row.action_units}, not {row.action_units_released or 'none'}"
            yield Problem("units_differ", name, row.clip_id, coding, value, row.kept)


def _units(text: str) -> str:
    """The Action Units of a coder's text with their sides, without intensities, in one order."""
    return "+".join(sorted(re.findall(r"[LR]?\d+", re.sub(r"([LR])[ABT]", r"\1", text.upper()))))


def two_groups(clips: pd.DataFrame, name: str, source: object) -> Iterator[Problem]:
    """Subjects whose clips are labelled with more than one group."""
    for subject, found in clips.groupby("subject")["group"].unique().items():
        if len(found) > 1:
            yield Problem("two_groups", name, "", source, f"{subject}: {', '.join(found)}")


def folder_problems(settled: Settled, there: FrameFolders) -> list[Problem]:
    """Folders that are there twice or oddly spelled, and files of one number."""
    problems: list[Problem] = []
    for subject in settled.clips["subject"].unique() if there.paths is None else ():
        problems += _spelled(there.spellings(subject), subject, there.database)
    for row in settled.clips.itertuples():
        found = there.spellings(row.subject, row.clip)
        wanted = row.clip if there.paths is None or not found else found[0].name
        odd = list(_spelled(found, wanted, there.database, row.clip_id))
        twice = there.scan(row.subject, row.clip)[1]
        odd += [Problem("double_frame", there.database, row.clip_id, found[0], names) for names in twice]
        problems += [problem._replace(kept=row.kept) for problem in odd]
    return problems


def _spelled(found: list[Path], wanted: str, database: str, clip: str = "") -> Iterator[Problem]:
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        yield Problem("double_folder", database, clip, found[0].parent, names)
    elif found and found[0].name != wanted:
        yield Problem("odd_folder_name", database, clip, found[0], f"for {wanted}")
