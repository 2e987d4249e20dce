"""The atlas: drawn studies are what the simulator would make, every rule can go both ways, a cell is computed again."""

import json
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import pytest
from checkout import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import atlas, atlas_networks, atlas_pool, atlas_runs, atlas_shown, pool
from ethnicmer_lib.evidence.atlas import OURS, PAPER, Cell
from ethnicmer_lib.evidence.comparison import clip_image
from ethnicmer_lib.networks import Recipe
from ethnicmer_lib.networks.maps import MEASURES
from ethnicmer_lib.simulator.protocol import plan_cohort
from ethnicmer_lib.simulator.scene import measure
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.store import recording

FULL = SimulatorSettings(seed=7)


@pytest.fixture(scope="module")
def made():
    """Every version of every clip of a cohort of the real roster, without motion."""
    return pool.versions(FULL, None, jobs=1)


@pytest.fixture(scope="module")
def clips(made):
    return pool.pooled(made)


HALF = {(CASME2, "A"): 6, (CASME2, "B"): 2, (SAMM, "A"): 3, (SAMM, "B"): 5}


@settings(deadline=None, max_examples=20)
@given(strength=st.floats(0, 1), number=st.integers(0, 99))
def test_a_study_is_whole_subjects_of_one_group_each_in_the_cells_that_were_asked(clips, strength, number):
    study = pool.draw_study(clips, HALF, strength, 3, number)
    groups = study.groupby("subject")["group"].nunique()
    assert (groups == 1).all()
    people = study.drop_duplicates("subject")
    assert people.groupby(["database", "group"]).size().to_dict() == HALF
    whole = clips["subject"].isin(people["subject"])
    assert sorted(study["clip_id"]) == sorted(clips.loc[whole, "clip_id"])
    assert study.equals(pool.draw_study(clips, HALF, strength, 3, number))


def test_strength_zero_plants_nothing_and_more_strength_only_adds(clips, made):
    studies = [pool.draw_study(clips, HALF, strength, 0, 1) for strength in (0.0, 0.3, 1.0)]
    none, some, every = (set(made["version"].iloc[one["row"]]) for one in studies)
    assert none == {pool.NONE}
    assert some <= every == set(pool.VERSIONS)
    assert not studies[0]["planted"].any()
    assert studies[2]["planted"].all()
    assert (studies[1]["planted"] <= studies[2]["planted"]).all()
    assert all(one[["clip_id", "group"]].equals(studies[0][["clip_id", "group"]]) for one in studies)


@settings(deadline=None, max_examples=10)
@given(negative=st.floats(0.2, 0.8), number=st.integers(0, 99))
def test_a_study_of_another_class_balance_leaves_clips_out_and_changes_nothing_else(clips, negative, number):
    whole = pool.draw_study(clips, HALF, 0.5, 3, number).set_index("clip_id")
    study = pool.draw_study(clips, HALF, 0.5, 3, number, negative).set_index("clip_id")
    assert study.equals(whole.loc[whole.index.isin(study.index)])
    is_negative = study["label"] == "Negative"
    for group, part in is_negative.groupby(study["group"]):
        assert part.mean() == pytest.approx(negative, abs=1 / len(part))
        before = whole.loc[whole["group"] == group, "label"].eq("Negative")
        assert (
            part.sum() >= before.sum() - 1 or (~part).sum() >= (~before).sum() - 1
        )  # no more than had to go


def test_groups_differ_by_number_and_not_by_name(clips):
    first, second = (pool.draw_study(clips, HALF, 0.0, 0, number) for number in (0, 1))
    assert not first["subject"].equals(second["subject"])


def test_confounding_is_realised():
    assert pool.real_cells(1.0).get((CASME2, "B"), 0) == 0
    even = pool.real_cells(0.0)
    shares = [even[name, "B"] / (even[name, "A"] + even[name, "B"]) for name in (CASME2, SAMM)]
    assert shares[0] == pytest.approx(shares[1], abs=0.05)
    assert sum(pool.real_cells(0.5, 31).values()) == 31


