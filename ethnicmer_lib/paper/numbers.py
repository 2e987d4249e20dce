"""The numbers that the paper prints: Tables I to V, the protocol; and the claims that are sentences."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import pandas as pd
import yaml

from ethnicmer_lib.clips.labels import BINARY
from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError

#: The cells of a row of Table IV, and of Table V, as scores are called: F1 of each class, and macro F1.
CELLS = {"table_iv": (*dict.fromkeys(BINARY.values()), "macro"), "table_v": (*LABELS, "macro")}
_COUNTS = {
    "table_i": ("subjects", "subjects"),
    "table_ii": ("clips", "clips"),
    "table_iii": ("emotions", "clips"),
}


@functools.cache
def read_yaml(name: str) -> Any:
    """A YAML file of this room."""
    return yaml.safe_load(resources.files("ethnicmer_lib.paper").joinpath(name).read_text(encoding="utf-8"))


def paper_tables() -> dict[str, Any]:
    """The numbers printed in Tables I-III, with the place of each."""
    return read_yaml("counts.yml")


def paper_results() -> dict[str, Any]:
    """The numbers printed in Tables IV and V and the paper's protocol, with where they stand."""
    return read_yaml("results.yml")


def claims_file() -> dict[str, Any]:
    """The claims and the rules that judge them: ``claims.yml``."""
    return read_yaml("claims.yml")


def printed(table: str) -> pd.DataFrame:
    """A printed table: one row per arm (scenario, variant; ethnicity, label), columns as scores are called.

    Parameters
    ----------
    table : 'table_i', 'table_ii', 'table_iii', 'table_iv' or 'table_v'.

    Raises
    ------
    StudyError
        For another table.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> float(em.printed("table_v").loc["tinyvit", "macro"])
    0.6826
    """
    if table in _COUNTS:
        name, count = _COUNTS[table]
        rows = paper_tables()[name]["rows"]
        index = pd.Index([row.get("ethnicity", row.get("label")) for row in rows], name="arm")
        return pd.DataFrame({count: [row[count] for row in rows]}, index)
    if table not in CELLS:
        raise StudyError(f"no printed table {table!r}; there are {', '.join((*_COUNTS, *CELLS))}")
    rows = paper_results()[table]["rows"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(CELLS[table])).rename_axis("arm")
