"""Grad-CAM maps of held-out clips, their measures, and what is said about them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ethnicmer_lib.clips.table import LABELS, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import activation, map_side
from ethnicmer_lib.networks import maps as gradcam
from ethnicmer_lib.networks.models import build_model
from ethnicmer_lib.publish.old_parameters import ActivationMaps

SETTINGS = ActivationMaps(epochs=1, batch_size=4, image_size=64, folds=2)


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_model("resnet18").eval()


def noise(n: int, size: int = 64) -> np.ndarray:
    return np.random.default_rng(0).random((n, 3, size, size)).astype(np.float32)


@pytest.mark.parametrize("layer", ["layer3", "layer4"])
def test_maps_are_between_0_and_1_reproducible_and_depend_on_the_class(layer):
    model, images = network(), noise(3)
    maps = gradcam.class_activation_maps(model, images, [0, 1, 2], layer)
    assert maps.shape == (3, 64, 64)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps.max() <= 1
    assert np.array_equal(maps, gradcam.class_activation_maps(model, images, [0, 1, 2], layer))
    assert not np.allclose(maps, gradcam.class_activation_maps(model, images, [1, 2, 0], layer))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_map_is_the_weighted_sum_of_the_stage():
    model, images = network(), noise(1)
    stages = []
    handle = model.emotion.layer4.register_forward_hook(lambda module, given, out: stages.append(out))
    logits = model(torch.from_numpy(images)).emotion
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[0, 2], stages[0])
    cells = torch.relu((gradient.mean(dim=(2, 3), keepdim=True) * stages[0]).sum(1))[0].detach().numpy()
    found = gradcam.class_activation_maps(model, images, [2])[0]
    assert cells.shape == (2, 2)
    # The corners of the enlarged map are the cells, stretched to [0, 1].
    corners = found[np.ix_([0, -1], [0, -1])]
    low, high = cells.min(), cells.max()
    assert high > low
    assert np.allclose(corners, (cells - low) / (high - low), atol=1e-4)


def test_weights_are_not_changed_by_looking():
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradcam.class_activation_maps(model, noise(2), [0, 1])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("layer", "size", "side"), [("layer4", 112, 4), ("layer3", 112, 7), ("layer3", 28, 2)]
)
def test_cells_of_a_map(layer, size, side):
    assert map_side.map_side(layer, size) == side
    stages = []
    model = network()
    getattr(model.emotion, layer).register_forward_hook(
        lambda module, given, out: stages.append(out.shape[-1])
    )
    model(torch.zeros(1, 3, size, size))
    assert stages == [side]


def test_a_map_of_one_cell_is_refused():
    with pytest.raises(StudyError, match=r"layer4 sees an image of 32 px as a single cell.*layer3"):
        gradcam.class_activation_maps(network(), noise(1, 32), [0])
    with pytest.raises(StudyError, match=r"layer5.*layer3, layer4"):
        gradcam.class_activation_maps(network(), noise(1), [0], "layer5")
    with pytest.raises(StudyError, match="one target per image"):
        gradcam.class_activation_maps(network(), noise(2), [0])


def test_measures_of_known_maps():
    maps = np.zeros((5, 8, 10), np.float32)
    maps[0] = 1
    maps[1, :, :5] = 1
    maps[2, 4:, :] = 0.5
    maps[3, 0, 9] = 1
    found = activation.measures(maps)
    assert found["left_share"][:4].tolist() == [0.5, 1, 0.5, 0]
    assert found["lower_share"][:4].tolist() == [0.5, 0.5, 1, 0]
    assert found["asymmetry"][:4].tolist() == [0, 1, 0, 1]
    assert np.allclose(found["area"][:4], [1, 0.5, 0.5, 1 / 80])
    assert all(np.isnan(column[4]) for column in found.values())


@given(hnp.arrays(np.float32, (2, 7, 9), elements=st.floats(0, 1, width=32)))
@settings(deadline=None, max_examples=40)
def test_mirroring_swaps_the_sides_and_nothing_else(maps):
    found, mirrored = activation.measures(maps), activation.measures(maps[:, :, ::-1])
    assert np.allclose(found["left_share"], 1 - mirrored["left_share"], equal_nan=True)
    for name in ("asymmetry", "lower_share", "area"):
        assert np.allclose(found[name], mirrored[name], equal_nan=True)
        kept = found[name][np.isfinite(found[name])]
        assert ((kept >= -1e-9) & (kept <= 1 + 1e-9)).all()


def clips(first: str = "A", second: str = "B") -> pd.DataFrame:
    rows = [(f"s{s}", first if s < 3 else second, label) for s in range(6) for label in LABELS]
    table = pd.DataFrame(rows, columns=["subject", "group", "label"])
    names = [f"SAMM/{row.subject}/c{i}" for i, row in enumerate(table.itertuples())]
    return table.assign(clip_id=names, database="SAMM")


def small_study(monkeypatch, table: pd.DataFrame, simulated: bool = True) -> SimpleNamespace:
    cohort = SimpleNamespace(
        clips=table, provenance=Provenance("test clips", simulated, "f" * 16), has_frames=True
    )
    seen = SimpleNamespace(cohort=cohort, motion=noise(len(table)), trained=0)
    monkeypatch.setattr(activation, "open_cohort", lambda p, progress: cohort)
    monkeypatch.setattr(activation, "motion_images", lambda *args: seen.motion)
    real = gradcam.train_fold

    def counted(*args, **options):
        seen.trained += 1
        return real(*args, **options)

    monkeypatch.setattr(gradcam, "train_fold", counted)
    return seen


def test_the_chapter_maps_every_held_out_clip_once_and_only_once(workspace, monkeypatch):
    study = small_study(monkeypatch, clips())
    result = activation.compute(SETTINGS)
    wanted = clips()[clips()["label"] != "Negative"]
    assert result.table["clip_id"].tolist() == wanted["clip_id"].tolist()
    assert result.maps.shape == (12, 64, 64)
    assert result.groups == ("A", "B")
    assert result.map_side == 2
    assert (result.table["correct"] == (result.table["predicted"] == result.table["label"])).all()
    assert len(result.means) == 2 * 2 * 4
    assert len(result.differences) == 2 * 4
    assert result.counts() == {(label, group): 3 for label in LABELS[1:] for group in "AB"}
    assert all(m.min() >= 0 and m.max() <= 1 for m in result.mean_maps().values())
    assert study.trained == 2
    verdicts = {finding.verdict for finding in result.findings()}
    assert verdicts == {"cannot be tested here"}
    assert all("simulated" in finding.reason for finding in result.findings())

    # A fold whose maps are lost is trained again, to the same maps; nothing else is.
    (result.runs[0].path / "fold001-maps.npy").unlink()
    (result.runs[0].path / "maps.npy").unlink()
    again = activation.compute(SETTINGS)
    assert study.trained == 3
    assert np.array_equal(again.maps, result.maps)
    pd.testing.assert_frame_equal(again.table, result.table)
    pd.testing.assert_frame_equal(again.differences, result.differences)


def scored(maps: np.ndarray, table: pd.DataFrame, simulated: bool = False) -> activation.ActivationResult:
    table = table.assign(predicted=table["label"])
    return activation.score(SETTINGS, Provenance("test clips", simulated, "0" * 16), maps, table, [])


def built_in(table: pd.DataFrame, one_sided: str) -> np.ndarray:
    """Maps on the left only, small and low for one group; on both sides, large and high for the other."""
    rng = np.random.default_rng(2)
    maps = np.zeros((len(table), 20, 20), np.float32)
    for row, group in zip(maps, table["group"], strict=True):
        if group == one_sided:
            row[12:18, 2:8] = 1
        else:
            row[2:10, 2:18] = 1
        row += 0.05 * rng.random((20, 20)).astype(np.float32)
    return maps


@pytest.mark.parametrize(("one_sided", "verdict"), [("Non-Asian", "reproduced"), ("Asian", "contradicted")])
def test_an_effect_that_is_there_is_found_with_its_sign(one_sided, verdict):
    table = clips("Non-Asian", "Asian").query("label != 'Negative'").reset_index(drop=True)
    result = scored(built_in(table, one_sided), table)
    assert result.groups == ("Non-Asian", "Asian")
    assert {finding.verdict for finding in result.findings()} == {verdict}
    claimed = result.differences[result.differences["claimed"] != 0]
    assert len(claimed) == 3
    # Three against three subjects: 2 of the 20 splits are as extreme as this one.
    assert (abs(claimed["p"] - 0.1) < 0.03).all()


def test_noise_is_not_supported_and_other_groups_cannot_be_tested():
    table = clips("Non-Asian", "Asian").query("label != 'Negative'").reset_index(drop=True)
    maps = np.random.default_rng(0).random((len(table), 20, 20)).astype(np.float32)
    maps[::2] = maps[1::2]  # equal within pairs of labels, unequal between subjects by chance only
    assert "reproduced" not in {finding.verdict for finding in scored(maps, table).findings()[1:2]}
    other = table.assign(group=table["group"].map({"Asian": "north", "Non-Asian": "south"}))
    found = scored(maps, other).findings()
    assert {finding.verdict for finding in found} == {"cannot be tested here"}
    assert "not the paper's" in found[0].reason


def test_blank_maps_and_single_subjects_are_counted_not_hidden():
    table = clips("Non-Asian", "Asian").query("label != 'Negative'").reset_index(drop=True)
    maps = built_in(table, "Asian")
    lonely = (table["label"] == "Positive") & (table["group"] == "Asian") & (table["subject"] != "s3")
    maps[lonely] = 0
    result = scored(maps, table)
    row = result.means.set_index(["label", "group", "measure"]).loc[("Positive", "Asian", "area")]
    assert (row["clips"], row["subjects"], row["blank"]) == (1, 1, 2)
    assert np.isnan(row["low"])
    positive, _, surprise = result.findings()
    assert positive.verdict == "cannot be tested here"
    assert positive.estimate is None
    assert "fewer than two subjects" in positive.reason
    assert surprise.verdict == "contradicted"


def test_one_group_only_is_refused():
    table = clips("A", "A").query("label != 'Negative'").reset_index(drop=True)
    with pytest.raises(StudyError, match="two groups"):
        scored(built_in(table, "A"), table)


def test_too_small_an_image_is_refused_before_anything_is_computed():
    with pytest.raises(StudyError, match="single cell"):
        activation.compute(ActivationMaps(image_size=28))
