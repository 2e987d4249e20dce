"""The claims ledger: every number and claim of the paper, what we find for it, and a verdict with its reason."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ethnicmer_lib.clips.table import LABELS, Provenance
from ethnicmer_lib.design.forest import BINARY
from ethnicmer_lib.design.prima_facie import PrimaFacieResult
from ethnicmer_lib.design.table_iv import DESCRIBED as DESCRIBED_ARM
from ethnicmer_lib.paper import audit
from ethnicmer_lib.paper.claim_evidence import (
    DESCRIBED,
    FRAMES,
    NOT_HERE,
    OURS,
    RELEASED,
    Evidence,
    Measured,
    finding,
)
from ethnicmer_lib.paper.claims_on_data import MEASURES as ON_DATA
from ethnicmer_lib.paper.claims_on_results import MEASURES as ON_RESULTS
from ethnicmer_lib.paper.counts import released_tables
from ethnicmer_lib.paper.findings import VERDICTS, Finding, judge_number
from ethnicmer_lib.paper.numbers import _read, paper_results, paper_tables
from ethnicmer_lib.paper.released import SCENARIOS
from ethnicmer_lib.publish import old_chapters as study
from ethnicmer_lib.publish import recorded
from ethnicmer_lib.publish.old_parameters import Claims
from ethnicmer_lib.stats.bootstrap import MACRO, Estimate
from ethnicmer_lib.stats.old_draws import crossed_scores
from ethnicmer_lib.store import old_runs as runs

MEASURES = {**ON_DATA, **ON_RESULTS}
#: Which answer decides where there are several: the claim is about what the paper describes.
PRECEDENCE = (DESCRIBED, OURS, RELEASED)
RESAMPLES = 1000


@dataclass(frozen=True)
class Claim:
    """One claim of the paper.

    Attributes
    ----------
    key : unique name.
    where : where it stands in the paper.
    says : the claim in our words; for a cell the row and the column.
    value : the printed number of a cell, else None.
    page : label of the chapter that shows more.
    """

    key: str
    where: str
    says: str
    value: float | None
    page: str


@dataclass(frozen=True)
class Entry:
    """A claim with every answer to it; the first by ``PRECEDENCE`` decides, one that could be tested before others."""

    claim: Claim
    measured: tuple[Measured, ...]

    @property
    def deciding(self) -> Measured:
        """The answer whose verdict is the entry's."""
        order = {mode: place for place, mode in enumerate(PRECEDENCE)}
        return min(self.measured, key=lambda m: (m.finding.verdict == NOT_HERE, order[m.mode]))

    @property
    def verdict(self) -> str:
        """One of ``findings.VERDICTS``."""
        return self.deciding.finding.verdict

    @property
    def reason(self) -> str:
        """The rule that gave the verdict, with what it was applied to."""
        return self.deciding.finding.reason


@dataclass(frozen=True, eq=False)
class Ledger:
    """All entries, in the order of the paper's tables and then its sentences.

    Attributes
    ----------
    parameters : Claims
    provenance : of the released labels and recorded features, from which most entries are computed.
    entries : tuple of Entry
    runs : none; the chapters' own pages name theirs.
    """

    parameters: Claims
    provenance: Provenance
    entries: tuple[Entry, ...]
    runs: tuple[runs.Run, ...] = ()

    def __getitem__(self, key: str) -> Entry:
        return next(entry for entry in self.entries if entry.claim.key == key)

    def table(self) -> pd.DataFrame:
        """One row per claim and answer: the fields of claim, answer and finding, and whether this answer decides."""
        rows = []
        for entry in self.entries:
            for one in entry.measured:
                found = one.finding
                rows.append(
                    {"key": entry.claim.key, "where": entry.claim.where, "says": entry.claim.says,
                     "printed": entry.claim.value, "page": entry.claim.page, "mode": one.mode, "source": one.source,
                     "answer": found.answer, "value": found.estimate, "low": found.low, "high": found.high,
                     "verdict": found.verdict, "reason": found.reason, "decides": one is entry.deciding}
                )  # fmt: skip
        return pd.DataFrame(rows)

    def counts(self) -> dict[str, int]:
        """How many entries have each verdict."""
        return {verdict: sum(entry.verdict == verdict for entry in self.entries) for verdict in VERDICTS}

    def findings(self) -> list[Finding]:
        """None: the ledger collects what the chapters found."""
        return []


def compute(p: Claims, progress: bool = False) -> Ledger:
    """Measure every claim; chapters of this copy come from the run store, or are computed."""
    chapters: dict[str, Any] = {}
    for one in study.CHAPTERS:
        if one.left_out(p.data) is None and one.name in ("motion", "benchmark", "activation_maps"):
            chapters[one.name] = one.compute(study.resolve(one, p.profile, p.overrides()), progress)
    real = recorded.load()
    audited = audit.compute(study.resolve(study.chapter("audit"), p.profile, p.overrides()), progress)
    evidence = Evidence(released_tables(p.seed), audited, real, chapters)
    source = Provenance(
        f"{evidence.labels_source}; {evidence.flow_source}",
        False,
        runs.digest([evidence.audit.provenance.fingerprint]),
    )
    return Ledger(p, source, tuple(entries(evidence)))


def entries(e: Evidence) -> Iterator[Entry]:
    """Every entry: the cells of Tables I to V, then the sentences."""
    yield from _counts(e)
    yield from _table_iv(e)
    yield from _table_v(e)
    for claim in sentences():
        yield Entry(claim, tuple(MEASURES[claim.key](e, claim.says)))


