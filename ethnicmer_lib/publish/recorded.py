"""Recorded runs: predictions too long for a build, committed with their provenance and scored anew on every page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ethnicmer_lib.clips.labels import released_clips
from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.design import table_iv
from ethnicmer_lib.design.prima_facie import PrimaFacieResult
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import benchmark, controls
from ethnicmer_lib.networks.benchmark import BenchmarkResult
from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.publish import old_chapters as study
from ethnicmer_lib.publish.old_parameters import Benchmark
from ethnicmer_lib.store import old_recording as results

#: The parts of a recording and what computes them; both take the benchmark's parameters.
_PARTS: dict[str, Callable[[Any, bool], Any]] = {
    "benchmark": benchmark.compute,
    "controls": controls.compute,
}
PARTS = tuple(_PARTS)


@dataclass(frozen=True)
class Recorded:
    """The recorded runs of Tables IV and V, scored by the code that loads them.

    Attributes
    ----------
    prima_facie, benchmark : results as the chapters make them, without runs; of Table IV the arm that does what
        the paper describes.
    command : what made the recordings.
    made : versions, commit, machine and time of that of Table V.
    """

    prima_facie: PrimaFacieResult
    benchmark: BenchmarkResult
    command: str
    made: dict[str, Any]

    @property
    def provenance(self) -> Provenance:
        """The cohort of Table V's recording."""
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
    parts: Sequence[str] = ("benchmark",),
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
        p = study.resolve(study.chapter("benchmark"), profile, overrides)
        result = _PARTS[part](p, progress)
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
    """Read Table IV as described and the benchmark of ``results/<name>/``, and score their predictions.

    Raises
    ------
    StudyError
        When a file is missing, or its content is not the one that was recorded.
    """
    trained = load_part(name, "benchmark")
    drawn = table_iv.load((table_iv.DESCRIBED,))
    return Recorded(
        drawn.arms[table_iv.DESCRIBED], trained.result, f"{drawn.command} && {trained.command}", trained.made
    )


def load_part(name: str, part: Literal["benchmark", "controls"]) -> RecordedPart:
    """Read the benchmark or the controls of ``results/<name>/`` and score their predictions.

    Raises
    ------
    StudyError
        As :func:`load`.
    """
    where = results.folder() / name
    record = results.read_record(where, "ethnicmer record --help")
    if part not in record["chapters"]:
        raise StudyError(
            f"no recorded {part} in {where}; make it with `ethnicmer record {name} --part {part}`"
        )
    entry = record["chapters"][part]
    predictions = results.read_table(where / f"{part}.parquet", entry["sha256"])
    parameters = Benchmark.check(entry["parameters"])
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
