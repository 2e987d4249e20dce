"""Who is in the data: Tables I-III beside the paper's numbers, and how far the group is the database."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ethnicmer_lib.cohort import Cohort, Provenance, open_cohort
from ethnicmer_lib.counts import Tables, released_tables, tables
from ethnicmer_lib.findings import Finding
from ethnicmer_lib.labels import released_clips
from ethnicmer_lib.parameters import Dataset

CHAPTER = "dataset"
#: Cohen (1988): the smallest association of a 2x2 table that counts as large, and as small.
LARGE, SMALL = 0.5, 0.1
#: Fewest subjects in each of two equal groups for which a permutation test of subjects can reach
#: p < .05: 2 / C(8, 4) = .029, against 2 / C(6, 3) = .10 for three.
FEWEST_SUBJECTS = 4


@dataclass(frozen=True, eq=False)
class DatasetResult:
    """The chapter's result.

    Attributes
    ----------
    provenance : where the loaded cohort comes from.
    clips : its clips table.
    tables : counts of the loaded cohort.
    released : counts of the released label table (real clips), the same on every source.
    note : how to read ``tables`` on this source.
    """

    provenance: Provenance
    clips: pd.DataFrame
    tables: Tables
    released: Tables
    note: str

    def findings(self) -> list[Finding]:
        """What Tables I-III and the joint sampling of Section III-B come to.

        The paper's tables are checked on the released labels, which every reader has, so these verdicts
        do not depend on the source; the loaded cohort has its own row.
        """
        people, emotions = self.released.ethnicity, self.released.emotions
        return [
            _count_finding("subjects", "Table I", people, "subjects"),
            _count_finding("clips", "Table II", people, "clips"),
            _count_finding("clips per emotion label", "Table III", emotions, "clips"),
            self._cohort_finding(),
            _association_finding(self.released),
            _cells_finding(self.released),
        ]

    def _cohort_finding(self) -> Finding:
        question = "Do the loaded clips have the counts of the paper's Tables I-III?"
        rows = pd.concat([self.tables.ethnicity, self.tables.emotions])
        rows = rows[rows["clips_paper"].notna()]
        equal = int(rows["matches"].sum())
        total = len(self.clips)
        answer = (
            f"{total} clips of {self.clips['subject'].nunique()} subjects; "
            f"{equal} of {len(rows)} rows equal the paper's."
        )
        if self.provenance.simulated:
            verdict, reason = "cannot be tested here", self.note
        else:
            verdict = "reproduced" if equal == len(rows) else "not reproduced"
            reason = f"Reproduced when every row is equal. {self.note}"
        return Finding(CHAPTER, question, answer, float(total), None, None, verdict, reason)


def compute(p: Dataset, progress: bool = False) -> DatasetResult:
    """Open the cohort and count it; seconds, so nothing is stored.

    Raises
    ------
    StudyError
        As ``open_cohort``; or when the cohort has fewer than two subjects.
    """
    cohort = open_cohort(p, progress)
    return DatasetResult(
        provenance=cohort.provenance,
        clips=cohort.clips,
        tables=tables(cohort.clips, simulated=cohort.provenance.simulated, seed=p.seed),
        released=released_tables(p.seed),
        note=_note(p, cohort),
    )


def _note(p: Dataset, cohort: Cohort) -> str:
    simulated = cohort.provenance.simulated
    if simulated and p.data == "simulated" and p.cohort_size == "tiny":
        return (
            "The tiny simulated cohort is for trying things; it was never meant to have the paper's counts."
        )
    if simulated:
        return (
            "The simulated cohort takes its counts from the released labels because it was told to, and its "
            "groups A and B are abstract; that it resembles the paper's tables is design, not evidence."
        )
    if p.data == "flow":
        return (
            f"The published flow features hold {len(cohort.clips)} of the {len(released_clips())} kept clips."
        )
    return "Counted are the clips of the given folders whose emotion Table III keeps."


def _count_finding(what: str, place: str, table: pd.DataFrame, count: str) -> Finding:
    rows, total = table.iloc[:-1], table.iloc[-1]
    names = rows["ethnicity"] if "ethnicity" in rows else rows["label"]
    differs = rows[count].ne(rows[f"{count}_paper"]).fillna(True)
    listed = ", ".join(
        f"{name} {ours} (printed {paper})"
        for name, ours, paper in zip(
            names[differs], rows.loc[differs, count], rows.loc[differs, f"{count}_paper"], strict=True
        )
    )
    ours, paper = int(total[count]), int(total[f"{count}_paper"])
    return Finding(
        chapter=CHAPTER,
        question=f"Does the released label table hold the {what} that {place} prints?",
        answer=f"{ours} in all, printed {paper}; "
        + (f"different: {listed}." if listed else "every row is equal."),
        estimate=float(ours),
        low=None,
        high=None,
        verdict="not reproduced" if listed or ours != paper else "reproduced",
        reason=f"Reproduced when every row and the total of {place} equal the counts of the kept clips.",
    )


def _association_finding(released: Tables) -> Finding:
    v, rule, majority = released.association, released.database_rule, released.majority_rule
    verdict = "contradicted" if v.low >= LARGE else "reproduced" if v.high < SMALL else "not supported"
    return Finding(
        chapter=CHAPTER,
        question="In the joint database, is ethnicity what varies, rather than the database (Section III-B)?",
        answer=(
            f"Cramér's V of database and group is {v}; the database alone gives the group of "
            f"{rule.value:.1%} of the clips, no knowledge at all {majority.value:.1%}."
        ),
        estimate=v.value,
        low=v.low,
        high=v.high,
        verdict=verdict,
        reason=(
            f"Contradicted when the interval is above {LARGE} (a large association, Cohen 1988), reproduced "
            f"when below {SMALL}; on the released labels of the real clips, subjects resampled."
        ),
    )


def _cells_finding(released: Tables) -> Finding:
    cells = released.within
    least = cells.loc[cells["subjects"].idxmin()]
    enough = int(least["subjects"]) >= FEWEST_SUBJECTS
    return Finding(
        chapter=CHAPTER,
        question="Inside one database, does each group show each label often enough to compare groups?",
        answer=(
            f"The fewest: {least['clips']} {least['label']} clip(s) from {least['subjects']} subject(s) of "
            f"group {least['group']} in {least['database']}."
        ),
        estimate=float(least["clips"]),
        low=None,
        high=None,
        verdict="reproduced" if enough else "cannot be tested here",
        reason=(
            f"A comparison of subjects needs {FEWEST_SUBJECTS} in each group to be able to reach p < .05 "
            "(permutation, equal groups); with fewer, group and database cannot be told apart for that label."
        ),
    )
