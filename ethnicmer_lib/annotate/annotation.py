"""Annotate a cohort's faces with FaceXFormer: ethnicity, gender and age per clip, and groups from them.

The records are the output of an automatic annotator: they say how a network sees a frame, not who a person is. On
simulated faces they mean nothing at all, since a simulated cohort's groups are abstract; running there only shows
that the steps work.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from ethnicmer_lib.annotate.facexformer import checkpoint as weights
from ethnicmer_lib.annotate.facexformer.network import FaceXFormer
from ethnicmer_lib.annotate.facexformer.pixels import prepare
from ethnicmer_lib.annotate.records import CLASSES, PROBABILITIES, check_name, typed, write_records
from ethnicmer_lib.annotate.screening import SUBJECT, Screening, groups_table, read_corrections, screen
from ethnicmer_lib.clips.faces import FaceDetector, open_detector
from ethnicmer_lib.clips.labels import CLIP_KEY, GROUP_COLUMNS
from ethnicmer_lib.clips.table import Clips
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import Run

BATCH = 4  #: frames at once on each core; more is not faster, its caches are small
AGE_SPLIT = 30  #: years: where the context 'age' divides
#: Context of groups -> the column of the records that votes.
CONTEXTS = {"ethnicity": "race_code", "gender": "gender", "age": "age"}


def annotator(checkpoint: Path, detectors: Mapping[str, FaceDetector]) -> dict[str, Any]:
    """What can change a record, as JSON: SHA-256 of the published file (StudyError where there is none), detectors."""
    named = {database: [one.name, one.model_sha256] for database, one in sorted(detectors.items())}
    return {"checkpoint_sha256": weights.sha256(checkpoint), "detectors": named}


def annotate(
    cohort: Clips,
    checkpoint: Path,
    detectors: Mapping[str, FaceDetector],
    moment: Literal["onset", "apex"] = "onset",
    batch: int = BATCH,
    progress: bool = False,
) -> pd.DataFrame:
    """One record a clip, in the order of ``cohort.table``; what was computed before is not computed again.

    The table has ``records.COLUMNS``; the classes of each task sum to 1.  StudyError for a cohort without frames, a
    missing frame, one unfit for its detector, a wrong checkpoint.

    Parameters
    ----------
    checkpoint : the published FaceXFormer file.
    detectors : database -> its face detector.
    moment : which frame of a clip is looked at; the onset is the neutral face.
    batch : frames at once on each core; an interruption costs no more than these.
    """
    if not cohort.has_frames:
        raise StudyError(
            f"{cohort.provenance.source}: there is no face to annotate; use data='licensed', or 'simulated' to try "
            "the steps"
        )
    inputs = {"clips": cohort, "moment": moment, "batch": batch, **annotator(checkpoint, detectors)}
    run = Run.open("annotation", code=("annotate",), inputs=inputs, provenance=cohort.provenance)
    starts = range(0, len(cohort.table), batch)
    batches = {f"clips-{start:04d}": cohort.table.iloc[start : start + batch] for start in starts}
    found = {name: run.read(name) for name in batches}
    missing = [name for name, table in found.items() if table is None]
    if missing:
        network = on_device(weights.load(checkpoint))
        work = partial(_records, cohort, detectors=detectors, network=network, moment=moment)
        made = _on_every_core(work, [batches[name] for name in missing])
        bar = tqdm(made, total=len(missing), desc="annotating", unit="batch", disable=not progress)
        for name, table in zip(missing, bar, strict=True):
            found[name] = run.write(name, table)
    return pd.concat(found.values(), ignore_index=True)


def annotate_clips(clips: Clips, checkpoint: str | Path, progress: bool = True) -> pd.DataFrame:
    """The ethnic code that FaceXFormer gives every clip, from its onset frame as it is: a frame cropped to the face.

    ``checkpoint`` is the path of the published file.  One row a clip: database, subject, clip, code ('' where it
    failed), for :func:`screening.screen`.  StudyError as :func:`annotate`.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.open_clips("tiny", progress=False)
    >>> em.annotate_clips(clips, "facexformer.pt")  # doctest: +SKIP
    """
    whole = {database: open_detector("whole") for database in clips.table["database"].unique()}
    return codes_of(annotate(clips, Path(checkpoint), whole, progress=progress))


def write_annotation(
    cohort: Clips,
    checkpoint: Path,
    detectors: Mapping[str, FaceDetector],
    out: Path,
    groups: Path | None = None,
    context: str = "ethnicity",
    corrections: Path | None = None,
) -> pd.DataFrame:
    """Annotate into files: the records to ``out``; groups from them to ``groups``, the log of the screening beside it.

    The records are returned. Arguments and errors are those of :func:`annotate`, :func:`groups_from` and
    ``screening.read_corrections``; file names are looked at before the work begins.
    """
    check_name(out)
    if cohort.hidden:
        raise StudyError("records under pseudonyms fit no clip: annotate without -p source.pseudonyms=true")
    corrected = None if corrections is None else read_corrections(corrections)
    about = annotator(checkpoint, detectors) | {"moment": "onset"} | asdict(cohort.provenance)
    records = annotate(cohort, checkpoint, detectors, progress=True)
    write_records(records, out, about)
    if groups is not None:
        groups_from(records, context, corrected).to_csv(groups, index=False)
        log = screened(records, context, corrected if context == "ethnicity" else None).log
        log.to_csv(groups.with_name(f"{groups.name}.log.csv"), index=False)
    return records


def _on_every_core(work: Callable, tasks: list[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """What ``work`` makes of each task, in their order: a thread for every core; one where there is a GPU.

    Cores that share a batch wait for one another at every layer, for long where others use the machine too; and a
    batch of one core gives the same numbers on any number of cores.
    """
    before = torch.get_num_threads()
    threads = 1 if torch.cuda.is_available() else os.cpu_count()
    try:
        with ThreadPoolExecutor(threads, initializer=partial(torch.set_num_threads, 1)) as pool:
            yield from pool.map(work, tasks)
    finally:
        torch.set_num_threads(before)


def on_device(network: FaceXFormer) -> FaceXFormer:
    """The network where it is fastest: on the GPU if there is one; convolutions with channels last."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return network.to(device, memory_format=torch.channels_last)


