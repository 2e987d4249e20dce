"""Findings: one answered question about a claim of the paper, with its interval, its verdict and why."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats.intervals import Estimate

NOT_HERE = "cannot be tested here"
#: What can be said of a claim.  'reproduced' and 'not reproduced' are about a number or an effect in the
#: paper's direction; 'not supported' means that the data cannot tell; 'contradicted' that they say the
#: opposite.
VERDICTS = ("reproduced", "not reproduced", "not supported", "contradicted", NOT_HERE)
#: What an answer is about: the paper's text, its code, or a study of ours.  In this order they decide a claim.
DESCRIBED, OURS, RELEASED_CODE = MODES = ("as described", "ours", "as released")


@dataclass(frozen=True)
class Finding:
    """One answer to a question about a claim.

    Attributes
    ----------
    chapter : the book's chapter it comes from, e.g. 'prima_facie'.
    question, answer : one sentence each, in words.
    estimate, low, high : the number behind the answer and its 95 % interval; None where there is none.
    verdict : one of :data:`VERDICTS`.
    reason : the rule that gave the verdict, with what it was applied to.
    key : of its rule in ``claims.yml``.
    source, simulated : the clips it was found on.
    mode : one of :data:`MODES`.

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
    key: str = ""
    source: str = ""
    simulated: bool = False
    mode: str = DESCRIBED

    @property
    def value(self) -> Estimate:
        """The number with its interval; StudyError where the finding has none."""
        if self.estimate is None or self.low is None or self.high is None:
            raise StudyError(f"finding {self.key!r} has no number with an interval: {self.answer}")
        return Estimate(self.estimate, self.low, self.high)

    def __post_init__(self) -> None:
        where = f"finding {self.key or self.question!r} of chapter {self.chapter!r}"
        if self.verdict not in VERDICTS:
            raise StudyError(f"{where}: verdict {self.verdict!r} is none of {', '.join(VERDICTS)}")
        if self.mode not in MODES:
            raise StudyError(f"{where}: mode {self.mode!r} is none of {', '.join(MODES)}")
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
    """The findings as a table, one row each, in the order given; columns are the fields of a finding.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> found = em.judge("audit", em.RELEASED, **em.paper.unit_claims())
    >>> em.paper.findings_table(found)["key"].tolist()[:2]
    ['one_sided_smile', 'au26_surprise']
    """
    names = [field.name for field in fields(Finding)]
    table = pd.DataFrame([asdict(finding) for finding in findings], columns=names)
    return table.astype(dict.fromkeys(("estimate", "low", "high"), "float64"))