def test_a_pool_that_is_too_small_says_so(clips):
    with pytest.raises(StudyError, match=r"needs 99 subjects of SAMM and the pool has 28"):
        pool.draw_study(clips, {(SAMM, "A"): 50, (SAMM, "B"): 49})
    with pytest.raises(StudyError, match=r"shows? no group"):
        pool.versions(SimulatorSettings(texture_cue=1.0), None)


@pytest.mark.parametrize("confounding", [0.0, 1.0])
def test_whatever_cohort_the_simulator_plans_is_a_draw_of_the_pool(clips, made, confounding):
    cohort = SimulatorSettings(seed=FULL.seed, confounding=confounding, action_unit_effect=0.5)
    drawn = pool.as_rendered(clips, cohort)
    codes = made["action_units"].iloc[drawn["row"]].to_numpy()
    mine = dict(zip(drawn["clip_id"], zip(drawn["group"], codes, strict=True), strict=True))
    planned = {
        clip.clip_id: (clip.group, clip.action_unit_text) for one in plan_cohort(cohort) for clip in one.clips
    }
    assert mine == planned
    assert drawn["planted"].mean() == pytest.approx(0.5, abs=0.1)


def test_the_image_of_a_drawn_clip_is_that_of_the_rendered_one():
    asked = {"size": "tiny", "seed": 5}
    names = {"CASME II/sub02/EP02_01"}  # Surprise, group B

    def chosen(clip):
        return clip.clip_id in names

    made = pool.versions(SimulatorSettings(**asked), "dis", chosen, jobs=1)
    assert made["version"].tolist() == list(pool.VERSIONS)
    for effect in (0.0, 1.0):
        cohort = SimulatorSettings(**asked, action_unit_effect=effect)
        of = partial(clip_image, method="dis", neighbours=False)
        _, [(again, _)] = measure(cohort, of, chosen=chosen, jobs=1)
        row = pool.as_rendered(pool.pooled(made), cohort)["row"].item()
        assert np.array_equal(pool.images(made)[row], again)


def study_of(clips, made, strength, opposed=0.0, seed=0, cells=HALF):
    """A study with made-up features: the label shows, in opposed groups the other way round, and maps as planted."""
    study = pool.draw_study(clips, cells, strength, 0, seed)
    rng = np.random.default_rng(seed)
    sign = np.where(study["label"] == "Negative", 1.0, -1.0)
    sign *= np.where((study["group"] == "B") & (opposed > 0), -1.0, 1.0)
    x = rng.normal(size=(len(study), 4))
    x[:, 0] += 4 * sign
    side = np.where(study["group"] == "B", strength, -strength)
    measures = {
        name: 0.5 + 0.4 * side * direction for name, direction in zip(MEASURES, (1, 1, -1, -1), strict=True)
    }
    noise = {name: values + 0.05 * rng.normal(size=len(study)) for name, values in measures.items()}
    codes = made["action_units"].iloc[study["row"]].to_numpy()
    return x, study.assign(action_units=codes, **noise)


def said(x, study, **options):
    found = [*atlas.papers_rules(x, study), *atlas.our_rules(x, study, **options)]
    return pd.DataFrame(found).set_index(["by", "rule"])


def test_every_rule_claims_where_the_effect_is_large_and_not_where_there_is_none(clips, made):
    few = {"n_draws": 5, "resamples": 200}
    cells = {(CASME2, "A"): 12, (CASME2, "B"): 12, (SAMM, "A"): 14, (SAMM, "B"): 14}
    there = said(*study_of(clips, made, 1.0, opposed=1.0, cells=cells), **few)
    assert there.loc[PAPER, "claimed"].all()
    # The codes of the other units need more subjects than these.
    assert there.loc[(OURS, [atlas.DROP, *atlas.MAPS, "au26_surprise"]), "claimed"].all()
    none = said(*study_of(clips, made, 0.0, cells=cells), **few)
    assert not none.loc[OURS, "claimed"].any()
    assert not none.loc[(PAPER, [atlas.DROP, atlas.ALL_MAPS, atlas.ALL_UNITS]), "claimed"].any()


