"""Activation maps: measures by face region (shares, sides, blank maps, the input as a map), and maps of a branch."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.cells import grad_cam
from ethnicmer_lib.networks.maps import MEASURES, SIDED, Maps, input_maps, measure_maps
from ethnicmer_lib.networks.models import build_network

SIZE, PARTS = 20, [f"{part}_{side}" for part in SIDED for side in ("left", "right")]
RNG = np.random.default_rng(0)


def regions() -> dict[str, np.ndarray]:
    """Disjoint squares: the subject's left is the right of the image; a jaw across the middle."""
    masks = {name: np.zeros((SIZE, SIZE), np.float32) for name in [*PARTS, "jaw"]}
    for row, part in enumerate(SIDED):
        masks[f"{part}_right"][4 * row : 4 * row + 3, 2:6] = 1
        masks[f"{part}_left"][4 * row : 4 * row + 3, SIZE - 6 : SIZE - 2] = 1
    masks["jaw"][16:, 8:12] = 1
    return masks


def maps(array: np.ndarray, predicted: str = "Positive") -> Maps:
    table = {"clip_id": [f"c{i}" for i in range(len(array))], "label": "Positive", "predicted": predicted}
    return Maps(np.asarray(array, np.float32), pd.DataFrame(table), side=5)


MASKS = regions()


def test_shares_add_up_to_at_most_one_and_to_one_where_everything_is_in_a_region():
    shares = measure_maps(maps(RNG.random((6, SIZE, SIZE))), MASKS)[list(MASKS)]
    assert (shares > 0).to_numpy().all()
    assert (shares.sum(axis=1) < 1).all()
    inside = maps(RNG.random((3, SIZE, SIZE)) * sum(MASKS.values()))
    assert measure_maps(inside, MASKS)[list(MASKS)].sum(axis=1).to_numpy() == pytest.approx(1)


def test_a_mirrored_map_swaps_left_and_right_and_changes_no_measure():
    array = RNG.random((4, SIZE, SIZE))
    one, other = (measure_maps(maps(a), MASKS) for a in (array, array[:, :, ::-1]))
    for part in SIDED:
        assert one[f"{part}_left"].to_numpy() == pytest.approx(other[f"{part}_right"].to_numpy())
    assert one[list(MEASURES)].to_numpy() == pytest.approx(other[list(MEASURES)].to_numpy())


def test_one_side_alone_is_one_and_equal_sides_are_zero():
    array = np.stack([MASKS["corner_left"], MASKS["corner_left"] + MASKS["corner_right"]])
    table = measure_maps(maps(array), MASKS)
    assert table["corner_sides"].tolist() == [1, 0]
    assert table["cheek_sides"].isna().all()  # nothing on either cheek is no evenness


@pytest.mark.parametrize(
    ("region", "height"), [("brow_left", 1), ("lid_right", 1), ("jaw", -1), ("cheek_left", 0)]
)
def test_height_sets_brows_and_lids_against_the_jaw(region, height):
    assert measure_maps(maps(MASKS[region][None]), MASKS)["height"][0] == height


@pytest.mark.parametrize(
    ("region", "sign"), [("brow_left", 1), ("lid_right", 1), ("jaw", -1), ("cheek_left", 0)]
)
def test_an_even_map_has_no_tilt_however_large_the_regions_are(region, sign):
    even = np.ones((1, SIZE, SIZE))
    assert measure_maps(maps(even), MASKS)["tilt"][0] == pytest.approx(0)
    assert np.sign(measure_maps(maps(even + MASKS[region]), MASKS)["tilt"][0].round(9)) == sign


def test_a_blank_map_has_no_measure_and_a_wrong_prediction_is_said():
    table = measure_maps(maps(np.zeros((1, SIZE, SIZE)), "Surprise"), MASKS)
    assert table[[*MEASURES, "tilt"]].isna().to_numpy().all()
    assert table["correct"].tolist() == [False]


def test_a_map_may_have_masks_of_its_own():
    array = RNG.random((2, SIZE, SIZE))
    flipped = {name: np.stack([mask, mask[:, ::-1]]) for name, mask in MASKS.items()}
    table, plain = measure_maps(maps(array), flipped), measure_maps(maps(array), MASKS)
    assert table["brow_left"].tolist() == pytest.approx([plain["brow_left"][0], plain["brow_right"][1]])


def test_the_input_is_measured_clip_by_clip_in_the_cells_of_the_maps():
    images = np.zeros((3, 3, SIZE, SIZE), np.float32)
    images[0, 2, :4, :4] = images[2, 2, -4:, -4:] = 1  # one cell of five a side
    clips = SimpleNamespace(table=pd.DataFrame({"clip_id": ["c1", "other", "c0"]}))
    seen = input_maps(maps(np.ones((2, SIZE, SIZE))), images, clips)
    assert [np.unravel_index(one.argmax(), one.shape)[0] < SIZE / 2 for one in seen.array] == [False, True]
    assert (seen.array.max(axis=(1, 2)) > 0.99).all()
    assert seen.side == 5


def test_the_ethnic_branch_has_maps_of_its_own_where_there_is_one():
    images = RNG.random((2, 3, 28, 28), dtype=np.float32)
    two = build_network("dual_motion")
    maps = {branch: grad_cam(two, images, "layer2", branch) for branch in ("emotion", "ethnic")}
    assert maps["ethnic"].shape == (2, 28, 28)
    assert not np.allclose(maps["ethnic"], maps["emotion"])
    two.ethnic, two.ethnic_head = two.emotion, two.emotion_head  # the same weights look at the same places
    assert np.array_equal(grad_cam(two, images, "layer2", "ethnic"), maps["emotion"])
    with pytest.raises(StudyError, match="branch='ethnic' is unknown; allowed: emotion"):
        grad_cam(build_network("resnet18"), images, "layer2", "ethnic")
