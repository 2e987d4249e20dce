"""One walk through a copy of the databases: its clips, where their frames are, what is wrong, what was decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.coding import read_coding
from ethnicmer_lib.clips.databases import coding_file, frame_folders
from ethnicmer_lib.clips.folders import FrameFolders
from ethnicmer_lib.clips.label_tables import read_groups
from ethnicmer_lib.clips.labels import CLIP_KEY, GROUP_COLUMNS
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.clips.settling import correct_known, settle_apexes, settle_numbers
from ethnicmer_lib.clips.simulated import read_marker, simulated_root, unsealed
from ethnicmer_lib.clips.table import DROPPED, Decision, facts
from ethnicmer_lib.errors import StudyError

GROUPS = "groups.csv"
RELEASED = "the released label table"
FEW = 5  #: so many clips may lack a row before the coding file counts as cut short


@dataclass
class Copy:
    """What was found in a copy of one or more databases. Everything is by the database's name.

    ``coding`` holds the coding files; ``clips`` every coded clip once, with ethnicity and group (<NA> without one),
    its settled apex and ``kept`` (bool: whether the study uses it); ``images`` their flow by clip_id where there are no
    frames; ``title`` says what the clips of a manifest are, ``others`` whether they are not the paper's; ``groups`` the
    table of group labels, None where there is none, and ``source`` where it comes from; ``root`` and ``marker`` those
    of a simulated cohort.
    """

    coding: dict[str, Path] = field(default_factory=dict)
    clips: dict[str, pd.DataFrame] = field(default_factory=dict)
    folders: dict[str, FrameFolders] = field(default_factory=dict)
    images: dict[str, np.ndarray] | None = None
    title: str = ""
    others: bool = False
    groups: pd.DataFrame | None = None
    source: str = ""
    root: Path | None = None
    marker: dict[str, Any] | None = None
    problems: list[Problem] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)


def read_copy(
    folders: Mapping[str, Path | None], groups: Path | None, policies: Policies, mapping: str = "paper"
) -> Copy:
    """Walk through the reader's folders, by database (one may be None): every row, every folder, every file name.

    Nothing is refused but what leaves nothing to read: StudyError when no folder is given.
    """
    given = {name: Path(folder).expanduser().resolve() for name, folder in folders.items() if folder}
    if not given:
        raise StudyError("your own copy is needed: give --casme2 DIR, --samm DIR or both")
    copy = Copy()
    present = {name: folder for name, folder in given.items() if folder.is_dir()}
    copy.problems += [Problem("no_folder", name, file=given[name]) for name in given if name not in present]
    if present:
        _read_groups(copy, present, groups, mapping)
    for name, folder in present.items():
        _read_database(copy, name, folder, policies, mapping)
    names = ", ".join(path.name for path in copy.coding.values())
    if policies.coding_file not in ("only", "newest") and names and policies.coding_file not in names:
        value = f"coding_file={policies.coding_file!r} fits none of {names}"
        copy.problems.append(Problem("several_coding_files", " and ".join(given), value=value))
    return copy


def _read_groups(copy: Copy, given: Mapping[str, Path], groups: Path | None, mapping: str) -> None:
    """Marker and seal of a simulated cohort; the group labels: a reader's, the cohort's own, or the released ones."""
    both = " and ".join(given)
    try:
        copy.root = simulated_root(given)
        if copy.root is not None:
            groups = groups or copy.root / GROUPS
            copy.marker = read_marker(copy.root)
            copy.problems += unsealed(copy.root, given)
    except StudyError as error:
        copy.problems.append(Problem("not_simulated", both, value=str(error)))
    try:
        if groups is None:
            copy.groups, copy.source = labels.coded_clips(mapping), RELEASED
        elif mapping != "paper":
            raise StudyError(
                f"mapping={mapping!r} maps the released labels, and the groups here come from "
                f"{groups}; write the groups you want there, or leave mapping at 'paper'"
            )
        else:
            path = Path(groups).expanduser()
            copy.groups, copy.source = read_groups(path), str(path)
    except StudyError as error:
        copy.problems.append(Problem("labels_unreadable", both, value=str(error)))


def _read_database(copy: Copy, name: str, directory: Path, policies: Policies, mapping: str) -> None:
    """Coding file, labels and frames of one database, all added to ``copy``."""
    coding = coding_file(name, directory, policies.coding_file, copy.decisions)
    if isinstance(coding, Problem):
        copy.problems.append(coding)
        return
    rows, wrong = read_coding(coding, name)
    clips = one_row_each(copy, rows, policies)
    if copy.groups is not None:
        groups = copy.groups[copy.groups["database"] == name]
        clips = clips.merge(groups[list(GROUP_COLUMNS)], on=CLIP_KEY, how="left", validate="one_to_one")
        if len(clips):
            copy.problems += _label_problems(clips, groups, name, copy.source, coding)
        clips, left_out = labels.drop_left_out(clips, mapping)
        copy.decisions += left_out
    there = None if clips.empty else frame_folders(name, directory, clips, policies, copy.decisions)
    settle(copy, name, clips, wrong, coding, policies, there)


def one_row_each(copy: Copy, rows: pd.DataFrame, policies: Policies) -> pd.DataFrame:
    """The clips of a table's rows, each once as ``double_rows`` says, and ``kept`` where it has a label."""
    rule = f"double_rows={policies.double_rows!r}"
    lost = rows["clip_id"].duplicated(keep="last" if policies.double_rows == "last" else "first")
    for row in rows[lost].itertuples():
        copy.decisions.append(Decision(row.clip_id, "coding row", f"row {row.row}", DROPPED, rule))
    clips = rows[~lost].drop(columns="row").reset_index(drop=True)
    return clips.assign(kept=clips["label"].notna())  # an unknown emotion stops the study by itself


