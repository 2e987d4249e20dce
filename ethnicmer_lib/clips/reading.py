"""One walk through a copy of the databases: its clips, where their frames are, what is wrong, what was decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.coding import read_coding
from ethnicmer_lib.clips.databases import DATABASES
from ethnicmer_lib.clips.folders import FrameFolders, same
from ethnicmer_lib.clips.label_tables import read_groups
from ethnicmer_lib.clips.labels import CLIP_KEY, GROUP_COLUMNS
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.clips.problems import Problem, noted
from ethnicmer_lib.clips.simulated import read_marker, simulated_root, unsealed
from ethnicmer_lib.clips.table import DROPPED, Decision
from ethnicmer_lib.errors import StudyError

GROUPS = "groups.csv"
RELEASED = "the released label table"


@dataclass
class Copy:
    """What was found in a copy of one or both databases. Everything is by the database's name.

    ``coded`` holds (coding file, its table as read); ``clips`` every coded clip once, left-out ones too (label None),
    with ethnicity and group (<NA> without one); ``groups`` the table of group labels, None where there is none, and
    ``source`` where it comes from; ``root`` and ``marker`` those of a simulated cohort.
    """

    policies: Policies
    coded: dict[str, tuple[Path, pd.DataFrame]] = field(default_factory=dict)
    clips: dict[str, pd.DataFrame] = field(default_factory=dict)
    folders: dict[str, FrameFolders] = field(default_factory=dict)
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

    Nothing is refused but what leaves nothing to read: StudyError when no folder is given, or the policy
    ``coding_file`` cannot do its work.
    """
    given = {name: Path(folder).expanduser().resolve() for name, folder in folders.items() if folder}
    if not given:
        raise StudyError("your own copy is needed: give --casme2 DIR, --samm DIR or both")
    copy = Copy(policies)
    present = {name: folder for name, folder in given.items() if folder.is_dir()}
    copy.problems += [Problem("no_folder", name, file=given[name]) for name in given if name not in present]
    if present:
        _read_groups(copy, present, groups, mapping)
    for name, folder in present.items():
        _read_database(copy, name, folder)
    return copy


def _read_groups(copy: Copy, given: Mapping[str, Path], groups: Path | None, mapping: str) -> None:
    """Marker and seal of a simulated cohort; the group labels: a reader's, the cohort's own, or the released ones."""
    both = " and ".join(given)
    with noted(copy.problems, "mixed_simulated", both):
        copy.root = simulated_root(given)
        if copy.root is not None:
            with noted(copy.problems, "marker_unreadable", both, copy.root):
                copy.marker = read_marker(copy.root)
                copy.problems += unsealed(copy.root, given)
            groups = groups or copy.root / GROUPS
        with noted(copy.problems, "labels_unreadable", both, groups or ""):
            if groups is None:
                copy.groups, copy.source = labels.released_groups(mapping), RELEASED
            elif mapping != "paper":
                raise StudyError(
                    f"mapping={mapping!r} maps the released labels, and the groups here come from "
                    f"{groups}; write the groups you want there, or leave mapping at 'paper'"
                )
            else:
                path = Path(groups).expanduser()
                copy.groups, copy.source = read_groups(path), str(path)


