"""Check a copy of the databases: collect every problem, and say what to do about each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.clips.folders import UNCROPPED, FrameFolders
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.policies import AS_WRITTEN, Policies
from ethnicmer_lib.clips.problems import KINDS, Problem
from ethnicmer_lib.clips.reading import Copy, read_copy
from ethnicmer_lib.clips.table import DROPPED, MOMENTS, Decision

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
    n_subjects: int | None = None,
    mapping: str = "paper",
) -> Report:
    """Check the reader's CASME II and SAMM folders (one or both), and collect all problems.

    Looked at are every row of the coding files, all file names of every clip, and the frames onset, apex (as the
    policies settle it) and offset. Arguments and errors are those of ``open_licensed``, but what is wrong with a copy
    is reported, not raised. ``n_subjects`` is how many subjects of each group a scenario of the study takes.
    """
    copy = read_copy({CASME2: casme2_dir, SAMM: samm_dir}, groups, policies, mapping)
    return report(copy, policies, progress, n_subjects)


def report(copy: Copy, policies: Policies, progress: bool = False, n_subjects: int | None = None) -> Report:
    """All that is wrong with a copy, its frames looked at; arguments as of :func:`check`."""
    sizes, found = look(copy, policies, progress=progress), []
    look_at_groups(copy, policies, n_subjects)
    for name, clips in copy.clips.items():
        found.append(
            f"{name}: {len(clips)} clips of {clips['subject'].nunique()} subjects in {copy.coding[name].name}, "
            f"{clips['label'].notna().sum()} with an emotion that the study keeps"
        )
        if there := copy.folders.get(name):
            common = [
                f"{wide} x {high} px ({count} clips)" for (high, wide), count in sizes[name].most_common(3)
            ]
            count = sum(len(there.listing(row.subject, row.clip)) for row in clips.itertuples())
            found.append(f"{name}: {count} frames in {there.root}; {', '.join(common) or 'none readable'}")
        if copy.images is not None:
            shapes = {image.shape for image in copy.images.values()}
            found.append(f"{name}: flow images, {' and '.join(map(str, shapes)) or 'none readable'}")
        whole = [one for one in copy.decisions if one.clip == name]
        found += [f"{name}: {one.what}: {one.old}; used: {one.new} ({one.rule})" for one in whole]
    return Report(tuple(found), tuple(copy.problems), policies)


def look(
    copy: Copy, policies: Policies, everything: bool = True, progress: bool = False
) -> dict[str, Counter]:
    """Read onset, apex and offset of ``everything``, or of the clips that are kept; sizes of the frames by database.

    What is wrong is added to the copy; a clip without onset or apex is kept no longer where ``missing_frames`` says so.
    """
    sizes = {}
    for name, there in copy.folders.items():
        clips = copy.clips[name]
        rows = clips if everything else clips[clips["kept"]]
        with ThreadPoolExecutor(8) as pool:  # reading waits for the disk
            looked = pool.map(partial(_files, there=there), rows.itertuples())
            done = list(tqdm(looked, total=len(rows), desc=f"check {name}", disable=not progress))
        sizes[name] = Counter(size for _, size in done if size)
        found = [problem for wrong, _ in done for problem in wrong]
        add_missing(copy, name, found, policies)
        if wide := [size for size in sizes[name] if size[1] >= UNCROPPED * size[0]]:
            value = f"{wide[0][1]} x {wide[0][0]} px and such: {sum(sizes[name][one] for one in wide)} clips"
            copy.problems.append(Problem("not_cropped", name, file=there.root, value=value))
            if copy.detector:
                _crop(copy, name, there, policies)
    return sizes


def _crop(copy: Copy, name: str, there: FrameFolders, policies: Policies) -> None:
    """Crop the wide frames of a database's kept clips, all of a clip by the box of the face in its onset frame."""
    clips, boxes, faceless = copy.clips[name], {}, []
    for row in clips[clips["kept"] & clips["onset"].notna()].itertuples():
        frame = there.read(row.subject, row.clip, int(row.onset), "onset")
        if isinstance(frame, Problem) or frame.shape[1] < UNCROPPED * frame.shape[0]:
            continue
        box, _ = copy.detector.find(frame)
        if box:
            boxes[row.subject, row.clip] = box
        else:
            faceless.append(Problem("no_face", name, row.clip_id, there.folder(row.subject, row.clip)))
    copy.folders[name] = replace(there, boxes=boxes)
    rule = f"uncropped={policies.uncropped!r}"
    new = f"by the faces of {len(boxes)} clips"
    copy.decisions.append(Decision(name, "frames wider than a face", "as they are", new, rule))
    add_missing(copy, name, faceless, policies)


