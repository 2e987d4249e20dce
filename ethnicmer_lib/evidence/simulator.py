"""Evidence about the simulator, recorded: how real its motion is, and whether anything tells its groups apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.table import LABELS, Clips
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import group_trace, realism
from ethnicmer_lib.simulator.settings import COMPONENTS
from ethnicmer_lib.stats import MACRO, Estimate, difference, scores
from ethnicmer_lib.store import Provenance, record, recording

NAME = "simulator"
PARTS = ("traces", "realism")
LEVEL = 0.05  #: p below it: the groups are told apart


@dataclass(frozen=True, eq=False)
class Evidence:
    """The recorded predictions and traces, scored by the code that loads them.

    Attributes
    ----------
    realism : as of :func:`realism.compare`
    traces : as of :func:`group_trace.compare`
    real : provenance of the published features
    command, made : what made the recording, and where
    """

    realism: pd.DataFrame
    traces: pd.DataFrame
    real: Provenance
    command: str
    made: dict[str, Any]

    @property
    def level(self) -> float:
        """p below it: the groups are told apart."""
        return LEVEL

    @staticmethod
    def macro(table: pd.DataFrame) -> Estimate:
        """Macro F1 of predictions with its interval over subjects."""
        return macro(table)

    @staticmethod
    def paired(a: pd.DataFrame, b: pd.DataFrame) -> Estimate:
        """Difference in macro F1 of two tables of predictions of the same clips."""
        return paired(a, b)

    def predictions(self, condition: str, classifier: str, framing: str | None = None) -> pd.DataFrame:
        """The predictions of one condition and classifier; StudyError where there are none."""
        rows = self.realism
        rows = rows[(rows["condition"] == condition) & (rows["classifier"] == classifier)]
        if framing is not None:
            rows = rows[rows["framing"] == framing]
        if len(set(rows["framing"])) != 1:
            raise StudyError(f"no single recorded prediction of {condition!r}, {classifier!r}, {framing!r}")
        return rows.reset_index(drop=True)

    def score(self, condition: str, classifier: str, framing: str | None = None) -> Estimate:
        """Macro F1 with its subject-bootstrap interval."""
        return macro(self.predictions(condition, classifier, framing))

    def chosen(self, database: str) -> tuple[str, str]:
        """(classifier, framing) with the highest macro F1 on the real clips of ``database``."""
        options = [(name, framing) for name in realism.CLASSIFIERS for framing in ("random", "whole frame")]
        return max(options, key=lambda option: self._on(database, "all", *option)[1].value)

    def crossed(self, *, strict: bool = False) -> pd.DataFrame:
        """Predictions for each database with the options chosen on the other one.

        With ``strict`` the training cohort knows the codes of the other database only, too.
        """
        tables = []
        for tested, other in ((CASME2, SAMM), (SAMM, CASME2)):
            classifier, framing = self.chosen(other)
            condition = f"codes of {other}" if strict else "all"
            tables.append(self._on(tested, condition, classifier, None if strict else framing)[0])
        return pd.concat(tables, ignore_index=True)

    def _on(
        self, database: str, condition: str, classifier: str, framing: str | None
    ) -> tuple[pd.DataFrame, Estimate]:
        rows = self.predictions(condition, classifier, framing)
        rows = rows[rows["database"] == database]
        return rows, macro(rows)

    def transfer_table(self) -> pd.DataFrame:
        """One row a way of training and testing: name, value, low, high, the F1 of each label, of each database."""
        majority = self.predictions("real", "logistic")
        most = majority["label"].mode()[0]
        tables = {
            "majority class": majority.assign(predicted=most),
            "simulated clips, codes of the other database": self.crossed(strict=True),
            "simulated clips, chosen on the other database": self.crossed(),
            "simulated clips, forest": self.predictions("all", "forest", "random"),
            "simulated clips, logistic": self.predictions("all", "logistic", "random"),
            "simulated clips drawn anew, logistic": self.predictions("again", "logistic", "random"),
            "real clips of other subjects, forest": self.predictions("real", "forest"),
            "real clips of other subjects, logistic": self.predictions("real", "logistic"),
        }
        return pd.DataFrame([{"trained on": name, **_scores(table)} for name, table in tables.items()])

    def ablation_table(self, classifier: str) -> pd.DataFrame:
        """What leaving out each component changes: name, value, low, high of the difference in macro F1, and score."""
        everything = self.predictions("half", classifier, "random")
        rows = []
        for name in COMPONENTS:
            table = self.predictions(f"without {name}", classifier, "random")
            change = paired(table, everything)
            rows.append(
                {
                    "name": f"without {name}",
                    **change._asdict(),
                    "score": macro(table).value,
                }
            )
        whole = self.predictions("half", classifier, "whole frame")
        change = paired(whole, everything)
        rows.append(
            {
                "name": "without random crops",
                **change._asdict(),
                "score": macro(whole).value,
            }
        )
        return pd.DataFrame(rows)

    def difficulty_table(self) -> pd.DataFrame:
        """LOSO macro F1 within the simulated cohort and within the real clips, by classifier."""
        rows = []
        for name in realism.CLASSIFIERS:
            real = self.score("real", name)
            for condition in ("all", "again"):
                simulated = self.score(f"{condition}, within", name)
                rows.append(
                    {
                        "classifier": name,
                        "cohort": condition,
                        "simulated": simulated,
                        "real": real,
                        "difference": simulated.value - real.value,
                    }
                )
        return pd.DataFrame(rows)

    def told_apart(self, kind: str, knob: str = "none", strength: float = 0.0) -> tuple[int, int]:
        """(cohorts in which the groups are told apart from ``kind`` of input at ``LEVEL``, cohorts)."""
        rows = self.traces
        rows = rows[(rows["input"] == kind) & (rows["knob"] == knob) & (rows["strength"] == strength)]
        return int((rows["p"] < LEVEL).sum()), len(rows)


def macro(table: pd.DataFrame) -> Estimate:
    """Macro F1 of predictions with its interval over subjects."""
    return scores(table, by=None, interval=True, labels=LABELS)[MACRO].iloc[0]


def paired(a: pd.DataFrame, b: pd.DataFrame) -> Estimate:
    """Difference in macro F1 of two tables of predictions of the same clips."""
    both = pd.concat([a.assign(arm="a"), b.assign(arm="b")])
    return difference(both, [("a", "b")], labels=LABELS)["difference"].iloc[0]


def _scores(table: pd.DataFrame) -> dict[str, Any]:
    found = scores(table, by=None, interval=True, labels=LABELS).iloc[0]
    row: dict[str, Any] = {"macro": found[MACRO], **{label: found[label] for label in LABELS}}
    return row | {name: macro(table[table["database"] == name]) for name in (CASME2, SAMM)}


def record_simulator(
    clips: Clips, command: str, parts: Sequence[str] = PARTS, jobs: int | None = None
) -> Path:
    """Compute parts of the evidence, or take them from the run store, and write them to ``results/simulator/``.

    Parameters
    ----------
    clips : the published flow features of the real clips.

    Raises
    ------
    StudyError
        For an unknown part, before anything runs.
    """
    for part in parts:
        if part not in PARTS:
            raise StudyError(f"part {part!r} of the evidence is unknown; allowed: {', '.join(PARTS)}")
    for part in parts:
        table = (
            group_trace.compare(jobs=jobs, progress=True)
            if part == "traces"
            else realism.compare(clips, jobs=jobs, progress=True)
        )
        folder = record(NAME, {part: table}, clips.provenance, command, {})
    return folder


def evidence() -> Evidence:
    """The recorded evidence; StudyError when a file is missing, or not what was recorded."""
    found = recording(NAME)
    made = found.parts["realism"]["made"]
    return Evidence(found.table("realism"), found.table("traces"), found.provenance, found.command, made)
