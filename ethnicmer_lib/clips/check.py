"""Check a copy of the databases: collect every problem, say what to do about each, and fingerprint what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.clips.folders import FrameFolders
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.pictures import Picture, look
from ethnicmer_lib.clips.policies import AS_WRITTEN, Policies
from ethnicmer_lib.clips.problems import KINDS, Problem
from ethnicmer_lib.clips.reading import read_copy
from ethnicmer_lib.clips.table import MOMENTS
from ethnicmer_lib.store import digest

FINE, WARNINGS, UNUSABLE = 0, 1, 2
SMALLEST = 32  #: px: sides under this are too small for optical flow


@dataclass(frozen=True)
class Report:
    """What a check found: in words, and all that is wrong, judged by ``policies``.

    The fingerprint is 16 hex digits that change with any coded cell, group label, file name or file size.
    """

    found: tuple[str, ...]
    problems: tuple[Problem, ...]
    policies: Policies
    fingerprint: str

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
        return "\n".join([*lines, verdict[self.exit_code], f"Fingerprint {self.fingerprint}"])


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

    Looked at are every row of the coding files, all file names of every clip, and the files of onset, apex and
    offset (head and end; they are not decoded unless they are no JPEG). Gaps between onset and offset are
    reported of clips that hold more than half of their frames: copies with a few frames a clip are fine.
    Arguments and errors are those of ``open_licensed``, but what is wrong with a copy is reported, not raised.
    """
    copy = read_copy({CASME2: casme2_dir, SAMM: samm_dir}, groups, policies)
    problems, found = list(copy.problems), []
    content: list[object] = [_records(copy.groups)]
    for name, (coding, rows) in copy.coded.items():
        clips, there = copy.clips[name], copy.folders.get(name)
        content.append(_records(rows))
        found.append(
            f"{name}: {len(clips)} clips of {clips['subject'].nunique()} subjects in {coding.name}, "
            f"{clips['label'].notna().sum()} with an emotion that the study keeps"
        )
        if there is not None:
            with ThreadPoolExecutor(8) as pool:  # reading waits for the disk
                checked = pool.map(partial(_files, there=there), clips.itertuples())
                done = list(tqdm(checked, total=len(clips), desc=f"check {name}", disable=not progress))
            for wrong, _, names in done:
                problems += wrong
                content.append(names)
            sizes = Counter(size for _, size, _ in done if size).most_common(3)
            common = ", ".join(f"{size} px ({count} clips)" for size, count in sizes) or "none readable"
            found.append(f"{name}: {sum(len(names) for *_, names in done)} frames in {there.root}; {common}")
        whole = [one for one in copy.decisions if one.clip == name]
        found += [f"{name}: {one.what}: {one.old}; used: {one.new} ({one.rule})" for one in whole]
    return Report(tuple(found), tuple(problems), policies, digest(content))


def _records(table: pd.DataFrame | None) -> list[dict[str, str]]:
    return [] if table is None else table.astype(str).to_dict("records")


def _files(row: Any, there: FrameFolders) -> tuple[list[Problem], str, list[tuple[str, int]]]:
    """Problems with one clip's files, the size of its first readable key frame, and (name, bytes) of its frames."""
    wrong = partial(Problem, database=row.database, clip=row.clip_id, kept=pd.notna(row.label))
    folder, frames = there.folder(row.subject, row.clip), there.listing(row.subject, row.clip)
    if not frames:
        code = "empty_clip_folder" if folder.is_dir() else "no_clip_folder"
        return [wrong(code, file=folder)], "", []
    problems: list[Problem] = []
    pictures: dict[str, Picture] = {}
    numbers = {moment: int(getattr(row, moment)) for moment in MOMENTS if pd.notna(getattr(row, moment))}
    for moment, number in numbers.items():
        written = folder / there.written.format(subject=row.subject, frame=number)
        seen = look(frames[number]) if number in frames else f"no_{moment}_file"
        if isinstance(seen, Picture):
            pictures[moment] = seen
        else:
            code = seen if moment != "offset" else "no_offset_file"
            problems.append(wrong(code, file=frames.get(number, written), value=f"{moment} {number}"))
    pair = {moment: pictures[moment] for moment in ("onset", "apex") if moment in pictures}
    problems += [wrong(code, file=folder, value=value) for code, value in _compared(pair)]
    if numbers.keys() >= {"onset", "offset"}:
        wanted = range(numbers["onset"], numbers["offset"] + 1)
        missing = [number for number in wanted if number not in frames]
        between = [number for number in missing if number not in numbers.values()]
        if between and len(missing) < len(wanted) / 2:
            gap = f"{len(between)} of {wanted[0]} to {wanted[-1]}, first {between[0]}"
            problems.append(wrong("frame_gap", file=folder, value=gap))
    size = next((picture.size for picture in pictures.values()), "")
    return problems, size, [(path.name, path.stat().st_size) for path in frames.values()]


def _compared(pictures: Mapping[str, Picture]) -> Iterable[tuple[str, str]]:
    """What is wrong with size and colour of one clip's onset and apex frame: kind of problem, value."""
    kinds = {moment: "gray" if one.channels == 1 else "colour" for moment, one in pictures.items()}
    seen = ", ".join(f"{moment} {one.size} {kinds[moment]}" for moment, one in pictures.items())
    if len({one.size for one in pictures.values()}) > 1:
        yield "sizes_differ", seen
    if len(set(kinds.values())) > 1:
        yield "colour_differs", seen
    if any(min(one.height, one.width) < SMALLEST for one in pictures.values()):
        yield "small_frame", seen
