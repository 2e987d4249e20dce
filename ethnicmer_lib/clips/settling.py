"""Settle what is doubtful in licensed clips by named policies, and log every decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.clips.coding import outside
from ethnicmer_lib.clips.folders import FrameFolders
from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.clips.table import DROPPED, MOMENTS, Decision, facts


@dataclass(frozen=True, eq=False)
class Settled:
    """The clips of one database as far as they are settled, what is wrong with them, and what was decided.

    No step changes one, each makes another: what was read or settled once serves all policies of the later steps.
    ``kept`` (bool) of the clips says whether the study uses them.
    """

    clips: pd.DataFrame
    problems: tuple[Problem, ...] = ()
    decisions: tuple[Decision, ...] = ()

    def then(
        self, clips: pd.DataFrame, problems: Iterable[Problem] = (), decisions: Iterable[Decision] = ()
    ) -> Settled:
        """Other clips, with more problems and decisions."""
        return Settled(clips, (*self.problems, *problems), (*self.decisions, *decisions))


def one_row_each(rows: pd.DataFrame, double_rows: str) -> Settled:
    """The clips of a table's rows, each once as the policy says, and ``kept`` where it has a label."""
    rule = f"double_rows={double_rows!r}"
    lost = rows["clip_id"].duplicated(keep="last" if double_rows == "last" else "first")
    log = [
        Decision(row.clip_id, "coding row", f"row {row.row}", DROPPED, rule)
        for row in rows[lost].itertuples()
    ]
    clips = rows[~lost].drop(columns="row").reset_index(drop=True)
    # An unknown emotion stops the study by itself.
    return Settled(clips.assign(kept=clips["label"].notna()), (), tuple(log))


def settle_apexes(found: Settled, coding: Path, known_errors: str, apex: str, missing_apex: str) -> Settled:
    """Correct typing errors of the published files, and give kept clips the apex of the policies; who goes is not kept.

    A policy that leaves a doubtful apex as it is counts as a decision, too. Clips for which a policy lacks the offset
    are problems.
    """
    clips = found.clips.copy()
    corrected = list(_correct_known(clips)) if known_errors == "corrected" else []
    mended = {("apex_outside", one.clip) for one in corrected}
    left = tuple(one for one in found.problems if (one.code, one.clip) not in mended)
    log = [
        Decision(one.clip, one.code, *one.value.split("; used: "), f"known_errors={known_errors!r}")
        for one in corrected
    ]
    problems = [one._replace(file=coding) for one in corrected]
    onset, peak, offset = (clips[moment] for moment in MOMENTS)
    odd = outside(clips) | (peak == onset).fillna(False)
    for policy, choice, doubtful in (("missing_apex", missing_apex, peak.isna()), ("apex", apex, odd)):
        if not doubtful.any():
            continue
        rule = f"{policy}={choice!r}"
        settled = {"midpoint": (onset + offset) // 2, "offset": offset}.get(choice, peak)
        for row in clips[doubtful & clips["kept"]].itertuples():
            old = "none" if pd.isna(row.apex) else f"{row.apex} (onset {row.onset}, offset {row.offset})"
            new = {"as_is": old, "drop": DROPPED}.get(choice, str(settled[row.Index]))
            log.append(Decision(row.clip_id, "apex", old, new, rule))
            if new == str(pd.NA):
                problems.append(Problem("unsettled", row.database, row.clip_id, coding, rule))
        clips["apex"] = clips["apex"].mask(doubtful, settled)
        if choice == "drop":
            clips["kept"] &= ~doubtful
    return Settled(clips, (*left, *problems), (*found.decisions, *log))


def _correct_known(clips: pd.DataFrame) -> Iterator[Problem]:
    """Correct typing errors of the published coding files in place; those that are still there are returned."""
    errors = facts("known")["typing_errors"]
    for row in clips[clips["clip_id"].isin(list(errors))].itertuples():
        error, old = errors[row.clip_id], f"apex {row.apex} (onset {row.onset}, offset {row.offset})"
        if old == "apex {apex} (onset {onset}, offset {offset})".format(**error):
            value = f"{old}; used: {error['used']}, for {error['why']}"
            yield Problem("typing_error", row.database, row.clip_id, value=value, kept=row.kept)
            clips.loc[row.Index, "apex"] = error["used"]


def settle_numbers(
    found: Settled, there: FrameFolders, renumbered: str, missing_frames: str, nearest_within: int
) -> tuple[Settled, FrameFolders]:
    """As the policies say count frames from 0 or 1 as coded, and take the nearest for missing ones; the folders so
    counted beside the clips."""
    clips, steps, settled, log = found.clips.copy(), {}, [], []
    for row in clips.itertuples():
        numbers, problems, rule = list(there.listing(row.subject, row.clip)) or [2], [], ""
        first, last, length = numbers[0], numbers[-1], 0
        if pd.notna(row.onset) and pd.notna(row.offset):
            length = row.offset - row.onset + 1 if first <= 1 < row.onset and last < row.offset else 0
        # Frames from 0 or 1 that end before the offset, and are no more than the clip has, count from its onset.
        if last - first < length:
            code = "renumbered" if len(numbers) == length else "renumbered_part"
            mapped, rule = code == "renumbered" and renumbered == "map", f"renumbered={renumbered!r}"
            if mapped:
                steps[row.subject, row.clip] = row.onset - first
            coded = f"{first} to {last}{'; used:' if mapped else ', not'} {row.onset} to {row.offset}"
            problems = [(code, coded)]
        elif missing_frames == "nearest" and row.kept:
            rule = f"missing_frames={missing_frames!r}"
            for moment, number, near in _nearest(row, there, nearest_within):
                clips.loc[row.Index, moment] = near
                problems.append(("nearest_frame", f"{moment} {number}; used: {near}"))
        for code, value in problems:
            folder = there.folder(row.subject, row.clip)
            settled.append(Problem(code, row.database, row.clip_id, folder, value, row.kept))
            if "; used: " in value:
                log.append(Decision(row.clip_id, code, *value.split("; used: "), rule))
    # Of a typing error one wants to know which frames are there.
    said = [
        one._replace(value=f"{one.value}; {there.extent(*one.clip.split('/')[1:])}")
        if one.code == "typing_error"
        else one
        for one in found.problems
    ]
    done = Settled(clips, (*said, *settled), (*found.decisions, *log))
    return done, there.counted(steps) if steps else there


def _nearest(row: Any, there: FrameFolders, most: int) -> Iterator[tuple[str, int, int]]:
    """(moment, number, the nearest to it) of the frames of a clip that are missing."""
    taken = {"onset": row.onset, "apex": row.apex}
    for moment, other in (("onset", "apex"), ("apex", "onset")):
        number, fixed = taken[moment], taken[other]
        if pd.isna(number) or number in there.listing(row.subject, row.clip):
            continue
        near = there.around(row.subject, row.clip, number, most, most)
        # Onset and apex of one frame would be a clip without motion.
        near = [one for one in near if pd.isna(fixed) or (one < fixed if moment == "onset" else one > fixed)]
        if near:
            taken[moment] = near[0]
            yield moment, number, near[0]
