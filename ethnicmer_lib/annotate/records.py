"""The table of annotations: its columns, the classes behind them, its file, and the released table in its form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.clips import label_tables
from ethnicmer_lib.clips.labels import RACE_CODES, annotations, database_name
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import atomic, environment

RACES = tuple(RACE_CODES.values())
GENDERS = ("male", "female")
AGES = (*(f"{start}-{start + 9}" for start in range(0, 70, 10)), "70+")
#: Task of the network -> names of its classes, in the order of its outputs.
CLASSES: Mapping[str, tuple[str, ...]] = {"race": RACES, "gender": GENDERS, "age": AGES}
PROBABILITIES = {head: tuple(f"p_{name}" for name in names) for head, names in CLASSES.items()}

#: Column of the records -> what it holds.  One row is one clip, in the order of ``cohort.table``.
COLUMNS = {
    "source": "where the frames come from; a simulated cohort says so here",
    "simulated": "True where the faces are simulated: then no value below means anything",
    "database": "'CASME II' or 'SAMM'",
    "subject": "as the database writes it",
    "clip": "as the database writes it",
    "moment": "'onset' or 'apex': the frame that was looked at",
    "frame": "its number",
    "faces": "how many faces the detector found; 1 for a whole frame",
    "x": "left edge of the part of the frame that was looked at, px; <NA> where failed",
    "y": "its upper edge",
    "width": "its width",
    "height": "its height",
    "failed": "True where no face was found; then all that follows is empty",
    "race_code": "most probable class: 0 White, 1 Black, 2 Asian, 3 Indian, 4 Others",
    "ethnicity": "its name",
    "gender": "'male' or 'female', the more probable class",
    "age": "most probable bin of ten years, '20-29'",
    **{name: "probability of the class" for names in PROBABILITIES.values() for name in names},
}


NEEDED = ("simulated", "database", "subject", "clip", "failed", "race_code", "ethnicity", "gender", "age")
_WHOLE = ("frame", "faces", "x", "y", "width", "height", "race_code")
_REAL = tuple(name for names in PROBABILITIES.values() for name in names)


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the columns' types: Int64 for whole numbers, float32, bool, and text for all others."""
    kinds = dict.fromkeys(_WHOLE, "Int64") | dict.fromkeys(_REAL, "float32")
    kinds |= dict.fromkeys(("simulated", "failed"), "bool")
    return table.astype({name: kinds.get(name, "str") for name in table})


def released_records() -> pd.DataFrame:
    """The released label table as records: all 415 clips with the columns it knows, values per subject.

    The release holds no probability and no frame number; ``failed`` is False throughout, because its values are
    those of a subject, which are never missing.
    """
    released = annotations()
    table = {
        "source": "the released label table",
        "simulated": False,
        "database": [database_name(name, "annotations.csv") for name in released["dataset"]],
        "subject": released["subject"],
        "clip": released["filename"],
        "failed": False,
        "race_code": released["race_code"].astype("Int64"),
        "ethnicity": released["race_code"].map(dict(RACE_CODES)),
        "gender": [GENDERS[int(code)] for code in released["gender"]],
        "age": [AGES[int(code)] for code in released["age_bin"]],
    }
    return typed(pd.DataFrame(table))


def check_name(path: Path) -> None:
    """StudyError unless the file's name ends in .csv or .parquet."""
    if path.suffix not in (".csv", ".parquet"):
        raise StudyError(f"records are kept as .csv or .parquet, not as {path.name!r}; rename the output")


def write_records(records: pd.DataFrame, path: Path, about: Mapping[str, Any]) -> Path:
    """Write records as .csv or .parquet, and how they came about as JSON beside them; the path of the latter.

    Parameters
    ----------
    about : what identifies the annotator and the cohort; versions, hardware, commit and time are added.
    """
    check_name(path)
    with atomic(path) as part:
        if path.suffix == ".csv":
            records.to_csv(part, index=False, float_format="%.6f")
        else:
            records.to_parquet(part, index=False)
    beside = path.with_name(f"{path.name}.json")
    with atomic(beside) as part:
        part.write_text(
            json.dumps({**about, "columns": COLUMNS, **environment()}, indent=1) + "\n", encoding="utf-8"
        )
    return beside


def read_records(path: Path) -> pd.DataFrame:
    """Read what :func:`write_records` wrote; of a hand-made file the columns from database to age are enough.

    Raises
    ------
    StudyError
        No such file; unreadable; a column missing; a value that its column cannot hold; a clip given twice.
    """
    check_name(path)
    if not path.is_file():
        raise StudyError(f"no annotation records at {path}; make them with `ethnicmer data annotate`")
    try:
        if path.suffix == ".csv":
            table = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
        else:
            table = pd.read_parquet(path)
        label_tables.require_columns(table, NEEDED, path)
        for name in ("simulated", "failed"):
            table[name] = table[name].map({"True": True, "False": False, True: True, False: False})
        if table[["simulated", "failed"]].isna().any(axis=None):
            raise StudyError(
                f"{path}: the columns simulated and failed hold True or False only; correct them"
            )
        table = typed(table[[name for name in COLUMNS if name in table]])
    except (ValueError, TypeError, OSError) as error:
        raise StudyError(
            f"{path} cannot be read as annotation records ({str(error)[:200]}); make it anew with "
            "`ethnicmer data annotate`"
        ) from error
    return label_tables.once_a_clip(label_tables.named(table, path), path, "row")
