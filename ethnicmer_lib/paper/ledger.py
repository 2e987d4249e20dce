"""The claims ledger: every number and sentence of the paper that can be checked, with what was found for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from ethnicmer_lib.paper.findings import MODES, NOT_HERE, VERDICTS, Finding
from ethnicmer_lib.paper.judging import cell_key
from ethnicmer_lib.paper.numbers import named_subjects, printed, read_yaml

#: Why nothing was found where no chapter of this copy could look.
_NO_FACES = (
    "The faces of CASME II and SAMM are under licence and not part of this copy; with them, or simulated, the chapter "
    "{page} measures it."
)
#: Printed table -> the chapter that shows more.
_PAGES = dict.fromkeys(("table_i", "table_ii", "table_iii"), "dataset") | {
    "table_iv": "audit",
    "table_v": "benchmark",
}
_CLAIM = ("key", "where", "place", "says", "printed", "page")
#: Column of the ledger -> field of a finding.
_ANSWER = {
    **{name: name for name in ("mode", "source", "simulated", "answer", "low", "high")},
    **{"value": "estimate", "verdict": "verdict", "reason": "reason"},
}


def claims_ledger(findings: Iterable[Finding]) -> pd.DataFrame:
    """The ledger of what the chapters have found: one row per claim and answer, in the order of the paper's tables and
    then of its sentences.

    Parameters
    ----------
    findings : of all chapters, as they were saved, and those on the labels (``judge("claims", ...)``).
        Of several with one key those on real clips count, in their order; simulated ones only where there is no other.

    Returns
    -------
    DataFrame: key; where it stands in the paper; ``place``, the table that it is a cell of or 'Sentences and figures';
    what it ``says``, in our words; the ``printed`` number of a cell, else NaN; the ``page`` that shows more; the answer
    as in a finding (``value`` is its estimate); and ``decides`` (bool). Of the answers to a claim that one decides
    which could be tested, then by mode, then the first.
    """
    by_key: dict[str, list[Finding]] = defaultdict(list)
    for found in findings:
        by_key[found.key].append(found)
    rows = []
    for claim, keys, otherwise in _claims():
        nothing = Finding(
            "claims", claim["says"], "Not measured.", *[None] * 3, NOT_HERE, otherwise, source="none"
        )
        for one in _answers(keys, by_key) or [nothing]:
            rows.append(claim | {column: getattr(one, field) for column, field in _ANSWER.items()})
    table = pd.DataFrame(rows)
    order = table[["key"]].assign(open=table["verdict"] == NOT_HERE, mode=table["mode"].map(MODES.index))
    first = order.sort_values(["open", "mode"], kind="stable").drop_duplicates("key").index
    return table.assign(verdict=pd.Categorical(table["verdict"], VERDICTS), decides=table.index.isin(first))


def _claims() -> Iterator[tuple[dict[str, Any], Iterable[str], str]]:
    """Every claim, the keys that answer it, and why nothing was found where nothing was."""
    for table, page in _PAGES.items():
        place, paper = f"Table {table.rpartition('_')[2].upper()}", printed(table)
        heads = read_yaml("results").get(table, {}).get("columns", paper.columns)
        cells = [
            (cell_key(table, arm, cell), place, place, f"{arm}, {head}", float(row[cell]))
            for arm, row in paper.iterrows()
            for cell, head in zip(paper, heads, strict=True)
        ]
        if table == "table_ii":
            where = read_yaml("counts")["subjects"]["total"]["where"]
            cells.append(("subjects_total", where, "Table I", "All subjects", float(named_subjects())))
        for one in cells:
            keys = dict.fromkeys([one[0], one[0].replace("table_iv", "released_iv")])
            yield dict(zip(_CLAIM, (*one, page), strict=True)), keys, _NO_FACES.format(page=page)
    for row in read_yaml("claims")["claims"]:
        page = row["page"].replace("-", "_")
        one = (row["key"], row["where"], "Sentences and figures", row["says"], None, page)
        otherwise = row.get("else", _NO_FACES.format(page=page))
        yield dict(zip(_CLAIM, one, strict=True)), row.get("answers", [row["key"]]), otherwise


def _answers(keys: Iterable[str], found: dict[str, list[Finding]]) -> list[Finding]:
    """Of every key the findings that count: measured on real clips, measured at all, or what there is."""
    chosen: list[Finding] = []
    for key in keys:
        measured = [one for one in found[key] if one.estimate is not None] or found[key]
        real = [one for one in measured if not one.simulated]
        chosen += dict.fromkeys(real or measured)
    return chosen
