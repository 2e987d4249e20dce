"""Check a copy of the databases: collect every problem, and say what to do about each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.clips.folders import FrameFolders
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.policies import AS_WRITTEN, Policies
from ethnicmer_lib.clips.problems import KINDS, Problem
from ethnicmer_lib.clips.reading import read_copy
from ethnicmer_lib.clips.settling import look

FINE, WARNINGS, UNUSABLE = 0, 1, 2
SMALLEST = 32  #: px: sides under this are too small for optical flow


@dataclass(frozen=True)
class Report:
    """What a check found: in words, and all that is wrong, judged by ``policies``."""

    found: tuple[str, ...]
    problems: tuple[Problem, ...]
    policies: Policies

    @property
    def exit_code(self) -> int:
        """0: nothing to say; 1: the study runs, with what is listed; 2: it cannot run before that is mended."""
        if any(problem.stops(self.policies) for problem in self.problems):
            return UNUSABLE
        return WARNINGS if self.problems else FINE

    def table(self) -> pd.DataFrame:
        """One row a problem: kind, database, clip, file, value, stops (bool), settled_by, fix."""
        table = pd.DataFrame(list(self.problems), columns=list(Problem._fields)).astype({"file": str})
        table["stops"] = [one.stops(self.policies) for one in self.problems]
        table["settled_by"] = [one.settled_by(self.policies) for one in self.problems]
        table["fix"] = [KINDS[one.code].fix for one in self.problems]
        return table.drop(columns="kept").rename(columns={"code": "kind"})

    def text(self, most: int | None = None) -> str:
        """The report for a person, grouped by kind, what stops the study first; ``most`` problems of a kind, or all."""
        lines = ["Found", *(f"  {line}" for line in self.found), ""]
        table = self.table()
        for stops, title in ((True, "To mend before the study can run"), (False, "To know")):
            rows = table[table["stops"] == stops]
            if len(rows):
                lines += [f"{title} ({len(rows)})", *_grouped(rows, most), ""]
        verdict = {
            FINE: "Nothing is missing and nothing is odd: the study can run.",
            WARNINGS: "The study can run; what is listed above is settled as said there.",
            UNUSABLE: "The study cannot run on these folders yet.",
        }
        return "\n".join([*lines, verdict[self.exit_code]])


def _grouped(rows: pd.DataFrame, most: int | None) -> Iterator[str]:
    for code, kind in KINDS.items():
        same = rows[rows["kind"] == code]
        if same.empty:
            continue
        yield f"  {code}: {kind.meaning} ({len(same)})"
        yield f"    what to do: {kind.fix}"
        if rule := same["settled_by"].iloc[0]:
            yield f"    as things are: {rule}"
        for one in same[:most].itertuples():
            yield f"    - {' | '.join(filter(None, [one.clip or one.database, one.file, one.value]))}"
        if most is not None and len(same) > most:
            yield f"    - and {len(same) - most} more"


def check(
    casme2_dir: Path | None,
    samm_dir: Path | None,
    groups: Path | None = None,
    policies: Policies = AS_WRITTEN,
    progress: bool = False,
) -> Report:
    """Check the reader's CASME II and SAMM folders (one or both), and collect all problems.

    Looked at are every row of the coding files, all file names of every clip, and the frames onset, apex (as the
    policies settle it) and offset. Arguments and errors are those of ``open_licensed``, but what is wrong with a copy
    is reported, not raised.
    """
    copy = read_copy({CASME2: casme2_dir, SAMM: samm_dir}, groups, policies)
    problems, found = list(copy.problems), []
    for name, clips in copy.clips.items():
        found.append(
            f"{name}: {len(clips)} clips of {clips['subject'].nunique()} subjects in {copy.coding[name].name}, "
            f"{clips['label'].notna().sum()} with an emotion that the study keeps"
        )
        if there := copy.folders.get(name):
            with ThreadPoolExecutor(8) as pool:  # reading waits for the disk
                looked = pool.map(partial(_files, there=there), clips.itertuples())
                done = list(tqdm(looked, total=len(clips), desc=f"check {name}", disable=not progress))
            problems += [problem for wrong, _ in done for problem in wrong]
            sizes = Counter(size for _, size in done if size).most_common(3)
            common = ", ".join(f"{size} px ({count} clips)" for size, count in sizes) or "none readable"
            count = sum(len(there.listing(row.subject, row.clip)) for row in clips.itertuples())
            found.append(f"{name}: {count} frames in {there.root}; {common}")
        whole = [one for one in copy.decisions if one.clip == name]
        found += [f"{name}: {one.what}: {one.old}; used: {one.new} ({one.rule})" for one in whole]
    return Report(tuple(found), tuple(problems), policies)


def _files(row: Any, there: FrameFolders) -> tuple[list[Problem], str]:
    """Problems with one clip's files, and the size of its frames."""
    frames, problems = look(row, there)
    sizes = {moment: f"{frame.shape[1]} x {frame.shape[0]}" for moment, frame in frames.items()}
    pair = [frames[moment].shape[:2] for moment in ("onset", "apex") if moment in frames]
    wrong = partial(
        Problem, database=row.database, clip=row.clip_id, file=there.folder(row.subject, row.clip)
    )
    seen = ", ".join(f"{moment} {size}" for moment, size in sizes.items())
    if len(set(pair)) > 1:
        problems.append(wrong("sizes_differ", value=seen))
    if pair and np.min(pair) < SMALLEST:
        problems.append(wrong("small_frame", value=seen))
    return [one._replace(kept=row.kept) for one in problems], next(iter(sizes.values()), "")
