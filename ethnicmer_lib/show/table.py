"""What a chapter's notebook calls to show its results: glued numbers and figures, tables, findings."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure
from myst_nb import glue

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.paper.findings import Finding

_TAG = re.compile("<[^>]*>")
_NUMBER = re.compile(r"[-+−]?\d[\d.,]*\s?%?|–")  # as columns write them; a dash where there is none
NAME, SENTENCE = 16, 48  #: characters; a cell with more is a name of several words, is a sentence


class _Text(str):
    """A text that is glued as it reads, without quotes."""

    def __repr__(self) -> str:
        return str(self)


def publish(values: Mapping[str, Any]) -> None:
    """Glue every value under its name: figures as figures, everything else as the text it prints.

    The prose of the page takes them with ``{glue:text}`name``` and ``{glue:figure} name``.
    """
    for name, value in values.items():
        glue(name, value if isinstance(value, Figure) else _Text(value), display=False)


def number(value: Any, digits: int = 3) -> str:
    """A number as a table shows it: whole numbers whole, others with ``digits`` decimals, nothing as a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA:
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    return str(value)


def with_interval(value: float, low: float, high: float, digits: int = 3) -> str:
    """HTML of a value with its interval in small print."""
    if value is None or math.isnan(value):
        return "–"
    if low is None or math.isnan(low):
        return number(float(value), digits)
    return (
        f"{value:.{digits}f} <span class='interval'>[{number(float(low), digits)}, "
        f"{number(float(high), digits)}]</span>"
    )


def badge(provenance: Provenance) -> str:
    """The mark that a simulated table carries; '' for real data."""
    return " <span class='simulated-badge'>SIMULATED</span>" if provenance.simulated else ""


def table(
    rows: pd.DataFrame,
    caption: str,
    provenance: Provenance | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    note: str = "",
) -> HTML:
    """A table with a caption that names its source.

    Parameters
    ----------
    rows : the table; a column of strings that start with '<' or hold an interval is taken as HTML, made here.
    columns : column -> heading, in the order shown; by default all columns under their own names.
    note : one line under the table.
    """
    columns = dict(columns or {name: str(name) for name in rows.columns})
    kind = {name: _kind(rows[name]) for name in columns}
    head = "".join(
        f"<th scope='col'{kind[name]}>{html.escape(title)}</th>" for name, title in columns.items()
    )
    body = []
    for _, row in rows.iterrows():
        cells = []
        for name in columns:
            value = row[name]
            text = value if isinstance(value, str) and "<span" in value else html.escape(number(value))
            cells.append(f"<td{kind[name]}>{text}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    source = f" Source: {html.escape(provenance.source)}.{badge(provenance)}" if provenance else ""
    tail = f"<p class='note'>{note}</p>" if note else ""
    return HTML(
        f"<div class='study-table' tabindex='0'><table><caption>{html.escape(caption)}{source}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>{tail}</div>"
    )


def _kind(column: pd.Series) -> str:
    """The class of a column's cells: numbers, sentences or names (which need room on a phone), or neither."""
    texts = column.astype(str)
    written = texts.str.replace(_TAG, "", regex=True).str.fullmatch(_NUMBER).all() and len(texts)
    if written or pd.api.types.is_numeric_dtype(column) or texts.str.contains("interval").any():
        return " class=num"
    longest = texts.str.len().max()
    return " class=words" if longest > SENTENCE else " class=name" if longest > NAME else ""


def findings(
    found: Iterable[Finding], provenance: Provenance, caption: str = "Findings.", *, folded: bool = False
) -> HTML:
    """Findings with estimate and verdict, one per line; the answer and the reason unfold below it.

    Parameters
    ----------
    folded : start with answers and reasons hidden, for pages that list many.
    """
    rows = []
    for one in found:
        value = ""
        if one.estimate is not None:
            low, high = (math.nan if end is None else end for end in (one.low, one.high))
            whole = one.low is None and float(one.estimate).is_integer()
            value = str(int(one.estimate)) if whole else with_interval(one.estimate, low, high)
        kind = one.verdict.replace(" ", "-")
        rows.append(
            f"<details class='finding'{'' if folded else ' open'}>"
            f"<summary><span class='question'>{html.escape(one.question)}</span>"
            f"<span class='estimate'>{value}</span>"
            f"<span class='verdict {kind}'>{one.verdict}</span></summary>"
            f"<p>{html.escape(one.answer)}</p><p class='note'>{html.escape(one.reason)}</p></details>"
        )
    source = f" Source: {html.escape(provenance.source)}.{badge(provenance)}"
    return HTML(
        f"<div class='findings'><p class='findings-caption'>{html.escape(caption)}{source}</p>{''.join(rows)}</div>"
    )
