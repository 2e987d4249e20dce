"""The claims ledger: every number and sentence of the paper that can be checked, with what was found for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ethnicmer_lib.paper.findings import MODES, NOT_HERE, VERDICTS, Finding
from ethnicmer_lib.paper.judging import cell_key
from ethnicmer_lib.paper.numbers import claims_file, paper_results, paper_tables, printed

#: Why nothing was found where no chapter of this copy could look.
_NO_FACES = (
    "The faces of CASME II and SAMM are under licence and not part of this copy; with them, or simulated, the chapter "
    "{page} measures it."
)
_CELLS = {
    "table_i": "dataset",
    "table_ii": "dataset",
    "table_iii": "dataset",
    "table_iv": "audit",
    "table_v": "benchmark",
}


@dataclass(frozen=True)
class Entry:
    """A claim of the paper with every answer to it.

    Attributes
    ----------
    key : unique name.
    where : where it stands in the paper; ``place`` is the table it is a cell of, or 'Sentences and figures'.
    says : the claim in our words; for a cell the row and the column.
    printed : the printed number of a cell, else None.
    page : the chapter that shows more.
    answers : findings; at least one.
    """

    key: str
    where: str
    place: str
    says: str
    printed: float | None
    page: str
    answers: tuple[Finding, ...]

    @property
    def deciding(self) -> Finding:
        """The answer that decides: one that could be tested before others, then by mode, then the first."""
        return min(self.answers, key=lambda found: (found.verdict == NOT_HERE, MODES.index(found.mode)))

    @property
    def verdict(self) -> str:
        """One of ``findings.VERDICTS``."""
        return self.deciding.verdict


@dataclass(frozen=True)
class Ledger:
    """All entries, in the order of the paper's tables and then of its sentences."""

    entries: tuple[Entry, ...]

    def __getitem__(self, key: str) -> Entry:
        return next(entry for entry in self.entries if entry.key == key)

    def counts(self) -> dict[str, int]:
        """How many entries have each verdict."""
        return {verdict: sum(entry.verdict == verdict for entry in self.entries) for verdict in VERDICTS}

    def table(self) -> pd.DataFrame:
        """One row per claim and answer: the fields of claim and finding, and whether this answer decides."""
        rows = []
        for entry in self.entries:
            claim = {
                name: getattr(entry, name) for name in ("key", "where", "place", "says", "printed", "page")
            }
            for one in entry.answers:
                found = {
                    name: getattr(one, name)
                    for name in ("mode", "source", "simulated", "answer", "low", "high")
                }
                found |= {"value": one.estimate, "verdict": one.verdict, "reason": one.reason}
                rows.append(claim | found | {"decides": one is entry.deciding})
        return pd.DataFrame(rows)


def claims_ledger(findings: Iterable[Finding]) -> Ledger:
    """The ledger of what the chapters have found.

    Parameters
    ----------
    findings : of all chapters, as they were saved, and those on the labels (``judge("claims", ...)``).
        Of several with one key those on real clips count, in their order; simulated ones only where there is no other.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> found = em.judge("claims", em.RELEASED, **em.paper.label_claims(noise=[]))
    >>> len(em.paper.claims_ledger(found).table()) > 20
    True
    """
    by_key: dict[str, list[Finding]] = defaultdict(list)
    for found in findings:
        by_key[found.key].append(found)
    return Ledger((*_cells(by_key), *_sentences(by_key)))


def _sentences(found: Mapping[str, list[Finding]]) -> Iterator[Entry]:
    for row in claims_file()["claims"]:
        page = row["page"].replace("-", "_")
        answers = _answers(row.get("answers", [row["key"]]), found)
        answers = answers or (
            _nothing(row["key"], row["says"], row.get("else") or _NO_FACES.format(page=page)),
        )
        yield Entry(row["key"], row["where"], "Sentences and figures", row["says"], None, page, answers)


def _cells(found: Mapping[str, list[Finding]]) -> Iterator[Entry]:
    """The printed cells of Tables I to V, and the number of subjects that the text names."""
    for table, page in _CELLS.items():
        where = f"Table {table.rpartition('_')[2].upper()}"
        paper = printed(table)
        heads = dict(
            zip(paper.columns, paper_results().get(table, {}).get("columns", paper.columns), strict=True)
        )
        for arm, row in paper.iterrows():
            for cell, value in row.items():
                key = cell_key(table, arm, cell)
                keys = [key, key.replace("table_iv", "released_iv")] if table == "table_iv" else [key]
                yield _cell(key, keys, where, where, f"{arm}, {heads[cell]}", float(value), page, found)
        if table == "table_ii":
            total = paper_tables()["subjects"]["total"]
            yield _cell(
                "subjects_total", ["subjects_total"], total["where"], "Table I", "All subjects", float(total["value"]),
                page, found,
            )  # fmt: skip


def _cell(
    key: str,
    keys: Sequence[str],
    where: str,
    place: str,
    says: str,
    value: float,
    page: str,
    found: Mapping[str, list[Finding]],
) -> Entry:
    answers = _answers(keys, found) or (_nothing(key, says, _NO_FACES.format(page=page)),)
    return Entry(key, where, place, says, value, page, answers)


def _answers(keys: Sequence[str], found: Mapping[str, list[Finding]]) -> tuple[Finding, ...]:
    """Of every key the findings that count: measured on real clips, measured at all, or what there is."""
    chosen: list[Finding] = []
    for key in keys:
        mine = found.get(key, [])
        measured = [one for one in mine if one.estimate is not None]
        real = [one for one in measured or mine if not one.simulated]
        chosen += list(dict.fromkeys(real or measured or mine))
    return tuple(chosen)


def _nothing(key: str, says: str, why: str) -> Finding:
    return Finding("claims", says, "Not measured.", None, None, None, NOT_HERE, why, key, "none")
