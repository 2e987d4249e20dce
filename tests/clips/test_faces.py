"""Where the face is: whole frames, boxes enlarged and cut at borders, detectors by name and model file."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from licensed_copy import squares

from ethnicmer_lib.clips import faces as facebox
from ethnicmer_lib.clips.faces import Box, enlarged, open_detector
from ethnicmer_lib.errors import StudyError


def test_a_cropped_frame_is_taken_whole():
    detector = open_detector("whole")
    found = detector.find(np.zeros((340, 280), np.uint8))
    assert found == (Box(0, 0, 280, 340), 1)
    assert detector.model_sha256 == ""
    assert open_detector("whole").find(np.zeros((224, 224, 3), np.uint8)).box == Box(0, 0, 224, 224)


@pytest.mark.parametrize("size", [(480, 640, 3), (1088, 2040)])
def test_a_raw_frame_is_not_taken_whole(size):
    with pytest.raises(StudyError, match=rf"{size[1]}x{size[0]} px, too wide .*\(yunet, cascade\)"):
        open_detector("whole").find(np.zeros(size, np.uint8))


def test_a_box_grows_by_half_of_its_size():
    assert enlarged(np.array([40, 60, 20, 40]), 200, 200) == Box(35, 50, 30, 60)
    assert enlarged(np.array([0, 0, 20, 40]), 200, 200) == Box(0, 0, 25, 50)
    assert enlarged(np.array([300, 0, 20, 40]), 200, 200) is None


@settings(deadline=None, max_examples=100)
@given(
    st.tuples(*[st.floats(-50, 150)] * 2, *[st.floats(1, 100)] * 2),
    st.integers(1, 120),
    st.integers(1, 120),
)
def test_an_enlarged_box_lies_inside_the_frame_and_holds_what_it_can(box, width, height):
    grown = enlarged(np.array(box), width, height)
    x, y, w, h = box
    if grown is None:
        assert min(x + 1.25 * w, width) < max(x - 0.25 * w, 0) + 1 or min(y + 1.25 * h, height) < (
            max(y - 0.25 * h, 0) + 1
        )
        return
    assert 0 <= grown.x < grown.x + grown.width <= width
    assert 0 <= grown.y < grown.y + grown.height <= height
    assert grown.x <= max(x, 0)
    assert grown.x + grown.width >= min(x + w, width) - 1


def test_a_cascade_finds_the_largest_square_and_nothing_on_an_empty_frame(cascade):
    detector = open_detector("cascade", cascade)
    assert detector.find(squares()) == (None, 0)
    one = detector.find(squares((60, 40)))
    assert one.faces >= 1
    assert one.box.x <= 60
    assert one.box.x + one.box.width >= 90
    assert one.box.y <= 40
    assert one.box.y + one.box.height >= 70
    colour = np.repeat(squares((60, 40))[..., None], 3, axis=2)
    assert detector.find(colour) == one
    assert len(detector.model_sha256) == 64


def test_yunet_is_asked_in_its_own_terms(tmp_path, monkeypatch):
    model = tmp_path / "yunet.onnx"
    model.write_bytes(b"model")
    asked = {}

    class Stub:
        faces = np.array([[10, 10, 20, 20, *[0] * 10, 0.9], [50, 20, 40, 40, *[0] * 10, 0.8]], np.float32)

        def setInputSize(self, size):
            asked["size"] = size

        def detect(self, image):
            asked["pixel"] = image[0, 0].tolist()
            return 1, self.faces

    monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda path, *rest: asked.update(path=path) or Stub())
    detector = open_detector("yunet", model)
    frame = np.zeros((100, 160, 3), np.uint8)
    frame[..., 0] = 200
    assert detector.find(frame) == (Box(40, 10, 60, 60), 2)
    assert asked == {"path": str(model), "size": (160, 100), "pixel": [0, 0, 200]}
    Stub.faces = None
    assert detector.find(frame[..., 0]) == (None, 0)


def test_a_detector_says_what_it_needs(tmp_path):
    with pytest.raises(StudyError, match="no face detector 'mtcnn'; allowed: whole, yunet, cascade"):
        open_detector("mtcnn")
    with pytest.raises(
        StudyError,
        match=r"'yunet': no model file was given \(source\.face_model; .*needs face_detection_yunet",
    ):
        open_detector("yunet")
    with pytest.raises(StudyError, match=r"'cascade': there is no file .*none.xml\. .*haarcascade"):
        open_detector("cascade", tmp_path / "none.xml")


@pytest.mark.parametrize("name", [name for name in facebox.DETECTORS if name != "whole"])
@pytest.mark.parametrize("content", [b"", b"no model", b"<?xml version='1.0'?><opencv_storage/>"])
def test_a_foreign_model_file_is_refused(tmp_path, name, content):
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(StudyError, match=f"'{name}': .*model.bin is not its model"):
        open_detector(name, path)
