"""Annotate a cohort's faces with FaceXFormer: ethnicity, gender and age per clip, and groups from them.

The records are the output of an automatic annotator: they say how a network sees a frame, not who a person is. On
simulated faces they mean nothing at all, since a simulated cohort's groups are abstract; running there only shows
that the steps work.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from ethnicmer_lib.annotate.faces import FaceDetector, Found, open_detector
from ethnicmer_lib.annotate.facexformer import checkpoint as weights
from ethnicmer_lib.annotate.facexformer.network import FaceXFormer
from ethnicmer_lib.annotate.facexformer.pixels import prepare
from ethnicmer_lib.annotate.records import CLASSES, COLUMNS, PROBABILITIES, typed
from ethnicmer_lib.annotate.screening import SUBJECT, Rules, Screening, codes_of, groups_table, screen
from ethnicmer_lib.clips.labels import CLIP_KEY, GROUP_COLUMNS
from ethnicmer_lib.clips.table import Clips
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import Run

BATCH = 4  #: more is not faster on a CPU core, whose caches are small
CONTEXTS = ("ethnicity", "gender", "age")
AGE_SPLIT = 30  #: years: where the context 'age' divides, see :func:`groups_from`


@dataclass(frozen=True)
class Annotator:
    """What annotates: the weights and, for each database, the face detector.

    Attributes
    ----------
    checkpoint : path of the published FaceXFormer file
    sha256 : of that file
    detectors : database -> FaceDetector
    """

    checkpoint: Path
    sha256: str
    detectors: Mapping[str, FaceDetector]

    @classmethod
    def open(cls, checkpoint: Path, detectors: Mapping[str, FaceDetector]) -> Annotator:
        """Hash the checkpoint (it is loaded when a frame needs it); StudyError where there is none."""
        return cls(checkpoint, weights.sha256(checkpoint), dict(detectors))

    def identity(self) -> dict[str, object]:
        """What can change a record, as JSON."""
        detectors = {name: [one.name, one.model_sha256] for name, one in sorted(self.detectors.items())}
        return {"checkpoint_sha256": self.sha256, "detectors": detectors}


def annotate(
    cohort: Clips,
    annotator: Annotator,
    moment: Literal["onset", "apex"] = "onset",
    batch: int = BATCH,
    progress: bool = False,
) -> pd.DataFrame:
    """One record a clip, in the order of ``cohort.table``; what was computed before is not computed again.

    Parameters
    ----------
    moment : which frame of a clip is looked at; the onset is the neutral face.
    batch : frames at once on each core; an interruption costs no more than these.

    Returns
    -------
    DataFrame with :data:`COLUMNS`; probabilities float32, the classes of each task sum to 1.

    Raises
    ------
    StudyError
        A cohort without frames; a missing frame; a frame unfit for its detector; a wrong checkpoint.
    """
    if not cohort.has_frames:
        raise StudyError(
            f"{cohort.provenance.source}: there is no face to annotate; use data='licensed', or 'simulated' to try "
            "the steps"
        )
    if batch < 1:
        raise StudyError(f"batch={batch} frames at once is too few; give at least 1")
    lacking = sorted(set(cohort.table["database"]) - set(annotator.detectors))
    if lacking:
        raise StudyError(f"no face detector is named for {', '.join(lacking)}; name one of each database")
    inputs = {"clips": cohort, "moment": moment, "batch": batch, **annotator.identity()}
    run = Run.open("annotation", code=("annotate",), inputs=inputs, provenance=cohort.provenance)
    batches = {
        f"clips-{start:04d}": cohort.table.iloc[start : start + batch]
        for start in range(0, len(cohort.table), batch)
    }
    network = cache(lambda: on_device(weights.load(annotator.checkpoint)))  # only if a batch is not there yet
    work = partial(_records, cohort, detectors=annotator.detectors, network=network, moment=moment)
    parts = []
    with (
        _workers() as pool,
        tqdm(total=len(cohort.table), desc="annotating", unit="clip", disable=not progress) as bar,
    ):
        missing = [name for name in batches if not (run.path / f"{name}.parquet").exists()]
        if missing:
            network()  # before the threads, which would load it once each
        ahead = {name: pool.submit(work, batches[name]) for name in missing}
        for name, clips in batches.items():
            compute = ahead[name].result if name in ahead else partial(work, clips)
            parts.append(run.table(name, compute))
            bar.update(len(clips))
    return pd.concat(parts, ignore_index=True)


def annotate_clips(clips: Clips, checkpoint: str | Path, progress: bool = True) -> pd.DataFrame:
    """The ethnic code that FaceXFormer gives every clip, from its onset frame as it is: a frame cropped to the face.

    Parameters
    ----------
    checkpoint : path of the published file.

    Returns
    -------
    One row a clip: database, subject, clip, code ('' where it failed), for :func:`screening.screen`.

    Raises
    ------
    StudyError
        As :func:`annotate`.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.open_clips("tiny", progress=False)
    >>> em.annotate_clips(clips, "facexformer.pt")  # doctest: +SKIP
    """
    whole = {database: open_detector("whole") for database in clips.table["database"].unique()}
    records = annotate(clips, Annotator.open(Path(checkpoint), whole), progress=progress)
    return codes_of(records)


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """Threads that annotate a batch each, one for every core; one where there is a GPU.

    Cores that share a batch wait for one another at every layer, for long where others use the machine too; and a
    batch of one core gives the same numbers on any number of cores.
    """
    before, cores = torch.get_num_threads(), os.cpu_count() or 1
    pool = ThreadPoolExecutor(
        1 if torch.cuda.is_available() else cores, initializer=partial(torch.set_num_threads, 1)
    )
    torch.set_num_threads(1)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


def on_device(network: FaceXFormer) -> FaceXFormer:
    """The network where it is fastest: on the GPU if there is one; convolutions with channels last."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return network.to(device, memory_format=torch.channels_last)


