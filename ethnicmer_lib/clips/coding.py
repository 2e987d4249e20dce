"""Read a database's coding spreadsheet: one row a clip, whatever lies above or between its columns."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pandas as pd

from ethnicmer_lib.clips.decisions import LEFT_OUT, Decision
from ethnicmer_lib.clips.labels import EMOTION_LABEL, SAMM, clip_ids, label_of, subject_name
from ethnicmer_lib.clips.policies import AS_WRITTEN, Policies
from ethnicmer_lib.clips.problems import KINDS, Problem, refuse
from ethnicmer_lib.clips.table import MOMENTS
from ethnicmer_lib.errors import StudyError

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
#: Columns of :func:`scan_coding`'s table.
COLUMNS = ("clip_id", "database", "subject", "clip", "emotion", "label", "action_units", *MOMENTS, "row")


def read_coding(
    path: Path, database: str, policies: Policies = AS_WRITTEN, log: list[Decision] | None = None
) -> pd.DataFrame:
    """The kept clips of a coding file.

    Parameters
    ----------
    path : Path
        An ``.xlsx`` whose header row holds at least the names in :data:`HEADERS`, in any column and row.
    database : str
        'CASME II' or 'SAMM'.
    policies : Policies
        ``double_rows`` counts; default: refuse.
    log : list of Decision
        What was decided is added to it.

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
    clips, problems = scan_coding(path, database)
    # Left as it is, a missing apex is an error only where its frame is asked for.
    refuse([problem for problem in problems if problem.code != "no_apex"], policies)
    return choose_rows(clips, policies, log)


def choose_rows(clips: pd.DataFrame, policies: Policies, log: list[Decision] | None = None) -> pd.DataFrame:
    """Of :func:`scan_coding`'s table the kept clips, one row each by the policy ``double_rows``."""
    rule = policies.double_rows
    lost = clips["clip_id"].duplicated(keep=False if rule == "refuse" else rule)
    if log is not None:
        log += [
            Decision(row.clip_id, "coding row", f"row {row.row}", LEFT_OUT, f"double_rows={rule!r}")
            for row in clips[lost].itertuples()
        ]
    kept = clips[~lost & clips["label"].notna()]
    return kept.drop(columns="row").reset_index(drop=True)


