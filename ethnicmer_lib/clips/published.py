"""The published flow features of CASME II and SAMM as a cohort: optical flow images without frames."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ethnicmer_lib.clips.decisions import LEFT_OUT, Decision, decisions_table
from ethnicmer_lib.clips.labels import CASME2, SAMM, clip_ids, database_name, released_clips, subject_name
from ethnicmer_lib.clips.table import COLUMNS, Clips, Moment, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import digest

IMAGES = "STSNet_whole_norm_u_v_os"
TABLE = "combined_3_class2_for_optical_flow.csv"
SOURCE = "CASME II + SAMM, published flow features"
SIZE = (28, 28, 3)
CODES = {"0": "Negative", "1": "Positive", "2": "Surprise"}
GET_IT = (
    f"get {IMAGES}/ and {TABLE} from the public HTNet release (github.com/wangzhifengharrison/HTNet, "
    "after STSTNet, MEGC 2019), put them in one folder and name it with --flow-dir (parameter source.folder)"
)


class FlowClips(Clips):
    """Clips whose onset-to-apex flow was published as 28x28 images; there are no frames.

    Parameters
    ----------
    clips : DataFrame with the columns of ``clips.COLUMNS``; frame numbers are <NA>.
    provenance : Provenance
    images : (n, 28, 28, 3) uint8, rows as in ``clips``, channels u, v, strain.
    decisions : DataFrame or None
        What the loader decided.
    """

    has_frames = False

    def __init__(
        self,
        clips: pd.DataFrame,
        provenance: Provenance,
        images: np.ndarray,
        decisions: pd.DataFrame | None = None,
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
        """The published optical flow image: (28, 28, 3) float32 in [0, 1], channels u, v, strain (Eq. 7).

        Each channel was stretched to its own minimum and maximum before it was published, so
        direction and size of the motion cannot be read off the values.
        """
        self.row(clip_id)
        return self._images[self._row[clip_id]].astype(np.float32) / 255


def open_flow(flow_dir: Path | None, mapping: str = "paper") -> FlowClips:
    """Open a folder with the published flow features.

    Emotion, action units and group labels come from the released label table; the 3-class label is
    checked against the features' own. Rows of other databases (the composite of MEGC 2019 also holds
    SMIC) are not the paper's and are left out.

    Parameters
    ----------
    mapping : str
        How the released labels become two groups, one of ``labels.ETHNIC_MAPPINGS``.

    Raises
    ------
    StudyError
        Folder, table or image missing; an image that is not 28x28x3 of 8 bit; a clip without a
        row in the released label table, or with another label there.
    """
    if flow_dir is None:
        raise StudyError(f"data='flow' needs the folder of the published flow features: {GET_IT}")
    folder = Path(flow_dir).expanduser()
    for needed in (folder / TABLE, folder / IMAGES):
        if not needed.exists():
            raise StudyError(f"flow features: {needed} does not exist; {GET_IT}")
    clips, decisions = _mapped(_clips(folder / TABLE), mapping)
    images = np.stack([_image(folder / IMAGES, row.subject, row.clip) for row in clips.itertuples()])
    content = [clips.astype(str).to_dict("records"), hashlib.sha256(images.tobytes()).hexdigest()]
    provenance = Provenance(SOURCE, simulated=False, fingerprint=digest(content))
    return FlowClips(clips, provenance, images, decisions)


def _mapped(clips: pd.DataFrame, mapping: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The clips with the groups of a mapping, without those that it leaves out; and these as decisions."""
    mapped = released_clips(mapping).set_index("clip_id")
    out = ~clips["clip_id"].isin(mapped.index)
    rule = f"mapping={mapping!r}"
    log = [Decision(row.clip_id, "clip", row.ethnicity, LEFT_OUT, rule) for row in clips[out].itertuples()]
    clips = clips[~out].reset_index(drop=True)
    names = ["ethnicity", "group"]
    clips[names] = mapped.loc[clips["clip_id"], names].to_numpy()
    return clips, decisions_table(log)


def _clips(table: Path) -> pd.DataFrame:
    listed = pd.read_csv(table, dtype=str, keep_default_na=False)
    missing = [name for name in ("dataset", "sub", "filename_o", "label") if name not in listed]
    if missing:
        raise StudyError(f"{table} lacks the columns {missing}; {GET_IT}")
    listed = listed[listed["dataset"].str.lower() != "smic"].reset_index(drop=True)
    keys = pd.DataFrame(
        {
            "database": [database_name(value, str(table)) for value in listed["dataset"]],
            "clip": listed["filename_o"].str.strip(),
            "code": listed["label"].str.strip(),
        }
    )
    pairs = zip(keys["database"], listed["sub"], strict=True)
    keys["subject"] = [subject_name(database, value, str(table)) for database, value in pairs]
    keys["clip_id"] = clip_ids(keys)
    released = released_clips().set_index("clip_id", drop=False)
    expected = released["label"].to_dict()
    for clip_id, code in zip(keys["clip_id"], keys["code"], strict=True):
        if clip_id not in expected:
            raise StudyError(
                f"clip {clip_id} of {table} is not among the kept clips of the released label table, "
                f"so it has no group; remove its row (the release has 145 of {CASME2} and 133 of {SAMM})"
            )
        if CODES.get(code) != expected[clip_id]:
            raise StudyError(
                f"clip {clip_id}: label {code!r} in {table} is not {expected[clip_id]!r} "
                f"({CODES}), the label of the released table; correct the row"
            )
    return released.loc[keys["clip_id"], list(COLUMNS)].reset_index(drop=True)


def _image(folder: Path, subject: str, clip: str) -> np.ndarray:
    """One image (28, 28, 3) uint8 in the file's R, G, B order, that is u, v, strain."""
    names = [f"{subject}_{clip} .png", f"{subject}_{clip}.png"]  # as published, and without its stray space
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise StudyError(f"clip {subject}/{clip}: no {names[0]!r} (nor {names[1]!r}) in {folder}; {GET_IT}")
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED) if path.stat().st_size else None
    if image is None:
        raise StudyError(
            f"clip {subject}/{clip}: {path} is not a readable image; copy it again from the release"
        )
    if image.shape != SIZE or image.dtype != np.uint8:
        raise StudyError(
            f"clip {subject}/{clip}: {path} is {image.shape} {image.dtype}, not {SIZE} uint8; "
            "take the 28x28 images of the release"
        )
    return np.ascontiguousarray(image[..., ::-1])