def probabilities(network: FaceXFormer, images: torch.Tensor) -> dict[str, np.ndarray]:
    """Class probabilities of prepared images (n, 3, 224, 224): race (n, 5), gender (n, 2), age (n, 8), float32."""
    device = network.linear_fuse.weight.device
    with torch.inference_mode():
        logits = network(images.to(device), outputs=tuple(CLASSES))
        return {head: logits[head].softmax(dim=1).cpu().numpy() for head in CLASSES}


def _records(
    cohort: Clips,
    clips: pd.DataFrame,
    detectors: Mapping[str, FaceDetector],
    network: Callable[[], FaceXFormer],
    moment: Literal["onset", "apex"],
) -> pd.DataFrame:
    """The records of a few clips."""
    rows, images = [], []
    for clip in clips.itertuples():
        frame = cohort.frames(clip.clip_id, moment)
        found = _face(frame, detectors[clip.database], clip.clip_id)
        if found.box is not None:
            images.append(prepare(frame, found.box))
        number = getattr(clip, moment)
        place = found.box._asdict() if found.box is not None else {}
        source = {"source": cohort.provenance.source, "simulated": cohort.provenance.simulated}
        known = {"moment": moment, "frame": number, "faces": found.faces}
        names = {"database": clip.database, "subject": clip.subject, "clip": clip.clip}
        rows.append({**source, **names, **known, **place, "failed": found.box is None})
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype(object)
    if images:
        _write_classes(table, probabilities(network(), torch.stack(images)))
    return typed(table)


def _face(frame: np.ndarray, detector: FaceDetector, clip_id: str) -> Found:
    try:
        return detector.find(frame)
    except StudyError as error:
        raise StudyError(f"clip {clip_id}: {error}") from error