def scan_coding(path: Path, database: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Every clip of a coding file that can be read, and everything that is wrong with the file.

    Returns
    -------
    DataFrame with the columns :data:`COLUMNS`: also clips that the study leaves out (label None), also clips
    that are given twice; ``row`` is the row in the spreadsheet, from 1.
    """
    table, problems = _table(path, database)
    rows = []
    for line, values in zip(table.index, table.to_dict("records"), strict=True):
        row = _row(values, database, str(path), line + 1, problems)
        if row is not None:
            rows.append(row)
    clips = pd.DataFrame(rows, columns=list(COLUMNS)[1:]).astype(dict.fromkeys(MOMENTS, "Int64"))
    clips.insert(0, "clip_id", clip_ids(clips) if len(clips) else pd.Series(dtype=str))
    if clips["label"].isna().all() and not any(KINDS[problem.code].stops for problem in problems):
        message = f"{database}: {path} holds no clip with a kept emotion; is this the coding file?"
        problems.append(Problem("no_kept_clip", database, message, file=str(path)))
    content = [name for name in clips.columns if name != "row"]
    for clip_id, same in clips[clips["clip_id"].duplicated(keep=False)].groupby("clip_id", sort=False):
        code = "double_row" if len(same[content].astype(str).drop_duplicates()) == 1 else "conflicting_rows"
        lines = ", ".join(str(line) for line in same["row"])
        message = f"{path}: clip {clip_id} is given twice, in rows {lines}; keep one row of it, or choose double_rows"
        problems.append(Problem(code, database, message, clip_id, str(path), f"rows {lines}"))
    return clips, problems


def _table(path: Path, database: str) -> tuple[pd.DataFrame, list[Problem]]:
    """The named columns of the rows under the header, text; empty with a problem where there is no such table."""
    nothing = pd.DataFrame(columns=list(HEADERS.values()))

    def wrong(code: str, message: str, value: str = "") -> tuple[pd.DataFrame, list[Problem]]:
        return nothing, [Problem(code, database, f"{database}: {message}", file=str(path), value=value)]

    try:
        cells = pd.read_excel(path, header=None, dtype=object, keep_default_na=False, engine="openpyxl")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        return wrong(
            "coding_unreadable",
            f"{path} cannot be read as .xlsx ({error}); save it again as .xlsx",
            str(error),
        )
    cells = cells.map(_text)
    names = cells.map(lambda text: re.sub(r"\s", "", text).lower())
    is_header = names.eq("subject").any(axis=1) & names.eq("filename").any(axis=1)
    if not is_header.any():
        return wrong(
            "no_header", f"{path} has no header row with Subject and Filename; is this the coding file?"
        )
    top = is_header.idxmax()
    header = names.loc[top]
    twice = [name for name in HEADERS if (header == name).sum() > 1]
    missing = [name for name in HEADERS if name not in set(header)]
    if missing:
        message = f"the header of {path} (row {top + 1}) lacks the columns {missing}; restore them"
        return wrong("missing_column", message, ", ".join(missing))
    if twice:
        message = (
            f"the header of {path} (row {top + 1}) has two columns {twice}; rename the one not to be used"
        )
        return wrong("double_column", message, ", ".join(twice))
    columns = {HEADERS[name]: place for place, name in header.items() if name in HEADERS}
    body = cells.loc[top + 1 :]
    # Rows of one or no filled cell are notes, not clips.
    body = body[body.map(str.strip).ne("").sum(axis=1) > 1]
    return body[list(columns.values())].set_axis(list(columns), axis=1), []


def _text(value: object) -> str:
    """A cell as text with its spaces: 12.0 and 12 as '12', an empty one as ''."""
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def _row(
    cells: dict[str, str], database: str, path: str, line: int, problems: list[Problem]
) -> dict[str, object] | None:
    """One clip; what is wrong with it is added to ``problems``. None where it is no clip that can be used."""
    where = f"{path} row {line}"
    values = {name: text.strip() for name, text in cells.items()}

    def wrong(code: str, message: str, value: str, clip: str = "", kept: bool = True) -> None:
        problems.append(Problem(code, database, message, clip, where, value, kept))

    if not values["clip"]:
        beside = f"no Filename beside subject {values['subject']!r}"
        wrong("no_filename", f"{where}: {beside}; fill it in or delete the row", values["subject"])
        return None
    try:
        subject = subject_name(database, values["subject"], where)
    except StudyError as error:
        wrong("wrong_subject", str(error), values["subject"], values["clip"])
        return None
    name = f"{database}/{subject}/{values['clip']}"
    kept = EMOTION_LABEL.get(values["emotion"].lower(), "unknown") is not None
    label = None
    try:
        label = label_of(values["emotion"], name, where)
    except StudyError as error:
        wrong("unknown_emotion", str(error), values["emotion"], name)
    number = re.match(r"(\d{3})_", values["clip"])
    if database == SAMM and number and number[1] != subject:
        message = f"clip {name} in {where}: its name begins with subject {number[1]}; correct subject or name"
        wrong("foreign_clip", message, values["clip"], name, kept)
    frames: dict[str, int | None] = {}
    for moment in MOMENTS:
        text = values[moment]
        frames[moment] = int(text) if re.fullmatch(r"\d+", text) else None
        if frames[moment] is None and text not in MISSING_FRAME:
            message = (
                f"clip {name}: {moment} {text!r} in {where} is no frame number; correct it, or leave it empty"
            )
            wrong("wrong_frame", message, f"{moment} {text}", name, kept)
        elif frames[moment] is None:
            _missing(moment, text, name, where, database, kept, problems)
    _compare(frames, name, where, database, kept, problems)
    for column in ("clip", "subject", "emotion"):
        if cells[column] != values[column]:
            message = f"clip {name}: {cells[column]!r} in {where} has spaces around it; delete them"
            wrong("stray_spaces", message, repr(cells[column]), name, kept)
    if not values["action_units"]:
        message = f"clip {name}: no action units in {where}; fill them in"
        wrong("no_action_units", message, "", name, kept)
    return {
        "database": database,
        "subject": subject,
        "clip": values["clip"],
        "emotion": values["emotion"].lower(),
        "label": label,
        "action_units": values["action_units"],
        **frames,
        "row": line,
    }


def _missing(
    moment: str, text: str, name: str, where: str, database: str, kept: bool, problems: list[Problem]
) -> None:
    message = (
        f"clip {name}: {where} gives no {moment} frame; write its number there, or label the clip 'others'"
    )
    problems.append(Problem(f"no_{moment}", database, message, name, where, text or "empty", kept))


def _compare(
    frames: dict[str, int | None], name: str, where: str, database: str, kept: bool, problems: list[Problem]
) -> None:
    """What onset, apex and offset of a clip say about each other."""
    onset, apex, offset = (frames[moment] for moment in MOMENTS)
    written = f"onset {onset}, apex {apex}, offset {offset}"
    found = ""
    if onset is not None and offset is not None and onset > offset:
        found = "onset_after_offset"
    elif outside(onset, apex, offset):
        found = "apex_outside"
    elif onset is not None and apex == onset:
        found = "apex_is_onset"
    if found:
        message = f"clip {name}: {written} in {where}; correct the frame numbers"
        problems.append(Problem(found, database, message, name, where, written, kept))


def outside(onset: int | None, apex: int | None, offset: int | None) -> bool:
    """Whether an apex is not between onset and offset; False where they are in no order to compare with."""
    if apex is None or onset is None:
        return False
    return apex < onset or (offset is not None and onset <= offset < apex)
