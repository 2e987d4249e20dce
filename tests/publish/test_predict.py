"""A clip of the reader's own: what networks say of it, from images and from a video, and what is refused."""

from __future__ import annotations

import re
import sys

import cv2
import numpy as np
import pytest

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import cli
from ethnicmer_lib.publish.cli.predict import CAUTION, two_frames

QUICK = ("-p", "source=tiny", "-p", "flow_method=dis", "-p", "folds=2", "-p", "recipe.epochs=1")


@pytest.fixture
def own(tiny, tmp_path):
    """Onset and apex of a clip as images, and both in a video without loss."""
    row = tiny.table.iloc[0]
    frames = [tiny.frames(row["clip_id"], moment) for moment in ("onset", "apex")]
    pictures = [np.ascontiguousarray(frame[..., ::-1]) if frame.ndim == 3 else frame for frame in frames]
    pictures = [one if one.ndim == 3 else cv2.cvtColor(one, cv2.COLOR_GRAY2BGR) for one in pictures]
    paths = [tmp_path / "onset.png", tmp_path / "apex.png"]
    for path, picture in zip(paths, pictures, strict=True):
        cv2.imwrite(str(path), picture)
    video = cv2.VideoWriter(
        str(tmp_path / "clip.avi"), cv2.VideoWriter_fourcc(*"FFV1"), 25, pictures[0].shape[1::-1]
    )
    for picture in pictures:
        video.write(picture)
    video.release()
    return [*paths, tmp_path / "clip.avi"]


def said(monkeypatch, capsys, *words) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["ethnicmer", "predict", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code, *capsys.readouterr()


def test_networks_say_what_they_make_of_a_clip(own, common, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(common / "workspace"))
    onset, apex, video = own
    code, out, _ = said(monkeypatch, capsys, onset, apex, *QUICK, "--out", tmp_path / "motion.png")
    assert not code
    shares = [float(one) for one in re.findall(r"^\w+ +(\d\.\d\d) ", out, re.M)]
    assert len(shares) == 3
    assert sum(shares) == pytest.approx(1, abs=0.02)
    assert "2 networks trained on: simulated cohort" in out
    assert "(SIMULATED)" in out
    assert CAUTION in out
    assert cv2.imread(str(tmp_path / "motion.png")) is not None
    _, moving, _ = said(monkeypatch, capsys, video, "--frames", 0, 1, *QUICK)
    assert moving == out.partition("its motion")[0]


def test_other_flow_than_the_networks_learnt_from_is_refused(own, shared, monkeypatch, capsys):
    code, _, error = said(
        monkeypatch, capsys, *own[:2], "--data", "flow", "--flow-dir", shared / "flow_features"
    )
    assert code == 1
    assert "use a source with frames" in error


def test_what_is_no_clip_is_refused_by_name(own):
    onset, apex, video = own
    for wrong, words in (
        ((onset, None, None), "give two images"),
        ((onset, apex, (0, 1)), "give two images"),
        ((onset, apex.with_name("none.png"), None), "none.png: not a readable image"),
        ((video, None, (0, 2)), r"clip.avi: frame 2 cannot be read; it holds frames 0 to 1"),
        ((video, None, (-1, 1)), "frame -1 cannot be read"),
        ((video.with_name("none.avi"), None, (0, 1)), "no video that OpenCV reads"),
    ):
        with pytest.raises(StudyError, match=words):
            two_frames(*wrong)