@functools.cache
def sentences() -> tuple[Claim, ...]:
    """The claims of ``data/claims.yml``."""
    rows = _read("claims.yml")
    return tuple(Claim(row["key"], row["where"], row["says"], None, row["page"]) for row in rows)


def _counts(e: Evidence) -> Iterator[Entry]:
    """Tables I, II and III, cell by cell, against the released label table."""
    paper = paper_tables()
    ethnicity = e.tables.ethnicity.set_index("ethnicity")
    emotions = e.tables.emotions.set_index("label")
    for name, table, counted in (
        ("subjects", "I", ethnicity["subjects"]),
        ("clips", "II", ethnicity["clips"]),
    ):
        for row in paper[name]["rows"]:
            says = f"{row['ethnicity']}, {name}"
            yield _count(
                e,
                f"table_{table}_{row['ethnicity']}",
                f"Table {table}",
                says,
                row[name],
                counted[row["ethnicity"]],
            )
    yield _count(
        e, "subjects_total", paper["subjects"]["total"]["where"], "All subjects", paper["subjects"]["total"]["value"],
        ethnicity["subjects"].iloc[-1],
    )  # fmt: skip
    for row in paper["emotions"]["rows"]:
        label = row["label"]
        yield _count(
            e, f"table_III_{label}", "Table III", f"{label}, clips", row["clips"], emotions["clips"][label]
        )


def _count(e: Evidence, key: str, where: str, says: str, printed: int, ours: float) -> Entry:
    same = int(ours) == int(printed)
    found = finding(
        says, f"The released table holds {int(ours)}.", "reproduced" if same else "not reproduced",
        "reproduced if the count over clips with a kept emotion is the printed one.", float(ours),
    )  # fmt: skip
    return Entry(
        Claim(key, where, says, float(printed), "dataset"), (Measured(OURS, e.labels_source, found),)
    )


def _table_iv(e: Evidence) -> Iterator[Entry]:
    """Its nine cells: by the rule on labels as released, and by the described method on aligned features."""
    study_ = e.audit.recorded.arms[DESCRIBED_ARM]
    described = _cells(study_)
    heads = dict(zip((*BINARY, MACRO), paper_results()["table_iv"]["columns"], strict=True))
    for scenario in SCENARIOS:
        for cell, head in heads.items():
            printed = float(e.audit.printed.loc[scenario, cell])
            released = float(e.audit.by_labels.loc[scenario, cell])
            says = f"{scenario}, {head}"
            same = round(released, 4) == printed
            estimate = described[scenario, cell]
            yield Entry(
                Claim(f"table_IV_{scenario}_{head}", "Table IV", says, printed, "audit"),
                (
                    Measured(
                        DESCRIBED,
                        e.flow_source,
                        Finding(
                            "claims", says, f"Mean over {study_.parameters.n_draws} draws {estimate}.", *estimate,
                            judge_number(printed, estimate.low, estimate.high),
                            "reproduced if the printed value is inside the interval over subjects and draws; every "
                            f"clip with its own flow, weights={study_.parameters.weights}.",
                        ),
                    ),
                    Measured(
                        RELEASED,
                        e.labels_source,
                        finding(
                            says, f"The rule on labels alone gives {released:.4f}.",
                            "reproduced" if same else "not reproduced",
                            "reproduced if equal to four decimals.", released,
                        ),
                    ),
                ),
            )  # fmt: skip


def _cells(result: PrimaFacieResult) -> dict[tuple[str, str], Estimate]:
    """Mean over draws of every cell, with its interval over subjects and draws."""
    scores = crossed_scores(
        result.predictions.rename(columns={"scenario": "arm"}),
        SCENARIOS,
        BINARY,
        RESAMPLES,
        result.parameters.seed,
    )
    out = {}
    for place, scenario in enumerate(SCENARIOS):
        one = [float(place == i) for i in range(len(SCENARIOS))]
        for cell, classes in ((BINARY[0], slice(0, 1)), (BINARY[1], slice(1, 2)), (MACRO, slice(None))):
            out[scenario, cell] = scores.mean(one, classes)
    return out


def _table_v(e: Evidence) -> Iterator[Entry]:
    """Its sixteen cells: the recorded run for the rows without faces, this copy's chapter for the others."""
    from ethnicmer_lib.paper.benchmark_claims import departures

    paper = paper_results()["table_v"]
    own = e.chapters["benchmark"]
    for variant, printed in paper["rows"].items():
        real = e.recorded.benchmark
        result = real if variant in set(real.table["variant"]) else own
        row = result.table.set_index("variant")
        changed = departures(result.parameters)
        for name, head, value in zip((*LABELS, MACRO), paper["columns"], printed, strict=True):
            says = f"{variant}, {head}"
            claim = Claim(f"table_V_{variant}_{head}", "Table V", says, value, "benchmark")
            if variant not in row.index:
                why = result.left_out.get(variant, FRAMES)
                found = finding(says, "Not trained.", NOT_HERE, f"{why}.")
            else:
                estimate = Estimate(
                    *(float(row.loc[variant, f"{name}{end}"]) for end in ("", "_low", "_high"))
                )
                verdict, rule = judge_number(value, estimate.low, estimate.high), (
                    "reproduced if the printed value is inside the interval over subjects"
                )  # fmt: skip
                if result.provenance.simulated:
                    verdict, rule = (
                        NOT_HERE,
                        "the cohort is simulated, and says nothing about a printed score",
                    )
                elif changed:
                    verdict, rule = NOT_HERE, f"{rule}; the run departs from the paper: {', '.join(changed)}"
                found = Finding("claims", says, f"{name} F1 {estimate}.", *estimate, verdict, f"{rule}.")
            yield Entry(claim, (Measured(DESCRIBED, result.provenance.source, found),))
