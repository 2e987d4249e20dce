"""Write a simulated cohort to disk in the official folder layouts of CASME II and SAMM, with the truth beside it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

import ethnicmer_lib
from ethnicmer_lib import runs
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator.anatomy import ASSET, Sides, deform, identity_shape
from ethnicmer_lib.simulator.appearance import paint
from ethnicmer_lib.simulator.camera import Camera, render, sensor, true_flow
from ethnicmer_lib.simulator.protocol import (
    BLINK,
    CASME2,
    FRAMES_PER_SECOND,
    LABEL_TABLE,
    SAMM,
    ClipPlan,
    SimulatorSettings,
    SubjectPlan,
    plan_cohort,
)

MARKER = "SIMULATED.json"  #: by this file loaders know that a folder is simulated
JPEG_QUALITY = 95
CASME2_CODES, SAMM_CODES = "CASME2-coding-20140508.xlsx", "SAMM_Micro_FACS_Codes_v2.xlsx"
CASME2_COLUMNS = (
    *("Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None),
    *("Action Units", "Estimated Emotion"),
)
SAMM_COLUMNS = (
    *("Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration"),
    *("Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes"),
)
SAMM_TEXT_LINES = 13  # the official file has this many lines above its header
GROUP_COLUMNS = ("database", "subject", "clip", "ethnicity", "group", "gender", "age")

_FOLDERS = {CASME2: "CASME2", SAMM: "SAMM"}


def write_cohort(
    out: Path, settings: SimulatorSettings, *, jobs: int | None = None, progress: bool = False
) -> Path:
    """Write the cohort of ``settings`` into the folder ``out`` and return it.

    Clips whose files are all there are kept, so that an interrupted run is completed by calling again; the
    same settings give the same bytes, however many ``jobs`` (processes; None: one per core) write them.

    Raises
    ------
    StudyError
        If ``out`` holds a cohort of other settings, or anything that is not a simulated cohort.
    """
    if jobs is not None and jobs < 1:
        raise StudyError(f"jobs={jobs}: must be at least 1, or None for one per core")
    subjects = plan_cohort(settings)
    clips = [clip for subject in subjects for clip in subject.clips]
    _claim(out, settings, len(clips))
    todo = [subject for subject in subjects if any(_missing(out, clip) for clip in subject.clips)]
    todo.sort(
        key=lambda subject: -len(subject.clips)
    )  # the longest first keeps all processes busy to the end
    with tqdm(
        total=sum(len(s.clips) for s in todo), desc="simulated cohort", unit="clip", disable=not progress
    ) as bar:
        for done in _run(out, settings, todo, jobs or os.cpu_count() or 1):
            bar.update(done)
    _write_tables(out, clips)
    _write_marker(out, settings, len(clips), complete=True)
    return out


def fingerprint(settings: SimulatorSettings) -> str:
    """16 hex digits that change with the settings, the simulator's code, its head or its label table."""
    data = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (ASSET, LABEL_TABLE)]
    return runs.digest([asdict(settings), runs.code_fingerprint("ethnicmer_lib.simulator.write"), data])


def frame_paths(root: Path, clip: ClipPlan) -> list[Path]:
    """Where the onset, apex and offset frame of a clip lie."""
    numbers = (clip.onset, clip.apex, clip.offset)
    if clip.database == CASME2:
        folder = root / _FOLDERS[CASME2] / "Cropped" / clip.subject / clip.clip
        return [folder / f"reg_img{number}.jpg" for number in numbers]
    folder = root / _FOLDERS[SAMM] / clip.subject / clip.clip
    return [folder / f"{clip.subject}_{number:05d}.jpg" for number in numbers]


def truth_path(root: Path, database: str, subject: str, clip: str) -> Path:
    """Where the true motion of a clip lies: an npz with flow, mask, occluded, action_units, sides."""
    return root / "truth" / _FOLDERS[database] / subject / f"{clip}.npz"


def write_subject(out: Path, settings: SimulatorSettings, subject: SubjectPlan) -> int:
    """Render a subject's missing clips; return the number of clips the subject has."""
    shape = identity_shape(subject.seed)
    appearance = paint(subject.seed, subject.group, settings.texture_cue)
    camera = Camera.crop(shape)
    for clip in subject.clips:
        if not _missing(out, clip):
            continue
        applied = strengths(camera, shape, clip)
        shapes = [deform(shape, units) for units in applied]
        rng = np.random.default_rng(clip.stream)
        moments = zip(frame_paths(out, clip), shapes, clip.poses, clip.gains, strict=True)
        for path, moved, pose, gain in moments:
            clean = render(camera, moved, appearance, pose, gain=gain)
            _write_frame(path, sensor(clean, rng, gray=clip.database == SAMM))
        flow, mask, occluded = true_flow(camera, tuple(shapes[:2]), clip.poses[:2])
        shown = clip.expression[1] - clip.expression[0]
        with runs.atomic(truth_path(out, clip.database, clip.subject, clip.clip)) as part:
            np.savez_compressed(
                part,
                flow=flow.astype(np.float16),
                mask=mask,
                occluded=occluded,
                action_units=np.array(list(clip.action_units), np.uint8),
                sides=shown * np.array(list(clip.action_units.values()), np.float32),
            )
    return len(subject.clips)


