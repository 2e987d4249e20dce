"""Settle the doubtful frames of licensed clips by named policies, and log every decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pandas as pd

from ethnicmer_lib.clips.coding import MOMENTS, outside
from ethnicmer_lib.clips.decisions import LEFT_OUT, Decision
from ethnicmer_lib.clips.folders import FrameFolders, look
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.errors import StudyError

_WIDTH = 128  # px to which frames are shrunk before an apex is estimated
Row = dict[str, Any]  # one clip: the columns of the clips table, frame numbers int or None


def settle(
    clips: pd.DataFrame, folders: Mapping[str, FrameFolders], policies: Policies
) -> tuple[pd.DataFrame, list[Decision], list[str]]:
    """Apply the policies ``apex``, ``missing_apex``, ``missing_frames`` and ``frame_sizes``, in this order.

    Parameters
    ----------
    clips : DataFrame with the columns clip_id, database, subject, clip, onset, apex, offset.
    folders : database -> where its frames are.

    Returns
    -------
    clips : the clips that stay, with the frame numbers to use.
    decisions : what was decided; a policy that leaves a doubtful apex as it is is one, too.
    resized : clip ids whose frames are to be brought to the size of their onset frame.

    Raises
    ------
    StudyError
        With the clip, where a policy cannot do its work: no onset or offset for 'midpoint', 'offset' or
        'estimate', no frame for 'nearest' or 'estimate'.
    """
    log: list[Decision] = []
    rows: list[Row] = []
    resized: list[str] = []
    for row in clips.to_dict("records"):
        row |= {moment: None if pd.isna(row[moment]) else int(row[moment]) for moment in MOMENTS}
        there = folders[row["database"]]
        if _apex(row, there, policies, log) and _files(row, there, policies, log):
            kept, differ = _sizes(row, there, policies, log)
            rows += [row] if kept else []
            resized += [row["clip_id"]] if kept and differ else []
    settled = pd.DataFrame(rows, columns=list(clips.columns)).astype(dict.fromkeys(MOMENTS, "Int64"))
    return settled, log, resized


def _apex(row: Row, there: FrameFolders, policies: Policies, log: list[Decision]) -> bool:
    """Settle a missing or doubtful apex; False where the clip goes."""
    onset, apex, offset = (row[moment] for moment in MOMENTS)
    if apex is None:
        name = "missing_apex"
    elif outside(onset, apex, offset):
        name = "apex"
    else:
        return True
    choice = getattr(policies, name)
    rule = f"{name}={choice!r}"
    old = "none" if apex is None else f"{apex} (onset {onset}, offset {offset})"
    if choice in ("as_is", "drop"):
        new = LEFT_OUT if choice == "drop" else old
        log.append(Decision(row["clip_id"], "apex", old, new, rule))
        return choice == "as_is"
    if onset is None or offset is None:
        lacking = "onset" if onset is None else "offset"
        raise StudyError(
            f"clip {row['clip_id']}: the policy {rule} needs the {lacking} frame, and the coding file gives none; "
            f"write its number there, or choose {name}='drop'"
        )
    if choice == "offset":
        row["apex"] = offset
    elif choice == "midpoint":
        row["apex"] = (onset + offset) // 2
    else:
        row["apex"] = estimate_apex(there, row["subject"], row["clip"], onset, offset)
    log.append(Decision(row["clip_id"], "apex", old, str(row["apex"]), rule))
    return True


def estimate_apex(folders: FrameFolders, subject: str, clip: str, onset: int, offset: int) -> int:
    """The frame after the onset, up to the offset, that differs most from the onset frame.

    Frames are made gray and shrunk to 128 px width, which averages sensor noise; the measure is the mean
    absolute difference of gray levels less its median, so that a change of the light counts for nothing.
    The first of equals; only frames that are there. A simple stand-in where the coder gave no apex: a blink or
    a movement of the head is taken for an expression as well.

    Raises
    ------
    StudyError
        When the onset frame or every later frame is missing, a file is unreadable, or sizes differ.
    """
    numbers = [frame for frame in folders.listing(subject, clip) if onset < frame <= offset]
    if not numbers:
        raise StudyError(
            f"clip {folders.database}/{subject}/{clip}: no frame after onset {onset} up to offset {offset} in "
            f"{folders.folder(subject, clip)}, so the apex cannot be estimated; copy the frames, or choose another "
            "policy for the apex"
        )
    first = _small(folders.read(subject, clip, onset, "onset"))
    size = first.shape
    best, found = -1.0, numbers[0]
    for number in numbers:
        frame = _small(folders.read(subject, clip, number, "candidate apex"))
        if frame.shape != size:
            raise StudyError(
                f"clip {folders.database}/{subject}/{clip}: frames {onset} and {number} differ in size, so the apex "
                "cannot be estimated; copy the clip again, or choose another policy for the apex"
            )
        difference = frame - first
        moved = float(np.abs(difference - np.median(difference)).mean())
        if moved > best:
            best, found = moved, number
    return found


def _small(frame: np.ndarray) -> np.ndarray:
    """(h, w) float32, gray, at most 128 px wide."""
    gray = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    height, width = gray.shape
    if width > _WIDTH:
        size = (_WIDTH, max(1, round(height * _WIDTH / width)))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return gray.astype(np.float32)


def _files(row: Row, there: FrameFolders, policies: Policies, log: list[Decision]) -> bool:
    """Settle missing and damaged onset and apex files; False where the clip goes."""
    if policies.missing_frames == "as_is":
        return True  # an error names the file when it is asked for
    rule = f"missing_frames={policies.missing_frames!r}"
    listing = there.listing(row["subject"], row["clip"])
    for moment in ("onset", "apex"):
        number = row[moment]
        trouble = _trouble(listing, number)
        if number is None or not trouble:
            continue
        old = f"{number} ({trouble})"
        if policies.missing_frames == "drop":
            log.append(Decision(row["clip_id"], moment, old, LEFT_OUT, rule))
            return False
        other = row["onset"] if moment == "apex" else None
        candidates = sorted((abs(frame - number), frame) for frame in listing if frame != other)
        nearest = next((frame for _, frame in candidates if not _trouble(listing, frame)), None)
        if nearest is None:
            raise StudyError(
                f"clip {row['clip_id']}: {moment} frame {number} is {trouble}, and {rule} finds no other frame in "
                f"{there.folder(row['subject'], row['clip'])}; copy the clip, or choose missing_frames='drop'"
            )
        row[moment] = nearest
        log.append(Decision(row["clip_id"], moment, old, str(nearest), rule))
    return True


def _trouble(listing: Mapping[int, Any], number: int | None) -> str:
    """Why a frame cannot be used, '' where it can."""
    if number is None:
        return ""
    if number not in listing:
        return "missing"
    seen = look(listing[number])
    return seen.replace("_", " ") if isinstance(seen, str) else ""


def _sizes(row: Row, there: FrameFolders, policies: Policies, log: list[Decision]) -> tuple[bool, bool]:
    """(whether the clip stays, whether its frames must be resized)."""
    if policies.frame_sizes == "refuse":
        return True, False  # the flow says so
    listing = there.listing(row["subject"], row["clip"])
    seen = [look(listing[row[m]]) for m in ("onset", "apex") if row[m] in listing]
    sizes = [(one.width, one.height) for one in seen if not isinstance(one, str)]
    if len(set(sizes)) < 2:
        return True, False
    keeps = policies.frame_sizes == "resize"
    onset, apex = (f"{width} x {height}" for width, height in sizes)
    rule = f"frame_sizes={policies.frame_sizes!r}"
    log.append(Decision(row["clip_id"], "size of apex frame", apex, onset if keeps else LEFT_OUT, rule))
    return keeps, keeps
