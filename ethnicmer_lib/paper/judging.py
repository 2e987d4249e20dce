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
from ethnicmer_lib.paper.numbers import called, printed, read_yaml
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.store.provenance import Provenance, provenance_of

Words = Mapping[str, Any]  #: what a rule and a chapter say, by name


def judge(
    chapter: str, of: Any, departures: Sequence[str] = (), about: Words | None = None, **estimates: Any
) -> list[Finding]:
    """Findings of a chapter, one per keyword, by the rules of ``claims.yml``.

    StudyError for a key that the chapter does not have, or a name that its words need and nobody gave.

    Parameters
    ----------
    chapter : e.g. 'prima_facie'.
    of : what the estimates were computed on: clips, a recording or a Provenance.
    departures : where the run leaves what the paper describes, as 'epochs=6 (paper: 15)'.
    about : names that the words of all these findings may use.
    **estimates : key in ``claims.yml`` -> an Estimate, a number, None where only words tell, or, as a text, why
        nothing was measured; alone or with names for the words: ``(estimate, {"draws": 10})``.

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


def printed_effect(chapter: str, key: str) -> float:
    """The difference that the paper prints for a claim of a chapter, by the weights of ``claims.yml``.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> round(em.paper.printed_effect("benchmark", "motion_context"), 4)
    0.0429
    """
    return _weighed(rules_of(chapter)[key]["paper"])


def _weighed(paper: Mapping[str, Any]) -> float:
    column = printed(paper["table"])[paper["cell"]]
    return float(sum(weight * column[row] for row, weight in paper["rows"].items()))


def cells(table: str, scores: pd.DataFrame, prefix: str = "", **flags: pd.DataFrame) -> dict[str, Any]:
    """The printed cells of a table that ``scores`` holds, as keywords for :func:`judge`.

    ``scores`` has rows and columns as :func:`printed` has them, Estimates or numbers; ``prefix`` of the keys is the
    table's name where none is given.  Tables of the same shape under a name that the words use are handed on, cell by
    cell: ``labels_alone``, whether the rule on labels gives what is printed.
    """
    paper = printed(table)
    found = {}
    for arm in paper.index.intersection(scores.index, sort=False):
        for cell in paper.columns.intersection(scores.columns, sort=False):
            what = cell if cell in ("clips", "subjects") else f"{cell} F1"
            words = {"arm": arm, "cell": cell, "paper": float(paper.loc[arm, cell]), "what": what}
            words |= {name: flag.loc[arm, cell] for name, flag in flags.items()}
            found[cell_key(prefix or table, arm, cell)] = (scores.loc[arm, cell], words)
    return found


def cell_key(table: str, arm: str, cell: str) -> str:
    """The key of a printed cell: ``table_v_resnet18_macro``, ``table_iv_asian_only_negative``."""
    return re.sub(r"\W", "_", f"{table}_{arm}_{cell}".lower())


def effect(found: Estimate, words: Words) -> str:
    """On a claimed effect: is the interval on the claimed side (``direction`` -1 or 1) of ``against``, or of 0?  Where
    the chapter tests a family, its adjusted p-value ``p_holm`` must be 0.05 or less, too."""
    if words.get("p_holm", 0) > 0.05:
        return "not supported"
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
    """On a printed number: is it inside our interval (of what one draw, or one run, may come out as, where it was one)
    or, to given ``decimals``, our number?"""
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
    words |= {name: called(words[name]) for name in ("a", "b", "arm") if name in words}
    if isinstance(words.get("paper"), Mapping):
        words["paper"] = _weighed(words["paper"])
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
    reason, detectable = _fill(words["reason"], words), None
    if verdict == "not supported" and rule["rule"] in ("effect", "equal") and not alone:
        detectable = estimate.detectable
        more = ", by its interval alone; the adjusted test asks for more" if "p_holm" in words else ""
        reason = f"{reason.rstrip('.')}. Smallest difference seen with 80 % power: {detectable:.3f}{more}."
    measured = rule["rule"] == "effect" and "paper" in words and not alone
    if measured and not estimate.low <= words["paper"] <= estimate.high:
        outside = f"The effect as printed, {words['paper']:+.3f}, lies outside the interval."
        reason = f"{reason.rstrip('.')}. {outside}"
    for outcome, wrapped in _untestable(rule, verdict, source, words):
        verdict, reason = outcome, _fill(wrapped, words | {"reason": reason})
    texts = (_fill(words[name], words) for name in ("question", "answer"))
    return Finding(chapter, *texts, *ends, verdict, reason, detectable=detectable, **about)


def _untestable(
    rule: Words, verdict: str, source: Provenance, words: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """What stands instead of the verdict, and the words around the reason, for everything that forbids a verdict."""
    if source.others:
        yield NOT_HERE, read_yaml("claims")["untestable"]["others"]
        return
    for entry in rule.get("untestable", ()):
        instead = NOT_HERE
        kind, said = (entry, None) if isinstance(entry, str) else next(iter(entry.items()))
        if kind == "simulated":
            applies, built = source.simulated, _built(source)
            words["built_in"] = _built_in(built)
            # Where something else forbade a verdict already, nothing was decided that could be right or wrong.
            instead = NOT_HERE if words.get("forbidden") else outcome(rule, verdict, built)
        elif kind == "groups":
            applies = not source.simulated and [words["first"], words["second"]] != rule["groups"]
        elif kind == "few":
            words["counted"], words["least"] = next(iter(rule["least"].items()))
            applies = words[words["counted"]] < words["least"]
        elif kind == "labels_alone":
            applies = words.get("labels_alone", False)
        else:
            applies = bool(words["departures"])
        if applies:
            words["forbidden"] = True
            words["outcome"] = "" if instead == NOT_HERE else f"A {instead}. "
            yield instead, said or read_yaml("claims")["untestable"][kind]


def outcome(rule: Words, verdict: str, built: Mapping[str, str]) -> str:
    """What a rule did on a cohort with known truth, one of ``OUTCOMES``, where the truth of the claim is known.

    ``built`` are the differences of groups that the cohort has: a claim of a difference is true where the one that its
    rule calls ``planted`` is among them, a claim of none where there is none.  Whoever says what is true has a hit;
    who says that there is a difference where there is none, or none where there is one, gives a false alarm.
    ``planted`` is 'nothing' where no cohort decides a claim.
    """
    kind, planted = rule["rule"], rule.get("planted")
    if kind not in ("effect", "equal") or planted == "nothing" or (built and planted not in built):
        return NOT_HERE
    true = bool(built) == (kind == "effect")
    if verdict == "reproduced":
        return "hit" if true else "false alarm"
    if verdict == "contradicted" and not built:  # of either kind: a difference, where there is none
        return "false alarm"
    return "miss" if true else "correct rejection"


def _built(source: Provenance) -> dict[str, str]:
    """Knob -> strength of what differs between the groups of a simulated cohort; its source line says it."""
    found = re.findall(r"(texture_cue|action_unit_effect)=([\d.]+)", source.source)
    return {name: value for name, value in found if float(value)}


def _built_in(built: Mapping[str, str]) -> str:
    said = {"texture_cue": "a texture", "action_unit_effect": "a difference of Action Units"}
    listed = " and ".join(f"{said[name]} of strength {value}" for name, value in built.items())
    return f"The only group difference built in is {listed}." if built else "No group difference is built in."


def _fill(template: str, words: Words) -> str:
    """A template with its names replaced; StudyError for one that nobody gave."""
    for part in ("when", "interval"):  # templates themselves
        template = template.replace(f"{{{part}}}", str(words.get(part, "")))
    try:
        return template.format_map(words)
    except KeyError as error:
        raise StudyError(f"finding {words['key']}: give {error.args[0]!r} for {template!r}") from None
