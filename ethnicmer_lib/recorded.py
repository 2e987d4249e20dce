"""Recorded runs: predictions too long for a build, committed with their provenance and scored anew on every page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib import benchmark, prima_facie, runs, study
from ethnicmer_lib.benchmark import BenchmarkResult
from ethnicmer_lib.cohort.clips import Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.findings import Finding
from ethnicmer_lib.labels import released_clips
from ethnicmer_lib.parameters import Benchmark, PrimaFacie
from ethnicmer_lib.prima_facie import PrimaFacieResult

#: The chapters that are recorded, with their parameters.
_CHAPTERS = {"prima_facie": PrimaFacie, "benchmark": Benchmark}


@dataclass(frozen=True)
class Recorded:
    """A recorded run, scored by the code that loads it.

    Attributes
    ----------
    prima_facie, benchmark : results as the chapters make them, without runs.
    command : what made the recording.
    made : versions, commit, machine, time and seconds of the recording.
    """

    prima_facie: PrimaFacieResult
    benchmark: BenchmarkResult
    command: str
    made: dict[str, Any]

    @property
    def provenance(self) -> Provenance:
        """The cohort of the recording."""
        return self.benchmark.provenance

    def findings(self) -> list[Finding]:
        """The findings of both chapters."""
        return [*self.prima_facie.findings(), *self.benchmark.findings()]


def folder() -> Path:
    """``results/`` of the checkout; StudyError outside one."""
    root = runs.project_root()
    if root is None:
        raise StudyError("recorded runs lie in a checkout's results/ folder: run this inside a checkout")
    return root / "results"


def save(name: str, profile: str, overrides: Mapping[str, Any], command: str, progress: bool = True) -> Path:
    """Compute (or take from the run store) the recorded chapters and write ``results/<name>/``."""
    target = folder() / name
    results = {}
    for chapter in _CHAPTERS:
        one = study.chapter(chapter)
        results[chapter] = one.compute(study.resolve(one, profile, overrides), progress)
    record: dict[str, Any] = {
        "command": command,
        "cohort": {
            field: getattr(results["benchmark"].provenance, field)
            for field in ("source", "simulated", "fingerprint")
        },
        "left_out": results["benchmark"].left_out,
        "chapters": {},
    }
    for chapter, result in results.items():
        path = target / f"{chapter}.parquet"
        with runs.atomic(path) as part:
            result.predictions.to_parquet(part, index=False, compression="zstd")
        record["chapters"][chapter] = {
            "parameters": result.parameters.identity(),
            "sha256": sha256(path),
            "seconds": {key: value for run in result.runs for key, value in run.seconds().items()},
            "made": [json.loads((run.path / "run.json").read_text()) for run in result.runs],
        }
    with runs.atomic(target / "provenance.json") as part:
        part.write_text(json.dumps(record, indent=1) + "\n")
    return target


def load(name: str = "flow") -> Recorded:
    """Read ``results/<name>/`` and score its predictions.

    Raises
    ------
    StudyError
        When a file is missing, or its content is not the one that was recorded.
    """
    where = folder() / name
    if not (where / "provenance.json").is_file():
        raise StudyError(f"no recorded run in {where}; make one with `ethnicmer record --help`")
    record = json.loads((where / "provenance.json").read_text())
    predictions, parameters = {}, {}
    for chapter, model in _CHAPTERS.items():
        path = where / f"{chapter}.parquet"
        entry = record["chapters"][chapter]
        predictions[chapter] = read(path, entry["sha256"])
        parameters[chapter] = model.check(entry["parameters"])
    source = Provenance(**record["cohort"])
    clips = released_clips()
    clips = clips[clips["clip_id"].isin(predictions["benchmark"]["clip_id"])]
    return Recorded(
        prima_facie.score(parameters["prima_facie"], source, predictions["prima_facie"], []),
        benchmark.score(
            parameters["benchmark"], source, clips, predictions["benchmark"], record["left_out"], []
        ),
        record["command"],
        record["chapters"]["benchmark"]["made"][0],
    )


def read(path: Path, recorded: str | None) -> pd.DataFrame:
    """A recorded table; StudyError when it is missing or its SHA-256 is not the ``recorded`` one."""
    if not path.is_file() or sha256(path) != recorded:
        raise StudyError(f"{path} is missing or not what was recorded; restore it with git checkout")
    return pd.read_parquet(path)


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
