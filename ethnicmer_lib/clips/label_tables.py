"""Read the tables of labels that a reader writes by hand: columns, empty cells, names as the databases write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ethnicmer_lib.clips.labels import CLIP_KEY, GROUP_COLUMNS, clip_ids, database_name, subject_name
from ethnicmer_lib.errors import StudyError


def read_groups(path: Path) -> pd.DataFrame:
    """Read a reader's own group labels: a CSV with the columns ``labels.GROUP_COLUMNS``; others are ignored.

    StudyError for no such file, a missing column, an empty cell, an unknown database or subject, a clip given twice.
    """
    table = named(read_csv(path, GROUP_COLUMNS, "group labels", "clip"), path)
    for clip_id in clip_ids(table[table.duplicated(CLIP_KEY)]):
        raise StudyError(f"{path}: clip {clip_id} is given twice; keep one line of it")
    return table


def read_csv(path: Path, columns: Sequence[str], what: str, of: str) -> pd.DataFrame:
    """The ``columns`` of a CSV that holds ``what``, as text, blanks at their ends taken off, no cell empty.

    StudyError for no such file, not a CSV, a missing column, an empty cell; ``of`` is the column that tells a reader
    which line is meant, 'clip' or 'subject'.
    """
    if not path.is_file():
        raise StudyError(f"no {what} at {path}; give a CSV with the columns {','.join(columns)}")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise StudyError(
            f"{path} cannot be read as CSV ({error}); save it as comma-separated UTF-8"
        ) from error
    if missing := [name for name in columns if name not in table]:
        raise StudyError(f"{path} lacks the columns {missing}; needed: {','.join(columns)}")
    table = table[list(columns)].apply(lambda column: column.str.strip())
    empty = table[table.eq("").any(axis=1)]
    if len(empty):
        row = empty.iloc[0]
        raise StudyError(
            f"{path} line {row.name + 2} ({of} {row[of]!r}): {row.eq('').idxmax()} is empty; fill it in"
        )
    return table


def named(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The table with database and subject as the databases write them; StudyError for an unknown one."""
    databases = [database_name(value, str(path)) for value in table["database"]]
    subjects = map(subject_name, databases, table["subject"], [str(path)] * len(table))
    return table.assign(database=databases, subject=list(subjects)).astype(str)