def test_with_the_groups_exchanged_every_difference_has_the_other_sign(clips, made):
    x, study = study_of(clips, made, 1.0)
    mirrored = study.assign(group=study["group"].map({"A": "B", "B": "A"}))
    first, second = (
        {
            one.rule: one
            for one in atlas.papers_rules(x, table)
            if one.rule not in (atlas.ALL_MAPS, atlas.ALL_UNITS)
        }
        for table in (study, mirrored)
    )
    for rule in set(first) - {atlas.DROP}:
        assert second[rule].value == pytest.approx(-first[rule].value)
        assert (second[rule].claimed, second[rule].opposite) == (first[rule].opposite, first[rule].claimed)


def test_the_smallest_strength_and_intervals_of_shares():
    assert atlas_shown.smallest([0, 0.5, 1], [0.05, 0.4, 0.9]) == pytest.approx(0.9)
    assert np.isnan(atlas_shown.smallest([0, 1], [0.05, 0.7]))
    assert atlas_shown.share(0, 100).low == 0
    low, high = atlas_shown.share(50, 1000)[1:]
    assert low < 0.05 < high < 0.07


@pytest.fixture(scope="module")
def recorded():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        found = recording("atlas")
        return found, {part: found.table(part) for part in found.parts}


def test_cohorts_that_were_rendered_as_such_equal_their_draws_from_the_pool(recorded):
    agreement = recorded[1]["agreement"]
    assert (agreement["apart"] == 0).all()
    assert agreement["planted"].any()
    assert not agreement["planted"].all()


def test_one_command_makes_all_parts_with_what_was_asked(monkeypatch):
    asked, whole = [], atlas_runs.record_atlas
    monkeypatch.setattr(atlas_runs, "record_atlas", lambda **given: asked.append(given))
    whole("typed", seed=3, n_null=7)
    assert [one["part"] for one in asked] == ["pool", "studies", "codes", "bars", "networks"]
    assert {(one["command"], one["seed"], one["n_null"]) for one in asked} == {("typed", 3, 7)}


def test_where_nothing_is_planted_both_judge_more_studies(workspace, monkeypatch):
    monkeypatch.setenv("ETHNICMER_ENGINE", "serial")
    said = [atlas.Evidence(PAPER, "a rule", 0.0, True)], [atlas.Evidence(OURS, "a rule", 0.0, False)]
    monkeypatch.setattr(atlas_runs, "unit_signs", lambda study: said[0])
    monkeypatch.setattr(atlas_runs, "unit_tests", lambda study: said[1])
    grid = [Cell(), Cell(strength=1.0), Cell(confounding=0.0), Cell(design=SAMM)]
    found = atlas_runs.studies(
        atlas_pool.coded_pool(53), grid, n_studies=3, n_ours=1, n_null=atlas_runs.BLOCK + 2, progress=False
    )
    counts = found.groupby(["strength", "confounding", "shift", "design", "by"], observed=True).size()
    null = counts.loc[[0.0], [1.0], :, ["joint"]]
    assert null.tolist() == 2 * [atlas_runs.BLOCK + 2]
    assert sorted(counts.drop(null.index)) == 3 * [1] + 3 * [3]
    rates = atlas_shown.rates(found).query("by == @OURS and rule == 'a rule'")
    assert sorted(rates["studies"]) == [1, 1, 1, atlas_runs.BLOCK + 2]


