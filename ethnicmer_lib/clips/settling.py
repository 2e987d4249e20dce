"""Settle the doubtful frames of licensed clips by named policies, and log every decision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.clips.coding import outside
from ethnicmer_lib.clips.folders import FrameFolders
from ethnicmer_lib.clips.pictures import Picture, look
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.clips.table import DROPPED, MOMENTS, Decision
from ethnicmer_lib.errors import StudyError


def settle(
    clips: pd.DataFrame, folders: Mapping[str, FrameFolders], policies: Policies, log: list[Decision]
) -> pd.DataFrame:
    """The clips that stay by the policies ``apex``, ``missing_apex`` and ``missing_frames``, with the frames to use.

    What was decided is added to ``log``; a policy that leaves a doubtful apex as it is counts, too. StudyError, with
    the clip, where a policy cannot do its work: no onset or offset for 'midpoint' or 'offset', no frame for 'nearest'.
    """
    rows = []
    for row in clips.to_dict("records"):
        row |= {moment: None if pd.isna(row[moment]) else int(row[moment]) for moment in MOMENTS}
        if _apex(row, policies, log) and _files(row, folders[row["database"]], policies.missing_frames, log):
            rows.append(row)
    return pd.DataFrame(rows, columns=list(clips.columns)).astype(dict.fromkeys(MOMENTS, "Int64"))


def _apex(row: dict[str, Any], policies: Policies, log: list[Decision]) -> bool:
    """Settle a missing or doubtful apex; False where the clip goes."""
    onset, apex, offset = (row[moment] for moment in MOMENTS)
    if apex is not None and not outside(onset, apex, offset):
        return True
    policy = "missing_apex" if apex is None else "apex"
    choice = getattr(policies, policy)
    old = "none" if apex is None else f"{apex} (onset {onset}, offset {offset})"
    new = {"as_is": old, "drop": DROPPED}.get(choice)
    if new is None:
        if onset is None or offset is None:
            raise StudyError(
                f"clip {row['clip_id']}: the policy {policy}={choice!r} needs the "
                f"{'onset' if onset is None else 'offset'} frame, and the coding file gives none; write its number "
                f"there, or choose {policy}='drop'"
            )
        row["apex"] = offset if choice == "offset" else (onset + offset) // 2
        new = str(row["apex"])
    log.append(Decision(row["clip_id"], "apex", old, new, f"{policy}={choice!r}"))
    return choice != "drop"


def _files(row: dict[str, Any], there: FrameFolders, choice: str, log: list[Decision]) -> bool:
    """Settle missing and damaged onset and apex files; False where the clip goes."""
    if choice == "as_is":
        return True  # an error names the file when it is asked for
    listing = there.listing(row["subject"], row["clip"])
    for moment in ("onset", "apex"):
        number = row[moment]
        trouble = "" if number is None else _trouble(listing, number)
        if not trouble:
            continue
        new = DROPPED
        if choice == "nearest":
            others = [frame for frame in listing if moment == "onset" or frame != row["onset"]]
            nearest = sorted((abs(frame - number), frame) for frame in others)
            row[moment] = next((frame for _, frame in nearest if not _trouble(listing, frame)), None)
            new = str(row[moment])
        if row[moment] is None:
            raise StudyError(
                f"clip {row['clip_id']}: {moment} frame {number} is {trouble}, and missing_frames='nearest' finds no "
                f"other frame in {there.folder(row['subject'], row['clip'])}; copy the clip, or choose "
                "missing_frames='drop'"
            )
        rule = f"missing_frames={choice!r}"
        log.append(Decision(row["clip_id"], moment, f"{number} ({trouble})", new, rule))
        if new == DROPPED:
            return False
    return True


def _trouble(listing: Mapping[int, Path], number: int) -> str:
    """Why a frame cannot be used, '' where it can."""
    seen = look(listing[number]) if number in listing else "missing"
    return "" if isinstance(seen, Picture) else seen.replace("_", " ")
