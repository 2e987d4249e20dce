"""Neighbouring frames of clips on disk, and that motion is computed from them and known by them."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.clips.folders import FrameFolders
from ethnicmer_lib.clips.licensed import FrameClips
from ethnicmer_lib.clips.table import COLUMNS, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion.extract import clip_flow
from ethnicmer_lib.motion.flow import optical_flow

CLIP = "SAMM/006/006_1_1"


@pytest.fixture
def recorded(tmp_path):
    """Write frames with these numbers, and open the one clip whose onset is frame 20 and apex frame 44."""

    def write(numbers, size=(48, 40)) -> FrameClips:
        folder = tmp_path / "006" / "006_1_1"
        folder.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            noise = np.random.default_rng(number).integers(0, 255, (12, 10)).astype(np.uint8)
            cv2.imwrite(str(folder / f"006_{number:05d}.jpg"), cv2.resize(noise, size[::-1]))
        row = dict.fromkeys(COLUMNS, "") | {"clip_id": CLIP, "database": "SAMM", "subject": "006"}
        row |= {"clip": "006_1_1", "label": "Positive", "group": "A", "onset": 20, "apex": 44, "offset": 60}
        folders = {"SAMM": FrameFolders("SAMM", tmp_path)}
        return FrameClips(pd.DataFrame([row]), Provenance("written frames", True, "0"), folders)

    return write


def test_the_frame_comes_first_and_only_what_exists_follows(recorded):
    cohort = recorded([17, 19, 20, 21, 29, 44])
    stack = cohort.neighbours(CLIP, "onset")
    expected = [cohort.folders["SAMM"].read("006", "006_1_1", n, "") for n in (20, 19, 21, 17)]
    assert np.array_equal(stack.frames, np.stack(expected))
    assert stack.steps == (0, -1, 1, -3)
    assert np.array_equal(cohort.neighbours(CLIP, "onset", 1, 1).frames, np.stack(expected[:3]))
    nearest = cohort.neighbours(CLIP, "onset", 0, 2)
    assert np.array_equal(nearest.frames, np.stack(expected[::2]))
    assert nearest.steps == (0, 1)
    for alone in (cohort.neighbours(CLIP, "apex"), cohort.neighbours(CLIP, "onset", 0, 0)):
        assert (alone.frames.shape, alone.steps) == ((1, 48, 40), (0,))
    with pytest.raises(StudyError, match="before=-1"):
        cohort.neighbours(CLIP, "onset", -1)


def test_a_neighbour_of_another_size_is_named(recorded):
    recorded([19, 20, 44])
    cohort = recorded([21], size=(50, 40))
    with pytest.raises(StudyError, match=rf"{CLIP}: frame 21 .*one box"):
        cohort.neighbours(CLIP, "onset")


def test_only_micro_neighbours_takes_neighbours(recorded):
    cohort = recorded(range(10, 60))
    pair = [cohort.frames(CLIP, moment) for moment in ("onset", "apex")]
    # Eight frames before onset; at most a third of the onset and of the offset phase on the other sides.
    stacks = [cohort.neighbours(CLIP, "onset", 8, 8), cohort.neighbours(CLIP, "apex", 8, 5)]
    assert np.array_equal(clip_flow(cohort, CLIP, "dis"), optical_flow(*pair, "dis"))
    assert np.array_equal(clip_flow(cohort, CLIP, "micro"), optical_flow(*pair, "micro"))
    assert np.array_equal(clip_flow(cohort, CLIP, "micro_neighbours"), optical_flow(*stacks, "micro"))
    assert not np.array_equal(*(clip_flow(cohort, CLIP, name) for name in ("micro", "micro_neighbours")))
