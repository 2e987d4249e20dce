"""The published flow features as a cohort: a small folder in their layout, and the real one where it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.clips.labels import released_clips
from ethnicmer_lib.clips.published import CODES, IMAGES, TABLE, open_flow
from ethnicmer_lib.clips.table import COLUMNS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.sources import open_clips

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("ETHNICMER_SHARED", REPOSITORY / ".." / "shared")).resolve()
REAL = SHARED / "flow_features"


def write(folder: Path, name: str, image: np.ndarray) -> Path:
    path = folder / IMAGES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def flow_dir(tmp_path: Path) -> Path:
    clips = released_clips().iloc[[0, 3, 160, 200, 250]]
    codes = {label: code for code, label in CODES.items()}
    lines = ["dataset,sub,filename_o,label,apex,imagename,sub_filename", "smic,s01,s01_ne_01,0,,,"]
    for place, row in enumerate(clips.itertuples()):
        name = {"CASME II": "casme2", "SAMM": "samm"}[row.database]
        subject = (
            row.subject if row.database == "CASME II" else str(int(row.subject))
        )  # as a spreadsheet leaves it
        lines.append(f"{name},{subject},{row.clip},{codes[row.label]},,,")
        image = np.zeros((28, 28, 3), np.uint8)
        image[..., 2], image[..., 1], image[..., 0] = 255, 128, place  # file's R, G, B = u, v, strain
        write(tmp_path, f"{row.subject}_{row.clip}{' ' if place % 2 else ''}.png", image)
    (tmp_path / TABLE).write_text("\n".join(lines))
    return tmp_path


def edit(flow_dir: Path, old: str, new: str) -> None:
    text = (flow_dir / TABLE).read_text()
    assert old in text
    (flow_dir / TABLE).write_text(text.replace(old, new, 1))


def test_the_htnet_repository_may_be_given_as_it_was_cloned(flow_dir):
    (flow_dir / "datasets").mkdir()
    shutil.move(flow_dir / IMAGES, flow_dir / "datasets" / IMAGES)
    for given in (flow_dir, flow_dir / "datasets"):
        assert len(open_flow(given)) == 5


def test_a_list_that_is_cut_short_is_in_the_log(flow_dir):
    log = open_flow(flow_dir).decisions
    assert log[["what", "old", "new"]].to_numpy().tolist() == [["list of clips", "278", "5"]]


def test_clips_carry_the_released_facts(flow_dir):
    cohort = open_clips({"kind": "flow", "folder": str(flow_dir)})
    released = released_clips().set_index("clip_id")
    assert list(cohort.table.columns) == list(COLUMNS)
    assert len(cohort.table) == 5
    for row in cohort.table.itertuples():
        expected = released.loc[row.clip_id]
        for name in ("emotion", "label", "ethnicity", "group", "action_units"):
            assert getattr(row, name) == expected[name]
    assert cohort.table[["onset", "apex", "offset"]].isna().all(axis=None)
    assert cohort.provenance.source == "CASME II + SAMM, published flow features"
    assert not cohort.provenance.simulated
    assert not cohort.has_frames


def test_flow_is_u_v_strain_in_unit_range(flow_dir):
    cohort = open_flow(flow_dir)
    for place, clip_id in enumerate(cohort.table["clip_id"]):
        image = cohort.flow(clip_id)
        assert image.shape == (28, 28, 3)
        assert image.dtype == np.float32
        assert np.array_equal(image[5, 7], np.array([255, 128, place], np.float32) / 255)
        assert (image == image[5, 7]).all()
    with pytest.raises(StudyError, match="no clip 'x'"):
        cohort.flow("x")


def test_frames_are_refused(flow_dir):
    cohort = open_flow(flow_dir)
    with pytest.raises(StudyError, match="no apex frame of CASME II/sub01/EP02_01f, only its flow"):
        cohort.frames("CASME II/sub01/EP02_01f", "apex")


def test_fingerprint_follows_pixels_and_rows(flow_dir):
    first = open_flow(flow_dir).provenance.fingerprint
    assert open_flow(flow_dir).provenance.fingerprint == first
    path = flow_dir / IMAGES / "sub01_EP02_01f.png"
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    image[0, 0, 0] += 1
    cv2.imwrite(str(path), image)
    second = open_flow(flow_dir).provenance.fingerprint
    lines = (flow_dir / TABLE).read_text().splitlines()
    (flow_dir / TABLE).write_text("\n".join(lines[:-1]))
    assert len({first, second, open_flow(flow_dir).provenance.fingerprint}) == 3


def test_a_missing_folder_says_how_to_get_it(tmp_path):
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(StudyError, match=r"HTNet.*--flow-dir"):
            open_flow(folder)
    with pytest.raises(StudyError, match=r"source\.folder=.*Field required"):
        open_clips({"kind": "flow"})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("EP02_01f", "EP99_01f", "clip CASME II/sub01/EP99_01f: .* not among the kept clips"),
        (
            "EP02_01f",
            "EP03_02",
            "clip CASME II/sub01/EP03_02: .* not among the kept clips",
        ),  # emotion 'others'
        ("EP02_01f,1", "EP02_01f,2", "clip CASME II/sub01/EP02_01f: another label .* Surprise, not Positive"),
        ("EP02_01f,1", "EP02_01f,", "clip CASME II/sub01/EP02_01f: .* emotion '' .*row 3"),
        ("casme2,", "casme3,", "clip casme3/sub01/EP02_01f: .*not among the kept clips"),
        ("sub01", "sub1x", "clip CASME II/sub1x/EP02_01f"),
        ("filename_o", "filename", r"clip \(filename_o: 0 times\)"),
    ],
)
def test_a_wrong_row_is_named(flow_dir, old, new, message):
    edit(flow_dir, old, new)
    with pytest.raises(StudyError, match=message):
        open_flow(flow_dir)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((27, 28, 3), np.uint8), r"\(27, 28, 3\) uint8"),
        (np.zeros((28, 28), np.uint8), r"\(28, 28\) uint8"),
        (np.zeros((28, 28, 3), np.uint16), r"\(28, 28, 3\) uint16"),
    ],
)
def test_a_wrong_image_is_named(flow_dir, image, message):
    write(flow_dir, "sub01_EP02_01f.png", image)
    with pytest.raises(
        StudyError, match=rf"clip CASME II/sub01/EP02_01f: not an image of three 8-bit channels .*{message}"
    ):
        open_flow(flow_dir)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no header row"),
        (b"\xff\xfe\x00\x01\x02", "cannot be read"),
        (b"dataset,sub,filename_o,label\n", "no clip with an emotion"),
        (b"dataset,sub,filename_o,label\nsmic,s01,s01_ne_01,0\n", "no clip is left"),
    ],
)
def test_a_table_without_clips_is_refused(flow_dir, content, message):
    (flow_dir / TABLE).write_bytes(content)
    with pytest.raises(StudyError, match=message):
        open_flow(flow_dir)


def test_a_missing_or_broken_image_is_named(flow_dir):
    path = flow_dir / IMAGES / "sub01_EP02_01f.png"
    for content in (b"", b"no picture"):
        path.write_bytes(content)
        with pytest.raises(StudyError, match=r"not a readable image .*sub01_EP02_01f\.png"):
            open_flow(flow_dir)
    path.unlink()
    with pytest.raises(
        StudyError, match=r"clip CASME II/sub01/EP02_01f: no flow image .*sub01_EP02_01f\.png"
    ):
        open_flow(flow_dir)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no published flow features at {REAL} ($ETHNICMER_SHARED)")
def test_the_real_features_open_and_match():
    cohort = open_flow(REAL)
    clips = cohort.table
    assert clips["database"].value_counts().to_dict() == {"CASME II": 145, "SAMM": 133}
    assert clips["label"].value_counts().to_dict() == {"Negative": 180, "Positive": 58, "Surprise": 40}
    assert pd.crosstab(clips["database"], clips["group"]).loc["SAMM"].to_dict() == {
        "Asian": 42,
        "Non-Asian": 91,
    }
    images = np.stack([cohort.flow(clip_id) for clip_id in clips["clip_id"]])
    assert images.min() == 0
    assert images.max() == 1
    assert (images.reshape(len(clips), -1, 3).max(1) == 1).all()  # min-max normalised channel by channel
    missing = released_clips()[~released_clips()["clip_id"].isin(clips["clip_id"])]
    assert set(zip(missing["database"], missing["label"], strict=True)) == {("CASME II", "Negative")}
    assert len(missing) == 12
