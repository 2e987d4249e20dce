"""The table of annotations: its columns, the classes behind them, and its file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.clips.labels import RACE_CODES
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import atomic, environment

#: Task of the network -> names of its classes, in the order of its outputs.
CLASSES: Mapping[str, tuple[str, ...]] = {
    "race": tuple(RACE_CODES.values()),
    "gender": ("male", "female"),
    "age": (*(f"{start}-{start + 9}" for start in range(0, 70, 10)), "70+"),
}
PROBABILITIES = {head: [f"p_{name}" for name in names] for head, names in CLASSES.items()}

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
_TYPES = (
    dict.fromkeys(COLUMNS, "str")
    | dict.fromkeys(("frame", "faces", "x", "y", "width", "height", "race_code"), "Int64")
    | dict.fromkeys(("simulated", "failed"), "bool")
    | {name: "float32" for names in PROBABILITIES.values() for name in names}
)


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """The table with all of :data:`COLUMNS` and their types: Int64 for whole numbers, float32, bool, and text."""
    return table.reindex(columns=list(COLUMNS)).astype(object).astype(_TYPES)


def check_name(path: Path) -> None:
    """StudyError unless the file's name ends in .csv or .parquet."""
    if path.suffix not in (".csv", ".parquet"):
        raise StudyError(f"records are kept as .csv or .parquet, not as {path.name!r}; rename the output")


def write_records(records: pd.DataFrame, path: Path, about: Mapping[str, Any]) -> Path:
    """Write records as .csv or .parquet, and beside them as JSON ``about`` (what identifies annotator and cohort) with
    versions, hardware, commit and time; the path of the JSON."""
    with atomic(path) as part:
        if path.suffix == ".csv":
            records.to_csv(part, index=False, float_format="%.6f")
        else:
            records.to_parquet(part, index=False)
    beside = path.with_name(f"{path.name}.json")
    with atomic(beside) as part:
        text = json.dumps({**about, "columns": COLUMNS, **environment()}, indent=1)
        part.write_text(f"{text}\n", encoding="utf-8")
    return beside