def test_a_cell_of_the_recording_is_computed_again(recorded):
    found, tables = recorded
    known = atlas_shown.at(tables["studies"], negative=0.0)
    about = {
        name: found.parts["studies"]["parameters"][name]
        for name in ("n_ours", "n_draws", "resamples", "seed")
    }
    cell = Cell(0.0, 1.0, 1.0)
    done = atlas_runs.judged(atlas_runs.Block("again", cell, range(2), about), tables["pool"])
    where = (
        (known["strength"] == 0) & (known["confounding"] == 1) & (known["shift"] == 1) & (known["study"] < 2)
    )
    rows = known[where & (known["design"] == cell.design)].reset_index(drop=True)
    assert done.rows["rule"].tolist() == rows["rule"].tolist()
    assert done.rows["claimed"].tolist() == rows["claimed"].tolist()
    assert np.allclose(done.rows["value"], rows["value"], atol=1e-5, equal_nan=True)


def test_a_cell_of_the_recorded_codes_is_computed_again(recorded):
    found, tables = recorded
    asked = found.parts["codes"]["parameters"]
    about = {name: asked[name] for name in ("n_ours", "n_draws", "resamples", "seed")}
    cell = Cell(1.0, 1.0, 1.0, atlas.JOINT, 112)
    pool_of_codes = atlas_pool.coded_pool(max(asked["sizes"]))
    done = atlas_runs.judged(atlas_runs.Block("again", cell, range(2), about), pool_of_codes)
    known = atlas_shown.at(tables["codes"], strength=1.0, design=atlas.JOINT, subjects=112)
    rows = known[known["study"] < 2].reset_index(drop=True)
    columns = ["by", "rule", "claimed", "opposite"]
    assert done.rows[columns].to_numpy().tolist() == rows[columns].astype(object).to_numpy().tolist()
    assert np.allclose(done.rows["value"], rows["value"], atol=1e-5, equal_nan=True)


def test_both_networks_are_trained_on_every_cohort_and_judged_by_both_rules(workspace, monkeypatch):
    cohorts = {one: SimulatorSettings(size="tiny", seed=atlas_pool.SEED + one) for one in range(2)}
    made = {}
    for number, cohort in cohorts.items():
        found, rng = pool.versions(cohort, None, jobs=1), np.random.default_rng(number)
        noise = rng.random((len(found), 3, pool.SIDE, pool.SIDE), dtype=np.float32)
        made[cohort.seed] = found.assign(image=[one.tobytes() for one in noise])
    monkeypatch.setattr(atlas_networks, "rendered", lambda settings: made[settings.seed])
    asked = {"cohorts": 2, "runs": 2, "folds": 2, "recipe": Recipe(epochs=1), "size": "tiny"}
    found = atlas_networks.trained_cohorts([0.0], **asked)
    assert set(found["arm"]) == {"resnet18", "dual_motion"}
    runs = found.groupby(["cohort", "arm", "seed"])["clip_id"].agg(["size", "nunique"])
    assert (runs["size"] == runs["nunique"]).all()
    assert len(runs) == 2 * 2 * 2
    assert set(found["cohort"]) == set(made)
    said = atlas_networks.said_of_networks(found)
    assert (said["lowest"] <= said["highest"]).all()
    assert said["printed"].isin([0, 0.25, 0.5, 0.75, 1]).all()


WRONG = {"Negative": "Positive", "Positive": "Surprise", "Surprise": "Negative"}


def predicted_by(gains):
    """Predictions of two networks, run by run: the second is right in so many more clips of 40 subjects."""
    rows = []
    for seed, gain in enumerate(gains):
        for arm, right in (("resnet18", 20), ("dual_motion", 20 + gain)):
            for subject, label in product(range(40), ("Negative", "Positive", "Surprise")):
                said = (
                    label
                    if subject < right
                    else {"Negative": "Positive", "Positive": "Surprise"}.get(label, "Negative")
                )
                rows.append((arm, seed, f"s{subject}", f"s{subject}/{label}", label, said))
    columns = ["arm", "seed", "subject", "clip_id", "label", "predicted"]
    return pd.DataFrame(rows, columns=columns).assign(strength=0.0, cohort=1, group="A", database="x")


