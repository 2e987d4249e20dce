"""Settle what is doubtful in licensed clips by named policies, and log every decision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ethnicmer_lib.clips.coding import outside
from ethnicmer_lib.clips.folders import FrameFolders
from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.clips.table import DROPPED, MOMENTS, Decision, facts


def correct_known(clips: pd.DataFrame, policies: Policies) -> list[Problem]:
    """Correct typing errors of the published coding files in place; those that are still there are returned."""
    found = []
    errors = facts("known")["typing_errors"] if policies.known_errors == "corrected" else {}
    for row in clips[clips["clip_id"].isin(list(errors))].itertuples():
        error, old = errors[row.clip_id], f"apex {row.apex} (onset {row.onset}, offset {row.offset})"
        if old == "apex {apex} (onset {onset}, offset {offset})".format(**error):
            value = f"{old}; used: {error['used']}, for {error['why']}"
            found.append(Problem("typing_error", row.database, row.clip_id, value=value, kept=row.kept))
            clips.loc[row.Index, "apex"] = error["used"]
    return found


def settle_apexes(clips: pd.DataFrame, policies: Policies, log: list[Decision]) -> list[Problem]:
    """Give kept clips the apex of the policies ``apex`` and ``missing_apex``, in place; who goes is kept no longer.

    What was decided is added to ``log``; a policy that leaves a doubtful apex as it is counts, too. Returned are the
    clips for which a policy lacks the offset.
    """
    problems = []
    onset, apex, offset = (clips[moment] for moment in MOMENTS)
    odd = outside(clips) | (apex == onset).fillna(False)
    for policy, doubtful in (("missing_apex", apex.isna()), ("apex", odd)):
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


def settle_numbers(clips: pd.DataFrame, there: FrameFolders, policies: Policies) -> list[Problem]:
    """As the policies say, in place: count frames from 0 or 1 as coded, take the nearest for missing ones; what was."""
    problems = []
    for row in clips.itertuples():
        numbers, found = list(there.listing(row.subject, row.clip)) or [2], []
        first, last, length = numbers[0], numbers[-1], 0
        if pd.notna(row.onset) and pd.notna(row.offset):
            length = row.offset - row.onset + 1 if first <= 1 < row.onset and last < row.offset else 0
        # Frames from 0 or 1 that end before the offset, and are no more than the clip has, count from its onset.
        if last - first < length:
            code = "renumbered" if len(numbers) == length else "renumbered_part"
            mapped = code == "renumbered" and policies.renumbered == "map"
            if mapped:
                there.renumber(row.subject, row.clip, row.onset - first)
            found = [
                (code, f"{first} to {last}{'; used:' if mapped else ', not'} {row.onset} to {row.offset}")
            ]
        elif policies.missing_frames == "nearest" and row.kept:
            found = [
                ("nearest_frame", value) for value in _nearest(clips, row, there, policies.nearest_within)
            ]
        folder = there.folder(row.subject, row.clip)
        problems += [
            Problem(code, row.database, row.clip_id, folder, value, row.kept) for code, value in found
        ]
    return problems


def _nearest(clips: pd.DataFrame, row: Any, there: FrameFolders, most: int) -> Iterator[str]:
    for moment, other in (("onset", "apex"), ("apex", "onset")):
        number, taken = getattr(row, moment), clips.loc[row.Index, other]
        if pd.isna(number) or number in there.listing(row.subject, row.clip):
            continue
        near = there.around(row.subject, row.clip, number, most, most)
        # Onset and apex of one frame would be a clip without motion.
        near = [one for one in near if pd.isna(taken) or (one < taken if moment == "onset" else one > taken)]
        if near:
            clips.loc[row.Index, moment] = near[0]
            yield f"{moment} {number}; used: {near[0]}"
