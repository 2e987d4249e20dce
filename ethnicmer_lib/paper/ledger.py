"""The claims ledger: every number and sentence of the paper that can be checked, with what was found for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
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
_PAGES = {
    "table_i": "dataset",
    "table_ii": "dataset",
    "table_iii": "dataset",
    "table_iv": "audit",
    "table_v": "benchmark",
}
_ANSWER = ("mode", "source", "simulated", "answer", "low", "high")


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
    for claim, keys, otherwise in (*_cells(), *_sentences()):
        nothing = (
            claim["says"],
            "Not measured.",
            None,
            None,
            None,
            NOT_HERE,
            otherwise,
            claim["key"],
            "none",
        )
        for one in _answers(keys, by_key) or [Finding("claims", *nothing)]:
            answer = {name: getattr(one, name) for name in _ANSWER}
            rows.append(
                claim | answer | {"value": one.estimate, "verdict": one.verdict, "reason": one.reason}
            )
    table = pd.DataFrame(rows)
    order = table[["key"]].assign(open=table["verdict"] == NOT_HERE, mode=table["mode"].map(MODES.index))
    first = order.sort_values(["open", "mode"], kind="stable").drop_duplicates("key").index
    return table.assign(verdict=pd.Categorical(table["verdict"], VERDICTS), decides=table.index.isin(first))


def _sentences() -> Iterator[tuple[dict[str, Any], Sequence[str], str]]:
    """Every claim that is a sentence, the keys that answer it, and why nothing was found where nothing was."""
    for row in read_yaml("claims")["claims"]:
        page = row["page"].replace("-", "_")
        place = {"place": "Sentences and figures", "says": row["says"], "printed": None, "page": page}
        claim = {"key": row["key"], "where": row["where"], **place}
        yield claim, row.get("answers", [row["key"]]), row.get("else") or _NO_FACES.format(page=page)


def _cells() -> Iterator[tuple[dict[str, Any], Sequence[str], str]]:
    """The same of the printed cells of Tables I to V, and of the number of subjects that the text names."""
    for table, page in _PAGES.items():
        place = f"Table {table.rpartition('_')[2].upper()}"
        paper = printed(table)
        heads = read_yaml("results").get(table, {}).get("columns", paper.columns)
        named = [
            (cell_key(table, arm, cell), place, place, f"{arm}, {head}", float(row[cell]))
            for arm, row in paper.iterrows()
            for cell, head in zip(paper, heads, strict=True)
        ]
        if table == "table_ii":
            where = read_yaml("counts")["subjects"]["total"]["where"]
            named.append(("subjects_total", where, "Table I", "All subjects", float(named_subjects())))
        for one in named:
            claim = dict(zip(("key", "where", "place", "says", "printed"), one, strict=True)) | {"page": page}
            keys = dict.fromkeys([claim["key"], claim["key"].replace("table_iv", "released_iv")])
            yield claim, list(keys), _NO_FACES.format(page=page)


def _answers(keys: Sequence[str], found: dict[str, list[Finding]]) -> list[Finding]:
    """Of every key the findings that count: measured on real clips, measured at all, or what there is."""
    chosen: list[Finding] = []
    for key in keys:
        measured = [one for one in found[key] if one.estimate is not None] or found[key]
        real = [one for one in measured if not one.simulated]
        chosen += dict.fromkeys(real or measured)
    return chosen
