"""The numbers that the paper prints: Tables I to V, the protocol; and the claims that are sentences."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import pandas as pd
import yaml

from ethnicmer_lib.clips.labels import BINARY
from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import check_name

#: The cells of a row of Table IV, and of Table V, as scores are called: F1 of each class, and macro F1.
CELLS = {"table_iv": (*dict.fromkeys(BINARY.values()), "macro"), "table_v": (*LABELS, "macro")}


@functools.cache
def read_yaml(name: str) -> Any:
    """A file of this room: 'counts' (Tables I to III), 'results' (IV, V, the protocol), 'claims' (and the rules that
    judge them), 'release' (what was read there), 'switches'."""
    text = resources.files("ethnicmer_lib.paper").joinpath(f"{name}.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def called(arm: str) -> str:
    """What a reader is shown for an arm of Table V or of its controls; any other name as it is.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.paper.called("dual_rgb"), em.paper.called("Mixed")
    ('dual ResNet-18 on motion and face', 'Mixed')
    """
    return read_yaml("results")["names"].get(arm, arm)


def printed(table: str) -> pd.DataFrame:
    """A printed table, 'table_i' to 'table_v': one row per arm (scenario, variant; ethnicity, label).

    Columns are called as scores are.  StudyError for another name.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> float(em.printed("table_v").loc["tinyvit", "macro"])
    0.6826
    """
    counts = read_yaml("counts")
    if table in counts:
        by, count, rows = (counts[table][name] for name in ("by", "count", "rows"))
        return pd.DataFrame(rows).set_index(by)[[count]].rename_axis("arm")
    check_name("printed table", table, (*counts, *CELLS))
    rows = read_yaml("results")[table]["rows"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(CELLS[table])).rename_axis("arm")
