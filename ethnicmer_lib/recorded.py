"""Recorded runs: predictions too long for a build, committed with their provenance and scored anew on every page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ethnicmer_lib import benchmark, controls, prima_facie, results, study
from ethnicmer_lib.benchmark import BenchmarkResult
from ethnicmer_lib.cohort.clips import Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.findings import Finding
from ethnicmer_lib.labels import released_clips
from ethnicmer_lib.parameters import Benchmark, PrimaFacie
from ethnicmer_lib.prima_facie import PrimaFacieResult

#: The parts of a recording: the chapter whose parameters they take, and what computes them.
_PARTS: dict[str, tuple[str, Callable[[Any, bool], Any]]] = {
    "prima_facie": ("prima_facie", prima_facie.compute),
    "benchmark": ("benchmark", benchmark.compute),
    "controls": ("benchmark", controls.compute),
}
_MODELS = {"prima_facie": PrimaFacie, "benchmark": Benchmark, "controls": Benchmark}
PARTS = tuple(_PARTS)
CHAPTERS = ("prima_facie", "benchmark")  #: the parts that the landing page needs


@dataclass(frozen=True)
class Recorded:
    """A recorded run, scored by the code that loads it.

    Attributes
    ----------
    prima_facie, benchmark : results as the chapters make them, without runs.
    command : what made the recording.
    made : versions, commit, machine and time of the recording.
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


@dataclass(frozen=True)
class RecordedPart:
    """The recorded benchmark or its controls, scored by the code that loads them; see :class:`Recorded`."""

    result: Any  #: BenchmarkResult or ControlsResult
    command: str
    made: dict[str, Any]


def save(
    name: str,
    profile: str,
    overrides: Mapping[str, Any],
    command: str,
    parts: Sequence[str] = CHAPTERS,
    progress: bool = True,
) -> Path:
    """Compute (or take from the run store) parts of a recording and write them to ``results/<name>/``.

    Other parts that lie there stay, if they are of the same cohort.

    Raises
    ------
    StudyError
        For an unknown part, or when the recording that is there is of another cohort.
    """
    if unknown := [part for part in parts if part not in PARTS]:
        raise StudyError(f"no part {unknown[0]!r} of a recording; parts: {', '.join(PARTS)}")
    target = results.folder() / name
    record = results.read_record(target, {"chapters": {}})
    for part in parts:
        chapter, compute = _PARTS[part]
        result = compute(study.resolve(study.chapter(chapter), profile, overrides), progress)
        cohort = {
            field: getattr(result.provenance, field) for field in ("source", "simulated", "fingerprint")
        }
        if set(record["chapters"]) - set(parts) and record["cohort"] != cohort:
            raise StudyError(
                f"{target / results.RECORD} is of another cohort ({record['cohort']['fingerprint']}, this one is "
                f"{cohort['fingerprint']}); record all parts anew, or under another name"
            )
        digest = results.write_table(target / f"{part}.parquet", result.predictions)
        record["cohort"] = cohort
        record["chapters"][part] = {
            "command": command,
            "parameters": result.parameters.identity(),
            "left_out": getattr(result, "left_out", {}),
            "sha256": digest,
            "seconds": {key: value for run in result.runs for key, value in run.seconds().items()},
            "made": [json.loads((run.path / "run.json").read_text()) for run in result.runs],
        }
        results.write_record(target, record)
    return target


def load(name: str = "flow") -> Recorded:
    """Read the two chapters of ``results/<name>/`` and score their predictions.

    Raises
    ------
    StudyError
        When a file is missing, or its content is not the one that was recorded.
    """
    record = _record(name, CHAPTERS)
    drawn, parameters = _part(name, record, "prima_facie")
    trained = load_part(name, "benchmark")
    commands = (record["chapters"]["prima_facie"]["command"], trained.command)
    return Recorded(
        prima_facie.score(parameters, trained.result.provenance, drawn, []),
        trained.result,
        " && ".join(dict.fromkeys(commands)),
        trained.made,
    )


def load_part(name: str, part: Literal["benchmark", "controls"]) -> RecordedPart:
    """Read the benchmark or the controls of ``results/<name>/`` and score their predictions.

    Raises
    ------
    StudyError
        As :func:`load`.
    """
    record = _record(name, (part,))
    predictions, parameters = _part(name, record, part)
    entry = record["chapters"][part]
    source = Provenance(**record["cohort"])
    if part == "controls":
        result = controls.score(parameters, source, predictions, entry["left_out"], [])
    else:
        clips = released_clips()
        clips = clips[clips["clip_id"].isin(predictions["clip_id"])]
        result = benchmark.score(parameters, source, clips, predictions, entry["left_out"], [])
    return RecordedPart(result, entry["command"], entry["made"][0])


def has(name: str, part: str) -> bool:
    """Whether ``results/<name>/`` holds that part."""
    return part in results.read_record(results.folder() / name, {"chapters": {}})["chapters"]


def _record(name: str, parts: Sequence[str]) -> dict[str, Any]:
    where = results.folder() / name
    record = results.read_record(where, "ethnicmer record --help")
    if missing := [part for part in parts if part not in record["chapters"]]:
        raise StudyError(
            f"no recorded {missing[0]} in {where}; make it with `ethnicmer record {name} --part {missing[0]}`"
        )
    return record


def _part(name: str, record: Mapping[str, Any], part: str) -> tuple[pd.DataFrame, Any]:
    """Predictions and parameters of one part."""
    entry = record["chapters"][part]
    predictions = results.read_table(results.folder() / name / f"{part}.parquet", entry["sha256"])
    return predictions, _MODELS[part].check(entry["parameters"])
