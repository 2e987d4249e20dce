"""Motion images of a cohort: order, cache, resumption, refusals."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.clips.table import COLUMNS, Clips, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion import extract
from ethnicmer_lib.motion.flow import optical_flow
from ethnicmer_lib.motion.image import flow_image, published_image


class SmallClips(Clips):
    """Three clips of moving noise; counts how often a frame is read."""

    def __init__(self, has_frames: bool = True, gray: bool = False, missing: str | None = None):
        rows = pd.DataFrame([dict.fromkeys(COLUMNS, "") | {"clip": f"c{i}"} for i in range(3)])
        rows["clip_id"] = "SAMM/006/" + rows["clip"]
        rows = rows.assign(subject="006", label="Positive", group="A", database="SAMM")
        super().__init__(rows, Provenance("test clips", True, f"{has_frames}{gray}"))
        self.has_frames, self.gray, self.missing, self.reads = has_frames, gray, missing, 0

    def frames(self, clip_id, moment):
        self.reads += 1
        if clip_id == self.missing:
            raise StudyError(f"clip {clip_id}: no {moment} frame")
        rng = np.random.default_rng(self._row[clip_id])
        picture = cv2.GaussianBlur(rng.random((60, 48, 3)).astype(np.float32), (0, 0), 2)
        picture = np.uint8(255 * (picture - picture.min()) / np.ptp(picture))
        if moment == "apex":
            picture = np.roll(picture, 1 + self._row[clip_id], axis=1)
        return np.ascontiguousarray(picture[..., 0]) if self.gray else picture

    def flow(self, clip_id):
        return np.random.default_rng(self._row[clip_id]).random((28, 28, 3)).astype(np.float32)


def test_images_are_flow_images_in_the_order_of_the_clips(workspace):
    cohort = SmallClips()
    images = extract.motion_images(cohort, size=48)
    assert images.shape == (3, 3, 48, 48)
    assert images.dtype == np.float32
    for i, clip_id in enumerate(cohort.table["clip_id"]):
        flow = optical_flow(cohort.frames(clip_id, "onset"), cohort.frames(clip_id, "apex"))
        assert np.array_equal(images[i], extract.resize(flow_image(flow), 48))


def test_flow_is_computed_once_for_every_scaling_and_size(workspace):
    cohort = SmallClips()
    first = extract.motion_images(cohort, size=32)
    read = cohort.reads
    assert np.array_equal(first, extract.motion_images(cohort, "micro", "robust", 32))
    other = extract.motion_images(cohort, scaling="none", size=32)
    large = extract.motion_images(cohort, size=112)
    assert cohort.reads == read
    assert not np.array_equal(first, other)
    flow = optical_flow(cohort.frames("SAMM/006/c1", "onset"), cohort.frames("SAMM/006/c1", "apex"))
    assert np.array_equal(large[1], extract.resize(flow_image(flow), 112))
    extract.motion_images(cohort, "dis", size=32)
    assert cohort.reads > read + 2


def test_interrupted_extraction_resumes_and_ends_the_same(workspace):
    with pytest.raises(StudyError, match="SAMM/006/c2"):
        extract.motion_images(SmallClips(missing="SAMM/006/c2"), size=32)
    (folder,) = workspace.glob("runs/flow-*")
    assert {path.name for path in folder.glob("*.npy")} == {"clip00000.npy", "clip00001.npy"}
    cohort = SmallClips()
    resumed = np.array(extract.motion_images(cohort, size=32))
    assert cohort.reads == 2
    shutil.rmtree(workspace / "runs")
    assert np.array_equal(extract.motion_images(SmallClips(), size=32), resumed)


def test_ready_made_flow_ignores_method_and_scaling(workspace):
    cohort = SmallClips(has_frames=False)
    images = extract.motion_images(cohort, size=28)
    expected = np.stack([published_image(cohort.flow(clip_id)) for clip_id in cohort.table["clip_id"]])
    assert np.allclose(images, expected)
    extract.motion_images(cohort, "deepflow", "none", 28)
    assert len(list(workspace.glob("runs/*"))) == 1
    assert extract.motion_images(cohort, size=56).shape == (3, 3, 56, 56)


@pytest.mark.parametrize("gray", [False, True])
def test_apex_images_are_rgb_between_0_and_1(workspace, gray):
    cohort = SmallClips(gray=gray)
    images = extract.apex_images(cohort, 48)
    assert images.shape == (3, 3, 48, 48)
    assert images.min() >= 0
    assert images.max() <= 1
    frame = cohort.frames("SAMM/006/c1", "apex").reshape(60, 48, -1)
    expected = [
        cv2.resize(frame[..., c] / np.float32(255), (48, 48), interpolation=cv2.INTER_AREA)
        for c in (range(3) if not gray else [0, 0, 0])
    ]
    assert np.allclose(images[1], expected, atol=1e-6)


def test_apex_images_need_frames(workspace):
    with pytest.raises(StudyError, match=r"test clips.*no apex frames"):
        extract.apex_images(SmallClips(has_frames=False), 28)


def test_an_unfit_frame_is_named_with_its_clip(workspace, monkeypatch):
    cohort = SmallClips()
    monkeypatch.setattr(cohort, "frames", lambda clip_id, moment: np.zeros((20, 20), np.uint8))
    with pytest.raises(StudyError, match=r"clip SAMM/006/c0: .*32 px"):
        extract.motion_images(cohort, size=28)


def test_threads_of_opencv_are_given_back(workspace):
    before = cv2.getNumThreads()
    extract.motion_images(SmallClips(), "dis", size=30)
    assert cv2.getNumThreads() == before


@pytest.mark.parametrize("wrong", [{"method": "horn"}, {"scaling": "zscore"}])
def test_an_unknown_name_is_refused_before_anything_is_read(workspace, wrong):
    cohort = SmallClips()
    with pytest.raises(StudyError, match="is unknown; allowed: "):
        extract.motion_images(cohort, size=28, **wrong)
    assert cohort.reads == 0


@pytest.mark.parametrize("size", [28, 100])
def test_resizing_keeps_a_constant_and_a_mean(size):
    flat = np.full((3, 60, 50), 0.25, np.float32)
    assert np.allclose(extract.resize(flat, size), 0.25)
    noise = np.random.default_rng(0).random((3, 60, 60)).astype(np.float32)
    assert np.allclose(extract.resize(noise, 30).mean(axis=(1, 2)), noise.mean(axis=(1, 2)), atol=1e-5)