def _records(
    cohort: Clips,
    clips: pd.DataFrame,
    detectors: Mapping[str, FaceDetector],
    network: FaceXFormer,
    moment: Literal["onset", "apex"],
) -> pd.DataFrame:
    """The records of a few clips."""
    rows, images = [], []
    for clip in clips.itertuples():
        frame = cohort.frames(clip.clip_id, moment)
        try:
            box, faces = detectors[clip.database].find(frame)
        except StudyError as error:
            raise StudyError(f"clip {clip.clip_id}: {error}") from error
        seen = {"moment": moment, "frame": getattr(clip, moment), "faces": faces, "failed": box is None}
        rows.append({name: getattr(clip, name) for name in CLIP_KEY} | seen | (box._asdict() if box else {}))
        if box:
            images.append(prepare(frame, box))
    table = pd.DataFrame(rows, index=clips.index)
    table = table.assign(source=cohort.provenance.source, simulated=cohort.provenance.simulated)
    if images:
        table = table.join(_classes(network, torch.stack(images), table.index[~table["failed"]]))
    return typed(table).reset_index(drop=True)


def _classes(network: FaceXFormer, images: torch.Tensor, index: pd.Index) -> pd.DataFrame:
    """Probabilities of the classes of each task, and the most probable ones, of prepared images (n, 3, 224, 224)."""
    with torch.inference_mode():
        logits = network(images.to(network.linear_fuse.weight.device))
    parts = []
    for head, column in (("race", "ethnicity"), ("gender", "gender"), ("age", "age")):
        found = pd.DataFrame(logits[head].softmax(dim=1).cpu().numpy(), index, PROBABILITIES[head])
        best = found.to_numpy().argmax(axis=1)
        found[column] = np.array(CLASSES[head])[best]
        parts.append(found.assign(race_code=best) if head == "race" else found)
    return pd.concat(parts, axis=1)


def screened(
    records: pd.DataFrame, context: str = "ethnicity", corrections: pd.DataFrame | None = None
) -> Screening:
    """One ethnic code, gender or age bin a subject, by a majority of its clips; see ``screening.screen``.

    StudyError for simulated faces and for a subject without any face.
    """
    if records["simulated"].any():
        raise StudyError(
            "these records are of simulated faces, whose groups are abstract: no group can be read off them; a "
            "simulated cohort's groups are in its groups.csv"
        )
    faceless = records.groupby(SUBJECT, sort=False)["failed"].all()
    if faceless.any():
        raise StudyError(
            f"subject {'/'.join(faceless.index[faceless][0])}: no face was found in any of its clips; annotate the "
            "other moment, or with another face detector"
        )
    return screen(codes_of(records, context), corrections=corrections)


def groups_from(
    records: pd.DataFrame, context: str = "ethnicity", corrections: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Two groups from records: by the annotated ethnicity as in the paper, or by gender or age in its place.

    Clips vote for their subject (:func:`screened`).  By gender the groups are 'Male' and 'Female', by age 'Under 30'
    and '30 and over'.

    ``corrections`` are of ethnic codes (``screening.read_corrections``).  Columns ``labels.GROUP_COLUMNS``, one row a
    clip; ``ethnicity`` is the subject's annotated one whatever the context.  Saved as CSV it is what ``--annotations``
    reads.  StudyError as :func:`screened`, and for a single group.
    """
    table = groups_table(codes_of(records), screened(records, corrections=corrections))
    if context != "ethnicity":
        subjects = screened(records, context).subjects.set_index(SUBJECT)["code"]
        subjects = subjects.str.capitalize() if context == "gender" else subjects.map(_age_group)
        table["group"] = subjects.loc[pd.MultiIndex.from_frame(table[SUBJECT])].to_numpy()
    if table["group"].nunique() < 2:
        raise StudyError(
            f"by {context} every subject is {table['group'].iloc[0]!r}: there is nothing to compare"
        )
    return table[list(GROUP_COLUMNS)]


def codes_of(records: pd.DataFrame, context: str = "ethnicity") -> pd.DataFrame:
    """The table that ``screening.screen`` reads: '' where no face was found."""
    code = records[CONTEXTS[context]].astype("str").mask(records["failed"], "")
    return records[CLIP_KEY].assign(code=code).reset_index(drop=True)


def _age_group(years: str) -> str:
    """The group of a bin of ten years, '20-29' or '70+'."""
    return f"{AGE_SPLIT} and over" if int(years[:2].rstrip("-")) >= AGE_SPLIT else f"Under {AGE_SPLIT}"
