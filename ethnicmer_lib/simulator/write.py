"""Write a simulated cohort to disk: find what is missing of it and have that rendered, in several processes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from itertools import islice
from pathlib import Path

import cv2
from joblib import Parallel, delayed
from tqdm import tqdm

import ethnicmer_lib
from ethnicmer_lib.clips import facs, labels
from ethnicmer_lib.clips.simulated import MARKER
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator import layout
from ethnicmer_lib.simulator.anatomy import ASSET
from ethnicmer_lib.simulator.clip_files import Frames, Task, numbers, write_files
from ethnicmer_lib.simulator.protocol import ClipPlan, SubjectPlan, plan_cohort
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.store import atomic, digest
from ethnicmer_lib.store import fingerprint as code_of

FILES_PER_TASK = 120  # a task holds one painted face; more files share it, fewer balance the processes
MOST_JOBS = 4  #: processes unless more are asked for: each takes about 0.4 GB, and 2 GB are enough for all
FILES_PER_JOB = 60  #: a process more has to have this much to do, or it starts longer than it works


def write_cohort(
    out: Path,
    settings: SimulatorSettings,
    *,
    frames: Frames = "three",
    around: int = 0,
    clips: Sequence[str] | None = None,
    jobs: int | None = None,
    progress: bool = False,
) -> Path:
    """Write the cohort of ``settings`` into the folder ``out`` and return it.

    A file that is there is kept, so that an interrupted run is completed by calling again, and frames are added
    to a cohort by asking for more of them.  A file has the same bytes whichever frames are asked for, and however
    many processes write them.  Only what is written here is sealed: a file of another hand is kept, but whoever
    opens the cohort refuses it.

    Parameters
    ----------
    frames : 'three', onset, apex and offset, or 'all', every frame from onset to offset
    around : also this many frames before and after onset and apex
    clips : ids of the clips of which more than three frames are wanted; None for every clip
    jobs : number of processes; None for as many as serve: at most four (about 0.4 GB of memory each),
        and one per core

    Raises
    ------
    StudyError
        If ``out`` holds a cohort of other settings, or anything that is not a simulated cohort; for a clip that
        is not in the cohort, or frames it does not have.
    """
    if jobs is not None and jobs < 1:
        raise StudyError(f"jobs={jobs}: must be at least 1, or None to leave it to the machine")
    plan = plan_cohort(settings)
    every = [clip for subject in plan for clip in subject.clips]
    more = _chosen(every, frames, around, clips)
    wanted = {c.clip_id: numbers(c, frames, around) if c.clip_id in more else numbers(c) for c in every}
    complete = _claim(out, settings, len(every))
    todo = _tasks(out, plan, wanted)
    total = sum(len(task.files) for task in todo)
    with tqdm(total=total, desc="simulated cohort", unit="file", disable=not (progress and todo)) as bar:
        for done in _run(out, settings, todo, jobs or _processes(total)):
            bar.update(done)
    if not (complete and layout.tables_there(out)):
        layout.write_tables(out, every)
        _write_marker(out, settings, len(every), complete=True)
    return out


def fingerprint(settings: SimulatorSettings) -> str:
    """16 hex digits that change with the settings, the simulator's code, its head or its label table."""
    # Of the clips room only what reads codes and emotions decides what a face does.
    read = (ASSET, labels.ANNOTATIONS, Path(labels.__file__), Path(facs.__file__))
    data = [hashlib.sha256(path.read_bytes()).hexdigest() for path in read]
    return digest([_values(settings), code_of("simulator"), data])


def _values(settings: SimulatorSettings) -> dict[str, object]:
    """The settings as JSON; 1 and 1.0 are the same where a share is meant."""
    numbers = {field.name for field in fields(settings) if isinstance(field.default, float)}
    values = {name: float(value) if name in numbers else value for name, value in asdict(settings).items()}
    return values | {"without": sorted(set(settings.without))}


