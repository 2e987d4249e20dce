"""The recorded calibration: made by ``ethnicmer calibrate --record``, read by the page Statistics."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import calibration
from ethnicmer_lib.evidence.calibration import DESIGNS
from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.publish.old_parameters import Statistics
from ethnicmer_lib.store import old_recording as results
from ethnicmer_lib.store import old_runs as runs

NAME = "statistics"
FIRST = 5  #: tables of the first design whose intervals are kept, to see whether today's code makes the same


@dataclass(frozen=True, eq=False)
class CalibrationRecord:
    """A recorded calibration.

    Attributes
    ----------
    summary : as of :func:`calibration.summary`, all designs.
    first : rows of :func:`calibration.simulate` for the first tables of the first design.
    resamples, seed : what it was run with.
    command, made : what made it, and where.
    runs : none; the recording is all there is.
    """

    summary: pd.DataFrame
    first: pd.DataFrame
    resamples: int
    seed: int
    command: str
    made: dict[str, Any]
    runs: list[runs.Run] = field(default_factory=list)

    @property
    def provenance(self) -> Provenance:
        """Simulated predictions; the clusters are those of the released label table."""
        source = "simulated predictions for the subjects, clips and labels of the released label table"
        return Provenance(source, True, runs.digest(calibration.real_clusters().counts.tolist()))

    def findings(self) -> list[Finding]:
        """None: the page is about the study's own tools, not about a claim of the paper."""
        return []


def measure(
    tables: int = 1000, resamples: int = 2000, seed: int = 0, progress: bool = True
) -> dict[str, pd.DataFrame]:
    """:func:`calibration.simulate` of every design, by name, from the run store where it is there already.

    Raises
    ------
    StudyError
        For fewer than one table or fewer than 100 resamples.
    """
    if tables < 1 or resamples < 100:
        raise StudyError(f"{tables} tables and {resamples} resamples; take at least 1 and 100")
    found = {}
    for design in DESIGNS:
        run = runs.Run.open(
            "calibration",
            module="ethnicmer_lib.evidence.calibration",
            cohort="",
            parameters={"design": design.name, "tables": tables, "resamples": resamples, "seed": seed},
        )
        found[design.name] = run.table(
            "tables", lambda d=design: calibration.simulate(d, tables, resamples, seed, progress)
        )
    return found


def summarise(rows: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """:func:`calibration.summary` of all designs, one below the other."""
    return pd.concat([calibration.summary(part) for part in rows.values()], ignore_index=True)


def save(rows: dict[str, pd.DataFrame], resamples: int, seed: int, command: str) -> Path:
    """Write ``results/statistics/``: the summary, the first tables and how they were made."""
    where, first = results.folder() / NAME, rows[DESIGNS[0].name]
    parts = {"calibration": summarise(rows), "first_tables": first[first["table"] < FIRST]}
    record: dict[str, Any] = {"command": command, "resamples": resamples, "seed": seed, "sha256": {}}
    for name, table in parts.items():
        record["sha256"][name] = results.write_table(where / f"{name}.parquet", table)
    results.write_record(where, record | {"made": runs.environment()})
    return where


def load() -> CalibrationRecord:
    """Read ``results/statistics/``.

    Raises
    ------
    StudyError
        When a file is missing, or its content is not the one that was recorded.
    """
    where = results.folder() / NAME
    record = results.read_record(where, "ethnicmer calibrate --record")
    summary, first = (
        results.read_table(where / f"{name}.parquet", record["sha256"].get(name))
        for name in ("calibration", "first_tables")
    )
    return CalibrationRecord(
        summary, first, record["resamples"], record["seed"], record["command"], record["made"]
    )


def compute(parameters: Statistics, progress: bool = False) -> CalibrationRecord:
    """What the page shows: the recording, whatever the parameters of the cohort are."""
    return load()
