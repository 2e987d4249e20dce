"""Where the files of a simulated cohort lie: the folders and coding files of CASME II and SAMM, and the truth."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pandas as pd

from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.simulated import sealed
from ethnicmer_lib.simulator.protocol import FRAMES_PER_SECOND, ClipPlan

FOLDERS = {CASME2: "CASME2", SAMM: "SAMM"}
GROUPS = "groups.csv"
TRUTH = "truth"
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
SAMM_SPELLING = {"others": "Other"}  # where SAMM's coders write something else than the capitalised emotion
GROUP_COLUMNS = ("database", "subject", "clip", "ethnicity", "group", "gender", "age")

README = """\
The truth of a simulated cohort: no person is shown.

One file a clip, <database>/<subject>/<clip>.npz, to be read with numpy.load. "Left" is the left of the person
who is shown, the right of the picture; px are pixels of the frames as they are written; x runs right, y down.

  flow          (H, W, 2) float16  px: how far each point of the onset frame has moved by the apex frame, x and y;
                                   head movement included; 0 in the background
  mask          (H, W) uint8       on the onset frame: 0 background, 1 skin, 2 eyes, 3 teeth
  occluded      (H, W) bool        True where the point seen at onset is hidden at the apex
  action_units  (k,) uint8         Action Units that move, by their FACS number
  sides         (k, 2) float32     px: how far the most moved visible point of each Action Unit goes from onset to
                                   apex, left side and right side of the face; head movement apart
  peak          () float32         px: the longest vector of flow on visible skin
  frames        (3,) int32         frame numbers of onset, apex and offset, at 200 frames per second
  expression    (3,) float32       share of the full expression at these three
  blink         () float32         what the lids do on their own at the apex: 1 is a full blink, below 0 they open
  pose          (3, 5) float32     head at these three: yaw, pitch, roll in radians, shift right and down in px
  gain          (3,) float32       light at these three; 1 is the usual light
"""


def frame_path(root: Path, clip: ClipPlan, number: int) -> Path:
    """Where the frame ``number`` of a clip lies."""
    if clip.database == CASME2:
        return root / FOLDERS[CASME2] / "Cropped" / clip.subject / clip.clip / f"reg_img{number}.jpg"
    return root / FOLDERS[SAMM] / clip.subject / clip.clip / f"{clip.subject}_{number:05d}.jpg"


def frame_paths(root: Path, clip: ClipPlan) -> list[Path]:
    """Where the onset, apex and offset frame of a clip lie."""
    return [frame_path(root, clip, number) for number in (clip.onset, clip.apex, clip.offset)]


def truth_path(root: Path, database: str, subject: str, clip: str) -> Path:
    """Where the true motion of a clip lies: an npz with the arrays that :data:`README` explains."""
    return root / TRUTH / FOLDERS[database] / subject / f"{clip}.npz"


def tables_there(root: Path) -> bool:
    """Whether every file that :func:`write_tables` writes exists."""
    return all(path.is_file() for path in _tables(root))


def write_tables(root: Path, clips: Sequence[ClipPlan]) -> None:
    """The two coding files, the table of groups and the description of the truth; same clips, same bytes."""
    casme2, samm, groups, readme = _tables(root)
    rows = [list(CASME2_COLUMNS)]
    for c in (c for c in clips if c.database == CASME2):
        number = int(c.subject.removeprefix("sub"))
        rows.append([number, c.clip, None, c.onset, c.apex, c.offset, None, c.action_unit_text, c.emotion])
    _write_xlsx(root, casme2, rows)
    rows = [["Simulated clips in the layout of SAMM: no person is shown"]]
    rows += [[f"{FRAMES_PER_SECOND} frames per second; frame numbers as in the file names"]]
    rows += [["-"] for _ in range(SAMM_TEXT_LINES - len(rows))]
    rows.append(list(SAMM_COLUMNS))
    for c in (c for c in clips if c.database == SAMM):
        duration = c.offset - c.onset + 1
        micro = "Micro" if duration <= FRAMES_PER_SECOND / 2 else "Micro - 1/2"
        emotion = SAMM_SPELLING.get(c.emotion, c.emotion.capitalize())
        codes = [c.action_unit_text, emotion, None, "simulated"]
        rows.append([c.subject, c.clip, None, c.onset, c.apex, c.offset, duration, micro, *codes])
    _write_xlsx(root, samm, rows)
    labels = [(c.database, c.subject, c.clip, c.group, c.group, "", "") for c in clips]
    with sealed(root, groups) as part:
        pd.DataFrame(labels, columns=list(GROUP_COLUMNS)).to_csv(part, index=False, lineterminator="\n")
    with sealed(root, readme) as part:
        part.write_text(README, encoding="utf-8")


def _tables(root: Path) -> tuple[Path, Path, Path, Path]:
    """Where the two coding files, the table of groups and the description of the truth lie."""
    casme2, samm = root / FOLDERS[CASME2], root / FOLDERS[SAMM]
    return casme2 / CASME2_CODES, samm / SAMM_CODES, root / GROUPS, root / TRUTH / "README.txt"


def _write_xlsx(root: Path, path: Path, rows: Sequence[Sequence[object]]) -> None:
    """A one-sheet workbook without the time of writing, so that the same rows give the same bytes."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    written = io.BytesIO()
    book.save(written)
    with zipfile.ZipFile(written) as source, sealed(root, path) as part, zipfile.ZipFile(part, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2025-01-01T00:00:00Z", data)
            target.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
