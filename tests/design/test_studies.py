"""What the scenarios differ in, permutation tests, and the recorded studies: on known motion, and on real clips."""

import json

import numpy as np
import pandas as pd
import pytest
from checkout import ROOT
from fake_cohort import FakeClips
from hypothesis import given
from hypothesis import strategies as st

from ethnicmer_lib import sources
from ethnicmer_lib.design import (
    classifier,
    draw_scenarios,
    permutation_tests,
    predict_scenarios,
    repeat_scenarios,
)
from ethnicmer_lib.design.features import FLOW_SIZE, features
from ethnicmer_lib.design.permutation import TESTED, permuted_groups, tail
from ethnicmer_lib.design.studies import (
    DESCRIBED,
    STUDIES,
    middle_table,
    scenario_differences,
    studies_table,
)
from ethnicmer_lib.motion.extract import motion_images
from ethnicmer_lib.stats import per_draw, scores
from ethnicmer_lib.store import recording

#: Median macro F1 of Mixed, mean Mixed minus mono and its interval, of recorded studies.
RECORDED = {
    "forest, ResNet-18": (0.576113, -0.022724, -0.051320, 0.015430),
    "svc": (0.663206, -0.047971, -0.088500, 0.006105),
    "svc, released rows": (0.461501, -0.019946, -0.065890, 0.015484),
    "svc, one_database": (0.525721, -0.057707, -0.146936, 0.039957),
    "forest, two_databases": (0.655694, -0.054712, -0.171805, 0.054882),
}


def study(n_draws=5, **cohort):
    made = FakeClips(**cohort)
    return repeat_scenarios(
        made.images.reshape(len(made.table), -1), made.table, 6, n_draws, classifier="svc"
    )


@pytest.mark.usefixtures("workspace")
def test_motion_that_both_groups_share_does_not_make_mixed_worse_and_opposed_motion_does():
    found = scenario_differences(study())
    assert found.loc["mixed_minus_mono", "estimate"].side == 0
    assert found.loc["mixed_minus_rule", "estimate"].low > 0
    predictions = study(opposed=True, per_subject=6)
    row = scenario_differences(predictions).loc["mixed_minus_mono"]
    assert row["estimate"].high < 0
    assert row["below"] == row["draws"] == 5
    wide = scores(predictions, ["draw", "arm"])["macro"].unstack("arm")
    single = wide["Mixed"] - (wide["Asian only"] + wide["Non-Asian only"]) / 2
    assert row["estimate"].value == pytest.approx(single.mean())
    table = middle_table(predictions)
    assert table.index.tolist() == ["Asian only", "Non-Asian only", "Mixed"]
    assert table.loc["Mixed", "macro"].value == pytest.approx(wide["Mixed"].median())
    assert table.loc["Mixed", "clips"] == 36


def test_permuted_groups_keep_subjects_whole_and_counts():
    clips = FakeClips().table
    assert permuted_groups(clips, "as_described", 0, 0) is clips
    dealt = permuted_groups(clips, "as_described", 0, 1)
    assert len(dealt[["subject", "group"]].drop_duplicates()) == dealt["subject"].nunique()
    counts = [table.drop_duplicates("subject")["group"].value_counts().to_dict() for table in (dealt, clips)]
    assert counts[0] == counts[1]
    assert (dealt["group"] != clips["group"]).any()


def test_within_a_database_groups_are_dealt_there_alone():
    clips = FakeClips().table
    clips["database"] = np.where(clips["subject"].rank(method="dense") <= 2, "elsewhere", "here")
    clips.loc[clips["database"] == "elsewhere", "group"] = "Asian"
    for control in ("given_database", "one_database", "two_databases"):
        dealt = permuted_groups(clips, control, 0, 1)
        changed = (dealt["group"] != clips["group"]).groupby(clips["database"]).any()
        assert changed.to_dict() == {"elsewhere": False, "here": True}


