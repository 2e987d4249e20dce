"""Evidence about flow methods, recorded: accuracy on trials with known truth, and what they do to recognition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.clips.table import LABELS, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import comparison
from ethnicmer_lib.evidence.views import WAYS
from ethnicmer_lib.stats.bootstrap import MACRO, Estimate, bootstrap_f1, paired_difference
from ethnicmer_lib.store import old_recording as results
from ethnicmer_lib.store import old_runs as runs

NAME = "motion"
COMMAND = "ethnicmer motion-evidence"
PARTS = ("accuracy", "downstream")
REFERENCE = "dis"  #: the default method: what others are compared with


@dataclass(frozen=True, eq=False)
class MotionEvidence:
    """The recorded tables, scored by the code that loads them.

    Attributes
    ----------
    accuracy, downstream : as of the functions of these names in ``motion.comparison``; None where not recorded
    made : part -> versions, commit, machine and time
    """

    accuracy: pd.DataFrame | None
    downstream: pd.DataFrame | None
    made: dict[str, dict[str, Any]]

    @property
    def provenance(self) -> Provenance:
        """The source of both tables."""
        return Provenance("simulated cohorts; recorded run", True, runs.digest(self.made))

    @property
    def clips(self) -> int:
        """How many clips each way was tried on at each amplitude."""
        return int(self.accuracy["clip_id"].nunique())

    def accuracy_table(self) -> pd.DataFrame:
        """One row a way: for each peak (px) the columns ``error <peak>`` and ``strain <peak>``; and ``seconds``."""
        rows = []
        for way, found in self.accuracy.groupby("way", sort=False):
            row: dict[str, Any] = {"way": way}
            for peak, part in found.groupby("peak"):
                row |= {
                    f"error {peak:g}": part["error_px"].mean(),
                    f"strain {peak:g}": part["strain_r"].mean(),
                }
            rows.append(row | {"seconds": found["seconds"].mean()})
        return pd.DataFrame(rows)

    def no_motion(self) -> dict[float, float]:
        """Peak -> mean endpoint error of claiming no motion, px."""
        found = self.accuracy.drop_duplicates(["clip_id", "peak"]).groupby("peak")["zero_px"].mean()
        return {float(peak): float(error) for peak, error in found.items()}

    def ratio(self, way: str, other: str, peak: float) -> float:
        """Mean endpoint error of one way over that of another at a peak."""
        at = self.accuracy[self.accuracy["peak"] == peak].groupby("way")["error_px"].mean()
        return float(at[way] / at[other])

    def downstream_table(self) -> pd.DataFrame:
        """One row a way: macro F1, its difference to the reference (paired), F1 of each label, seconds a clip."""
        tables = dict(list(self.downstream.groupby("way", sort=False)))
        rows = []
        for way, table in tables.items():
            f1 = bootstrap_f1(table, LABELS)
            change: Estimate | None = None
            if way != REFERENCE:
                change = paired_difference(table, tables[REFERENCE], LABELS)
            row = {"way": way, "macro": f1[MACRO], "change": change, **{name: f1[name] for name in LABELS}}
            rows.append(row | {"seconds": float(table["seconds"].mean())})
        return pd.DataFrame(rows)


def save(parts: Sequence[str] = PARTS, *, jobs: int | None = None, progress: bool = True) -> Path:
    """Compute parts of the evidence, or take them from the run store, and write them to ``results/motion/``.

    Raises
    ------
    StudyError
        For an unknown part.
    """
    for part in parts:
        if part not in PARTS:
            raise StudyError(f"part {part!r} of the evidence is unknown; allowed: {', '.join(PARTS)}")
    for part in parts:
        if part == "accuracy":
            table = comparison.accuracy(progress=progress)
        else:
            table = comparison.downstream(WAYS, jobs=jobs, progress=progress)
        store(part, table)
    return results.folder() / NAME


def store(part: str, table: pd.DataFrame) -> None:
    """Write one part and its entry in ``provenance.json``."""
    code = runs.code_fingerprint("ethnicmer_lib.evidence.comparison")
    results.store_part(NAME, part, table, {"command": COMMAND}, code=code, made=runs.environment())


def load() -> MotionEvidence:
    """Read ``results/motion/``; a part that was never recorded is None.

    Raises
    ------
    StudyError
        When the content of a recorded file is not the one that was recorded.
    """
    where = results.folder() / NAME
    parts = results.read_record(where, {"parts": {}})["parts"]
    tables = {
        name: results.read_table(where / f"{name}.parquet", parts[name]["sha256"]) if name in parts else None
        for name in PARTS
    }
    return MotionEvidence(**tables, made={name: entry["made"] for name, entry in parts.items()})
