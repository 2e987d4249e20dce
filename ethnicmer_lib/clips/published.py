"""The published flow features of CASME II and SAMM as a cohort: optical flow images without frames."""

from __future__ import annotations

from pathlib import Path

from ethnicmer_lib.clips.entries import Manifest
from ethnicmer_lib.clips.labels import CASME2, SAMM, coded_clips, drop_left_out
from ethnicmer_lib.clips.licensed import open_copy
from ethnicmer_lib.clips.manifest import read_manifest
from ethnicmer_lib.clips.policies import AS_WRITTEN
from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.clips.reading import Copy
from ethnicmer_lib.clips.table import Decision, FlowClips
from ethnicmer_lib.errors import StudyError

IMAGES = "STSNet_whole_norm_u_v_os"
TABLE = "combined_3_class2_for_optical_flow.csv"
SOURCE = "CASME II + SAMM, published flow features"
SIZE = (28, 28, 3)
RELEASED = {CASME2: 145, SAMM: 133}  #: clips of the study in the published features
CODES = {"0": "Negative", "1": "Positive", "2": "Surprise"}
COLUMNS = {"database": "dataset", "subject": "sub", "clip": "filename_o", "emotion": "label"}
GET_IT = (
    f"get {IMAGES}/ and {TABLE}: clone the public HTNet release (github.com/wangzhifengharrison/HTNet, after "
    "STSTNet, MEGC 2019), or put them in one folder, and name it with --flow-dir (parameter source.folder)"
)


def open_flow(flow_dir: Path, mapping: str = "paper") -> FlowClips:
    """Open a folder with the published flow features; StudyError for the first thing that :func:`read_flow` finds."""
    return open_copy(read_flow(flow_dir, mapping), AS_WRITTEN)


def read_flow(flow_dir: Path, mapping: str = "paper") -> Copy:
    """Walk through a folder with the published flow features, a manifest as any; what is wrong is collected.

    Emotion, action units and group labels come from the released label table, the latter by a ``mapping`` of
    ``labels.ETHNIC_MAPPINGS``; the 3-class label is checked against the features' own. Rows of other databases (the
    composite of MEGC 2019 also holds SMIC) are not the paper's and are left out. StudyError for a folder or table that
    is missing.
    """
    folder, found = Path(flow_dir).expanduser(), []
    # HTNet keeps the images in datasets/, the list above.
    places = (folder, folder / "datasets", folder.parent)
    for name in (TABLE, IMAGES):
        found.append(next((place / name for place in places if (place / name).exists()), None))
        if found[-1] is None:
            raise StudyError(f"flow features: {folder / name} does not exist; {GET_IT}")
    copy = read_manifest(Manifest(table=found[0], flow=found[1], columns=COLUMNS, emotions=CODES))
    copy.title, copy.others = SOURCE, False
    for name in [name for name in copy.clips if name.lower() == "smic"]:
        del copy.clips[name]
        copy.problems = [one for one in copy.problems if one.database != name]
    released = coded_clips(mapping).dropna(subset="label").set_index("clip_id")
    for name, clips in copy.clips.items():
        ours = clips[["clip_id", "label"]].merge(released, on="clip_id", how="left", suffixes=("_here", ""))
        other = ours[(ours["label_here"] != ours["label"]) & ours["label_here"].notna()]
        known = ours["label"].notna()
        copy.problems[:0] = [
            Problem("label_differs", name, row.clip_id, found[0], f"{row.label_here}, not {row.label}")
            if known[row.Index]
            else Problem("not_released", name, row.clip_id, found[0])
            for row in other.itertuples()
        ]
        copy.clips[name], left_out = drop_left_out(ours.assign(kept=True), mapping)
        copy.decisions += left_out
    if odd := {image.shape for image in (copy.images or {}).values()} - {SIZE}:
        copy.problems.append(
            Problem("wrong_flow_image", SOURCE, "", found[1], f"{odd.pop()} uint8, not {SIZE}")
        )
    listed = sum(len(clips) for clips in copy.clips.values()) + len(copy.decisions)
    if listed < (of := sum(RELEASED.values())):
        copy.decisions.append(
            Decision(SOURCE, "list of clips", str(of), str(listed), f"as {TABLE} lists them")
        )
        copy.problems.append(Problem("short_table", SOURCE, "", found[0], f"{listed} of {of} clips"))
    if not copy.clips and not any(one.stops(AS_WRITTEN) for one in copy.problems):
        copy.problems.append(Problem("nothing_left", SOURCE))
    return copy
