"""What a chapter's notebook shows: texts and figures glued into its prose, tables, findings."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure
from myst_nb import glue
from myst_nb.core.variables import format_plain_text

from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.paper.numbers import called
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.store.provenance import Provenance, provenance_of

_NUMBER = re.compile(r"(< )?[-+−]?\d[\d.,]*\s?%?|–")  # as columns write them; a dash where there is none
_P = re.compile(r"p(_\w+)?|.*\badjusted p")  #: columns of p-values, none of which is zero
_ARMS = ("arm", "a", "b")  #: columns that name what is compared, by the names of the code
NAME, SENTENCE = 16, 48  #: characters; a cell with more is a name of several words, is a sentence


class _Text(str):
    """A text that is glued as it reads: in quotes only where a page would take it for a number and write it anew."""

    def __repr__(self) -> str:
        return str(self) if format_plain_text(self, "") == self else super().__repr__()


def say(**values: Any) -> None:
    """Glue every value under its name: figures and tables as they are, everything else as the text it prints.

    The prose of the page takes them with ``{glue:text}`name```, ``{glue:figure} name`` and ``{glue:} name``.
    """
    for name, value in values.items():
        # The prose writes 80 %.
        text = value if isinstance(value, Figure | HTML) else _Text(re.sub(r"(?<=\d)%", " %", str(value)))
        glue(name, text, display=False)


def number(value: Any, digits: int = 3) -> str:
    """A number as a table shows it: whole numbers whole, others with ``digits`` decimals, nothing as a dash."""
    if pd.isna(value):
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def with_interval(value: float, low: float, high: float, digits: int = 3) -> str:
    """HTML of a value with its interval in small print; without its ends (NaN) the value alone."""
    shown = number(float(value), digits)
    if pd.isna(value) or pd.isna(low):
        return shown
    return (
        f"{shown} <span class='interval'>[{number(float(low), digits)}, {number(float(high), digits)}]</span>"
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
        interval, an arm of Table V with the name that readers know (:func:`paper.called`). Every text is escaped.
    of : clips, a recording or a Provenance: what the numbers are of; None where they are of nobody.
    columns : column -> heading, in the order shown; by default all columns under their own names.
    note : one line under the table.
    digits : decimals.
    """
    if any(name is not None for name in rows.index.names):
        rows = rows.reset_index()
    columns = columns or {name: str(name) for name in rows.columns}
    rows = rows.assign(**{name: rows[name].map(called) for name in _ARMS if name in columns})
    rows = rows.assign(**{name: _p(rows[name], digits) for name in columns if _P.fullmatch(str(name))})
    cells = rows[list(columns)].astype(object).map(lambda one: _cell(one, digits))
    kinds = [_kind(rows[name], digits) for name in columns]
    heads = zip(kinds, columns.values(), strict=True)
    head = "".join(f"<th scope='col'{kind}>{html.escape(title)}</th>" for kind, title in heads)
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in cells.itertuples(index=False, name=None)
    )
    tail = f"<p class='note'>{note}</p>" if note else ""
    return HTML(
        f"<div class='study-table' tabindex='0'><table><caption>{html.escape(caption)}{_source(of)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{tail}</div>"
    )


def _p(values: pd.Series, digits: int) -> pd.Series:
    """p-values; those that would be written as zero as a text that says below what they are."""
    least = 10.0**-digits
    return values.astype(object).mask(pd.to_numeric(values) < least / 2, f"< {least:.{digits}f}")


def _source(of: Any) -> str:
    return f" Source: {html.escape(provenance_of(of).source)}.{badge(of)}" if of is not None else ""


def _cell(value: Any, digits: int) -> str:
    return (
        with_interval(*value, digits) if isinstance(value, Estimate) else html.escape(number(value, digits))
    )


def _kind(column: pd.Series, digits: int) -> str:
    """The class of a column's cells: numbers, sentences or names (which need room on a phone), or neither."""
    texts = [number(value, digits) for value in column if not isinstance(value, Estimate)]
    if len(texts) < len(column) or (texts and all(map(_NUMBER.fullmatch, texts))):
        return " class=num"
    longest = max(map(len, texts), default=0)
    return " class=words" if longest > SENTENCE else " class=name" if longest > NAME else ""


def findings(found: Iterable[Finding], caption: str = "Findings.", *, folded: bool = False) -> HTML:
    """Findings with estimate and verdict, one per line; the answer and the reason unfold below it.

    What they are of stands in the caption, or where it differs, with each. ``folded`` starts with answers and reasons
    hidden, for pages that list many.
    """
    found = list(found)
    sources = [_source(Provenance(one.source, one.simulated, "")) for one in found]
    shared = sources[0] if len({*sources}) == 1 else ""
    rows = "".join(
        f"<details class='finding'{'' if folded else ' open'}>{summary(one.question, _estimate(one), one.verdict)}"
        f"<p>{html.escape(one.answer)}</p>"
        f"<p class='note'>{html.escape(one.reason)}{'' if shared else f' {source}'}</p></details>"
        for one, source in zip(found, sources, strict=True)
    )
    return HTML(
        f"<div class='findings'><p class='findings-caption'>{html.escape(caption)}{shared}</p>{rows}</div>"
    )


def answers(found: Iterable[Finding], *keys: str) -> HTML:
    """What opens a chapter: its findings of these keys on the real databases, the first of each key, folded."""
    real = {one.key: one for one in reversed([*found]) if not one.simulated}
    return findings([real[key] for key in keys], "The answer on the real databases.", folded=True)


def summary(question: str, estimate: str, verdict: str) -> str:
    """The line of a finding that unfolds: what is asked, the number (HTML), the verdict."""
    return (
        f"<summary><span class='question'>{html.escape(question)}</span><span class='estimate'>{estimate}</span>"
        f"<span class='verdict {verdict.replace(' ', '-')}'>{verdict}</span></summary>"
    )


def _estimate(one: Finding) -> str:
    if one.estimate is None:
        return ""
    if one.low is None:
        return f"{one.estimate:.0f}" if float(one.estimate).is_integer() else number(one.estimate)
    return with_interval(*one.value)
