"""The published flow features of CASME II and SAMM as a cohort: optical flow images without frames."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ethnicmer_lib.clips.label_tables import named, read_csv
from ethnicmer_lib.clips.labels import CASME2, SAMM, clip_ids, coded_clips, drop_left_out
from ethnicmer_lib.clips.table import COLUMNS, Clips, Decision, Moment, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import digest

IMAGES = "STSNet_whole_norm_u_v_os"
TABLE = "combined_3_class2_for_optical_flow.csv"
SOURCE = "CASME II + SAMM, published flow features"
SIZE = (28, 28, 3)
RELEASED = {CASME2: 145, SAMM: 133}  #: clips of the study in the published features
CODES = {"0": "Negative", "1": "Positive", "2": "Surprise"}
GET_IT = (
    f"get {IMAGES}/ and {TABLE}: clone the public HTNet release (github.com/wangzhifengharrison/HTNet, after "
    "STSTNet, MEGC 2019), or put them in one folder, and name it with --flow-dir (parameter source.folder)"
)


class FlowClips(Clips):
    """Clips whose onset-to-apex flow is there as images, published ones of 28x28; there are no frames.

    ``images`` is (n, H, W, 3) uint8, rows as in ``clips``, channels u, v, strain.
    """

    has_frames = False

    def __init__(
        self,
        clips: pd.DataFrame,
        provenance: Provenance,
        images: np.ndarray,
        decisions: Iterable[Decision] = (),
    ):
        super().__init__(clips, provenance, decisions)
        self._images = images

    def frames(self, clip_id: str, moment: Moment) -> np.ndarray:
        """Always StudyError: the published features hold no frame."""
        self.row(clip_id)
        raise StudyError(
            f"{self.provenance.source}: no {moment} frame of {clip_id}, only its flow; "
            "use data='licensed' or data='simulated' for what needs frames"
        )

    def flow(self, clip_id: str) -> np.ndarray:
        """The optical flow image as a file holds it: (H, W, 3) float32 in [0, 1], channels u, v, strain (Eq. 7).

        Of the published ones each channel was stretched to its own minimum and maximum before it was published, so
        direction and size of the motion cannot be read off the values.
        """
        self.row(clip_id)
        return self._images[self._row[clip_id]].astype(np.float32) / 255


def open_flow(flow_dir: Path, mapping: str = "paper") -> FlowClips:
    """Open a folder with the published flow features.

    Emotion, action units and group labels come from the released label table, the latter by a ``mapping`` of
    ``labels.ETHNIC_MAPPINGS``; the 3-class label is checked against the features' own. Rows of other databases (the
    composite of MEGC 2019 also holds SMIC) are not the paper's and are left out. StudyError for a folder, table or
    image that is missing; an image that is not 28x28x3 of 8 bit; a clip without a row in the released label table,
    or with another label there.
    """
    folder, found = Path(flow_dir).expanduser(), []
    places = (
        folder,
        folder / "datasets",
        folder.parent,
    )  # HTNet keeps the images in datasets/, the list above
    for name in (TABLE, IMAGES):
        found.append(next((place / name for place in places if (place / name).exists()), None))
        if found[-1] is None:
            raise StudyError(f"flow features: {folder / name} does not exist; {GET_IT}")
    table, pictures = found
    clips, decisions = drop_left_out(_clips(table, mapping), mapping)
    if (listed := len(clips) + len(decisions)) < (of := sum(RELEASED.values())):
        decisions.append(Decision(SOURCE, "list of clips", str(of), str(listed), f"as {TABLE} lists them"))
    images = [_image(pictures, row.subject, row.clip) for row in clips.itertuples()]
    images = np.array(images, np.uint8).reshape(-1, *SIZE)
    content = [clips.astype(str).to_dict("records"), hashlib.sha256(images.tobytes()).hexdigest()]
    provenance = Provenance(SOURCE, simulated=False, fingerprint=digest(content))
    return FlowClips(clips, provenance, images, decisions)


def _clips(table: Path, mapping: str) -> pd.DataFrame:
    """The released table's rows of the features' clips, in the features' order."""
    columns = {"dataset": "database", "sub": "subject", "filename_o": "clip", "label": "code"}
    listed = read_csv(table, list(columns), "list of the flow features", "filename_o").rename(columns=columns)
    listed = named(listed[listed["database"].str.lower() != "smic"], table)
    listed["clip_id"] = clip_ids(listed)
    kept = coded_clips(mapping).dropna(subset="label")
    clips = listed[["clip_id", "code"]].merge(kept, on="clip_id", how="left")
    for row in clips[clips["label"].isna()].itertuples():
        raise StudyError(
            f"clip {row.clip_id} of {table} is not among the kept clips of the released label table, "
            f"so it has no group; remove its row (the release has {RELEASED})"
        )
    for row in clips[clips["code"].map(CODES) != clips["label"]].itertuples():
        raise StudyError(
            f"clip {row.clip_id}: label {row.code!r} in {table} is not {row.label!r} "
            f"({CODES}), the label of the released table; correct the row"
        )
    return clips[list(COLUMNS)]


def _image(folder: Path, subject: str, clip: str) -> np.ndarray:
    """One image (28, 28, 3) uint8 in the file's R, G, B order, that is u, v, strain."""
    names = [f"{subject}_{clip} .png", f"{subject}_{clip}.png"]  # as published, and without its stray space
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise StudyError(f"clip {subject}/{clip}: no {names[0]!r} (nor {names[1]!r}) in {folder}; {GET_IT}")
    image = flow_image(path)
    if isinstance(image, str) or image.shape != SIZE:
        found = image if isinstance(image, str) else f"{image.shape} uint8"
        raise StudyError(
            f"clip {subject}/{clip}: {path} is {found}, not {SIZE} uint8; copy it again from the release"
        )
    return image


def flow_image(path: Path) -> np.ndarray | str:
    """An image file's R, G, B, that is u, v, strain: (H, W, 3) uint8; or what it is instead."""
    try:
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error):  # not to be opened, empty, or larger than any picture
        image = None
    if image is None:
        return "not a readable image"
    good = image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
    return np.ascontiguousarray(image[..., ::-1]) if good else f"{image.shape} {image.dtype}"
