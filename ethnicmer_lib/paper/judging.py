"""From named estimates to findings, by the rules of ``claims.yml``; and the printed cells as estimates to judge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from numbers import Real
from typing import Any

import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.paper.findings import NOT_HERE, Finding
from ethnicmer_lib.paper.numbers import claims_file, printed
from ethnicmer_lib.paper.rules import KINDS
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.store.provenance import Provenance, provenance_of

#: What one key takes: a value, why there is none, or either with names for the words of the finding.
Given = Any


def judge(
    chapter: str,
    of: Any,
    departures: Sequence[str] = (),
    about: Mapping[str, Any] | None = None,
    **estimates: Given,
) -> list[Finding]:
    """Findings of a chapter, one per keyword, by the rules of ``claims.yml``.

    Parameters
    ----------
    chapter : e.g. 'prima_facie'.
    of : what the estimates were computed on: clips, a recording or a Provenance.
    departures : where the run leaves what the paper describes, as 'epochs=6 (paper: 15)'.
    about : names that the words of all these findings may use.
    **estimates : key in ``claims.yml`` -> an Estimate, a number, None where only words tell, a table of counts
        (columns ``ours`` and ``paper``, total last), or, as a text, why nothing was measured; alone or with names for
        the words: ``(estimate, {"draws": 10})``.

    Raises
    ------
    StudyError
        For a key that the chapter does not have, or a name that its words need and nobody gave.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> found = em.judge("audit", em.RELEASED, **em.paper.unit_claims())
    >>> found[0].chapter, found[0].key
    ('audit', 'one_sided_smile')
    """
    source = provenance_of(of)
    shared = {"departures": ", ".join(departures), **(about or {})}
    return [_finding(chapter, key, given, source, shared) for key, given in estimates.items()]


def rules_of(chapter: str) -> dict[str, dict[str, Any]]:
    """Key -> rule of a chapter, what its keys share filled in; StudyError for a chapter without rules."""
    known = claims_file()["findings"]
    if chapter not in known:
        raise StudyError(f"claims.yml has no findings of chapter {chapter!r}; it has {', '.join(known)}")
    rules = dict(known[chapter])
    default = rules.pop("default", {})
    return {key: default | rule for key, rule in rules.items()}


def cells(table: str, scores: pd.DataFrame, prefix: str = "", **names: Any) -> dict[str, Given]:
    """The printed cells of a table that ``scores`` holds, as keywords for :func:`judge`.

    Parameters
    ----------
    table : 'table_i', 'table_ii', 'table_iii', 'table_iv' or 'table_v'.
    scores : rows and columns as in :func:`printed`; cells are Estimates or numbers.
    prefix : of the keys, by default the table's name.
    names : for the words of every cell.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> list(em.paper.cells("table_v", em.printed("table_v")))[:2]
    ['table_v_resnet18_negative', 'table_v_resnet18_positive']
    """
    paper = printed(table)
    found = {}
    for arm in paper.index.intersection(scores.index, sort=False):
        for cell in paper.columns.intersection(scores.columns, sort=False):
            words = {"arm": arm, "cell": cell, "paper": float(paper.loc[arm, cell]), "what": _score(cell)}
            found[cell_key(prefix or table, arm, cell)] = (scores.loc[arm, cell], words | names)
    return found


def cell_key(table: str, arm: str, cell: str) -> str:
    """The key of a printed cell: ``table_v_resnet18_macro``, ``table_iv_asian_only_negative``."""
    return re.sub(r"\W", "_", f"{table}_{arm}_{cell}".lower())


def _score(cell: str) -> str:
    if cell in ("clips", "subjects"):
        return cell
    return "macro F1" if cell == "macro" else f"{cell} F1"


def _finding(chapter: str, key: str, given: Given, source: Provenance, shared: Mapping[str, Any]) -> Finding:
    value, names = given if _is_pair(given) else (given, {})
    rule = _rule(chapter, key)
    protocol = (
        f"departs from the paper's protocol: {shared['departures']}"
        if shared["departures"]
        else "the paper's protocol"
    )
    side, other = ("above", "below") if rule.get("direction", 1) > 0 else ("below", "above")
    words = {"protocol": protocol, "side": side, "other": other, **rule, **shared, **names}
    if isinstance(words.get("paper"), Mapping):
        words["paper"] = _printed(**words["paper"])
    where = f"finding {key} of chapter {chapter}"
    if isinstance(value, pd.DataFrame):
        value, counted = _counted(value)
        words |= counted
    if isinstance(value, str):
        texts = _Texts({"says": "", **words}, where)
        missing = rule.get("missing", "Not measured.")
        return Finding(
            chapter, texts["question"], missing, None, None, None, NOT_HERE, f"{value.rstrip('.')}.",
            key, source.source, source.simulated, rule["mode"],
        )  # fmt: skip
    numbers = _numbers(value)
    e = Estimate(*(numbers if numbers[1] is not None else numbers[:1] * 3))
    verdict = KINDS[rule["rule"]](e, words)
    verdict = rule.get("instead", {}).get(verdict, verdict)
    texts = _Texts(words | {"estimate": e, **e._asdict()}, where)
    reason = texts["reason"]
    for wrapped in _untestable(rule, source, texts):
        verdict = NOT_HERE
        reason = texts.fill(wrapped, reason=reason)
    return Finding(
        chapter, texts["question"], texts["answer"], *numbers, verdict, reason,
        key, source.source, source.simulated, rule["mode"],
    )  # fmt: skip


def _is_pair(given: Given) -> bool:
    return isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping)


def _rule(chapter: str, key: str) -> dict[str, Any]:
    rules = rules_of(chapter)
    names = [name for name in rules if name == key] or [name for name in rules if fnmatchcase(key, name)]
    if not names:
        raise StudyError(f"chapter {chapter} has no finding {key!r} in claims.yml; it has {', '.join(rules)}")
    return rules[names[0]]


def _printed(table: str, cell: str, rows: Mapping[str, float]) -> float:
    column = printed(table)[cell]
    return float(sum(weight * column[row] for row, weight in rows.items()))


def _numbers(value: Any) -> tuple[float | None, float | None, float | None]:
    """Value and interval as a finding holds them."""
    if isinstance(value, Real) or value is None:
        return (None if value is None else float(value), None, None)
    found, low, high = (float(one) for one in value)
    return found, low, high


def _counted(table: pd.DataFrame) -> tuple[float, dict[str, Any]]:
    """The total of a table of counts, and what differs from the printed one, in words."""
    rows, total = table.iloc[:-1], table.iloc[-1]
    differs = rows[rows["ours"].ne(rows["paper"]).fillna(True)]
    listed = ", ".join(f"{row.Index} {row.ours} (printed {row.paper})" for row in differs.itertuples())
    ours, paper = int(total["ours"]), int(total["paper"])
    said = f"different: {listed}" if listed else "every row is equal"
    return float(ours), {
        "ours": ours, "paper": paper, "different": said, "holds": not listed and ours == paper
    }  # fmt: skip


def _untestable(rule: Mapping[str, Any], source: Provenance, texts: _Texts) -> Iterator[str]:
    """The words around the reason, one for everything that makes the finding untestable."""
    for entry in rule.get("untestable", ()):
        kind, words = (entry, None) if isinstance(entry, str) else next(iter(entry.items()))
        if _applies(kind, rule, source, texts):
            yield words or claims_file()["untestable"][kind]


def _applies(kind: str, rule: Mapping[str, Any], source: Provenance, texts: _Texts) -> bool:
    words = texts.words
    if kind == "simulated":
        words["built_in"] = _built_in(source)
        return source.simulated
    if kind == "departures":
        return bool(words["departures"])
    if kind == "groups":
        return not source.simulated and [words["first"], words["second"]] != rule["groups"]
    if kind == "few":
        what, least = next(iter(rule["least"].items()))
        words.update(what=what, least=least)
        return words[what] < least
    raise StudyError(f"claims.yml: {kind!r} under untestable is none of simulated, departures, groups, few")


def _built_in(source: Provenance) -> str:
    """What differs between the groups of a simulated cohort by construction; its source line says it."""
    built = re.findall(r"(texture_cue|action_unit_effect)=([\d.]+)", source.source)
    if not built:
        return "No group difference is built in."
    said = {"texture_cue": "a texture", "action_unit_effect": "a difference of Action Units"}
    listed = " and ".join(f"{said[name]} of strength {value}" for name, value in built)
    return f"The only group difference built in is {listed}."


class _Texts:
    """The templates of a rule, filled in with what the rule and the chapter say."""

    def __init__(self, words: Mapping[str, Any], where: str) -> None:
        self.words = dict(words)
        self.where = where

    def __getitem__(self, name: str) -> str:
        return self.fill(str(self.words[name]))

    def fill(self, template: str, **more: Any) -> str:
        """A template with its names replaced; StudyError for one that nobody gave."""
        for part in ("when", "interval"):  # templates themselves
            template = template.replace(f"{{{part}}}", str(self.words.get(part, "")))
        try:
            return template.format_map(self.words | more)
        except KeyError as error:
            raise StudyError(f"{self.where}: give {error.args[0]!r} for {template!r}") from None