def test_a_gain_of_all_runs_is_claimed_by_both_rules_and_one_of_no_run_by_none():
    there = atlas_networks.said_of_networks(predicted_by([16, 16, 16, 16, 16])).iloc[0]
    assert (there["printed"], there["ours"]) == (1, "reproduced")
    none = atlas_networks.said_of_networks(predicted_by([0, 0, 0, 0, 0])).iloc[0]
    assert (none["printed"], none["ours"]) == (0, "not supported")
    assert none["gain"].value == 0


def test_recorded_networks_are_scored_as_the_page_shows_them(recorded):
    found, tables = recorded
    known = tables["networks"]
    asked = found.parts["networks"]["parameters"]
    said = atlas_networks.said_of_networks(known)
    assert len(said) == asked["cohorts"] * len(asked["strengths"])
    assert (said["runs"] == asked["runs"]).all()
    one = known.query("cohort == 3000 and strength == 0 and seed == 0")
    macro = {
        arm: f1_score(part["label"], part["predicted"], average="macro")
        for arm, part in one.groupby("arm", observed=True)
    }
    row = said.query("cohort == 3000 and strength == 0").iloc[0]
    assert row["lowest"] <= macro["dual_motion"] - macro["resnet18"] <= row["highest"]


def test_a_family_gives_an_alarm_where_any_of_its_rules_says_something():
    au1, au26 = "au1_surprise", "au26_surprise"
    rows = [
        (
            OURS,
            rule,
            shift,
            study,
            (shift, study, rule) == (0.0, 0, au26),
            (shift, study, rule) == (1.0, 0, au1),
        )
        for shift, study, rule in product((0.0, 1.0), range(2), (au1, au26))
    ]
    studies = pd.DataFrame(rows, columns=["by", "rule", "shift", "study", "claimed", "opposite"])
    found = atlas_shown.family_alarms(studies, "shift").loc["codes"]
    assert (found[0.0].value, found[1.0].value) == (0.5, 0.5)
    assert atlas_shown.family_alarms(studies[studies["study"] == 1], "shift").loc["codes", 1.0].value == 0


def test_the_interactive_figure_carries_its_studies_and_says_simulated():
    rows = pd.DataFrame(
        {"strength": [0.0, 0.0, 1.0, 1.0], "confounding": 1.0, "value": [0.1, -0.1, -0.2, 0.0]}
    )
    bars = rows[["strength", "confounding"]].assign(
        study=[0, 1, 0, 1], Mixed=0.5, **{"A only": 0.6, "B only": 0.7}
    )
    trained = predicted_by([4, 4, 4, 4, 4])
    rows, printed = rows.assign(claimed=rows["value"] < -0.05), {"gap": 0.029, "gain": 0.043}
    html = atlas_shown.explorer(rows, bars, trained, printed).data
    data = json.loads(html.partition("<script type='application/json'>")[2].partition("</script>")[0])
    assert data["strengths"] == [0, 1]
    assert [len(cell["differences"]) for line in data["cells"] for cell in line] == [2, 2]
    first, second = data["cells"][0]
    assert second["claimed"].startswith("50 %")
    assert first["bars"] == {"Mixed": [0.5, 0.5], "A only": [0.6, 0.6], "B only": [0.7, 0.7]}
    assert (len(first["gains"]), second["gains"], second["gained"]) == (25, [], "")
    assert "Of 25 pairs of runs of trained networks 100% gain as printed." in first["gained"]
    assert "SIMULATED" in html


def test_recorded_bars_are_those_of_the_recorded_studies(recorded):
    tables = recorded[1]
    bars, studies = (
        tables["bars"],
        atlas_shown.at(tables["studies"], by=PAPER, rule=atlas.DROP, design="joint", shift=1.0, negative=0.0),
    )
    both = bars.merge(studies, on=["strength", "confounding", "study"])
    assert len(both) == len(bars)
    gap = both["Mixed"] - both[["A only", "B only"]].mean(axis=1)
    assert np.allclose(gap, both["value"], atol=1e-6)