def _read_database(copy: Copy, name: str, directory: Path) -> None:
    """Coding file, labels and frames of one database, all added to ``copy``."""
    database, policies = DATABASES[name], copy.policies
    coding, several = database.coding_file(directory, policies.coding_file)
    copy.problems += several
    if coding is None:
        return
    if several:
        rule = f"coding_file={policies.coding_file!r}"
        copy.decisions.append(Decision(name, "coding file", several[0].value, coding.name, rule))
    rows, wrong = read_coding(coding, name)
    copy.problems += wrong
    copy.coded[name] = (coding, rows)
    rule = f"double_rows={policies.double_rows!r}"
    lost = rows["clip_id"].duplicated(keep="last" if policies.double_rows == "last" else "first")
    for row in rows[lost].itertuples():
        copy.decisions.append(Decision(row.clip_id, "coding row", f"row {row.row}", DROPPED, rule))
    clips = rows[~lost].drop(columns="row").reset_index(drop=True)
    if copy.groups is not None:
        groups = copy.groups[copy.groups["database"] == name]
        clips = clips.merge(groups[list(GROUP_COLUMNS)], on=CLIP_KEY, how="left", validate="one_to_one")
        if len(clips):
            copy.problems += _label_problems(clips, groups, name, copy.source, coding)
    copy.clips[name] = clips
    if clips.empty:
        return
    there = database.frames(directory, list(clips["subject"].unique()), policies, copy.decisions)
    if isinstance(there, Problem):
        copy.problems.append(there)
        return
    copy.folders[name] = there
    copy.problems += _folder_problems(clips, there)
    for row in clips[clips["label"].notna()].itertuples():
        written, used = there.root / row.subject / row.clip, there.folder(row.subject, row.clip)
        if used != written:
            old, new = (str(path.relative_to(there.root)) for path in (written, used))
            copy.decisions.append(Decision(row.clip_id, "folder", old, new, "the folder that is there"))


def _label_problems(
    clips: pd.DataFrame, groups: pd.DataFrame, name: str, source: str, coding: Path
) -> Iterator[Problem]:
    """Coding file against group labels."""
    for row in clips[clips["group"].isna() & clips["label"].notna()].itertuples():
        yield Problem("no_group_label", name, row.clip_id, source, row.clip)
    labelled = labels.clip_ids(groups)
    for clip_id in labelled[~labelled.isin(clips["clip_id"])]:
        yield Problem("clip_not_coded", name, clip_id, coding, clip_id)
    for subject, found in groups.groupby("subject")["group"].unique().items():
        if len(found) > 1:
            yield Problem("two_groups", name, "", source, f"{subject}: {', '.join(found)}")
    if source == RELEASED:
        known = labels.coded_clips().set_index("clip_id")["emotion"]
        released = clips["clip_id"].map(known).fillna(clips["emotion"])
        for row, emotion in zip(clips.itertuples(), released, strict=True):
            if row.emotion != emotion:
                yield Problem("emotion_differs", name, row.clip_id, coding, f"{row.emotion}, not {emotion}")


def _folder_problems(clips: pd.DataFrame, there: FrameFolders) -> Iterator[Problem]:
    """Folders that are there twice, oddly spelled, or of no coded clip; files with odd names."""
    people = {name: names for name, names in there.children(there.root).items() if name.isdigit()}
    yield from _uncoded(there.root, people, clips["subject"], there.database)
    for subject, of_subject in clips.groupby("subject", sort=False):
        yield from _spelled(there.spellings(subject), subject, there.database)
        for parent in there.spellings(subject)[:1]:
            yield from _uncoded(parent, there.children(parent), of_subject["clip"], there.database)
        for row in of_subject.itertuples():
            kept = pd.notna(row.label)
            found = _spelled(there.spellings(subject, row.clip), row.clip, there.database, row.clip_id)
            for problem in (*found, *there.scan(subject, row.clip)[1]):
                yield problem._replace(kept=kept)


def _uncoded(
    parent: Path, children: Mapping[str, list[str]], coded: pd.Series, database: str
) -> Iterator[Problem]:
    known = set(coded.map(same))
    for meaning, names in children.items():
        if meaning not in known:
            yield Problem("uncoded_folder", database, file=parent / names[0], value=names[0])


def _spelled(found: list[Path], wanted: str, database: str, clip: str = "") -> Iterator[Problem]:
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        yield Problem("double_folder", database, clip, found[0].parent, names)
    elif found and found[0].name != wanted:
        yield Problem("odd_folder_name", database, clip, found[0], f"for {wanted}")