def strengths(camera: Camera, shape: np.ndarray, clip: ClipPlan) -> list[dict[int, Sides]]:
    """Action Unit strengths at onset, apex and offset; a partial blink joins at the apex."""
    full = camera.strengths(shape, clip.action_units)
    shown = [{unit: (left * e, right * e) for unit, (left, right) in full.items()} for e in clip.expression]
    if clip.blink:
        shown[1][BLINK] = (clip.blink, clip.blink)
    return shown


def _run(out: Path, settings: SimulatorSettings, subjects: Sequence[SubjectPlan], jobs: int) -> Iterable[int]:
    """Write the subjects, in this process or in several; yield the number of clips as they are done."""
    if jobs == 1 or len(subjects) < 2:
        for subject in subjects:
            yield write_subject(out, settings, subject)
        return
    # loky neither forks the threads of a notebook kernel nor imports the caller's script again.
    pool = Parallel(min(jobs, len(subjects)), backend="loky", return_as="generator_unordered")
    yield from pool(delayed(_one_thread)(out, settings, subject) for subject in subjects)


def _one_thread(out: Path, settings: SimulatorSettings, subject: SubjectPlan) -> int:
    cv2.setNumThreads(1)
    return write_subject(out, settings, subject)


def _missing(out: Path, clip: ClipPlan) -> bool:
    """Whether any file of a clip is missing; files are written atomically, so one that exists is whole."""
    truth = truth_path(out, clip.database, clip.subject, clip.clip)
    return not all(path.is_file() for path in (*frame_paths(out, clip), truth))


def _claim(out: Path, settings: SimulatorSettings, n_clips: int) -> None:
    """Mark ``out`` as the cohort of ``settings`` before anything else is written, or refuse it."""
    marker = out / MARKER
    if marker.is_file():
        try:
            found = json.loads(marker.read_text()).get("fingerprint")
        except ValueError:
            raise StudyError(
                f"{marker} is not readable as JSON; delete the folder {out} and try again"
            ) from None
        if found != fingerprint(settings):
            raise StudyError(
                f"{out} holds another simulated cohort (fingerprint {found}, wanted {fingerprint(settings)}): its "
                "settings or the simulator differ; delete that folder or name another"
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StudyError(f"{out} is no simulated cohort and not empty: name a new or empty folder")
    _write_marker(out, settings, n_clips, complete=False)


def _write_marker(out: Path, settings: SimulatorSettings, n_clips: int, *, complete: bool) -> None:
    content = {
        "what": "simulated faces: no person is shown; written by ethnicmer_lib.simulator",
        "settings": asdict(settings),
        "fingerprint": fingerprint(settings),
        "library": ethnicmer_lib.__version__,
        "clips": n_clips,
        "complete": complete,
    }
    with runs.atomic(out / MARKER) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")


def _write_frame(path: Path, frame: np.ndarray) -> None:
    bgr = frame if frame.ndim == 2 else np.ascontiguousarray(frame[..., ::-1])
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise StudyError(f"OpenCV could not encode {path} as JPEG; reinstall opencv-contrib-python-headless")
    with runs.atomic(path) as part:
        part.write_bytes(data.tobytes())


def _write_tables(out: Path, clips: Sequence[ClipPlan]) -> None:
    """The two coding files and the table of groups."""
    rows = [list(CASME2_COLUMNS)]
    for c in (c for c in clips if c.database == CASME2):
        number = int(c.subject.removeprefix("sub"))
        rows.append([number, c.clip, None, c.onset, c.apex, c.offset, None, c.action_unit_text, c.emotion])
    _write_xlsx(out / _FOLDERS[CASME2] / CASME2_CODES, rows)
    rows = [["Simulated clips in the layout of SAMM: no person is shown"]]
    rows += [[f"{FRAMES_PER_SECOND} frames per second; frame numbers as in the file names"]]
    rows += [["-"] for _ in range(SAMM_TEXT_LINES - len(rows))]
    rows.append(list(SAMM_COLUMNS))
    for c in (c for c in clips if c.database == SAMM):
        duration = c.offset - c.onset + 1
        micro = "Micro" if duration <= FRAMES_PER_SECOND / 2 else "Micro - 1/2"
        codes = [c.action_unit_text, c.emotion.capitalize(), None, "simulated"]
        rows.append([c.subject, c.clip, None, c.onset, c.apex, c.offset, duration, micro, *codes])
    _write_xlsx(out / _FOLDERS[SAMM] / SAMM_CODES, rows)
    groups = [(c.database, c.subject, c.clip, c.group, c.group, "", "") for c in clips]
    with runs.atomic(out / "groups.csv") as part:
        pd.DataFrame(groups, columns=list(GROUP_COLUMNS)).to_csv(part, index=False, lineterminator="\n")


def _write_xlsx(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """A one-sheet workbook without the time of writing, so that the same rows give the same bytes."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    written = io.BytesIO()
    book.save(written)
    with zipfile.ZipFile(written) as source, runs.atomic(path) as part, zipfile.ZipFile(part, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2025-01-01T00:00:00Z", data)
            target.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
