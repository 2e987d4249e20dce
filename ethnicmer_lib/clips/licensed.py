"""CASME II and SAMM frames as one cohort: the reader's copies, or a simulated one in their layout."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.check import look, look_at_groups
from ethnicmer_lib.clips.folders import FrameFolders
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.origin import Frame
from ethnicmer_lib.clips.policies import AS_WRITTEN, Policies
from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.clips.reading import Copy, read_copy
from ethnicmer_lib.clips.table import COLUMNS, NEIGHBOURS, Clips, Decision, FlowClips, Moment, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import digest
from ethnicmer_lib.store.identity import file_digest


class FrameClips(Clips):
    """Clips with frames on disk: ``folders`` says where by database.

    ``root`` is, of a simulated cohort, the folder that holds its marker, labels and true motion, else None.
    """

    def __init__(
        self,
        clips: pd.DataFrame,
        provenance: Provenance,
        folders: dict[str, FrameFolders],
        root: Path | None = None,
        decisions: Iterable[Decision] = (),
    ):
        super().__init__(clips, provenance, decisions)
        self.folders = folders
        self.root = root

    def frames(self, clip_id: str, moment: Moment) -> np.ndarray:
        """One frame as the file holds it: (H, W), or (H, W, 3) RGB; uint8; of licensed clips with its origin.

        StudyError when the coder gave no such frame, or its file is missing or unreadable.
        """
        row = self.row(clip_id)
        if pd.isna(row[moment]):
            raise StudyError(Problem(f"no_{moment}", row["database"], clip_id).message)
        return self._read(row, int(row[moment]), moment)

    def _read(self, row: pd.Series, number: int, moment: str) -> np.ndarray:
        clip_id = self.own_name(row["clip_id"])
        found = self.folders[row["database"]].read(*self.own_place(row["clip_id"]), number, moment)
        if isinstance(found, Problem):
            raise StudyError(found.message)
        return found if self.provenance.simulated else Frame.of(found, clip_id, self.may_show(clip_id))

    def _others(self, clip_id: str, moment: Moment, before: int, after: int) -> dict[int, np.ndarray]:
        row, first = self.row(clip_id), self.frames(clip_id, moment)
        at, found, names = int(row[moment]), {}, self.own_place(clip_id)
        for number in self.folders[row["database"]].around(*names, at, before, after):
            image = self._read(row, number, f"neighbour of {moment}")
            if image.shape != first.shape:
                raise StudyError(
                    f"clip {clip_id}: frame {number} is {image.shape} and {moment} frame {at} beside it is "
                    f"{first.shape}; crop all frames of a clip by one box, or remove the frame from its folder"
                )
            found[number - at] = image
        return found


def open_licensed(
    casme2_dir: Path | None,
    samm_dir: Path | None,
    groups: Path | None = None,
    policies: Policies = AS_WRITTEN,
    mapping: str = "paper",
) -> FrameClips:
    """Open the reader's CASME II and SAMM folders (one or both) as one cohort.

    ``databases`` finds coding files and frames in them. ``groups`` is a CSV of group labels, columns
    ``labels.GROUP_COLUMNS``; None: the released label table with a ``mapping`` of ``labels.ETHNIC_MAPPINGS``, or the
    cohort's own ``groups.csv`` where the folders hold a simulated cohort. ``policies`` say what to do with doubtful
    clips; every decision is in ``decisions``. StudyError when no folder is given, one is simulated and the other
    not, a file in a simulated cohort is not as the simulator wrote it, or anything is wrong in folders or labels.
    """
    return open_copy(read_copy({CASME2: casme2_dir, SAMM: samm_dir}, groups, policies, mapping), policies)


def open_copy(copy: Copy, policies: Policies) -> FrameClips | FlowClips:
    """The kept clips of a copy; StudyError for the first thing in it that stops the study."""
    if policies.missing_frames == "drop" or copy.detector:
        look(copy, policies, everything=False)
    look_at_groups(copy, policies)
    for problem in copy.problems:
        if problem.stops(policies):
            raise StudyError(problem.message)
    clips = pd.concat(copy.clips.values(), ignore_index=True)
    clips = clips.loc[clips["kept"], list(COLUMNS)]
    if copy.images is not None:
        images = np.stack([copy.images[clip_id] for clip_id in clips["clip_id"]])
        content = [clips.astype(str).to_dict("records"), hashlib.sha256(images.tobytes()).hexdigest()]
        return FlowClips(
            clips, Provenance(copy.title, False, digest(content), copy.others), images, copy.decisions
        )
    return FrameClips(clips, _provenance(clips, copy), copy.folders, copy.root, copy.decisions)


def _provenance(clips: pd.DataFrame, copy: Copy) -> Provenance:
    """Where the clips come from; of simulated ones by their marker."""
    # Of each onset and apex frame name and content, None for a missing file; and the files of the frames beside them,
    # from which flow may be computed, too. What a simulated one holds is under its seal.
    frames: list[tuple[str, str | int | None]] = []
    neighbours = []
    for row in clips.itertuples():
        there = copy.folders[row.database]
        listed = there.listing(row.subject, row.clip)
        for frame in (row.onset, row.apex):
            path = listed.get(frame)
            frames.append((path.name, _content(path, copy)) if path else (f"{row.clip_id}/{frame}", None))
            beside = there.around(row.subject, row.clip, frame, NEIGHBOURS, NEIGHBOURS)
            neighbours += [listed[number] for number in beside]
    if copy.marker is None:
        content: object = frames + [(path.name, _content(path, copy)) for path in neighbours]
        line = copy.title or f"{' + '.join(copy.folders)}, licensed frames"
    else:
        # The bytes of a JPEG may differ between machines although the picture was asked for the same way:
        # a complete simulated cohort is known by its settings.
        content = frames if None in [held for _, held in frames] else copy.marker["fingerprint"]
        if neighbours:
            content = [content, [path.name for path in neighbours]]
        settings = copy.marker.get("settings", {})
        # What differs between the groups by construction; findings say it.
        built = [f", {n}={settings[n]:g}" for n in ("texture_cue", "action_unit_effect") if settings.get(n)]
        line = f"simulated cohort (seed {settings.get('seed', 'unknown')}{''.join(built)})"
    if copy.detector:
        content = [content, copy.detector.name, copy.detector.model_sha256]
    identity = digest([clips.astype(str).to_dict("records"), content])
    return Provenance(line, copy.marker is not None, identity, copy.others)


def _content(path: Path, copy: Copy) -> str | int:
    """What a file holds: a damaged frame of the same size and its repair are two cohorts."""
    try:
        return file_digest(path) if copy.marker is None else path.stat().st_size
    except OSError:
        return "not to be read"
