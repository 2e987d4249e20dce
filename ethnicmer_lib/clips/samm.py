"""SAMM on disk (Davison et al. 2016): its frames, original or cropped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ethnicmer_lib.clips.folders import FrameFolders, check_root
from ethnicmer_lib.clips.labels import SAMM
from ethnicmer_lib.clips.problems import Problem


def samm_root(directory: Path) -> Path:
    """The folder of the subjects: ``directory`` itself, or ``SAMM/`` in it."""
    return directory / "SAMM" if (directory / "SAMM").is_dir() else directory


def samm_frames(directory: Path, subjects: Iterable[str]) -> tuple[FrameFolders | None, list[Problem]]:
    """Where the frames of SAMM are: ``006/006_1_2/006_05562.jpg``; a cropped copy has the same layout.

    Frame numbers are padded to five digits in most clips, not in all.

    Parameters
    ----------
    directory : Path
        Folder of the subjects, or the one that holds it as ``SAMM/``.
    subjects : subjects of whom at least one must have a folder there.

    Returns
    -------
    The folders, or None with the problem that says why.
    """
    root = samm_root(directory)
    return check_root(
        FrameFolders(SAMM, root, r"(?:\d{1,3}_)?(\d+)\.jpg", "{subject}_{frame:05d}.jpg"), subjects
    )