def add_missing(copy: Copy, name: str, found: list[Problem], policies: Policies) -> None:
    """Add problems with the files of a database; clips without one that is needed go where the policy says so."""
    gone, clips = {}, copy.clips[name]
    if policies.missing_frames == "drop":
        at = [one for one in copy.problems if one.database == name] + found
        gone = {one.clip: one for one in at if one.kept and KINDS[one.code].policy == "missing_frames"}
    for clip_id, one in gone.items():
        old = f"{KINDS[one.code].meaning}: {one.value or one.file}"
        copy.decisions.append(Decision(clip_id, "frames", old, DROPPED, "missing_frames='drop'"))
    clips["kept"] &= ~clips["clip_id"].isin(list(gone))
    for one in found:
        still = one.kept and (one.clip not in gone or KINDS[one.code].policy == "missing_frames")
        copy.problems.append(one._replace(kept=still))


def _files(row: Any, there: FrameFolders) -> tuple[list[Problem], tuple[int, ...]]:
    """Problems with one clip's files, and the height and width of its frames; ``row`` is one of a clips table."""
    numbers = {moment: getattr(row, moment) for moment in MOMENTS if pd.notna(getattr(row, moment))}
    read = {moment: there.size(row.subject, row.clip, int(one), moment) for moment, one in numbers.items()}
    sizes = {moment: found for moment, found in read.items() if not isinstance(found, Problem)}
    bad = [found for found in read.values() if isinstance(found, Problem)]
    if bad and bad[-1] is read.get("offset") and bad[-1].code != "no_frames":
        # Of the offset little is seen: whatever is wrong with its file stops nothing.
        bad[-1] = bad[-1]._replace(code="no_offset_file")
    problems = [found._replace(kept=row.kept) for found in dict.fromkeys(bad)]
    pair = [sizes[moment] for moment in ("onset", "apex") if moment in sizes]
    seen = ", ".join(f"{moment} {width} x {height}" for moment, (height, width) in sizes.items())
    folder = there.folder(row.subject, row.clip)
    wrong = Problem("", row.database, row.clip_id, folder, seen, row.kept)
    if len(set(pair)) > 1:
        problems.append(wrong._replace(code="sizes_differ"))
    if pair and np.min(pair) < SMALLEST:
        problems.append(wrong._replace(code="small_frame"))
    return problems, next(iter(sizes.values()), ())


def look_at_groups(copy: Copy, policies: Policies, n_subjects: int | None = None) -> None:
    """Add to the problems of a copy what its kept clips lack: any clip, two groups, ``n_subjects`` in each."""
    both = " and ".join(copy.clips)
    kept = [clips[clips["kept"]] for clips in copy.clips.values() if "group" in clips]
    if not kept or any(problem.stops(policies) for problem in copy.problems):
        return
    subjects = pd.concat(kept).groupby("group")["subject"].nunique()
    value = " and ".join(f"{group} ({count} subjects)" for group, count in subjects.items())
    if subjects.empty:
        copy.problems.append(Problem("nothing_left", both))
    elif len(subjects) != 2:
        copy.problems.append(Problem("group_count", both, value=value))
    elif n_subjects and subjects.min() < n_subjects:
        copy.problems.append(Problem("few_subjects", both, value=f"{value}, n_subjects={n_subjects}"))
