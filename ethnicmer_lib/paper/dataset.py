"""Who is in the data: Tables I-III beside the paper's numbers, and how far the group is the database."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ethnicmer_lib.annotate.screening import Rules, Screening, beside_released, released_codes, screen
from ethnicmer_lib.clips.labels import released_clips
from ethnicmer_lib.clips.table import Cohort, Provenance
from ethnicmer_lib.old_sources import open_cohort
from ethnicmer_lib.paper.count_checks import associations, mapping_counts, mismatches
from ethnicmer_lib.paper.counts import Tables, released_tables, tables
from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.publish.old_parameters import CohortParameters

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
    decisions : what the loader of the cohort decided, columns of ``cohort.decisions.Decision``.
    mismatches, mappings : of the released labels, see ``count_checks``.
    associations : Cramér's V of every pair of database, group and label of the released labels.
    associations_here : the same of the loaded cohort.
    screening : SAMM's released per-clip codes under a majority vote with conflicts flagged.
    screened : its subjects beside their code as released.
    """

    provenance: Provenance
    clips: pd.DataFrame
    tables: Tables
    released: Tables
    note: str
    decisions: pd.DataFrame
    mismatches: pd.DataFrame
    mappings: pd.DataFrame
    associations: pd.DataFrame
    associations_here: pd.DataFrame
    screening: Screening
    screened: pd.DataFrame

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
            _mapping_finding(self.mappings),
            _screening_finding(self.screened),
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


def compute(p: CohortParameters, progress: bool = False) -> DatasetResult:
    """Open the cohort and count it; seconds, so nothing is stored.

    Raises
    ------
    StudyError
        As ``open_cohort``; or when the cohort has fewer than two subjects.
    """
    cohort = open_cohort(p, progress)
    screening = screen(released_codes(), Rules(vote="majority", conflict="flag"))
    return DatasetResult(
        provenance=cohort.provenance,
        clips=cohort.clips,
        tables=tables(cohort.clips, simulated=cohort.provenance.simulated, seed=p.seed),
        released=released_tables(p.seed),
        note=_note(p, cohort),
        decisions=cohort.decisions,
        mismatches=mismatches(),
        mappings=mapping_counts(),
        associations=associations(released_clips(), p.seed),
        associations_here=associations(cohort.clips, p.seed),
        screening=screening,
        screened=beside_released(screening),
    )


def _note(p: CohortParameters, cohort: Cohort) -> str:
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
    mapped = "" if p.ethnic_mapping == "paper" else f" Groups by ethnic_mapping={p.ethnic_mapping!r}."
    if p.data == "flow":
        return (
            f"The published flow features hold {len(cohort.clips)} of the {len(released_clips())} kept clips."
            + mapped
        )
    return "Counted are the clips of the given folders whose emotion Table III keeps." + mapped


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


def _mapping_finding(mappings: pd.DataFrame) -> Finding:
    """Whether another reading of the labels would separate group from database."""
    v = mappings.groupby("mapping", sort=False)["association"].first()
    paper, least = v["paper"], v.idxmin()
    return Finding(
        chapter=CHAPTER,
        question="Under any mapping of ethnic labels to groups, does ethnicity vary rather than the database?",
        answer=(
            f"Cramér's V of database and group is {paper:.3f} as in the paper, and {v.min():.3f} ({least}) to "
            f"{v.max():.3f} ({v.idxmax()}) over the {len(v)} mappings."
        ),
        estimate=float(v.min()),
        low=None,
        high=None,
        verdict="reproduced" if v.min() < SMALL else "not supported" if v.min() < LARGE else "contradicted",
        reason=(
            f"Contradicted when the smallest V is at least {LARGE} (a large association, Cohen 1988); on the released "
            "labels of the real clips."
        ),
    )


def _screening_finding(screened: pd.DataFrame) -> Finding:
    """Whether a written rule gives the released subject labels."""
    rules = {"majority vote": "code", "first clip": "first"}
    equal = {name: int((screened[column] == screened["released"]).sum()) for name, column in rules.items()}
    conflicts = screened[screened["conflict"]]
    total = len(screened)
    moved = int((screened["group"] != screened["group_released"]).sum())
    listed = ", ".join(conflicts["subject"])
    return Finding(
        chapter=CHAPTER,
        question="Do simple rules over a subject's clips give the released ethnic labels of SAMM's subjects?",
        answer=(
            f"{equal['majority vote']} of {total} subjects by a majority vote, {equal['first clip']} by the first "
            "clip; "
            f"{len(conflicts)} have clips of different labels ({listed}); the majority puts {moved} in another group."
        ),
        estimate=float(equal["majority vote"]),
        low=None,
        high=None,
        verdict="reproduced" if max(equal.values()) == total else "not reproduced",
        reason=(
            "Reproduced when one of the two rules gives every subject's label; per-clip labels of SAMM in the release."
        ),
    )
