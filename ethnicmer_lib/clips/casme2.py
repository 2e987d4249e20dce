"""CASME II on disk (Yan et al. 2014): its cropped or raw frames."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ethnicmer_lib.clips.decisions import Decision
from ethnicmer_lib.clips.folders import FrameFolders, check_root
from ethnicmer_lib.clips.labels import CASME2
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.clips.problems import Problem

#: Choice of the parameter ``casme2_frames`` -> frame folder, file name, how it is written.
LAYOUTS = {
    "cropped": ("Cropped", r"reg_img(\d+)\.jpg", "reg_img{frame}.jpg"),
    "raw": ("CASME2_RAW_selected", r"img(\d+)\.jpg", "img{frame}.jpg"),
}


def casme2_frames(
    directory: Path, subjects: Iterable[str], policies: Policies, log: list[Decision]
) -> tuple[FrameFolders | None, list[Problem]]:
    """Where the frames of CASME II are: ``Cropped/sub01/EP02_01f/reg_img46.jpg``, or raw frames.

    Parameters
    ----------
    directory : Path
        Folder with ``Cropped/`` or ``CASME2_RAW_selected/`` or both.
    subjects : subjects of whom at least one must have a folder there.
    policies : ``casme2_frames`` counts; 'any' takes the cropped frames where there are both.
    log : what was decided is added to it.

    Returns
    -------
    The folders, or None with the problem that says why.
    """
    choice = policies.casme2_frames
    wanted = [LAYOUTS[choice]] if choice != "any" else list(LAYOUTS.values())
    there = [layout for layout in wanted if (directory / layout[0]).is_dir()]
    if not there:
        names = " nor ".join(f"{layout[0]}/" for layout in wanted)
        message = (
            f"{CASME2}: {'neither ' * (len(wanted) > 1)}{names} in {directory}; unpack the frames there, or choose "
            "others with casme2_frames"
        )
        return None, [Problem("no_frame_folder", CASME2, message, file=str(directory), value=names)]
    folder, number, written = there[0]
    if choice == "any" and (len(there) > 1 or folder != LAYOUTS["cropped"][0]):
        found = " and ".join(f"{layout[0]}/" for layout in there)
        log.append(Decision(CASME2, "frames", found, f"{folder}/", "casme2_frames='any'"))
    return check_root(FrameFolders(CASME2, directory / folder, number, written), subjects)