def test_groups_are_dealt_inside_every_database_that_has_both():
    clips = FakeClips(subjects=12).table
    who = clips["subject"].rank(method="dense").astype(int)
    clips["database"] = np.where(who % 4 < 2, "here", "there")
    before = clips.drop_duplicates("subject").groupby(["database", "group"]).size()
    dealt = [permuted_groups(clips, "given_database", 0, number) for number in range(1, 9)]
    for one in dealt:
        assert one.drop_duplicates("subject").groupby(["database", "group"]).size().equals(before)
    moved = [(one["group"] != clips["group"]).groupby(clips["database"]).any() for one in dealt]
    assert pd.concat(moved, axis=1).any(axis=1).all()


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=30))
def test_a_tail_counts_what_is_as_far_to_its_side_and_the_test_takes_the_smaller(found):
    null = pd.DataFrame({"control": "a", "permutation": range(len(found)), "difference": map(float, found)})
    below, above = tail(null, -1), tail(null, 1)
    assert below == min(1, 2 * sum(one <= found[0] for one in found) / len(found))
    assert permutation_tests(null)["p"].item() == min(below, above)
    assert below + above >= 1


def test_p_values_are_two_sided_count_the_observed_grouping_and_are_adjusted():
    one = pd.DataFrame({"control": "a", "permutation": range(10), "difference": [-3.0, *range(-1, 8)]})
    other = one.assign(control="b", difference=[7.0, *range(9)])
    found = permutation_tests(pd.concat([one, other]))
    assert found["permutations"].tolist() == [9, 9]
    assert found["p"].tolist() == pytest.approx([2 / 10, 2 * 3 / 10])
    assert found["p_holm"].tolist() == pytest.approx([4 / 10, 6 / 10])
    middle = one.assign(difference=[0.0, *range(-4, 5)])
    assert permutation_tests(middle)["p"].tolist() == [1.0]


def test_studies_are_data_and_differ():
    assert len(set(STUDIES.values())) == len(STUDIES) == 16
    assert STUDIES[DESCRIBED] == ("resnet18", "forest", "as_described", "own")


@pytest.fixture(scope="module")
def real():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        found = recording("table_iv")
        return found, found.predictions, found.table("permutations")


def test_the_recording_scores_as_it_did(real):
    found, predictions, permutations = real
    assert not found.provenance.simulated
    assert predictions["study"].unique().tolist() == list(STUDIES)
    table = studies_table(predictions[predictions["study"].isin(list(RECORDED))])
    for name, numbers in RECORDED.items():
        row = table.loc[name]
        assert (row["median Mixed"], *row["difference"]) == pytest.approx(numbers, abs=1e-6)
        assert row["draws"] == found.parameters["draws"][name]
    assert np.isnan(table.loc["forest, two_databases", "median Non-Asian only"])
    assert permutations["control"].unique().tolist() == list(TESTED)
    drop = {"Mixed": 1, "Asian only": -0.5, "Non-Asian only": -0.5}
    parts = (predictions[predictions["study"] == name] for name in ("svc, released rows", "svc"))
    released, own = (per_draw(part, drop) for part in parts)
    assert (released - own).mean() == pytest.approx(0.028025, abs=1e-6)
    assert "/work" not in json.dumps(json.loads((ROOT / "results/table_iv/record.json").read_text()))


@pytest.mark.parametrize(
    "name", ["svc", "svc, one_database", "svc, released rows", "svc, balanced", "svc, ResNet-18"]
)
def test_todays_code_makes_a_recorded_draw(real, shared, workspace, name):
    study, clips = (
        STUDIES[name],
        sources.open_clips({"kind": "flow", "folder": str(shared / "flow_features")}),
    )
    table = clips.table
    size = 56 if study.features == "resnet18" else FLOW_SIZE
    x = features(motion_images(clips, size=size), study.features)
    rows = draw_scenarios(table, 16, study.control, 0, draw=7)
    made = predict_scenarios(classifier(study.classifier), x, table, rows, study.flow_rows)
    recorded = real[1].query("study == @name and draw == 7")
    for column in ("arm", "clip_id", "subject", "database", "group", "label", "predicted", "majority"):
        assert made[column].tolist() == recorded[column].tolist(), column
