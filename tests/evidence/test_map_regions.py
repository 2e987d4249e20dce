"""Regions of the face, the claims on maps by group, and what the measures see of a planted effect."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import map_groups, map_truth, regions
from ethnicmer_lib.evidence.true_strain import part_px, true_strain
from ethnicmer_lib.motion import motion_images
from ethnicmer_lib.networks.maps import MEASURES, SIDED
from ethnicmer_lib.paper import judge
from ethnicmer_lib.simulator.recording import LOOKS, recording
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.sources import open_clips
from ethnicmer_lib.store import Provenance

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def here(workspace):
    pass


@pytest.mark.parametrize("database", LOOKS)
@pytest.mark.parametrize("size", [112, 28, 7])
def test_regions_are_disjoint_and_mirror_images_of_each_other(database, size):
    masks = regions.au_regions(size, recording(database, 1.0))
    assert list(masks) == list(regions.REGIONS)
    assert sum(masks.values()).max() <= 1 + 1e-6
    assert all(mask.sum() > 0 for mask in masks.values())
    for part in SIDED:
        left, right = masks[f"{part}_left"], masks[f"{part}_right"]
        assert np.abs(left - right[:, ::-1]).sum() < 0.02 * left.sum()  # the mesh is all but symmetric
        assert left[:, : size // 2].sum() < 0.02 * left.sum()  # the subject's left is the right of the image


def test_regions_lie_from_brows_to_jaw_and_cover_as_much_at_every_size():
    large, small = regions.au_regions(168), regions.au_regions(14)
    rows = [(large[name].sum(axis=1) @ np.arange(168)) / large[name].sum() for name in large]
    heights = dict(zip(large, rows, strict=True))
    assert (
        heights["brow_left"]
        < heights["lid_left"]
        < heights["cheek_left"]
        < heights["corner_left"]
        < heights["jaw"]
    )
    for name in large:
        assert small[name].mean() == pytest.approx(large[name].mean(), rel=1e-3)
    with pytest.raises(StudyError, match="0 px"):
        regions.au_regions(0)


def test_every_clip_gets_the_crop_of_its_database():
    table = pd.DataFrame({"database": ["SAMM", "CASME II", "SAMM"]})
    apart = regions.clip_regions(table, 28, LOOKS)
    assert (apart["jaw"][0] == apart["jaw"][2]).all()
    assert (apart["jaw"][0] != apart["jaw"][1]).any()
    alike = regions.clip_regions(table, 28, regions.simulated_crops(SimulatorSettings(database_shift=0)))
    assert (alike["jaw"][0] == alike["jaw"][1]).all()

    with pytest.raises(StudyError, match="SMIC"):
        regions.clip_regions(table.replace("SAMM", "SMIC"), 28, LOOKS)


def test_clips_say_how_they_are_framed(tiny):
    real = {"provenance": Provenance("real", False, "1")}
    assert regions.crops_of(SimpleNamespace(**real, has_frames=True)) == LOOKS
    assert set(regions.crops_of(SimpleNamespace(**real, has_frames=False)).values()) == {regions.PUBLISHED}
    assert regions.crops_of(tiny) == regions.simulated_crops(SimulatorSettings(size="tiny"))


def test_the_published_crop_puts_coded_strain_into_its_regions(shared):
    """Of CASME II, whose frames are wider: strain where AU1, AU2 and AU12 are coded, less that of other clips."""
    clips = open_clips({"kind": "flow", "folder": str(shared / "flow_features")})
    rows = (clips.table["database"] == "CASME II").to_numpy()
    strain = motion_images(clips, size=28, progress=False)[rows, 2]
    codes = clips.table.loc[rows, "action_units"]
    gains = {}
    for name, crop in {"published": regions.PUBLISHED, "frames": LOOKS["CASME II"]}.items():
        masks, gains[name] = regions.au_regions(28, crop), 0.0
        for part, unit in (("brow", r"\b[LR]?[12]\b"), ("corner", r"\b[LR]?12\b")):
            mask, coded = masks[f"{part}_left"] + masks[f"{part}_right"], codes.str.contains(unit).to_numpy()
            inside = (strain * mask).sum(axis=(1, 2)) / mask.sum()
            gains[name] += float(inside[coded].mean() - inside[~coded].mean())
    assert gains["published"] > 1.2 * gains["frames"] > 0


def measured(groups: tuple[str, str], first_higher: float) -> pd.DataFrame:
    """Ten subjects a group with three clips a label; the first named group has each measure higher by so much."""
    rows = [
        {"subject": f"{group}{s}", "group": group, "label": label}
        | {name: RNG.normal(first_higher * (group == groups[0]), 0.1) for name in MEASURES}
        for group in groups
        for s in range(10)
        for label in ("Positive", "Surprise")
        for _ in range(3)
    ]
    return pd.DataFrame(rows)


def claims_of(groups, first_higher, of, seeds=5):
    table = measured(groups, first_higher)
    tested = map_groups.map_differences({"maps": table, "input": table})
    about, claims = map_groups.map_claims(table, tested)
    words = {key: (value, given | {"seeds": seeds}) for key, (value, given) in claims.items()}
    return judge("activation_maps", of, about=about | {"layer": "layer3"}, **words)


REAL = Provenance("published flow", False, "1")
PLANTED = Provenance("simulated cohort (seed 1, action_unit_effect=1)", True, "2")


@pytest.mark.parametrize("groups", map_groups.PAIRS)
def test_groups_are_ordered_by_name_whatever_the_order_of_rows(groups):
    for table in (measured(groups, 0), measured(groups[::-1], 0)):
        assert map_groups.first_and_second(table) == groups
    tested = map_groups.map_differences({"maps": measured(groups, 0.5)})
    assert (tested["difference"].map(lambda one: one.low) > 0).all()  # first minus second
    assert tested["p_holm"].max() < 0.05


@pytest.mark.parametrize(
    ("higher", "verdicts"),
    [
        (0.5, {"map_sides": "reproduced", "map_size": "contradicted", "map_height": "contradicted"}),
        (-0.5, {"map_sides": "contradicted", "map_size": "reproduced", "map_height": "reproduced"}),
        (0.0, dict.fromkeys(map_groups.CLAIMS, "not supported")),
    ],
)
def test_every_claim_on_maps_can_get_every_verdict(higher, verdicts):
    found = claims_of(("Non-Asian", "Asian"), higher, REAL)
    assert {one.key: one.verdict for one in found} == verdicts
    assert "over the 16 tests of its table" in found[0].answer


def test_one_training_run_decides_nothing_and_what_is_planted_is_said():
    assert {one.verdict for one in claims_of(("Non-Asian", "Asian"), 0.5, REAL, seeds=1)} == {
        "cannot be tested here"
    }
    found = {one.key: one for one in claims_of(("B", "A"), 0.5, PLANTED)}
    assert {key: one.verdict for key, one in found.items()} == {
        "map_sides": "hit",
        "map_size": "miss",
        "map_height": "miss",
    }
    assert "a difference of Action Units of strength 1" in found["map_sides"].reason
    assert "No group difference is built in" not in found["map_sides"].reason


def test_a_group_of_one_subject_says_why_nothing_is_judged():
    table = measured(("B", "A"), 0).query("group == 'A' or subject == 'B0'")
    _, claims = map_groups.map_claims(table, map_groups.map_differences({"maps": table}))
    assert claims["map_sides"] == "The cohort has Positive maps of fewer than two subjects in B or in A"


def tilted(groups, lower, upper, seeds=5):
    """Surprise maps of both groups with a given tilt, and noise by subject, clip and run."""
    rng, rows = np.random.default_rng(3), []
    for group, tilt in zip(groups, (lower, upper), strict=True):
        for number in range(10):
            own = tilt + 0.1 * rng.normal()
            about = {"group": group, "subject": f"{group}{number}", "label": "Surprise"}
            rows += [
                about | {"clip_id": f"{group}{number}{clip}", "seed": seed, "tilt": own + 0.1 * rng.normal()}
                for clip in range(3)
                for seed in range(seeds)
            ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("tilt", "verdicts"),
    [
        ((-0.5, 0.5), ["reproduced", "reproduced"]),
        ((0.5, -0.5), ["contradicted", "contradicted"]),
        ((0.0, 0.0), ["not supported", "not supported"]),
    ],
)
def test_every_claim_within_a_group_can_get_every_verdict(tilt, verdicts):
    table = tilted(("Non-Asian", "Asian"), *tilt)
    tested = map_groups.tilts({"maps": table, "input": table.query("seed == 0").drop(columns="seed")})
    assert tested["of"].tolist() == ["maps", "maps", "input", "input"]
    assert (tested["p_holm"] >= tested["p"]).all()
    about = {"first": "Non-Asian", "second": "Asian", "layer": "layer1"}
    found = judge("activation_maps", REAL, about=about, **map_groups.within_claims(table, tested))
    assert [one.verdict for one in found] == verdicts
    assert "30 Surprise clips of 10 subjects annotated Non-Asian" in found[0].answer
    assert "over 2 tests" in found[0].answer
    assert "The same of: input" in found[0].answer
    once = judge(
        "activation_maps",
        REAL,
        about=about,
        **map_groups.within_claims(table.query("seed == 0"), tested),
    )
    assert {one.verdict for one in once} == {"cannot be tested here"}


def test_no_simulated_cohort_decides_where_one_group_moves_and_one_subject_says_nothing():
    table = tilted(("B", "A"), -0.5, 0.5)
    about = {"first": "B", "second": "A", "layer": "layer1"}
    found = judge(
        "activation_maps",
        PLANTED,
        about=about,
        **map_groups.within_claims(table, map_groups.tilts({"maps": table})),
    )
    assert {one.verdict for one in found} == {"cannot be tested here"}
    alone = table[(table["group"] == "A") | (table["subject"] == "B0")]
    tested = map_groups.tilts({"maps": alone})
    assert tested["p"].isna().tolist() == [True, False]
    claims = map_groups.within_claims(alone, tested)
    assert claims["map_lower"] == "The cohort has Surprise maps of fewer than two subjects in B"


def test_true_strain_knows_what_moved_and_the_height_of_surprise_sees_what_is_planted():
    settings = SimulatorSettings(size="tiny", action_unit_effect=1, without=("head", "lids"))
    strains = true_strain(settings, 56, progress=False)
    surprise = strains[strains["label"] == "Surprise"]
    assert (surprise.loc[surprise["group"] == "B", "jaw_px"] > 0).all()
    assert (surprise.loc[surprise["group"] == "A", "brow_px"] > 0).all()
    table = map_truth.measured_truth(strains, settings, 7)
    height = table[table["label"] == "Surprise"].groupby("group")["height"].mean()
    assert height["A"] > 0 > height["B"]
    point = map_truth.pointed(table)
    assert point["clips"] == len(table)
    assert point["beyond"].low > 0
    assert point["beyond"].value == pytest.approx(point["hits"].value - point["exchanged"].value)
    assert point["mass_beyond"].low > 0


def test_a_part_moves_as_far_as_the_furthest_of_its_units_and_sides():
    moved = part_px({1: (0.5, 0.2), 2: (0.1, 0.9), 26: (2.0, 2.0), 4: (9.0, 9.0)})
    assert moved == {"brow_px": 0.9, "lid_px": 0.0, "cheek_px": 0.0, "corner_px": 0.0, "jaw_px": 2.0}


def test_pointing_by_chance_is_what_exchanged_maps_would_hit():
    flat = {name: mask.mean() for name, mask in regions.au_regions(112).items()}
    table = pd.DataFrame([flat] * 4).assign(subject=list("abcd"), **part_px({26: (1.0, 1.0)}))
    table["corner_left"] *= 3  # all maps point to the lip corners
    table["corner_px"] = [2.0, 0.0, 2.0, 0.0]
    point = map_truth.pointed(table)
    assert (point["hits"].value, point["exchanged"].value) == (0.5, 0.5)
    assert point["beyond"].value == point["mass_beyond"].value == 0
    assert point["beyond"] == pytest.approx((0, 0, 0))  # every map is alike, whoever is drawn


def test_what_points_better_is_told_on_the_clips_that_both_have():
    flat = {name: mask.mean() for name, mask in regions.au_regions(112).items()}
    table = pd.DataFrame([flat] * 12).assign(subject=list("abcdefabcdef"), **part_px({26: (1.0, 1.0)}))
    table["clip_id"] = [f"c{i}" for i in range(12)]
    right, wrong = table.assign(jaw=3 * flat["jaw"]), table.assign(corner_left=3 * flat["corner_left"])
    found = map_truth.pointed_apart(right, wrong.head(10))
    assert found["clips"] == 10
    assert found["hits"] == pytest.approx((1, 1, 1))
    assert found["mass"].value == pytest.approx(2 * flat["jaw"])
    assert map_truth.pointed_apart(wrong, right)["hits"].value == -1
