"""Settle what is doubtful in licensed clips by named policies, and log every decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.coding import outside
from ethnicmer_lib.clips.folders import FrameFolders
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.clips.problems import KINDS, Problem
from ethnicmer_lib.clips.table import DROPPED, MOMENTS, Decision


def settle_apexes(clips: pd.DataFrame, policies: Policies, log: list[Decision]) -> list[Problem]:
    """Give kept clips the apex of the policies ``apex`` and ``missing_apex``, in place; who goes is kept no longer.

    What was decided is added to ``log``; a policy that leaves a doubtful apex as it is counts, too. Returned are the
    clips for which a policy lacks the offset.
    """
    problems = []
    onset, apex, offset = (clips[moment] for moment in MOMENTS)
    for policy, doubtful in (("missing_apex", apex.isna()), ("apex", outside(clips))):
        choice = getattr(policies, policy)
        rule = f"{policy}={choice!r}"
        settled = {"midpoint": (onset + offset) // 2, "offset": offset}.get(choice, apex)
        for row in clips[doubtful & clips["kept"]].itertuples():
            old = "none" if pd.isna(row.apex) else f"{row.apex} (onset {row.onset}, offset {row.offset})"
            new = {"as_is": old, "drop": DROPPED}.get(choice, str(settled[row.Index]))
            log.append(Decision(row.clip_id, "apex", old, new, rule))
            if new == str(pd.NA):
                problems.append(Problem("unsettled", row.database, row.clip_id, value=rule))
        clips["apex"] = clips["apex"].mask(doubtful, settled)
        if choice == "drop":
            clips["kept"] &= ~doubtful
    return problems


def look(row: Any, there: FrameFolders) -> tuple[dict[str, np.ndarray], list[Problem]]:
    """The frames of a clip by moment, and what is wrong with their files; ``row`` is one of a clips table."""
    if not there.listing(row.subject, row.clip):
        return {}, [Problem("no_frames", row.database, row.clip_id, there.folder(row.subject, row.clip))]
    frames, problems = {}, []
    for moment in MOMENTS:
        number = getattr(row, moment)
        found = None if pd.isna(number) else there.read(row.subject, row.clip, int(number), moment)
        if isinstance(found, Problem):
            # Of the offset little is seen: whatever is wrong with its file stops nothing.
            problems.append(found._replace(code="no_offset_file") if moment == "offset" else found)
        elif found is not None:
            frames[moment] = found
    return frames, problems


def drop_unreadable(
    clips: pd.DataFrame, folders: Mapping[str, FrameFolders], log: list[Decision]
) -> pd.DataFrame:
    """The clips whose onset and apex can be read; the others are added to ``log``."""
    wrong = {
        row.clip_id: problem
        for row in clips.itertuples()
        for problem in look(row, folders[row.database])[1]
        if KINDS[problem.code].policy == "missing_frames"
    }
    for clip_id, problem in wrong.items():
        old = f"{KINDS[problem.code].meaning}: {problem.value or problem.file}"
        log.append(Decision(clip_id, "frames", old, DROPPED, "missing_frames='drop'"))
    return clips[~clips["clip_id"].isin(list(wrong))]
