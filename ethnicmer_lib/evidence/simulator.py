"""Evidence about the simulator, recorded: how real its motion is, and whether anything tells its groups apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.published import FlowCohort, open_flow
from ethnicmer_lib.clips.table import LABELS, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import group_trace, realism
from ethnicmer_lib.simulator.settings import COMPONENTS
from ethnicmer_lib.stats.bootstrap import MACRO, Estimate, bootstrap_f1, paired_difference
from ethnicmer_lib.store import old_recording as results
from ethnicmer_lib.store import old_runs as runs

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
        return bootstrap_f1(self.predictions(condition, classifier, framing), LABELS)[MACRO]

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
        return rows, bootstrap_f1(rows, LABELS)[MACRO]

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
            change = paired_difference(table, everything, LABELS)
            rows.append(
                {
                    "name": f"without {name}",
                    **change._asdict(),
                    "score": bootstrap_f1(table, LABELS)[MACRO].value,
                }
            )
        whole = self.predictions("half", classifier, "whole frame")
        change = paired_difference(whole, everything, LABELS)
        rows.append(
            {
                "name": "without random crops",
                **change._asdict(),
                "score": bootstrap_f1(whole, LABELS)[MACRO].value,
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


def _scores(table: pd.DataFrame) -> dict[str, Any]:
    found = bootstrap_f1(table, LABELS)
    row: dict[str, Any] = {"macro": found[MACRO], **{label: found[label] for label in LABELS}}
    for database in (CASME2, SAMM):
        row[database] = bootstrap_f1(table[table["database"] == database], LABELS)[MACRO]
    return row


def save(
    flow_dir: Path, parts: Sequence[str] = PARTS, *, jobs: int | None = None, progress: bool = True
) -> Path:
    """Compute parts of the evidence, or take them from the run store, and write them to ``results/simulator/``.

    Raises
    ------
    StudyError
        For an unknown part, or where the published flow features are not as published.
    """
    real = open_flow(flow_dir)
    for part in parts:
        if part not in PARTS:
            raise StudyError(f"part {part!r} of the evidence is unknown; allowed: {', '.join(PARTS)}")
        if part == "traces":
            table, module = (
                group_trace.compare(jobs=jobs, progress=progress),
                "ethnicmer_lib.evidence.group_trace",
            )
        else:
            table, module = (
                realism.compare(real, jobs=jobs, progress=progress),
                "ethnicmer_lib.evidence.realism",
            )
        store(part, table, real, runs.code_fingerprint(module), runs.environment())
    return results.folder() / NAME


def store(part: str, table: pd.DataFrame, real: FlowCohort, code: str, made: dict[str, Any]) -> None:
    """Write one part and its entry in ``provenance.json``."""
    about = {
        "command": "ethnicmer evidence --flow-dir DIR",
        "source": real.provenance.source,
        "fingerprint": real.provenance.fingerprint,
    }
    results.store_part(NAME, part, table, about, code=code, made=made)


def load() -> Evidence:
    """Read ``results/simulator/``.

    Raises
    ------
    StudyError
        When a file is missing, or its content is not the one that was recorded.
    """
    where = results.folder() / NAME
    record = results.read_record(where, "ethnicmer evidence --help")
    tables = {}
    for name in PARTS:
        path = where / f"{name}.parquet"
        tables[name] = results.read_table(path, record["parts"].get(name, {}).get("sha256"))
    real = Provenance(record["source"], False, record["fingerprint"])
    made = record["parts"]["realism"]["made"]
    return Evidence(tables["realism"], tables["traces"], real, record["command"], made)
