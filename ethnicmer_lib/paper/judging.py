"""From named estimates to findings, by the rules of ``claims.yml``; and the printed cells as estimates to judge."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from numbers import Real
from typing import Any

import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.paper.findings import NOT_HERE, Finding
from ethnicmer_lib.paper.numbers import printed, read_yaml
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.store.provenance import Provenance, provenance_of

Words = Mapping[str, Any]  #: what a rule and a chapter say, by name


def judge(
    chapter: str, of: Any, departures: Sequence[str] = (), about: Words | None = None, **estimates: Any
) -> list[Finding]:
    """Findings of a chapter, one per keyword, by the rules of ``claims.yml``.

    Parameters
    ----------
    chapter : e.g. 'prima_facie'.
    of : what the estimates were computed on: clips, a recording or a Provenance.
    departures : where the run leaves what the paper describes, as 'epochs=6 (paper: 15)'.
    about : names that the words of all these findings may use.
    **estimates : key in ``claims.yml`` -> an Estimate, a number, None where only words tell, or, as a text, why
        nothing was measured; alone or with names for the words: ``(estimate, {"draws": 10})``.

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
    left = ", ".join(departures)
    protocol = f"departs from the paper's protocol: {left}" if left else "the paper's protocol"
    shared = {"departures": left, "protocol": protocol, **(about or {})}
    return [_finding(chapter, key, given, provenance_of(of), shared) for key, given in estimates.items()]


def rules_of(chapter: str) -> dict[str, dict[str, Any]]:
    """Key -> rule of a chapter, what its keys share filled in; StudyError for a chapter without rules."""
    known = read_yaml("claims")["findings"]
    if chapter not in known:
        raise StudyError(f"claims.yml has no findings of chapter {chapter!r}; it has {', '.join(known)}")
    default = known[chapter].get("default", {})
    return {key: default | rule for key, rule in known[chapter].items() if key != "default"}


def cells(table: str, scores: pd.DataFrame, prefix: str = "") -> dict[str, Any]:
    """The printed cells of a table that ``scores`` holds, as keywords for :func:`judge`.

    ``scores`` has rows and columns as :func:`printed` has them, Estimates or numbers; ``prefix`` of the keys is the
    table's name where none is given.
    """
    paper = printed(table)
    found = {}
    for arm in paper.index.intersection(scores.index, sort=False):
        for cell in paper.columns.intersection(scores.columns, sort=False):
            what = cell if cell in ("clips", "subjects") else f"{cell} F1"
            words = {"arm": arm, "cell": cell, "paper": float(paper.loc[arm, cell]), "what": what}
            found[cell_key(prefix or table, arm, cell)] = (scores.loc[arm, cell], words)
    return found


def cell_key(table: str, arm: str, cell: str) -> str:
    """The key of a printed cell: ``table_v_resnet18_macro``, ``table_iv_asian_only_negative``."""
    return re.sub(r"\W", "_", f"{table}_{arm}_{cell}".lower())


def effect(found: Estimate, words: Words) -> str:
    """On a claimed effect: is the interval on the claimed side (``direction`` -1 or 1) of ``against``, or of 0?"""
    side = Estimate(*(end - words.get("against", 0) for end in found)).side
    return _holds(side == words["direction"]) if side else "not supported"


def equal(found: Estimate, words: Words) -> str:
    """On a claimed absence of a difference, as two one-sided tests decide (Schuirmann 1987): reproduced when the
    interval is inside (-margin, margin); crossing it, finding no difference is not finding that there is none. Where
    ``large`` stands, only a difference as large as that contradicts."""
    margin, large = words["margin"], words.get("large", words["margin"])
    if -margin < found.low and found.high < margin:
        return "reproduced"
    return "contradicted" if found.low >= large or found.high <= -large else "not supported"


def number(found: Estimate, words: Words) -> str:
    """On a printed number: is it inside our interval or, to given ``decimals``, our number?"""
    inside = found.low <= words["paper"] <= found.high
    if "decimals" in words:
        inside = round(found.value, words["decimals"]) == round(words["paper"], words["decimals"])
    return "reproduced" if inside else "not reproduced"


