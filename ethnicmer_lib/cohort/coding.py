"""Read a database's coding spreadsheet: one row a clip, whatever lies above or between its columns."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.labels import clip_ids, label_of, subject_name

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
MOMENTS = ("onset", "apex", "offset")
MISSING_FRAME = {"", "/", "-1"}


def find_coding_file(folders: list[Path], pattern: str, database: str, option: str) -> Path:
    """The one spreadsheet that matches ``pattern`` in the first of ``folders`` that holds any.

    Raises
    ------
    StudyError
        When there is none, or more than one (which version counts is the reader's choice).
    """
    for folder in folders:
        found = sorted(folder.glob(pattern))
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise StudyError(f"{database}: {folder} holds {names}; keep the one to use there")
        if found:
            return found[0]
    raise StudyError(
        f"{database}: no coding file {pattern} in {folders[0]}; copy the database's spreadsheet there, "
        f"or name the folder that holds it with {option}"
    )


def read_coding(path: Path, database: str) -> pd.DataFrame:
    """The kept clips of a coding file.

    Parameters
    ----------
    path : Path
        An ``.xlsx`` whose header row holds at least the names in :data:`HEADERS`, in any column and row.
    database : str
        'CASME II' or 'SAMM'.

    Returns
    -------
    DataFrame
        Columns clip_id, database, subject, clip, emotion, label, action_units (text), onset, apex, offset
        (Int64 frame numbers at 200 fps, <NA> where the coder gave none). Clips labelled 'others' are left
        out, as in Table III.

    Raises
    ------
    StudyError
        Unreadable file, no header, unknown emotion, a subject or frame that is no number, a clip twice.
    """
    try:
        cells = pd.read_excel(path, header=None, dtype=object, keep_default_na=False, engine="openpyxl")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise StudyError(
            f"{database}: {path} cannot be read as .xlsx ({error}); save it again as .xlsx"
        ) from error
    rows = []
    table = _below_header(cells, path, database)
    for line, values in zip(table.index, table.to_dict("records"), strict=True):
        row = _row(values, database, f"{path} row {line + 1}")
        if row["label"] is not None:
            rows.append(row)
    if not rows:
        raise StudyError(f"{database}: {path} holds no clip with a kept emotion; is this the coding file?")
    clips = pd.DataFrame(rows).astype(dict.fromkeys(MOMENTS, "Int64"))
    clips.insert(0, "clip_id", clip_ids(clips))
    twice = clips.loc[clips["clip_id"].duplicated(), "clip_id"]
    if len(twice):
        raise StudyError(f"{path}: clip {twice.iloc[0]} is given twice; keep one row of it")
    return clips


def _text(value: object) -> str:
    """A cell as text: 12.0 and 12 as '12', an empty one as ''."""
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _below_header(cells: pd.DataFrame, path: Path, database: str) -> pd.DataFrame:
    """The named columns of the rows under the header; rows of one or no filled cell (notes) are not clips."""
    cells = cells.map(_text)
    names = cells.map(lambda text: re.sub(r"\s", "", text).lower())
    is_header = names.eq("subject").any(axis=1) & names.eq("filename").any(axis=1)
    if not is_header.any():
        raise StudyError(
            f"{database}: {path} has no header row with Subject and Filename; is this the coding file?"
        )
    top = is_header.idxmax()
    columns = {HEADERS[name]: place for place, name in names.loc[top].items() if name in HEADERS}
    missing = [name for name, column in HEADERS.items() if column not in columns]
    if missing:
        raise StudyError(
            f"{database}: the header of {path} (row {top + 1}) lacks the columns {missing}; restore them"
        )
    body = cells.loc[top + 1 :]
    body = body[body.ne("").sum(axis=1) > 1]
    return body[list(columns.values())].set_axis(list(columns), axis=1)


def _row(values: dict[str, str], database: str, where: str) -> dict[str, object]:
    if not values["clip"]:
        raise StudyError(
            f"{where}: no Filename beside subject {values['subject']!r}; fill it in or delete the row"
        )
    subject = subject_name(database, values["subject"], where)
    name = f"{database}/{subject}/{values['clip']}"
    frames = {moment: _frame_number(values[moment], moment, name, where) for moment in MOMENTS}
    return {
        "database": database,
        "subject": subject,
        "clip": values["clip"],
        "emotion": values["emotion"].lower(),
        "label": label_of(values["emotion"], name, where),
        "action_units": values["action_units"],
        **frames,
    }


def _frame_number(text: str, moment: str, clip: str, where: str) -> int | None:
    if text in MISSING_FRAME:
        return None
    if not re.fullmatch(r"\d+", text):
        raise StudyError(
            f"clip {clip}: {moment} {text!r} in {where} is no frame number; correct it, or leave it empty"
        )
    return int(text)