def settle(
    copy: Copy,
    name: str,
    clips: pd.DataFrame,
    wrong: list[Problem],
    coding: Path,
    policies: Policies,
    there: FrameFolders | Problem | None,
) -> None:
    """Settle the clips of one database, whose frames are ``there``, and add them to ``copy``; ``wrong``: its table."""
    corrected, settled = correct_known(clips, policies), []
    mended = [("apex_outside", one.clip) for one in corrected]
    copy.problems += [one for one in wrong if (one.code, one.clip) not in mended]
    copy.problems += [one._replace(file=coding) for one in settle_apexes(clips, policies, copy.decisions)]
    copy.coding[name], copy.clips[name] = coding, clips
    if isinstance(there, FrameFolders):
        copy.folders[name] = there
        copy.problems += _folder_problems(clips, there)
        settled = settle_numbers(clips, there, policies)
        extents = [there.extent(*one.clip.split("/")[1:]) for one in corrected]
        corrected = [
            one._replace(value=f"{one.value}; {it}") for one, it in zip(corrected, extents, strict=True)
        ]
    elif there:
        copy.problems.append(there)
    copy.problems += [*settled, *(one._replace(file=coding) for one in corrected)]
    for one in (*settled, *corrected):
        if "; used: " in one.value:
            old, new = one.value.split("; used: ")
            copy.decisions.append(Decision(one.clip, one.code, old, new, one.settled_by(policies)))


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
        both = clips.merge(groups[["clip_id", "emotion"]], on="clip_id", suffixes=("", "_released"))
        for row in both[both["emotion"] != both["emotion_released"]].itertuples():
            value = f"{row.emotion}, not {row.emotion_released}"
            yield Problem("emotion_differs", name, row.clip_id, coding, value)


def two_groups(clips: pd.DataFrame, name: str, source: object) -> Iterator[Problem]:
    """Subjects whose clips are labelled with more than one group."""
    for subject, found in clips.groupby("subject")["group"].unique().items():
        if len(found) > 1:
            yield Problem("two_groups", name, "", source, f"{subject}: {', '.join(found)}")


def _folder_problems(clips: pd.DataFrame, there: FrameFolders) -> Iterator[Problem]:
    """Folders that are there twice or oddly spelled, and files of one number."""
    for subject in clips["subject"].unique() if there.paths is None else ():
        yield from _spelled(there.spellings(subject), subject, there.database)
    for row in clips.itertuples():
        found = there.spellings(row.subject, row.clip)
        wanted = row.clip if there.paths is None or not found else found[0].name
        problems = list(_spelled(found, wanted, there.database, row.clip_id))
        twice = there.scan(row.subject, row.clip)[1]
        problems += [Problem("double_frame", there.database, row.clip_id, found[0], names) for names in twice]
        yield from (problem._replace(kept=row.kept) for problem in problems)


def _spelled(found: list[Path], wanted: str, database: str, clip: str = "") -> Iterator[Problem]:
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        yield Problem("double_folder", database, clip, found[0].parent, names)
    elif found and found[0].name != wanted:
        yield Problem("odd_folder_name", database, clip, found[0], f"for {wanted}")
