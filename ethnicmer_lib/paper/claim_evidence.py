"""What the claims ledger draws from, and the forms that an answer to a claim takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ethnicmer_lib.paper.audit import AuditResult
from ethnicmer_lib.paper.counts import Tables
from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.publish.recorded import Recorded

DESCRIBED, RELEASED, OURS = "as described", "as released", "ours"
NOT_HERE = "cannot be tested here"
FRAMES = "The faces of CASME II and SAMM are under licence and not part of this copy"


class Measured(NamedTuple):
    """One answer to a claim: by which mode, on which data, and what was found."""

    mode: str
    source: str
    finding: Finding


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the measurements draw from.

    Attributes
    ----------
    tables : counts of the released labels.
    audit : the audit chapter's result.
    recorded : the recorded run on the published features.
    chapters : results of this copy's chapters, by name; a chapter that the source cannot feed is missing.
    """

    tables: Tables
    audit: AuditResult
    recorded: Recorded
    chapters: Mapping[str, Any]

    @property
    def labels_source(self) -> str:
        """The released label table."""
        return self.audit.provenance.source

    @property
    def flow_source(self) -> str:
        """The published features of the recorded runs."""
        return self.recorded.provenance.source


def finding(question: str, answer: str, verdict: str, reason: str, value: float | None = None) -> Finding:
    """A finding of the ledger without an interval."""
    return Finding("claims", question, answer, value, None, None, verdict, reason)


def exactly(e: Evidence, question: str, answer: str, holds: bool, reason: str) -> list[Measured]:
    """A claim that the released labels or the printed tables decide."""
    return [
        Measured(
            OURS,
            e.labels_source,
            finding(question, answer, "reproduced" if holds else "contradicted", reason),
        )
    ]


def untested(question: str, reason: str) -> list[Measured]:
    """A claim that this copy has no data for."""
    return [Measured(DESCRIBED, "none", finding(question, "Not measured.", NOT_HERE, reason))]


#: From the evidence and the claim in words, the answers to it.
Measure = Callable[[Evidence, str], list[Measured]]
