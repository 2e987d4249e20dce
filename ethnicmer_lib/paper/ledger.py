"""The claims ledger: every number and sentence of the paper that can be checked, with what was found for it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import pandas as pd

from ethnicmer_lib.paper.findings import MODES, NOT_HERE, OF_CLAIMS, Finding
from ethnicmer_lib.paper.judging import cell_key
from ethnicmer_lib.paper.numbers import called, printed, read_yaml

#: Why nothing was found where no chapter of this copy could look.
_NO_FACES = (
    "The faces of CASME II and SAMM are under licence and not part of this copy; with them, or simulated, the chapter "
    "{page} measures it."
)
#: Printed table -> the chapter that shows more.
_PAGES = dict.fromkeys(("table_i", "table_ii", "table_iii"), "dataset")
_PAGES |= {"table_iv": "audit", "table_v": "benchmark"}
#: What stands there for a claim that no chapter of this copy could look at.
_NOTHING = {"mode": MODES[0], "source": "none", "answer": "Not measured.", "verdict": NOT_HERE}


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
    claims, found = _claims(), pd.DataFrame(list(findings)).drop_duplicates()
    found = found.drop(columns=["chapter", "question"]).rename(
        columns={"key": "answers", "estimate": "value"}
    )
    # What a rule did on a simulated cohort says nothing of the claim.
    found["verdict"] = found["verdict"].where(found["verdict"].isin(OF_CLAIMS), NOT_HERE)
    counts = 2 * found["value"].notna() + ~found["simulated"]  # measured before all else, then on real clips
    found = found[counts == counts.groupby(found["answers"]).transform("max")]
    known = {*found["answers"]}
    claims["answers"] = [[key for key in keys if key in known] for keys in claims["answers"]]
    table = claims.explode("answers").merge(found, how="left", on="answers").fillna(_NOTHING)
    table["simulated"] = table["simulated"].eq(True)
    table["reason"] = table["reason"].fillna(table["else"])
    order = table[["key"]].assign(open=table["verdict"] == NOT_HERE, mode=table["mode"].map(MODES.index))
    first = order.sort_values(["open", "mode"], kind="stable").drop_duplicates("key").index
    table = table.assign(verdict=pd.Categorical(table["verdict"], OF_CLAIMS), decides=table.index.isin(first))
    return table.drop(columns=["answers", "else"])


def answered(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Key -> the finding on real clips that decides, as in the ledger: the first that could be tested, or the first."""
    real = sorted((one for one in findings if not one.simulated), key=lambda one: one.verdict == NOT_HERE)
    return {one.key: one for one in reversed(real)}


def _claims() -> pd.DataFrame:
    """Every claim, with the keys that answer it and, as ``else``, why nothing was found where nothing was."""
    rows = []
    for table, page in _PAGES.items():
        place, paper = f"Table {table.rpartition('_')[2].upper()}", printed(table)
        heads = read_yaml("results").get(table, {}).get("columns", paper.columns)
        for arm, (cell, head) in product(paper.index, zip(paper, heads, strict=True)):
            key = cell_key(table, arm, cell)
            answers = list(dict.fromkeys([key, key.replace("table_iv", "released_iv")]))
            row = {"key": key, "where": place, "place": place, "says": f"{called(arm)}, {head}"}
            rows.append(row | {"printed": paper.loc[arm, cell], "page": page, "answers": answers})
    one = {"key": "subjects_total", "place": "Table I", "says": "All subjects", "page": "dataset"}
    named = read_yaml("counts")["table_i"]["named"]
    rows.append(one | {"where": "Section III-A, sentence before Table I", "printed": named})
    table = pd.concat([pd.DataFrame(rows), pd.DataFrame(read_yaml("claims")["claims"])], ignore_index=True)
    table["page"] = table["page"].str.replace("-", "_")
    table["place"] = table["place"].fillna("Sentences and figures")
    table["answers"] = table["answers"].fillna(table["key"].map(lambda key: [key]))
    table["else"] = table["else"].fillna(table["page"].map(lambda page: _NO_FACES.format(page=page)))
    return table
