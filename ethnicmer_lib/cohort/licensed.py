"""CASME II and SAMM frames as one cohort: the reader's copies, or a simulated one in their layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ethnicmer_lib import runs
from ethnicmer_lib.cohort.casme2 import read_casme2
from ethnicmer_lib.cohort.clips import Cohort, Moment, Provenance
from ethnicmer_lib.cohort.folders import FrameFolders
from ethnicmer_lib.cohort.samm import read_samm
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.labels import CASME2, SAMM, read_groups, released_groups

MARKER = "SIMULATED.json"
GROUPS = "groups.csv"


class FrameCohort(Cohort):
    """Clips with frames on disk.

    Parameters
    ----------
    clips : DataFrame with the columns of ``clips.COLUMNS``.
    provenance : Provenance
    folders : database -> FrameFolders
    root : Path or None
        Of a simulated cohort, the folder that holds its marker, labels and true motion; else None.
    """

    def __init__(
        self,
        clips: pd.DataFrame,
        provenance: Provenance,
        folders: dict[str, FrameFolders],
        root: Path | None = None,
    ):
        super().__init__(clips, provenance)
        self.folders = folders
        self.root = root

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
        return self.folders[row["database"]].read(row["subject"], row["clip"], int(frame), moment)


def open_licensed(casme2_dir: Path | None, samm_dir: Path | None, groups: Path | None = None) -> FrameCohort:
    """Open the reader's CASME II and SAMM folders (one or both) as one cohort.

    Parameters
    ----------
    casme2_dir, samm_dir : Path or None
        The databases' folders; layouts in ``read_casme2`` and ``read_samm``.
    groups : Path or None
        CSV of group labels, columns ``labels.GROUP_COLUMNS``. None: the released label table, or the
        cohort's own ``groups.csv`` where the folders hold a simulated cohort.

    Raises
    ------
    StudyError
        No folder given, one simulated and the other not, or anything wrong in the folders or labels.
    """
    given = {
        name: Path(folder).expanduser() for name, folder in ((CASME2, casme2_dir), (SAMM, samm_dir)) if folder
    }
    if not given:
        raise StudyError("data='licensed' needs your own copy: give --casme2-dir, --samm-dir or both")
    root = _simulated_root(given)
    if groups is None and root is not None:
        groups = root / GROUPS
    labels = released_groups() if groups is None else read_groups(Path(groups).expanduser())
    source = "the released label table" if groups is None else str(groups)
    read = {CASME2: read_casme2, SAMM: read_samm}
    tables, folders = [], {}
    for name, folder in given.items():
        clips, folders[name] = read[name](folder, labels, source)
        tables.append(clips)
    clips = pd.concat(tables, ignore_index=True)
    frames = _frame_files(clips, folders)
    if root is None:
        line = f"{' + '.join(given)}, licensed frames"
        provenance = Provenance(line, False, _fingerprint(clips, frames))
    else:
        marker = _read_marker(root / MARKER)
        # The bytes of a JPEG may differ between machines although the picture was asked for the same way:
        # a complete simulated cohort is known by its settings.
        content = frames if None in [size for _, size in frames] else marker["fingerprint"]
        seed = marker.get("settings", {}).get("seed", "unknown")
        provenance = Provenance(f"simulated cohort (seed {seed})", True, _fingerprint(clips, content))
    return FrameCohort(clips, provenance, folders, root)


def _simulated_root(given: dict[str, Path]) -> Path | None:
    """The folder with the simulator's marker, in or directly above every given folder; None for real data."""
    roots = {}
    for name, folder in given.items():
        places = (folder.resolve(), folder.resolve().parent)
        roots[name] = next((place for place in places if (place / MARKER).is_file()), None)
    if len(set(roots.values())) > 1:
        found = ", ".join(f"{name}: {root or 'not simulated'}" for name, root in roots.items())
        raise StudyError(
            f"the two folders are not of one cohort by {MARKER} ({found}); give both from the same one"
        )
    return next(iter(roots.values()))


def _read_marker(path: Path) -> dict[str, Any]:
    try:
        marker = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StudyError(f"{path} is not JSON ({error}); write the simulated cohort again") from error
    if not isinstance(marker, dict) or not isinstance(marker.get("fingerprint"), str):
        raise StudyError(f"{path} holds no 'fingerprint'; write the simulated cohort again")
    return marker


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


def _fingerprint(clips: pd.DataFrame, content: object) -> str:
    return runs.digest([clips.astype(str).to_dict("records"), content])
