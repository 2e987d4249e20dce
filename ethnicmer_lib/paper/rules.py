"""The rules that give verdicts: one function for every kind of rule in ``claims.yml``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ethnicmer_lib.paper.findings import NOT_HERE
from ethnicmer_lib.stats.intervals import Estimate


def judge_effect(low: float, high: float, direction: int) -> str:
    """Verdict on a claimed effect from the 95 % interval of its estimate.

    'reproduced' when the whole interval is on the claimed side of zero (``direction`` -1 or 1),
    'contradicted' when it is on the other side, 'not supported' when it holds zero.
    """
    if low <= 0 <= high:
        return "not supported"
    return "reproduced" if (low > 0) == (direction > 0) else "contradicted"


def judge_equal(low: float, high: float, margin: float) -> str:
    """Verdict on a claimed absence of a difference, as two one-sided tests do (Schuirmann 1987).

    'reproduced' when the whole interval is inside (-margin, margin), 'contradicted' when it is outside,
    'not supported' when it crosses the margin: finding no difference is not finding that there is none.
    """
    if -margin < low and high < margin:
        return "reproduced"
    return "contradicted" if low >= margin or high <= -margin else "not supported"


def judge_number(printed: float, low: float, high: float) -> str:
    """Verdict on a printed number: 'reproduced' when it is inside our interval, else 'not reproduced'."""
    return "reproduced" if low <= printed <= high else "not reproduced"


def judge_small(low: float, high: float, small: float, large: float) -> str:
    """Verdict on an association claimed to be small, from conventions for what small and large are."""
    return "contradicted" if low >= large else "reproduced" if high < small else "not supported"


def _holds(holds: bool) -> str:
    return "reproduced" if holds else "contradicted"


def _test(value: float, p: float, level: float, direction: int) -> str:
    return "not supported" if p > level else _holds(value * direction > 0)


#: Kind of rule -> from the estimate, and what the rule and the chapter say, the verdict.
KINDS: Mapping[str, Callable[[Estimate, Mapping[str, Any]], str]] = {
    "effect": lambda e, n: judge_effect(
        e.low - n.get("against", 0), e.high - n.get("against", 0), n["direction"]
    ),
    "equal": lambda e, n: judge_equal(e.low, e.high, n["margin"]),
    "number": lambda e, n: judge_number(n["paper"], e.low, e.high),
    "exact": lambda e, n: _holds(round(e.value, n["decimals"]) == round(n["paper"], n["decimals"])),
    "small": lambda e, n: judge_small(e.low, e.high, n["small"], n["large"]),
    "counts": lambda e, n: _holds(n["holds"]),
    "test": lambda e, n: _test(n["difference"], max(n["p"], n["p_samm"]), n["level"], n["direction"]),
    "holds": lambda e, n: _holds(n["holds"]),
    "open": lambda e, n: NOT_HERE,
}
