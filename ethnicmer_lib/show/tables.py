"""What a chapter's notebook shows: texts and figures glued into its prose, tables, findings."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure
from myst_nb import glue

from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.store.provenance import Provenance, provenance_of

_TAG = re.compile("<[^>]*>")
_NUMBER = re.compile(r"[-+−]?\d[\d.,]*\s?%?|–")  # as columns write them; a dash where there is none
NAME, SENTENCE = 16, 48  #: characters; a cell with more is a name of several words, is a sentence


@dataclass(frozen=True)
class Html:
    """Text that is HTML already, made here; every other text is escaped before it is shown.

    No kind of ``str``: a table of pandas would turn it into a plain one, and a plain one could be anybody's.
    """

    text: str

    def __str__(self) -> str:
        return self.text


class _Text(str):
    """A text that is glued as it reads, without quotes."""

    def __repr__(self) -> str:
        return str(self)


def say(**values: Any) -> None:
    """Glue every value under its name: figures as figures, everything else as the text it prints.

    The prose of the page takes them with ``{glue:text}`name``` and ``{glue:figure} name``.
    """
    for name, value in values.items():
        glue(name, value if isinstance(value, Figure) else _Text(value), display=False)


def publish(values: Mapping[str, Any]) -> None:
    """:func:`say` for a mapping."""
    say(**values)


def number(value: Any, digits: int = 3) -> str:
    """A number as a table shows it: whole numbers whole, others with ``digits`` decimals, nothing as a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA:
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    return str(value)


def with_interval(value: float, low: float, high: float, digits: int = 3) -> Html:
    """A value with its interval in small print."""
    if value is None or math.isnan(value):
        return Html("–")
    if low is None or math.isnan(low):
        return Html(number(float(value), digits))
    return Html(
        f"{value:.{digits}f} <span class='interval'>[{number(float(low), digits)}, "
        f"{number(float(high), digits)}]</span>"
    )


def badge(of: Any) -> str:
    """The mark that a simulated table carries; '' for real data."""
    return " <span class='simulated-badge'>SIMULATED</span>" if provenance_of(of).simulated else ""


def table(
    rows: pd.DataFrame,
    caption: str,
    of: Any = None,
    *,
    columns: Mapping[str, str] | None = None,
    note: str = "",
    digits: int = 3,
) -> HTML:
    """A table with a caption that names its source.

    Parameters
    ----------
    rows : one row a line; an index that has a name is shown as its first columns. An Estimate is shown with its
        interval. Every text is escaped, but for :class:`Html`.
    of : clips, a recording or a Provenance: what the numbers are of; None where they are of nobody.
    columns : column -> heading, in the order shown; by default all columns under their own names.
    note : one line under the table.
    digits : decimals.
    """
    if any(name is not None for name in rows.index.names):
        rows = rows.reset_index()
    columns = dict(columns or {name: str(name) for name in rows.columns})
    shown = {name: [_cell(value, digits) for value in rows[name]] for name in columns}
    kind = {name: _kind(rows[name], shown[name]) for name in columns}
    head = "".join(
        f"<th scope='col'{kind[name]}>{html.escape(title)}</th>" for name, title in columns.items()
    )
    body = "".join(
        "<tr>" + "".join(f"<td{kind[name]}>{shown[name][i]}</td>" for name in columns) + "</tr>"
        for i in range(len(rows))
    )
    tail = f"<p class='note'>{note}</p>" if note else ""
    return HTML(
        f"<div class='study-table' tabindex='0'><table><caption>{html.escape(caption)}{_source(of)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{tail}</div>"
    )


def _source(of: Any) -> str:
    if of is None:
        return ""
    return f" Source: {html.escape(provenance_of(of).source)}.{badge(of)}"


def _cell(value: Any, digits: int) -> str:
    if isinstance(value, Html):
        return value.text
    if isinstance(value, Estimate):
        return with_interval(*value, digits).text
    return html.escape(number(value, digits))


def _kind(column: pd.Series, shown: list[str]) -> str:
    """The class of a column's cells: numbers, sentences or names (which need room on a phone), or neither."""
    texts = [_TAG.sub("", text) for text in shown]
    estimates = any(isinstance(value, Estimate) or "interval" in str(value) for value in column)
    written = bool(texts) and all(_NUMBER.fullmatch(text) for text in texts)
    if written or estimates or pd.api.types.is_numeric_dtype(column):
        return " class=num"
    longest = max(map(len, texts), default=0)
    return " class=words" if longest > SENTENCE else " class=name" if longest > NAME else ""


def findings(
    found: Iterable[Finding], of: Any = None, caption: str = "Findings.", *, folded: bool = False
) -> HTML:
    """Findings with estimate and verdict, one per line; the answer and the reason unfold below it.

    Parameters
    ----------
    of : what they are of; by default what each finding says itself.
    folded : start with answers and reasons hidden, for pages that list many.
    """
    found = list(found)
    own = [Provenance(one.source, one.simulated, "") for one in found] if of is None else []
    shared = of if of is not None else own[0] if len(set(own)) == 1 else None
    rows = []
    for place, one in enumerate(found):
        source = f" {_source(own[place])}" if shared is None else ""
        rows.append(
            f"<details class='finding'{'' if folded else ' open'}>"
            f"<summary><span class='question'>{html.escape(one.question)}</span>"
            f"<span class='estimate'>{_estimate(one)}</span>"
            f"<span class='verdict {one.verdict.replace(' ', '-')}'>{one.verdict}</span></summary>"
            f"<p>{html.escape(one.answer)}</p><p class='note'>{html.escape(one.reason)}{source}</p></details>"
        )
    return HTML(
        f"<div class='findings'><p class='findings-caption'>{html.escape(caption)}{_source(shared)}</p>"
        f"{''.join(rows)}</div>"
    )


def _estimate(one: Finding) -> str:
    if one.estimate is None:
        return ""
    if one.low is None and float(one.estimate).is_integer():
        return str(int(one.estimate))
    return str(
        with_interval(one.estimate, *(math.nan if end is None else end for end in (one.low, one.high)))
    )