def _test(found: Estimate, words: Words) -> str:
    if max(words["p"], words["p_samm"]) > words["level"]:
        return "not supported"
    return _holds(words["difference"] * words["direction"] > 0)


def _holds(holds: bool) -> str:
    return "reproduced" if holds else "contradicted"


#: Kind of rule, as ``claims.yml`` explains it -> the verdict, from the estimate and the words.
KINDS: Mapping[str, Callable[[Estimate, Words], str]] = {
    "effect": effect,
    "equal": equal,
    "number": number,
    "test": _test,
    "holds": lambda found, words: _holds(words["holds"]),
    "open": lambda found, words: NOT_HERE,
}


def _finding(chapter: str, key: str, given: Any, source: Provenance, shared: Words) -> Finding:
    value, names = given if isinstance(given, tuple) and isinstance(given[-1], Mapping) else (given, {})
    rules = rules_of(chapter)
    rule = next((rule for name, rule in rules.items() if fnmatchcase(key, name)), None)
    if rule is None:
        raise StudyError(f"chapter {chapter} has no finding {key!r} in claims.yml; it has {', '.join(rules)}")
    sides = ("above", "below") if rule.get("direction", 1) > 0 else ("below", "above")
    words = {"side": sides[0], "other": sides[1], "says": "", **rule, **shared, **names, "key": key}
    if isinstance(words.get("paper"), Mapping):
        column = printed(words["paper"]["table"])[words["paper"]["cell"]]
        words["paper"] = float(sum(weight * column[row] for row, weight in words["paper"]["rows"].items()))
    about = {"key": key, "source": source.source, "simulated": source.simulated, "mode": rule["mode"]}
    if isinstance(value, str):
        texts = _fill(words["question"], words), rule.get("missing", "Not measured.")
        return Finding(chapter, *texts, None, None, None, NOT_HERE, f"{value.rstrip('.')}.", **about)
    alone = value is None or isinstance(value, Real)
    ends = (None if value is None else float(value), None, None) if alone else tuple(map(float, value))
    estimate = Estimate(*(ends[:1] * 3 if alone else ends))
    verdict = KINDS[rule["rule"]](estimate, words)
    verdict = rule.get("instead", {}).get(verdict, verdict)
    words |= {"estimate": estimate, **estimate._asdict()}
    reason = _fill(words["reason"], words)
    for wrapped in _untestable(rule, source, words):
        verdict, reason = NOT_HERE, _fill(wrapped, words | {"reason": reason})
    texts = (_fill(words[name], words) for name in ("question", "answer"))
    return Finding(chapter, *texts, *ends, verdict, reason, **about)


def _untestable(rule: Words, source: Provenance, words: dict[str, Any]) -> Iterator[str]:
    """The words around the reason, one for everything that makes the finding untestable."""
    for entry in rule.get("untestable", ()):
        kind, said = (entry, None) if isinstance(entry, str) else next(iter(entry.items()))
        if kind == "simulated":
            applies = source.simulated
            words["built_in"] = _built_in(source)
        elif kind == "groups":
            applies = not source.simulated and [words["first"], words["second"]] != rule["groups"]
        elif kind == "few":
            words["what"], words["least"] = next(iter(rule["least"].items()))
            applies = words[words["what"]] < words["least"]
        else:
            applies = bool(words["departures"])
        if applies:
            yield said or read_yaml("claims")["untestable"][kind]


def _built_in(source: Provenance) -> str:
    """What differs between the groups of a simulated cohort by construction; its source line says it."""
    built = re.findall(r"(texture_cue|action_unit_effect)=([\d.]+)", source.source)
    said = {"texture_cue": "a texture", "action_unit_effect": "a difference of Action Units"}
    listed = " and ".join(f"{said[name]} of strength {value}" for name, value in built)
    return f"The only group difference built in is {listed}." if built else "No group difference is built in."


def _fill(template: str, words: Words) -> str:
    """A template with its names replaced; StudyError for one that nobody gave."""
    for part in ("when", "interval"):  # templates themselves
        template = template.replace(f"{{{part}}}", str(words.get(part, "")))
    try:
        return template.format_map(words)
    except KeyError as error:
        raise StudyError(f"finding {words['key']}: give {error.args[0]!r} for {template!r}") from None
