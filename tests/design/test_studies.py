"""What the scenarios differ in, permutation tests, and the recorded studies: on known motion, and on real clips."""

import json

import numpy as np
import pandas as pd
import pytest
from checkout import ROOT
from fake_cohort import FakeClips

from ethnicmer_lib import sources
from ethnicmer_lib.design import (
    classifier,
    draw_scenarios,
    permutation,
    permutation_test,
    permute_scenarios,
    predict_scenarios,
    repeat_scenarios,
)
from ethnicmer_lib.design.features import FLOW_SIZE, features
from ethnicmer_lib.design.permutation import permuted_groups
from ethnicmer_lib.design.studies import (
    DESCRIBED,
    STUDIES,
    TESTED,
    middle_table,
    record_table_iv,
    scenario_differences,
    studies_table,
)
from ethnicmer_lib.motion.extract import motion_images
from ethnicmer_lib.stats import per_draw, scores
from ethnicmer_lib.store import recording

#: Median macro F1 of Mixed, mean Mixed minus mono and its interval, of recorded studies.
RECORDED = {
    "forest, ResNet-18": (0.576113, -0.022724, -0.053505, 0.017033),
    "svc": (0.663206, -0.047971, -0.092602, 0.007635),
    "svc, released rows": (0.461501, -0.019946, -0.067714, 0.018096),
    "svc, one_database": (0.525721, -0.057707, -0.151361, 0.041375),
    "forest, two_databases": (0.655694, -0.054712, -0.178936, 0.067003),
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
    assert row["p_sign"] == pytest.approx(2 * 0.5**5)
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


def test_p_values_count_the_observed_grouping():
    null = pd.DataFrame({"permutation": range(5), "difference": [-3.0, -1, 0, 1, 2]})
    found = permutation_test(null)
    assert (found["worse"], found["permutations"]) == (0.2, 4)


@pytest.mark.usefixtures("workspace")
def test_opposed_motion_is_found_by_permutation_and_shared_motion_is_not():
    def test(n, **cohort):
        made = FakeClips(subjects=10, **cohort)
        x = made.images.reshape(len(made.table), -1)
        return permutation_test(permute_scenarios(x, made.table, 6, 2, n, seed=0))

    opposed = test(19, opposed=True)
    assert opposed["observed"] < opposed["low"]
    assert opposed["worse"] == 1 / 20
    assert test(9, seed=3)["worse"] > 0.1


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
    assert permutations["control"].tolist() == list(TESTED)
    assert permutations["worse"].tolist() == pytest.approx([0.045, 0.11])
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


def test_recording_writes_every_study(workspace, monkeypatch):
    made = FakeClips(subjects=12)
    monkeypatch.setattr("ethnicmer_lib.design.studies.motion_images", lambda *a, **k: made.images)
    monkeypatch.setattr("ethnicmer_lib.design.studies.features", lambda x, *a, **k: x.reshape(len(x), -1))
    few = {
        name: STUDIES[name] for name in ("svc", "svc, noise", "svc, balanced", "svc, released rows", "forest")
    }
    monkeypatch.setattr("ethnicmer_lib.design.studies.STUDIES", few)
    (workspace / "_toc.yml").touch()  # a checkout of its own
    monkeypatch.chdir(workspace)
    record_table_iv(made, "as typed", n_subjects=6, n_draws=2, control_draws=1, permutations=1)
    table = studies_table(recording("table_iv").predictions)
    assert list(table.index) == list(few)
    assert table["draws"].tolist() == [2, 2, 2, 2, 1]
    assert recording("table_iv").command == "as typed"


def test_an_interrupted_permutation_test_goes_on_from_its_last_part(workspace, monkeypatch):
    made, dealt = FakeClips(subjects=12), []
    original = permutation.permuted_groups

    def counted(table, control, seed, number):
        dealt.append(number)
        if len(dealt) == 22:
            raise KeyboardInterrupt
        return original(table, control, seed, number)

    monkeypatch.setattr(permutation, "permuted_groups", counted)
    x = made.images.reshape(len(made.images), -1)
    with pytest.raises(KeyboardInterrupt):
        permute_scenarios(x, made.table, 6, 1, 22, seed=0)
    found = permute_scenarios(x, made.table, 6, 1, 22, seed=0)
    assert dealt[22:] == [20, 21, 22]
    assert found["permutation"].tolist() == list(range(23))