def _write_classes(table: pd.DataFrame, found: Mapping[str, np.ndarray]) -> None:
    """Fill in the columns of the three tasks where a face was found."""
    seen = table.index[~table["failed"].astype(bool)]
    for head, column in (("race", "ethnicity"), ("gender", "gender"), ("age", "age")):
        best = found[head].argmax(axis=1)
        table.loc[seen, list(PROBABILITIES[head])] = found[head]
        table.loc[seen, column] = np.array(CLASSES[head], dtype=object)[best]
        if head == "race":
            table.loc[seen, "race_code"] = best


def screened(
    records: pd.DataFrame,
    context: str = "ethnicity",
    rules: Rules | None = None,
    corrections: pd.DataFrame | None = None,
) -> Screening:
    """One ethnic code, gender or age bin a subject, by a vote over its clips; see ``screening.screen``.

    Raises
    ------
    StudyError
        Unknown context, simulated faces, a subject without any face, or as ``screening.screen``.
    """
    if context not in CONTEXTS:
        raise StudyError(f"context {context!r} is unknown; allowed: {', '.join(CONTEXTS)}")
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
    return screen(_codes(records, context), rules, corrections)


def groups_from(
    records: pd.DataFrame,
    context: str = "ethnicity",
    age_split: int = AGE_SPLIT,
    mapping: str = "paper",
    rules: Rules | None = None,
    corrections: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Two groups from records: by the annotated ethnicity as in the paper, or by gender or age in its place.

    Clips vote for their subject (:func:`screened`).  By gender the groups are 'Male' and 'Female', by age 'Under 30'
    and '30 and over'.

    Parameters
    ----------
    records : from :func:`annotate`, ``annotation_records.read_records`` or ``.released_records``.
    context : 'ethnicity', 'gender' or 'age'.
    age_split : context 'age' only: first age in years of the older group, a multiple of 10 from 10 to 70.
    mapping : context 'ethnicity' only: from ethnic codes to groups, see ``screening.groups_table``.
    rules, corrections : of the vote, see ``screening.screen``; corrections are of ethnic codes.

    Returns
    -------
    DataFrame with the columns ``labels.GROUP_COLUMNS``, one row a clip; ``ethnicity`` is the subject's annotated one
    whatever the context.  Saved as CSV it is what ``--annotations`` reads.

    Raises
    ------
    StudyError
        As :func:`screened`; an age that is no multiple of 10; a single group.
    """
    if age_split not in range(10, 80, 10):
        raise StudyError(f"age_split={age_split}: ages are bins of ten years; give 10, 20, ... or 70")
    subjects = screened(records, context, rules, corrections if context == "ethnicity" else None).subjects
    ethnic = screened(records, "ethnicity", rules, corrections)
    table = groups_table(_codes(records, "ethnicity"), ethnic, mapping)
    if context != "ethnicity":
        value = subjects.set_index(SUBJECT)["code"].loc[pd.MultiIndex.from_frame(table[SUBJECT])]
        table["group"] = [_group(one, context, age_split) for one in value]
        table = table[value.ne("").to_numpy()].reset_index(drop=True)
    if table["group"].nunique() < 2:
        raise StudyError(
            f"by {context} every subject is {table['group'].iloc[0]!r}: there is nothing to compare"
        )
    return table[list(GROUP_COLUMNS)]


def _codes(records: pd.DataFrame, context: str) -> pd.DataFrame:
    """The table that ``screening.screen`` reads: '' where no face was found."""
    code = records["race_code" if context == "ethnicity" else context].astype("str")
    return records[CLIP_KEY].assign(code=code.where(~records["failed"], "")).reset_index(drop=True)


def _group(value: str, context: str, age_split: int) -> str:
    """The group of a gender or of an age bin."""
    if context == "gender" or not value:
        return value.capitalize()
    return (
        f"{age_split} and over" if int(value.rstrip("+").split("-")[0]) >= age_split else f"Under {age_split}"
    )
