"""Read a database's coding spreadsheet: one row a clip, whatever lies above or between its columns."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from ethnicmer_lib.clips.labels import EMOTION_LABEL, SAMM, clip_ids, subject_name
from ethnicmer_lib.clips.problems import KINDS, Problem, noted
from ethnicmer_lib.clips.table import MOMENTS

#: Header, lower case without spaces -> column of the clips table.  CASME II and SAMM differ only in spaces.
HEADERS = {
    "subject": "subject",
    "filename": "clip",
    "onsetframe": "onset",
    "apexframe": "apex",
    "offsetframe": "offset",
    "actionunits": "action_units",
    "estimatedemotion": "emotion",
}
MISSING_FRAME = {"", "/", "-1"}
#: Columns of :func:`read_coding`'s table after clip_id.
COLUMNS = ["database", "subject", "clip", "emotion", "label", "action_units", *MOMENTS, "row"]


def read_coding(path: Path, database: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Every clip of a coding file that can be read, and everything that is wrong with the file.

    The ``.xlsx`` holds the names in :data:`HEADERS` in any row and columns. The table has the columns clip_id and
    :data:`COLUMNS`: onset, apex, offset are Int64 frame numbers at 200 fps, <NA> where the coder gave none; label is
    None of clips that the study leaves out (Table III); ``row`` is the row in the spreadsheet, from 1. A clip that
    is given twice has two rows.
    """
    table, problems = _table(path, database)
    read = [_clip(cells, database, f"{path} row {line + 1}", problems) for line, cells in table.iterrows()]
    rows = [row | {"row": line + 1} for row, line in zip(read, table.index, strict=True) if row]
    clips = pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(MOMENTS, "Int64"))
    clips.insert(0, "clip_id", clip_ids(clips).astype(str))
    if clips["label"].isna().all() and not any(KINDS[problem.code].stops for problem in problems):
        problems.append(Problem("no_kept_clip", database, file=path))
    twice = clips[clips["clip_id"].duplicated(keep=False)]
    for clip_id, lines in twice["row"].astype(str).groupby(twice["clip_id"], sort=False):
        problems.append(Problem("double_row", database, clip_id, path, f"rows {', '.join(lines)}"))
    return clips, problems


def _table(path: Path, database: str) -> tuple[pd.DataFrame, list[Problem]]:
    """The named columns of the rows under the header, text; empty with a problem where there is no such table."""
    nothing = pd.DataFrame(columns=list(HEADERS.values()))
    wrong = partial(Problem, database=database, file=path)
    try:
        cells = pd.read_excel(path, header=None, dtype=object, keep_default_na=False, engine="openpyxl")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        return nothing, [wrong("coding_unreadable", value=str(error))]
    cells = cells.map(_text)
    names = cells.map(lambda text: re.sub(r"\s", "", text).lower())
    is_header = names.eq("subject").any(axis=1) & names.eq("filename").any(axis=1)
    if not is_header.any():
        return nothing, [wrong("no_header")]
    top = is_header.idxmax()
    given = names.loc[top].value_counts().reindex(list(HEADERS), fill_value=0)
    for code, found in (("missing_column", given[given == 0]), ("double_column", given[given > 1])):
        if len(found):
            return nothing, [wrong(code, file=f"{path} row {top + 1}", value=", ".join(found.index))]
    columns = {place: HEADERS[name] for place, name in names.loc[top].items() if name in HEADERS}
    body = cells.loc[top + 1 :]
    # Rows of one or no filled cell are notes, not clips.
    body = body[body.map(str.strip).ne("").sum(axis=1) > 1]
    return body[list(columns)].rename(columns=columns), []


def _text(value: object) -> str:
    """A cell as text with its spaces: 12.0 and 12 as '12', an empty one as ''."""
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return ""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _clip(cells: pd.Series, database: str, where: str, problems: list[Problem]) -> dict[str, object] | None:
    """One clip; what is wrong with it is added to ``problems``. None where it is no clip that can be used."""
    values = cells.str.strip().to_dict()
    subject = None
    if not values["clip"]:
        problems.append(Problem("no_filename", database, "", where, f"beside subject {values['subject']!r}"))
    else:
        with noted(problems, "wrong_subject", database, where, values["clip"]):
            subject = subject_name(database, values["subject"], where)
    if subject is None:
        return None
    name = f"{database}/{subject}/{values['clip']}"
    emotion = values["emotion"].lower()
    label = EMOTION_LABEL.get(emotion)
    kept = label is not None or emotion not in EMOTION_LABEL

    def wrong(code: str, value: str = "") -> None:
        problems.append(Problem(code, database, name, where, value, kept))

    if emotion not in EMOTION_LABEL:
        wrong("unknown_emotion", f"emotion {values['emotion']!r}")
    number = re.match(r"(\d{3})_", values["clip"])
    if database == SAMM and number and number[1] != subject:
        wrong("foreign_clip", values["clip"])
    frames = {moment: int(values[moment]) if values[moment].isdecimal() else None for moment in MOMENTS}
    for moment in MOMENTS:
        if frames[moment] is None and values[moment] not in MISSING_FRAME:
            wrong("wrong_frame", f"{moment} {values[moment]!r}")
        elif frames[moment] is None:
            wrong(f"no_{moment}", values[moment] or "empty")
    if code := _order(frames):
        wrong(code, ", ".join(f"{moment} {frame}" for moment, frame in frames.items()))
    for column in ("clip", "subject", "emotion"):
        if cells[column] != values[column]:
            wrong("stray_spaces", repr(cells[column]))
    if not values["action_units"]:
        wrong("no_action_units")
    return values | {"database": database, "subject": subject, "emotion": emotion, "label": label, **frames}


def _order(frames: Mapping[str, int | None]) -> str:
    """What onset, apex and offset say about each other: a kind of problem, or ''."""
    onset, apex, offset = (frames[moment] for moment in MOMENTS)
    if onset is not None and offset is not None and onset > offset:
        return "onset_after_offset"
    if outside(onset, apex, offset):
        return "apex_outside"
    return "apex_is_onset" if onset is not None and apex == onset else ""


def outside(onset: int | None, apex: int | None, offset: int | None) -> bool:
    """Whether an apex is not between onset and offset; False where they are in no order to compare with."""
    if apex is None or onset is None:
        return False
    return apex < onset or (offset is not None and onset <= offset < apex)
