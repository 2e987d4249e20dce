"""CASME II on disk (Yan et al. 2014): its coding file and its cropped or raw frames."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ethnicmer_lib.cohort.coding import find_coding_file, read_coding
from ethnicmer_lib.cohort.folders import FrameFolders
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.labels import CASME2, join_groups

CODING_FILE = "CASME2-coding-*.xlsx"
#: Frame folder, file name, how it is written; the first that exists serves the whole cohort.
LAYOUTS = (
    ("Cropped", r"reg_img(\d+)\.jpg", "reg_img{frame}.jpg"),
    ("CASME2_RAW_selected", r"img(\d+)\.jpg", "img{frame}.jpg"),
)


def read_casme2(directory: Path, groups: pd.DataFrame, source: str) -> tuple[pd.DataFrame, FrameFolders]:
    """The kept clips of CASME II with their group labels, and where their frames are.

    Parameters
    ----------
    directory : Path
        Folder with ``CASME2-coding-*.xlsx`` and ``Cropped/`` (preferred) or ``CASME2_RAW_selected/``.
    groups : DataFrame
        Group labels, columns ``labels.GROUP_COLUMNS``.
    source : str
        Where ``groups`` come from, for messages.

    Raises
    ------
    StudyError
        Folder, coding file or frame folder missing; a wrong cell (see ``read_coding``); a clip without group.
    """
    if not directory.is_dir():
        raise StudyError(f"{CASME2}: {directory} is not a folder; name your copy with --casme2-dir")
    coding = find_coding_file([directory], CODING_FILE, CASME2, "--casme2-dir")
    layout = next((layout for layout in LAYOUTS if (directory / layout[0]).is_dir()), None)
    if layout is None:
        raise StudyError(
            f"{CASME2}: neither {LAYOUTS[0][0]}/ nor {LAYOUTS[1][0]}/ in {directory}; unpack the frames there"
        )
    folder, number, written = layout
    clips = join_groups(read_coding(coding, CASME2), groups, source)
    return clips, FrameFolders(CASME2, directory / folder, number, written)
