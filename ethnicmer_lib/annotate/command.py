"""What ``ethnicmer data annotate`` does: open a cohort, annotate it, write records, and groups if asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ethnicmer_lib.annotate.annotation import Annotator, annotate, groups_from, screened
from ethnicmer_lib.annotate.faces import open_detector
from ethnicmer_lib.annotate.records import check_name, write_records
from ethnicmer_lib.annotate.screening import read_corrections
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.old_sources import open_cohort
from ethnicmer_lib.publish.old_parameters import CohortParameters
from ethnicmer_lib.store import old_runs as runs

MEANINGLESS = (
    "SIMULATED faces: labels mean nothing; a simulated cohort's groups are abstract. It shows steps only."
)


def run(
    cohort: Mapping[str, Any],
    checkpoint: Path,
    out: Path,
    moment: Literal["onset", "apex"],
    faces: Mapping[str, str],
    face_model: Path | None = None,
    groups: Path | None = None,
    context: str = "ethnicity",
    corrections: Path | None = None,
) -> Iterator[str]:
    """Yield the lines to print while the work is done.

    Parameters
    ----------
    cohort : values of ``CohortParameters``.
    faces : 'casme2' and 'samm' -> name of a face detector.
    groups : where to write groups and, beside them, the log of the screening; None for none.

    Raises
    ------
    StudyError
        Whatever is wrong with the input; file names and models are looked at before the work begins.
    """
    check_name(out)
    corrected = None if corrections is None else read_corrections(corrections)
    names = {CASME2: faces["casme2"], SAMM: faces["samm"]}
    opened = {name: open_detector(name, face_model) for name in sorted(set(names.values()))}
    annotator = Annotator.open(checkpoint, {database: opened[name] for database, name in names.items()})
    clips = open_cohort(CohortParameters.check(cohort), progress=True)
    if clips.provenance.simulated:
        yield MEANINGLESS
        if groups is not None:
            raise StudyError("groups are not made from simulated faces; leave out --groups")
    records = annotate(clips, annotator, moment, progress=True)
    about = {
        "source": clips.provenance.source,
        "simulated": clips.provenance.simulated,
        "cohort": clips.provenance.fingerprint,
        "moment": moment,
        **annotator.identity(),
    }
    beside = write_records(records, out, about)
    yield f"{out}: {len(records)} clips, {int(records['failed'].sum())} without a face; how it was made: {beside}"
    if groups is not None:
        yield from _write_groups(records, groups, context, corrected)


def _write_groups(
    records: pd.DataFrame, groups: Path, context: str, corrected: pd.DataFrame | None
) -> Iterator[str]:
    """Groups, and beside them what the screening changed."""
    table = groups_from(records, context, corrections=corrected)
    log = screened(records, context, corrections=corrected if context == "ethnicity" else None).log
    with runs.atomic(groups) as part:
        table.to_csv(part, index=False)
    beside = groups.with_name(f"{groups.name}.log.csv")
    with runs.atomic(beside) as part:
        log.to_csv(part, index=False)
    counts = table.drop_duplicates(["database", "subject"])["group"].value_counts()
    yield f"{groups}: subjects by {context}: {', '.join(f'{name} {n}' for name, n in counts.items())}"
    yield f"{beside}: {len(log)} changes made by the screening"
