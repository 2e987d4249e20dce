"""Read a database's coding spreadsheet: one row a clip, whatever lies above or between its columns."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import zip_longest
from pathlib import Path

import pandas as pd

from ethnicmer_lib.clips.labels import EMOTION_LABEL, clip_ids, subject_name
from ethnicmer_lib.clips.problems import KINDS, Problem
from ethnicmer_lib.clips.table import MOMENTS, Moment, facts
from ethnicmer_lib.errors import StudyError

#: Header, lower case without spaces -> column of the clips table, as ``known.yml`` has them.
HEADERS = facts("known")["headers"]
MISSING_FRAME = ("", "/", "-1")
ROWS = 20_000  #: of a sheet are read: a stray cell at its last corner would take all memory


def read_coding(path: Path, database: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Every clip of a coding file that can be read, and everything that is wrong with the file.

    The ``.xlsx`` or ``.csv`` holds the names in :data:`HEADERS` in any row and columns of any sheet. The table has the
    columns clip_id, database, those of :data:`HEADERS`, label and row: onset, apex, offset are Int64 numbers, <NA>
    where the coder gave none; label is None of clips that the study leaves out (Table III); ``row`` is the row in the
    spreadsheet, from 1. A clip that is given twice has two rows.
    """
    cells, problems = _official(path, database)
    subjects: dict[int, str] = {}
    for line, subject in cells["subject"].items():
        with suppress(StudyError):
            subjects[line] = subject_name(database, subject, str(path))
    return coded(cells.assign(database=database), pd.Series(subjects, dtype=str), path, problems), problems


def coded(
    cells: pd.DataFrame,
    subjects: pd.Series,
    path: Path,
    problems: list[Problem],
    emotions: Mapping[str, str | None] = EMOTION_LABEL,
    moments: Sequence[Moment] = MOMENTS,
) -> pd.DataFrame:
    """The rows of a table as clips, every cell text; what is wrong with them is added to ``problems``.

    ``cells`` has the columns database and those of :data:`HEADERS`; the index is the row in the file, from 0.
    ``subjects`` names the subject of each row that has one; ``emotions`` gives labels, None for those left out;
    of ``moments`` the numbers are needed. The result is that of :func:`read_coding`.
    """
    unnamed = ~cells.index.isin(subjects.index) | cells["clip"].eq("")
    for row in cells[unnamed].itertuples():
        value = f"subject {row.subject!r}, Filename {row.clip!r}"
        problems.append(Problem("unnamed_row", row.database, "", f"{path} row {row.Index + 1}", value))
    clips = cells.assign(subject=subjects, row=cells.index + 1)
    clips = clips[~unnamed]
    clips.insert(0, "clip_id", clip_ids(clips).astype(str))
    clips["emotion"] = clips["emotion"].str.lower()
    clips["label"] = clips["emotion"].map(emotions)
    for moment in MOMENTS:
        number = clips[moment].str.extract(r"^([0-9]{1,9})(?:\.0)?$", expand=False)  # a CSV may say 46.0
        clips[moment] = pd.to_numeric(number).astype("Int64")
    problems += _row_problems(clips, cells.loc[clips.index], path, emotions, moments)
    if clips["label"].isna().all() and not any(KINDS[problem.code].stops for problem in problems):
        problems.append(Problem("no_kept_clip", " and ".join(cells["database"].unique()), file=path))
    twice = clips[clips["clip_id"].duplicated(keep=False)]
    for (database, clip_id), lines in (
        twice["row"].astype(str).groupby([twice["database"], twice["clip_id"]], sort=False)
    ):
        problems.append(Problem("double_row", database, clip_id, path, f"rows {', '.join(lines)}"))
    return clips.reset_index(drop=True)


