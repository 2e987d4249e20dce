"""Check a copy of the databases: collect every problem, say what to do about each, and fingerprint what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.coding import MOMENTS, scan_coding
from ethnicmer_lib.clips.decisions import Decision
from ethnicmer_lib.clips.folders import DAMAGE, FrameFolders, Picture, look
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.licensed import RELEASED, database_frames, group_labels
from ethnicmer_lib.clips.places import OPTIONS, coding_places, find_coding_file, missing_folder
from ethnicmer_lib.clips.policies import AS_WRITTEN, Policies
from ethnicmer_lib.clips.problems import KINDS, Problem
from ethnicmer_lib.clips.report import Report
from ethnicmer_lib.clips.simulated import read_marker, simulated_root, unsealed
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import digest

SMALLEST = 32  #: px: sides under this are too small for optical flow


def check(
    casme2_dir: Path | None,
    samm_dir: Path | None,
    groups: Path | None = None,
    policies: Policies = AS_WRITTEN,
    progress: bool = False,
) -> Report:
    """Check the reader's CASME II and SAMM folders (one or both), and collect all problems.

    Looked at are every row of the coding files, all file names of every clip, and the files of onset, apex and
    offset (head and end; they are not decoded unless they are no JPEG). Gaps between onset and offset are
    reported of clips that hold more than half of their frames: copies with a few frames a clip are fine.

    Parameters
    ----------
    casme2_dir, samm_dir, groups, policies : as in ``open_licensed``.

    Raises
    ------
    StudyError
        When no folder is given, or a policy cannot do its work (``coding_file``).
    """
    given = {
        name: Path(folder).expanduser() for name, folder in ((CASME2, casme2_dir), (SAMM, samm_dir)) if folder
    }
    if not given:
        raise StudyError(f"data check: give {OPTIONS[CASME2]} DIR, {OPTIONS[SAMM]} DIR or both")
    problems: list[Problem] = []
    found: list[str] = []
    content: list[object] = []
    table, source = _labels(given, groups, problems)
    content.append([] if table is None else table.astype(str).to_dict("records"))
    for name, folder in given.items():
        if folder.is_dir():
            _Database(name, folder, policies, problems, found, content).check(table, source, progress)
        else:
            problems.append(missing_folder(name, folder))
    return Report(tuple(found), tuple(problems), policies, digest(content))


def _labels(
    given: Mapping[str, Path], groups: Path | None, problems: list[Problem]
) -> tuple[pd.DataFrame | None, str]:
    """The table of group labels and its source, None with a problem where there is none."""
    root = None
    present = {name: folder for name, folder in given.items() if folder.is_dir()}
    if not present:
        return None, ""  # that no folder is there is said of each
    try:
        root = simulated_root(present)
    except StudyError as error:
        problems.append(Problem("mixed_simulated", " and ".join(given), str(error)))
        return None, ""
    if root is not None:
        try:
            read_marker(root)
            problems.extend(unsealed(root, present))
        except StudyError as error:
            problems.append(
                Problem(
                    "marker_unreadable", " and ".join(given), str(error), file=str(root), value=str(error)
                )
            )
    try:
        return group_labels(groups, root)
    except StudyError as error:
        file = str(groups or root)
        problems.append(
            Problem("labels_unreadable", " and ".join(given), str(error), file=file, value=str(error))
        )
        return None, ""


@dataclass(frozen=True)
class _Database:
    """The check of one database; what it finds is added to the three lists."""

    name: str
    directory: Path
    policies: Policies
    problems: list[Problem]
    found: list[str]
    content: list[object]

    def wrong(
        self, code: str, message: str, clip: str = "", file: object = "", value: object = "", kept=True
    ):
        self.problems.append(Problem(code, self.name, message, clip, str(file), str(value), kept))

    def check(self, table: pd.DataFrame | None, source: str, progress: bool) -> None:
        coding, several = find_coding_file(
            coding_places(self.name, self.directory), self.name, self.policies.coding_file
        )
        self.problems.extend(several)
        if coding is None:
            return
        clips, problems = scan_coding(coding, self.name)
        self.problems.extend(problems)
        self.content.append(clips.astype(str).to_dict("records"))
        clips = clips[~clips["clip_id"].duplicated()].reset_index(drop=True)
        kept = int(clips["label"].notna().sum())
        self.found.append(
            f"{self.name}: {len(clips)} clips of {clips['subject'].nunique()} subjects in {coding.name}, "
            f"{kept} with an emotion that the study keeps"
        )
        if len(clips) and table is not None:
            self.labels(clips, table, source, coding)
        if len(clips):
            self.frames(clips, progress)

    def labels(self, clips: pd.DataFrame, table: pd.DataFrame, source: str, coding: Path) -> None:
        """Coding file against group labels."""
        of_database = table[table["database"] == self.name]
        labelled = dict(zip(labels.clip_ids(of_database), of_database["group"], strict=True))
        for row in clips.itertuples():
            if row.clip_id not in labelled and pd.notna(row.label):
                message = f"clip {row.clip_id} has no group label in {source}"
                self.wrong("no_group_label", message, row.clip_id, source, row.clip)
        coded = set(clips["clip_id"])
        for clip_id in labelled:
            if clip_id not in coded:
                message = f"clip {clip_id} of {source} is not in {coding}"
                self.wrong("clip_not_coded", message, clip_id, coding, clip_id)
        for subject, groups in of_database.groupby("subject")["group"].unique().items():
            if len(groups) > 1:
                message = f"subject {self.name}/{subject} has the groups {', '.join(groups)} in {source}"
                self.wrong("two_groups", message, "", source, f"{subject}: {', '.join(groups)}")
        if source == RELEASED:
            released = labels.annotations()
            ids = labels.clip_ids(labels.released_groups())
            emotions = dict(zip(ids, released["emotion"].str.lower(), strict=True))
            for row in clips.itertuples():
                given = emotions.get(row.clip_id, row.emotion)
                if given != row.emotion:
                    message = f"clip {row.clip_id}: {row.emotion} in {coding}, {given} in {source}"
                    self.wrong("emotion_differs", message, row.clip_id, coding, f"{row.emotion}, not {given}")

    def frames(self, clips: pd.DataFrame, progress: bool) -> None:
        """Folders, file names and files of every coded clip."""
        log: list[Decision] = []
        subjects = list(clips["subject"].unique())
        there, missing = database_frames(self.name, self.directory, subjects, self.policies, log)
        self.problems.extend(missing)
        if there is None:
            return
        self.spellings(clips, there)
        rows = list(clips.itertuples())
        with ThreadPoolExecutor(8) as pool:  # reading waits for the disk
            checked = pool.map(lambda row: _clip(row, there), rows)
            done = list(tqdm(checked, total=len(rows), desc=f"check {self.name}", disable=not progress))
        sizes: Counter[str] = Counter()
        files = 0
        for problems, pictures, names in done:
            self.problems.extend(problems)
            self.content.append(names)
            files += len(names)
            sizes.update(f"{one.width} x {one.height}" for one in pictures[:1])
        common = ", ".join(f"{size} px ({count} clips)" for size, count in sizes.most_common(3))
        self.found.append(f"{self.name}: {files} frames in {there.root}; {common or 'none readable'}")
        self.found.extend(f"{self.name}: {one.what}: {one.old}; used: {one.new} ({one.rule})" for one in log)

    def spellings(self, clips: pd.DataFrame, there: FrameFolders) -> None:
        """Folders that are there twice, oddly spelled, or of no coded clip."""
        for subject, of_subject in clips.groupby("subject", sort=False):
            self.spelled(there.spellings(subject), there.root / subject, f"subject {self.name}/{subject}")
            for row in of_subject.itertuples():
                found = there.spellings(subject, row.clip)
                canonical = found[0].parent / row.clip if found else there.root / subject / row.clip
                self.spelled(found, canonical, f"clip {row.clip_id}", row.clip_id, pd.notna(row.label))
            for parent in there.spellings(subject)[:1]:
                coded = {there.meaning(clip) for clip in of_subject["clip"]}
                self.uncoded(there.children(parent), coded, parent)
        people = {name: names for name, names in there.children(there.root).items() if name.isdigit()}
        self.uncoded(people, {there.meaning(name, False) for name in clips["subject"]}, there.root)

    def uncoded(self, children: Mapping[str, list[str]], coded: set[str], parent: Path) -> None:
        for meaning, names in children.items():
            if meaning not in coded:
                message = f"{parent / names[0]} is no subject or clip of the coding file"
                self.wrong("uncoded_folder", message, "", parent / names[0], names[0])

    def spelled(
        self, found: list[Path], canonical: Path, what: str, clip: str = "", kept: bool = True
    ) -> None:
        if len(found) > 1:
            names = " and ".join(path.name for path in found)
            message = f"{what}: {names} in {found[0].parent} are the same; merge them"
            self.wrong("double_folder", message, clip, found[0].parent, names, kept)
        elif found and found[0].name != canonical.name:
            message = f"{what}: {found[0]} is used for {canonical.name}; rename it"
            self.wrong("odd_folder_name", message, clip, found[0], f"for {canonical.name}", kept)


def _clip(row, there: FrameFolders) -> tuple[list[Problem], list[Picture], list[tuple[str, int]]]:
    """Problems with one clip's files, heads of its key frames, and (name, bytes) of its frames."""
    problems: list[Problem] = []
    kept = pd.notna(row.label)

    def wrong(code: str, file: object, value: object, message: str) -> None:
        text = f"clip {row.clip_id}: {message}; {KINDS[code].fix}"
        problems.append(Problem(code, row.database, text, row.clip_id, str(file), str(value), kept))

    folder = there.folder(row.subject, row.clip)
    if not folder.is_dir():
        wrong("no_clip_folder", folder, "", f"{folder} is missing")
        return problems, [], []
    frames, odd = there.scan(row.subject, row.clip)
    problems += [one._replace(kept=kept) for one in odd]
    if not frames:
        wrong("empty_clip_folder", folder, "", f"{folder} holds no frame")
        return problems, [], []
    pictures: dict[str, Picture] = {}
    numbers = {moment: int(getattr(row, moment)) for moment in MOMENTS if pd.notna(getattr(row, moment))}
    for moment, number in numbers.items():
        written = there.written.format(subject=row.subject, frame=number)
        code = f"no_{moment}_file"
        if number not in frames:
            wrong(code, folder / written, f"{moment} {number}", f"no {moment} frame {number} in {folder}")
            continue
        seen = look(frames[number])
        if isinstance(seen, str):
            code = seen if moment != "offset" else code
            wrong(code, frames[number], f"{moment} {number}", f"{frames[number]} {DAMAGE[seen]}")
        else:
            pictures[moment] = seen
    _compare_pictures({m: pictures[m] for m in ("onset", "apex") if m in pictures}, folder, wrong)
    if numbers.keys() >= {"onset", "offset"}:
        wanted = range(numbers["onset"], numbers["offset"] + 1)
        missing = [number for number in wanted if number not in frames]
        between = [number for number in missing if number not in numbers.values()]
        if between and len(missing) < len(wanted) / 2:
            listed = f"{len(between)} of {wanted[0]} to {wanted[-1]}, first {between[0]}"
            wrong("frame_gap", folder, listed, f"frames are missing in {folder}: {listed}")
    names = [(path.name, path.stat().st_size) for path in frames.values()]
    return problems, list(pictures.values()), names


def _compare_pictures(pictures: Mapping[str, Picture], folder: Path, wrong) -> None:
    """Size and colour of one clip's onset and apex frame."""
    sizes = {moment: f"{one.width} x {one.height}" for moment, one in pictures.items()}
    listed = ", ".join(f"{moment} {size}" for moment, size in sizes.items())
    if len(set(sizes.values())) > 1:
        wrong("sizes_differ", folder, listed, f"frames in {folder} differ in size: {listed}")
    if len({one.channels for one in pictures.values()}) > 1:
        kinds = ", ".join(f"{m} {'gray' if one.channels == 1 else 'colour'}" for m, one in pictures.items())
        wrong("colour_differs", folder, kinds, f"frames in {folder} differ: {kinds}")
    small = [one for one in pictures.values() if min(one.width, one.height) < SMALLEST]
    if small:
        message = f"frames in {folder} are {listed}: under {SMALLEST} px"
        wrong("small_frame", folder, listed, message)
