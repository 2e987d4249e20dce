"""Findings: one answered question about a claim of the paper, with its interval, its verdict and why."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import pandas as pd

from ethnicmer_lib.errors import StudyError

#: What can be said of a claim.  'reproduced' and 'not reproduced' are about a number or an effect in the
#: paper's direction; 'not supported' means that the data cannot tell; 'contradicted' that they say the
#: opposite.
VERDICTS = ("reproduced", "not reproduced", "not supported", "contradicted", "cannot be tested here")


@dataclass(frozen=True)
class Finding:
    """One row of the claims ledger.

    Attributes
    ----------
    chapter : the book's chapter it comes from, e.g. 'prima_facie'.
    question, answer : one sentence each, in words.
    estimate, low, high : the number behind the answer and its 95 % interval; None where there is none.
    verdict : one of :data:`VERDICTS`.
    reason : the rule that gave the verdict, with what it was applied to.

    Raises
    ------
    StudyError
        For an unknown verdict, an empty text, half an interval, an interval upside down or a number that
        is not finite.
    """

    chapter: str
    question: str
    answer: str
    estimate: float | None
    low: float | None
    high: float | None
    verdict: str
    reason: str

    def __post_init__(self) -> None:
        where = f"finding {self.question!r} of chapter {self.chapter!r}"
        if self.verdict not in VERDICTS:
            raise StudyError(f"{where}: verdict {self.verdict!r} is none of {', '.join(VERDICTS)}")
        for name in ("chapter", "question", "answer", "reason"):
            if not str(getattr(self, name)).strip():
                raise StudyError(f"{where}: {name} is empty; write one sentence")
        for name in ("estimate", "low", "high"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise StudyError(f"{where}: {name} is {value}; give a finite number or None")
        if (self.low is None) != (self.high is None):
            raise StudyError(f"{where}: interval ({self.low}, {self.high}) has one end; give both or neither")
        if self.low is not None and self.low > self.high:
            raise StudyError(f"{where}: interval ({self.low}, {self.high}) is upside down")


def findings_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """The findings as a table, one row each, in the order given; columns are the fields of a finding."""
    names = [field.name for field in fields(Finding)]
    table = pd.DataFrame([asdict(finding) for finding in findings], columns=names)
    return table.astype(dict.fromkeys(("estimate", "low", "high"), "float64"))


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


def simulated_reason(texture_cue: float) -> str:
    """Why a simulated cohort cannot test a claim about people."""
    cue = (
        "No group difference is built in"
        if texture_cue == 0
        else f"The only group difference built in is a texture of strength {texture_cue:g}"
    )
    return f"The cohort is simulated: its groups are abstract and say nothing about ethnicity. {cue}."
