"""Table IV's arms and permutation tests: on motion whose answer is known, and as recorded."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from checkout import ROOT
from fake_cohort import FakeCohort

from ethnicmer_lib.design import permutation as scenario_permutations
from ethnicmer_lib.design import prima_facie, table_iv
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.old_parameters import PrimaFacie
from ethnicmer_lib.store import old_recording as results

P = PrimaFacie(data="flow", features="flow", n_subjects=6, n_draws=3, n_trees=5)


@pytest.fixture
def study(workspace, monkeypatch):
    def compute(arms=("forest", "svc"), permutations=0, p=P, **cohort):
        made = FakeCohort(**cohort)
        for module in (prima_facie, table_iv):
            monkeypatch.setattr(module, "open_cohort", lambda p, progress=False: made)
            monkeypatch.setattr(module, "motion_images", lambda *a: made.images)
        return table_iv.compute(p, arms, permutations)

    return compute


def test_every_arm_is_a_set_of_parameters_and_differs_from_all_others():
    made = [table_iv._parameters(P, arm, 3, 2).model_dump_json() for arm in table_iv.ARMS]
    assert len(set(made)) == len(made) == len(table_iv.ARMS)


def test_arms_are_scored_side_by_side(study):
    found = study(("svc", "svc, two_databases", "svc, noise"), subjects=12)
    table = found.table().set_index("arm")
    assert list(table.index) == ["svc", "svc, two_databases", "svc, noise"]
    assert np.isnan(table.loc["svc, two_databases", "median Non-Asian only"])
    assert table.loc["svc", "median Mixed"] > 0.85 > table.loc["svc, noise", "median Mixed"]
    assert (table["low"] <= table["value"]).all()
    assert table["below"].between(0, 1).all()
    wide = found.arms["svc"].draws.pivot_table(index="draw", columns="scenario", values="macro")
    mono = (wide["Asian only"] + wide["Non-Asian only"]) / 2
    assert table.loc["svc", "value"] == pytest.approx((wide["Mixed"] - mono).mean())


def test_a_control_carries_no_verdict_on_the_paper(study):
    found = study(("svc", "svc, balanced"), subjects=8)
    for arm, mark in (("svc", "classifier=svc"), ("svc, balanced", "control=balanced")):
        for finding in found.arms[arm].findings():
            assert finding.verdict == "cannot be tested here"
            assert mark in finding.reason


def test_an_unknown_arm_is_refused():
    with pytest.raises(StudyError, match="no arm 'tree'"):
        table_iv.compute(P, ["tree"])


def test_opposed_motion_is_found_by_permutation_and_shared_motion_is_not(study):
    opposed = study(("svc",), 39, opposed=True, subjects=10)
    test = opposed.permutations["as_described"]
    assert test.observed < test.low
    assert test.worse == test.different == 1 / 40
    shared = study(("svc",), 19, subjects=10, seed=3)
    assert shared.permutations["as_described"].worse > 0.05


def test_permuted_groups_keep_subjects_whole_and_counts(study):
    clips = FakeCohort().clips
    assert scenario_permutations.permuted_groups(clips, "as_described", 0, 0) is clips
    dealt = scenario_permutations.permuted_groups(clips, "as_described", 0, 1)
    assert len(dealt[["subject", "group"]].drop_duplicates()) == dealt["subject"].nunique()
    per_group = dealt.drop_duplicates("subject")["group"].value_counts()
    assert per_group.to_dict() == clips.drop_duplicates("subject")["group"].value_counts().to_dict()
    assert (dealt["group"] != clips["group"]).any()


def test_p_values_count_the_observed_grouping():
    null = pd.DataFrame({"permutation": range(5), "difference": [-3.0, -1, 0, 1, 2]})
    test = scenario_permutations.test(null)
    assert (test.worse, test.permutations) == (0.2, 4)


@pytest.fixture
def recorded_study(monkeypatch):
    monkeypatch.setattr(results, "folder", lambda: ROOT / "results")
    return table_iv.load()


def test_the_recording_holds_every_arm_with_the_draws_it_promises(recorded_study):
    assert list(recorded_study.arms) == list(table_iv.ARMS)
    assert not recorded_study.provenance.simulated
    draws = recorded_study.table().set_index("arm")["draws"]
    assert draws["svc"] >= 200
    assert draws["svc, ResNet-18"] >= 200
    promised = dict(re.findall(r"--([a-z-]+) (\d+)", recorded_study.command))
    assert draws[table_iv.DESCRIBED] == int(promised["forest-draws"])
    assert draws["forest, balanced"] == int(promised["control-draws"])
    assert set(recorded_study.permutations) == set(table_iv.TESTED)
    assert recorded_study.command.startswith("ethnicmer table-iv")


def test_a_changed_recording_is_refused(recorded_study, tmp_path, monkeypatch):
    target = tmp_path / table_iv.NAME
    target.mkdir()
    source = ROOT / "results" / table_iv.NAME
    (target / "provenance.json").write_text((source / "provenance.json").read_text())
    (target / "predictions.parquet").write_bytes((source / "predictions.parquet").read_bytes()[:-1] + b"x")
    monkeypatch.setattr(results, "folder", lambda: tmp_path)
    with pytest.raises(StudyError, match="not what was recorded"):
        table_iv.load()
    assert "/work" not in json.dumps(json.loads((source / "provenance.json").read_text()))
