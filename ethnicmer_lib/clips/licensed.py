"""CASME II and SAMM frames as one cohort: the reader's copies, or a simulated one in their layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from ethnicmer_lib.clips import label_tables, labels
from ethnicmer_lib.clips.casme2 import casme2_frames
from ethnicmer_lib.clips.coding import read_coding
from ethnicmer_lib.clips.decisions import LEFT_OUT, Decision, decisions_table
from ethnicmer_lib.clips.folders import FrameFolders
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.places import coding_places, find_coding_file, missing_folder
from ethnicmer_lib.clips.policies import AS_WRITTEN, Policies
from ethnicmer_lib.clips.problems import Problem, refuse
from ethnicmer_lib.clips.samm import samm_frames
from ethnicmer_lib.clips.settling import settle
from ethnicmer_lib.clips.simulated import read_marker, simulated_root, unsealed
from ethnicmer_lib.clips.table import NEIGHBOURS, Clips, Moment, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import digest

GROUPS = "groups.csv"
RELEASED = "the released label table"


class FrameClips(Clips):
    """Clips with frames on disk.

    Parameters
    ----------
    clips : DataFrame with the columns of ``clips.COLUMNS``.
    provenance : Provenance
    folders : database -> FrameFolders
    root : Path or None
        Of a simulated cohort, the folder that holds its marker, labels and true motion; else None.
    decisions : DataFrame or None
        What the loader decided.
    resized : clip ids whose frames are brought to the size of their onset frame.
    """

    def __init__(
        self,
        clips: pd.DataFrame,
        provenance: Provenance,
        folders: dict[str, FrameFolders],
        root: Path | None = None,
        decisions: pd.DataFrame | None = None,
        resized: frozenset[str] = frozenset(),
    ):
        super().__init__(clips, provenance, decisions)
        self.folders = folders
        self.root = root
        self.resized = resized

    def frames(self, clip_id: str, moment: Moment) -> np.ndarray:
        """One frame as the file holds it: (H, W), or (H, W, 3) RGB; uint8.

        Raises
        ------
        StudyError
            When the coder gave no such frame, or its file is missing or unreadable.
        """
        row = self.row(clip_id)
        frame = row[moment]
        if pd.isna(frame):
            raise StudyError(
                f"clip {clip_id}: the coding file gives no {moment} frame; "
                f"write its number there, or label the clip 'others' to leave it out"
            )
        folders = self.folders[row["database"]]
        image = folders.read(row["subject"], row["clip"], int(frame), moment)
        if clip_id in self.resized and moment != "onset":
            onset = folders.read(row["subject"], row["clip"], int(row["onset"]), "onset")
            if image.shape[:2] != onset.shape[:2]:
                image = cv2.resize(image, onset.shape[1::-1], interpolation=cv2.INTER_AREA)
        return image

    def _others(self, clip_id: str, moment: Moment, before: int, after: int) -> dict[int, np.ndarray]:
        row, first = self.row(clip_id), self.frames(clip_id, moment)
        folders, subject, clip = self.folders[row["database"]], row["subject"], row["clip"]
        found = {}
        for number in folders.around(subject, clip, int(row[moment]), before, after):
            image = folders.read(subject, clip, number, f"neighbour of {moment}:")
            if image.shape[:2] != first.shape[:2] and clip_id in self.resized:
                image = cv2.resize(image, first.shape[1::-1], interpolation=cv2.INTER_AREA)
            if image.shape != first.shape:
                raise StudyError(
                    f"clip {clip_id}: frame {number} is {image.shape} and {moment} frame {row[moment]} beside it is "
                    f"{first.shape}; crop all frames of a clip by one box, or remove the frame from its folder"
                )
            found[number - int(row[moment])] = image
        return found


def open_licensed(
    casme2_dir: Path | None,
    samm_dir: Path | None,
    groups: Path | None = None,
    policies: Policies = AS_WRITTEN,
    mapping: str = "paper",
) -> FrameClips:
    """Open the reader's CASME II and SAMM folders (one or both) as one cohort.

    Parameters
    ----------
    casme2_dir, samm_dir : Path or None
        The databases' folders; layouts in ``casme2_frames`` and ``samm_frames``.
    groups : Path or None
        CSV of group labels, columns ``labels.GROUP_COLUMNS``. None: the released label table, or the
        cohort's own ``groups.csv`` where the folders hold a simulated cohort.
    policies : what to do with doubtful clips; every decision is in ``decisions``.
    mapping : how the released labels become groups, a name in ``labels.ETHNIC_MAPPINGS``.

    Raises
    ------
    StudyError
        No folder given, one simulated and the other not, a file in a simulated cohort that the simulator did not
        write, or anything wrong in the folders or labels.
    """
    given = {
        name: Path(folder).expanduser() for name, folder in ((CASME2, casme2_dir), (SAMM, samm_dir)) if folder
    }
    if not given:
        raise StudyError("data='licensed' needs your own copy: give --casme2, --samm or both")
    root, marker = simulated_root(given), None
    if root is not None:
        marker = read_marker(root)
        refuse(unsealed(root, given), policies)
        given = {name: folder.resolve() for name, folder in given.items()}  # as they were compared
    table, source = group_labels(groups, root, mapping)
    log: list[Decision] = []
    tables, folders = [], {}
    for name, folder in given.items():
        clips, folders[name] = _read_database(name, folder, policies, log)
        tables.append(labels.join_groups(clips, table, source))
    clips = pd.concat(tables, ignore_index=True)
    clips, settled, resized = settle(_mapped(clips, mapping, log), folders, policies)
    decisions = decisions_table(log + settled)
    source = _provenance(clips, folders, resized, marker)
    return FrameClips(clips, source, folders, root, decisions, frozenset(resized))


def _provenance(
    clips: pd.DataFrame, folders: dict[str, FrameFolders], resized: list[str], marker: dict[str, Any] | None
) -> Provenance:
    """Where the clips come from; of simulated ones by their marker."""
    frames = _frame_files(clips, folders)
    if marker is None:
        line = f"{' + '.join(folders)}, licensed frames"
        files = frames + [(path.name, path.stat().st_size) for path in _neighbour_files(clips, folders)]
        return Provenance(line, False, _fingerprint(clips, files, resized))
    # The bytes of a JPEG may differ between machines although the picture was asked for the same way:
    # a complete simulated cohort is known by its settings.
    content = frames if None in [size for _, size in frames] else marker["fingerprint"]
    if beside := [path.name for path in _neighbour_files(clips, folders)]:
        content = [content, beside]
    settings = marker.get("settings", {})
    # What differs between the groups by construction; findings say it.
    built = [f", {n}={settings[n]:g}" for n in ("texture_cue", "action_unit_effect") if settings.get(n)]
    line = f"simulated cohort (seed {settings.get('seed', 'unknown')}{''.join(built)})"
    return Provenance(line, True, _fingerprint(clips, content, resized))


def group_labels(groups: Path | None, root: Path | None, mapping: str = "paper") -> tuple[pd.DataFrame, str]:
    """(table of group labels, where it comes from): a reader's, a simulated cohort's own, or the released one.

    Raises
    ------
    StudyError
        A table that cannot be used; or another mapping than the paper's for labels that are not the
        released ones.
    """
    if groups is None and root is not None:
        groups = root / GROUPS
    if groups is None:
        return labels.released_groups(mapping), RELEASED
    if mapping != "paper":
        raise StudyError(
            f"mapping={mapping!r} maps the released labels, and the groups here come from "
            f"{groups}; write the groups you want there, or leave mapping at 'paper'"
        )
    path = Path(groups).expanduser()
    return label_tables.read_groups(path), str(path)


def database_frames(
    name: str, directory: Path, subjects: list[str], policies: Policies, log: list[Decision]
) -> tuple[FrameFolders | None, list[Problem]]:
    """Where the frames of a database are, or the problem that says why they are nowhere."""
    if name == CASME2:
        return casme2_frames(directory, subjects, policies, log)
    return samm_frames(directory, subjects)


def _read_database(
    name: str, directory: Path, policies: Policies, log: list[Decision]
) -> tuple[pd.DataFrame, FrameFolders]:
    """The kept clips of a database without groups, and where its frames are."""
    if not directory.is_dir():
        raise StudyError(missing_folder(name, directory).message)
    coding, several = find_coding_file(coding_places(name, directory), name, policies.coding_file)
    refuse(several, policies)
    if several:
        log.append(
            Decision(
                name, "coding file", several[0].value, coding.name, f"coding_file={policies.coding_file!r}"
            )
        )
    clips = read_coding(coding, name, policies, log)
    folders, missing = database_frames(name, directory, list(clips["subject"].unique()), policies, log)
    refuse(missing, policies)
    for row in clips.itertuples():
        used = folders.spellings(row.subject, row.clip)[:1]
        written = [folders.root / row.subject / row.clip]
        if used and used != written:
            old, new = (str(path.relative_to(folders.root)) for path in (*written, *used))
            log.append(Decision(row.clip_id, "folder", old, new, "the folder that is there"))
    return clips, folders


def _mapped(clips: pd.DataFrame, mapping: str, log: list[Decision]) -> pd.DataFrame:
    """The clips that the mapping of ethnic labels leaves in."""
    out = clips["group"] == labels.LEFT_OUT
    rule = f"mapping={mapping!r}"
    log += [Decision(row.clip_id, "clip", row.ethnicity, LEFT_OUT, rule) for row in clips[out].itertuples()]
    return clips[~out]


def _frame_files(clips: pd.DataFrame, folders: dict[str, FrameFolders]) -> list[tuple[str, int | None]]:
    """(file name, bytes) of each onset and apex frame that the coder named; None bytes for a missing file."""
    files: list[tuple[str, int | None]] = []
    for row in clips.itertuples():
        for frame in (row.onset, row.apex):
            if pd.isna(frame):
                continue
            path = folders[row.database].find(row.subject, row.clip, int(frame))
            files.append(
                (f"{row.clip_id}/{frame}", None) if path is None else (path.name, path.stat().st_size)
            )
    return files


def _neighbour_files(clips: pd.DataFrame, folders: dict[str, FrameFolders]) -> list[Path]:
    """The files of the frames beside onset and apex: flow may be computed from them, too."""
    files = []
    for row in clips.itertuples():
        of = folders[row.database]
        for frame in (row.onset, row.apex):
            if not pd.isna(frame):
                listed = of.listing(row.subject, row.clip)
                beside = of.around(row.subject, row.clip, int(frame), NEIGHBOURS, NEIGHBOURS)
                files += [listed[n] for n in beside]
    return files


def _fingerprint(clips: pd.DataFrame, content: object, resized: list[str]) -> str:
    return digest([clips.astype(str).to_dict("records"), content, *([resized] if resized else [])])
