"""SAMM on disk (Davison et al. 2016): its coding file and its frames, original or cropped."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ethnicmer_lib.cohort.coding import find_coding_file, read_coding
from ethnicmer_lib.cohort.folders import FrameFolders
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.labels import SAMM, join_groups

CODING_FILE = "SAMM_Micro_FACS_Codes*.xlsx"


def read_samm(directory: Path, groups: pd.DataFrame, source: str) -> tuple[pd.DataFrame, FrameFolders]:
    """The kept clips of SAMM with their group labels, and where their frames are.

    Parameters
    ----------
    directory : Path
        Folder of the subjects (``006/006_1_2/006_05562.jpg``), or the one that holds it as ``SAMM/``;
        the coding file ``SAMM_Micro_FACS_Codes_v2.xlsx`` lies in either.
    groups : DataFrame
        Group labels, columns ``labels.GROUP_COLUMNS``.
    source : str
        Where ``groups`` come from, for messages.

    Raises
    ------
    StudyError
        Folder or coding file missing; a wrong cell (see ``read_coding``); a clip without group.
    """
    if not directory.is_dir():
        raise StudyError(f"{SAMM}: {directory} is not a folder; name your copy with --samm-dir")
    root = directory / "SAMM" if (directory / "SAMM").is_dir() else directory
    coding = find_coding_file(list(dict.fromkeys([directory, root])), CODING_FILE, SAMM, "--samm-dir")
    clips = join_groups(read_coding(coding, SAMM), groups, source)
    if not any((root / subject).is_dir() for subject in clips["subject"]):
        raise StudyError(
            f"{SAMM}: no subject folder such as {clips['subject'].iloc[0]}/ in {root}; "
            "unpack the frames there"
        )
    return clips, FrameFolders(SAMM, root, r"(?:\d{1,3}_)?(\d+)\.jpg", "{subject}_{frame:05d}.jpg")