def _official(path: Path, database: str) -> tuple[pd.DataFrame, list[Problem]]:
    """The named columns of the rows under the header, text; empty with a problem where there is no such table."""
    columns = list(dict.fromkeys(HEADERS.values()))
    body, top, problems = table_cells(path, database, lambda names: {"subject", "filename"} <= names)
    given = body.columns.map(HEADERS).value_counts().reindex(columns, fill_value=0)
    if not problems and given.ne(1).any():
        found = ", ".join(f"{column} ({count} times)" for column, count in given[given != 1].items())
        problems = [Problem("wrong_columns", database, file=f"{path} row {top + 1}", value=found)]
    if problems:
        return pd.DataFrame(columns=columns, dtype=str), problems
    return body.loc[:, body.columns.isin(list(HEADERS))].rename(columns=HEADERS), []


def header(text: str) -> str:
    """What the spellings of a header have in common."""
    return re.sub(r"\s", "", unicodedata.normalize("NFC", text)).lower()


def table_cells(
    path: Path, database: str, fits: Callable[[set[str]], bool]
) -> tuple[pd.DataFrame, int, list[Problem]]:
    """(rows, header row from 0, problems): the text under the first row of any sheet whose :func:`header` names fit.

    The columns have those names. Rows of one or no filled cell are notes, and not among them.
    """
    wrong, nothing = partial(Problem, database=database, file=path), pd.DataFrame(dtype=str)
    try:
        sheets = _sheets(path)
    except Exception as error:  # a damaged spreadsheet makes its readers raise all kinds
        return nothing, 0, [wrong("coding_unreadable", value=str(error))]
    for cells in sheets.values():
        names = cells.map(header)
        top = next((place for place, row in names.iterrows() if fits(set(row))), None)
        if top is not None:
            body = cells.loc[top + 1 :].set_axis(names.loc[top], axis=1)
            return body[body.ne("").sum(axis=1) > 1], top, []
    there = next((row[row != ""] for cells in sheets.values() for _, row in cells.iterrows() if any(row)), [])
    value = f"sheets {', '.join(sheets)}; the first row says {', '.join(there)[:200]}"
    return nothing, 0, [wrong("no_header", value=value)]


def _sheets(path: Path) -> dict[str, pd.DataFrame]:
    """The cells of every sheet as text without blanks at their ends; a CSV is one sheet, whatever separates it."""
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        text = path.read_text(encoding="utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=text.count))
        sheets = {path.name: pd.DataFrame(zip(*zip_longest(*rows, fillvalue=""), strict=True), dtype=str)}
    else:
        sheets = pd.read_excel(
            path, None, engine="openpyxl", header=None, dtype=str, keep_default_na=False, nrows=ROWS
        )
        if long := [name for name, cells in sheets.items() if len(cells) == ROWS]:
            raise ValueError(f"sheet {long[0]} has {ROWS} rows or more: this is no list of clips")
    return {name: cells.apply(lambda column: column.str.strip()) for name, cells in sheets.items()}


def _row_problems(
    clips: pd.DataFrame,
    cells: pd.DataFrame,
    path: Path,
    emotions: Mapping[str, str | None],
    moments: Sequence[Moment],
) -> list[Problem]:
    """What is wrong with the rows of clips; ``cells`` holds what the file says."""
    unknown = ~clips["emotion"].isin(list(emotions))
    onset, apex, offset = (clips[moment] for moment in MOMENTS)
    late = (onset > offset).fillna(False)
    order = "onset " + cells["onset"] + ", apex " + cells["apex"] + ", offset " + cells["offset"]
    none = {moment: cells[moment].isin(MISSING_FRAME) for moment in MOMENTS}
    nothing = pd.Series("", clips.index)
    found = [
        ("unknown_emotion", unknown, "emotion '" + cells["emotion"] + "'"),
        *(("wrong_frame", clips[m].isna() & ~none[m], f"{m} '" + cells[m].str[:20] + "'") for m in MOMENTS),
        *((f"no_{m}", none[m], cells[m].replace("", "empty")) for m in moments),
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
