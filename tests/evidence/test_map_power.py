"""How often the maps' claims are found: whom a study draws, what its rules say of made-up maps, what is recorded."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import map_groups, map_power, map_runs
from ethnicmer_lib.evidence.atlas import Cell
from ethnicmer_lib.evidence.map_runs import TRAINED
from ethnicmer_lib.evidence.map_trust import STRAIN
from ethnicmer_lib.evidence.regions import clip_regions, simulated_crops
from ethnicmer_lib.networks import Recipe
from ethnicmer_lib.networks.maps import MEASURES, TILT, Maps, measure_maps
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.store import Provenance, recording

SMALL = Cell(strength=0.5, confounding=0.0, subjects=20)


def subjects(truth: Cell, times: int = 2) -> pd.DataFrame:
    """Some times as many subjects as a study of a truth has."""
    rows = [
        (f"{database}{group}{i}", database, group)
        for (database, group), n in truth.sizes().items()
        for i in range(times * n)
    ]
    return pd.DataFrame(rows, columns=["subject", "database", "group"])


def made_up(who: pd.DataFrame, shift: float) -> pd.DataFrame:
    """Maps of three clips a label of every subject, all measures of group B further by ``shift``, the noise 1."""
    rng = np.random.default_rng(1)
    clips = who.loc[who.index.repeat(6)].assign(label=["Positive", "Surprise"] * (3 * len(who)))
    clips["clip_id"] = [f"c{i}" for i in range(len(clips))]
    noise = rng.normal(size=(len(clips), len(MEASURES))) + shift * (clips["group"] == "B").to_numpy()[:, None]
    clips[list(MEASURES)] = noise
    still = clips.assign(of=STRAIN, **dict(zip(MEASURES, rng.normal(size=(4, len(clips))), strict=True)))
    return pd.concat([clips.assign(of=TRAINED), still], ignore_index=True)


@pytest.mark.parametrize("strength", [0.0, 0.5])
@pytest.mark.parametrize("confounding", [0.0, 1.0])
def test_a_study_has_the_real_cells_and_deals_groups_only_where_none_is_planted(strength, confounding):
    truth = Cell(strength, confounding, subjects=20)
    who = subjects(truth)
    own, dealt = who.set_index("subject"), []
    for study in range(20):
        group = map_power.drawn(who, truth, np.random.default_rng([0, study]))
        found = own.loc[list(group)].assign(group=list(group.values()))
        assert found.groupby(["database", "group"]).size().to_dict() == {
            k: n for k, n in truth.sizes().items() if n
        }
        dealt.append((found["group"] == own.loc[found.index, "group"]).all())
    assert all(dealt) == bool(strength)


def test_too_few_subjects_are_named():
    who = subjects(SMALL, times=1)
    with pytest.raises(StudyError, match=r"needs \d+ subjects of group B in CASME II, the cohorts have 0"):
        map_power.drawn(who[who["group"] == "A"], SMALL, np.random.default_rng(0))


def test_the_rules_claim_what_is_there_and_not_what_is_not():
    who = subjects(SMALL)
    said = map_power.studies(made_up(who, 3.0), who, SMALL, n=4).set_index(["by", "rule"])
    assert said.loc[("maps", "map_sides"), "claimed"].all()  # B is more one-sided
    assert said.loc[("maps", "map_size"), "opposite"].all()  # and larger, where the paper says smaller
    assert said.loc["maps", "p"].max() < 0.01
    assert not said.loc["input", ["claimed", "opposite"]].any(axis=None)


def test_where_groups_mean_nothing_one_test_in_twenty_is_small():
    nothing = Cell(0.0, 0.0, subjects=20)
    who = subjects(nothing)
    said = map_power.studies(made_up(who, 0.0), who, nothing, n=40)
    alarms = (said["p"] <= 0.05).groupby([said["by"], said["rule"]]).mean()
    assert alarms.mean() == pytest.approx(0.05, abs=0.03)


def test_a_label_that_too_few_show_claims_nothing():
    who = subjects(SMALL)
    maps = made_up(who, 3.0).query("label == 'Surprise' or group == 'A'")
    said = map_power.studies(maps, who, SMALL, n=2).set_index("rule")
    assert said.loc[["map_sides", "map_size"], "value"].isna().all()
    assert not said.loc[["map_sides", "map_size"], ["claimed", "opposite"]].any(axis=None)


def test_maps_of_a_cohort_with_and_without_an_effect(workspace, monkeypatch):
    monkeypatch.setenv("ETHNICMER_ENGINE", "serial")
    monkeypatch.setattr(map_runs, "DRAWS", 1)
    tiny, about = SimulatorSettings(size="tiny", seed=map_power.SEED), (2, Recipe(epochs=1), "none")
    of = Provenance("a tiny cohort", True, "")
    nothing, who, _ = map_power.cohort_maps(tiny, Cell(0.0, 0.0), *about, of)
    planted, *_ = map_power.cohort_maps(tiny, Cell(1.0, 0.0), *about, of)
    trained = nothing[nothing["of"] == TRAINED]
    assert set(planted["of"]) == {TRAINED, STRAIN} < set(nothing["of"])
    assert (nothing.groupby("of")["clip_id"].agg(set) == set(trained["clip_id"])).all()
    assert set(planted["clip_id"]) == set(trained["clip_id"])
    assert set(nothing["subject"]) <= set(who["subject"])
    assert (trained[map_power.MOVED].max(axis=1) > 0).mean() > 0.9
    assert (
        trained[[f"{way}_{by}" for way in ("drop", "alone") for by in map_power.DELETED_BY]]
        .notna()
        .any()
        .all()
    )
    assert not set(map_power.MOVED) & set(planted)
    moved = planted.query("of == @STRAIN").set_index("clip_id")["corner_sides"]
    still = nothing.query("of == @STRAIN").set_index("clip_id")["corner_sides"]
    assert (moved[still.index] != still).any()


def test_a_recorded_study_is_what_its_maps_give_today():
    real = recording("map_power")
    asked, maps, kept = real.parameters, real.table("maps"), real.table("studies")
    truth = Cell(max(asked["strengths"]), max(asked["confoundings"]), subjects=asked["subjects"])
    of = "strength == @truth.strength and confounding == @truth.confounding"
    who = real.table("subjects").query(of)
    found = map_power.studies(maps.query(of), who, truth, 3, asked["seed"])
    before = kept.query(of + " and study < 3").reset_index(drop=True)
    pd.testing.assert_frame_equal(found[before.columns], before, check_dtype=False, rtol=1e-4)


def test_the_tilt_of_recorded_shares_is_that_of_the_maps():
    maps = Maps(np.random.default_rng(1).random((6, 28, 28)), subjects(SMALL).head(6).assign(
        clip_id=[f"c{i}" for i in range(6)], label="Surprise", predicted="Surprise"), 7)  # fmt: skip
    crops = simulated_crops(SimulatorSettings())
    measured = measure_maps(maps, clip_regions(maps.table, 28, crops))
    found = map_power.with_tilt(measured.drop(columns=TILT), "full")
    assert found[TILT].to_numpy() == pytest.approx(measured[TILT].to_numpy())


@pytest.mark.parametrize(
    ("tilt", "claimed", "opposite"), [(1.0, True, False), (-1.0, False, True), (0.0, False, False)]
)
def test_studies_of_tilts_find_what_is_there(tilt, claimed, opposite):
    who = subjects(SMALL)
    maps = made_up(who, 0.0).query("label == 'Surprise'")
    noise = 0.2 * np.random.default_rng(2).standard_normal(len(maps))
    maps = maps.assign(tilt=np.where(maps["group"] == "A", tilt, -tilt) + noise)
    found = map_power.tilt_studies(maps, who, SMALL, n=4)
    assert found.groupby("rule").size().to_dict().keys() == map_groups.WITHIN.keys()
    assert found["claimed"].mean() == claimed
    assert found["opposite"].mean() == opposite


def test_a_recorded_study_of_tilts_is_what_its_maps_give_today():
    real = recording("map_power")
    table = map_power.with_tilt(real.table("maps"), real.parameters["size"])
    truth = Cell(max(real.parameters["strengths"]), max(real.parameters["confoundings"]))
    found = map_power.tilt_studies(*map_power._of(real, table, truth), truth, 3)
    of = "strength == @truth.strength and confounding == @truth.confounding and study < 3"
    before = real.table("tilts").query(of).reset_index(drop=True)
    pd.testing.assert_frame_equal(found[before.columns], before, check_dtype=False, rtol=1e-4)