def _chosen(every: Sequence[ClipPlan], frames: str, around: int, clips: Sequence[str] | None) -> set[str]:
    """Ids of the clips of which more than three frames are wanted."""
    if frames not in ("three", "all"):
        raise StudyError(f"frames={frames!r}: allowed are 'three' (onset, apex, offset) and 'all'")
    if not isinstance(around, int) or around < 0:
        raise StudyError(f"around={around!r}: must be a whole number of frames from 0")
    ids = [clip.clip_id for clip in every]
    if clips is None:
        return set(ids)
    if frames == "three" and not around:
        raise StudyError("clips are named, but no more frames of them: add frames='all' or around=5, say")
    for clip_id in clips:
        if clip_id not in ids:
            raise StudyError(f"clip {clip_id!r} is not in this cohort; its clips are named like {ids[0]!r}")
    return set(clips)


def _tasks(out: Path, plan: Sequence[SubjectPlan], wanted: dict[str, list[int]]) -> list[Task]:
    """What is missing, the largest task first: that keeps all processes busy to the end."""
    tasks = []
    for subject in plan:
        missing = iter([file for clip in subject.clips for file in _missing(out, clip, wanted[clip.clip_id])])
        while files := tuple(islice(missing, FILES_PER_TASK)):
            tasks.append(Task(subject, files))
    return sorted(tasks, key=lambda task: -len(task.files))


def _missing(out: Path, clip: ClipPlan, wanted: list[int]) -> Iterator[tuple[ClipPlan, int | None]]:
    """Files of a clip that are not there; files are written atomically, so one that exists is whole."""
    if not layout.truth_path(out, clip.database, clip.subject, clip.clip).is_file():
        yield clip, None
    folder = layout.frame_path(out, clip, clip.onset).parent
    there = set(os.listdir(folder)) if folder.is_dir() else set()
    for number in wanted:
        if layout.frame_path(out, clip, number).name not in there:
            yield clip, number


def _processes(files: int) -> int:
    """How many processes serve best."""
    return min(os.cpu_count() or 1, MOST_JOBS, 1 + files // FILES_PER_JOB)


def _run(out: Path, settings: SimulatorSettings, tasks: Sequence[Task], jobs: int) -> Iterator[int]:
    """Write the files, in this process or in several; yield the number of files as they are done."""
    if jobs == 1 or len(tasks) < 2:
        for task in tasks:
            yield write_files(out, settings, task)
        return
    # loky neither forks the threads of a notebook kernel nor imports the caller's script again.
    pool = Parallel(min(jobs, len(tasks)), backend="loky", return_as="generator_unordered")
    yield from pool(delayed(_one_thread)(out, settings, task) for task in tasks)


def _one_thread(out: Path, settings: SimulatorSettings, task: Task) -> int:
    cv2.setNumThreads(1)
    return write_files(out, settings, task)


def _claim(out: Path, settings: SimulatorSettings, n_clips: int) -> bool:
    """Mark ``out`` as the cohort of ``settings`` before anything else is written, or refuse it.

    Returns whether it is marked as complete.
    """
    marker = out / MARKER
    if marker.is_file():
        try:
            found = json.loads(marker.read_text())
            known, there, complete = found["fingerprint"], found["settings"], found["complete"]
        except (ValueError, TypeError, KeyError):
            raise StudyError(f"{marker} is not readable; delete the folder {out} and try again") from None
        if known != fingerprint(settings):
            differ = [
                f"{k}={there.get(k)!r}, not {v!r}" for k, v in _values(settings).items() if there.get(k) != v
            ]
            raise StudyError(
                f"{out} holds another simulated cohort (it has {'; '.join(differ) or 'another simulator'}): delete "
                "that folder or name another"
            )
        return bool(complete)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StudyError(f"{out} is no simulated cohort and not empty: name a new or empty folder")
    _write_marker(out, settings, n_clips, complete=False)
    return False


def _write_marker(out: Path, settings: SimulatorSettings, n_clips: int, *, complete: bool) -> None:
    content = {
        "what": "simulated faces: no person is shown; written by ethnicmer_lib.simulator",
        "settings": _values(settings),
        "fingerprint": fingerprint(settings),
        "library": ethnicmer_lib.__version__,
        "clips": n_clips,
        "complete": complete,
    }
    with atomic(out / MARKER) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")
