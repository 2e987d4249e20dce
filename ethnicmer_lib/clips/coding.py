"""Read a database's coding spreadsheet: one row a clip, whatever lies above or between its columns."""

from __future__ import annotations

import csv
from contextlib import suppress
from functools import partial
from pathlib import Path

import pandas as pd

from ethnicmer_lib.clips.labels import EMOTION_LABEL, clip_ids, subject_name
from ethnicmer_lib.clips.problems import KINDS, Problem
from ethnicmer_lib.clips.table import MOMENTS, facts
from ethnicmer_lib.errors import StudyError

#: Header, lower case without spaces -> column of the clips table, as ``known.yml`` has them.
HEADERS = facts("known")["headers"]
MISSING_FRAME = ("", "/", "-1")


def read_coding(path: Path, database: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Every clip of a coding file that can be read, and everything that is wrong with the file.

    The ``.xlsx`` or ``.csv`` holds the names in :data:`HEADERS` in any row and columns of any sheet. The table has the
    columns clip_id, database, those of :data:`HEADERS`, label and row: onset, apex, offset are Int64 numbers, <NA>
    where the coder gave none; label is None of clips that the study leaves out (Table III); ``row`` is the row in the
    spreadsheet, from 1. A clip that is given twice has two rows.
    """
    cells, problems = _cells(path, database)
    subjects: dict[int, str] = {}
    for line, subject in cells["subject"].items():
        with suppress(StudyError):
            subjects[line] = subject_name(database, subject, str(path))
    unnamed = ~cells.index.isin(list(subjects)) | cells["clip"].eq("")
    for row in cells[unnamed].itertuples():
        value = f"subject {row.subject!r}, Filename {row.clip!r}"
        problems.append(Problem("unnamed_row", database, "", f"{path} row {row.Index + 1}", value))
    clips = cells.assign(database=database, subject=pd.Series(subjects, dtype=str), row=cells.index + 1)
    clips = clips[~unnamed]
    clips.insert(0, "clip_id", clip_ids(clips).astype(str))
    clips["emotion"] = clips["emotion"].str.lower()
    clips["label"] = clips["emotion"].map(EMOTION_LABEL)
    for moment in MOMENTS:
        number = clips[moment].str.extract(r"^(\d{1,9})(?:\.0)?$", expand=False)  # a CSV may say 46.0
        clips[moment] = pd.to_numeric(number).astype("Int64")
    problems += _row_problems(clips, cells.loc[clips.index], path)
    if clips["label"].isna().all() and not any(KINDS[problem.code].stops for problem in problems):
        problems.append(Problem("no_kept_clip", database, file=path))
    twice = clips[clips["clip_id"].duplicated(keep=False)]
    for clip_id, lines in twice["row"].astype(str).groupby(twice["clip_id"], sort=False):
        problems.append(Problem("double_row", database, clip_id, path, f"rows {', '.join(lines)}"))
    return clips.reset_index(drop=True), problems


def _cells(path: Path, database: str) -> tuple[pd.DataFrame, list[Problem]]:
    """The named columns of the rows under the header, text; empty with a problem where there is no such table."""
    columns = list(dict.fromkeys(HEADERS.values()))
    nothing = pd.DataFrame(columns=columns, dtype=str)
    wrong = partial(Problem, database=database, file=path)
    try:
        sheets = _sheets(path)
    except Exception as error:  # a damaged spreadsheet makes its readers raise all kinds
        return nothing, [wrong("coding_unreadable", value=str(error))]
    for cells in sheets.values():
        names = cells.apply(lambda column: column.str.replace(r"\s", "", regex=True).str.lower())
        is_header = names.eq("subject").any(axis=1) & names.eq("filename").any(axis=1)
        if is_header.any():
            break
    else:
        return nothing, [wrong("no_header", value=f"sheets {', '.join(sheets)}")]
    top = is_header.idxmax()
    given = names.loc[top].map(HEADERS).value_counts().reindex(columns, fill_value=0)
    if given.ne(1).any():
        found = ", ".join(f"{column} ({count} times)" for column, count in given[given != 1].items())
        return nothing, [wrong("wrong_columns", file=f"{path} row {top + 1}", value=found)]
    places = {place: HEADERS[name] for place, name in names.loc[top].items() if name in HEADERS}
    body = cells.loc[top + 1 :]
    # Rows of one or no filled cell are notes, not clips.
    return body.loc[body.ne("").sum(axis=1) > 1, list(places)].rename(columns=places), []


def _sheets(path: Path) -> dict[str, pd.DataFrame]:
    """The cells of every sheet as text without blanks at their ends; a CSV is one sheet, whatever separates it."""
    if path.suffix.lower() == ".csv":
        text = path.read_text(encoding="utf-8-sig")
        rows = csv.reader(text.splitlines(), delimiter=max(",;\t", key=text.count))
        sheets = {path.name: pd.DataFrame(list(rows), dtype=str).fillna("")}
    else:
        sheets = pd.read_excel(path, None, engine="openpyxl", header=None, dtype=str, keep_default_na=False)
    return {name: cells.apply(lambda column: column.str.strip()) for name, cells in sheets.items()}


def _row_problems(clips: pd.DataFrame, cells: pd.DataFrame, path: Path) -> list[Problem]:
    """What is wrong with the rows of clips; ``cells`` holds what the file says."""
    unknown = ~clips["emotion"].isin(list(EMOTION_LABEL))
    onset, apex, offset = (clips[moment] for moment in MOMENTS)
    late = (onset > offset).fillna(False)
    order = "onset " + cells["onset"] + ", apex " + cells["apex"] + ", offset " + cells["offset"]
    none = {moment: cells[moment].isin(MISSING_FRAME) for moment in MOMENTS}
    nothing = pd.Series("", clips.index)
    found = [
        ("unknown_emotion", unknown, "emotion '" + cells["emotion"] + "'"),
        *(("wrong_frame", clips[m].isna() & ~none[m], f"{m} '" + cells[m].str[:20] + "'") for m in MOMENTS),
        *((f"no_{m}", none[m], cells[m].replace("", "empty")) for m in MOMENTS),
        ("onset_after_offset", late, order),
        ("apex_outside", outside(clips) & ~late, order),
        ("apex_is_onset", (apex == onset).fillna(False), order),
        ("no_action_units", clips["action_units"].eq(""), nothing),
    ]
    kept = clips["label"].notna() | unknown
    return [
        Problem(code, row.database, row.clip_id, f"{path} row {row.row}", value[row.Index], kept[row.Index])
        for code, wrong, value in found
        for row in clips[wrong].itertuples()
    ]


def outside(clips: pd.DataFrame) -> pd.Series:
    """Whether each apex is not between onset and offset; False where they are in no order to compare with."""
    onset, apex, offset = (clips[moment] for moment in MOMENTS)
    return ((apex < onset) | ((onset <= offset) & (offset < apex))).fillna(False).astype(bool)
