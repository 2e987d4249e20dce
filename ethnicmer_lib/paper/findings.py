"""Findings: one answered question about a claim of the paper, with its interval, its verdict and why."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats.intervals import Estimate

NOT_HERE = "cannot be tested here"
#: What a rule did on a simulated cohort, whose truth is known: it says nothing of the claim, and all of the rule.
OUTCOMES = ("hit", "miss", "false alarm", "correct rejection")
#: What can be said of a claim.  'reproduced' and 'not reproduced' are about a number or an effect in the paper's
#: direction; 'not supported' means that the data cannot tell; 'contradicted' that they say the opposite.
OF_CLAIMS = ("reproduced", "not reproduced", "not supported", "contradicted", NOT_HERE)
VERDICTS = (*OF_CLAIMS, *OUTCOMES)
#: What an answer is about: the paper's text, a study of ours, or the paper's code.  In this order they decide a claim.
MODES = ("as described", "ours", "as released")


@dataclass(frozen=True)
class Finding:
    """One answer to a question about a claim; StudyError for a number that is not finite."""

    chapter: str  #: of the book, e.g. 'prima_facie'
    question: str  #: one sentence, as the answer is
    answer: str
    estimate: float | None  #: the number behind the answer; None where there is none
    low: float | None  #: its 95 % interval; None where it has none
    high: float | None
    verdict: str  #: one of :data:`VERDICTS`
    reason: str  #: the rule that gave the verdict, with what it was applied to
    key: str = ""  #: of the rule in ``claims.yml``
    source: str = ""  #: the clips it was found on
    simulated: bool = False
    mode: str = MODES[0]
    #: Smallest difference that could have been seen, where none was supported.
    detectable: float | None = None

    @property
    def value(self) -> Estimate:
        """The number with its interval, of a finding that has both."""
        return Estimate(self.estimate, self.low, self.high)

    def __post_init__(self) -> None:
        for name in ("estimate", "low", "high", "detectable"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                where = f"finding {self.key!r} of chapter {self.chapter!r}"
                raise StudyError(f"{where}: {name} is {value}; give a finite number or None")
