"""The scenarios end to end on fake motion whose true answer is known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fake_cohort import FakeCohort
from sklearn.metrics import f1_score

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.design import forest, prima_facie
from ethnicmer_lib.design.identity import weights_identity
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.old_parameters import PrimaFacie
from ethnicmer_lib.stats.old_draws import crossed_scores
from ethnicmer_lib.store import old_runs as runs

P = PrimaFacie(data="flow", features="flow", n_subjects=6, n_draws=2, n_trees=5)


@pytest.fixture
def study(workspace, monkeypatch):
    """compute() on a fake cohort; ``study.calls`` counts how often motion images were asked for."""

    def compute(p=P, **cohort):
        made = FakeCohort(**cohort)

        def images(cohort, parameters, size, progress=False):
            compute.calls += 1
            return made.images

        monkeypatch.setattr(prima_facie, "open_cohort", lambda p, progress=False: made)
        monkeypatch.setattr(prima_facie, "motion_images", images)
        monkeypatch.setattr(
            prima_facie, "_resnet18", lambda images, p: images.reshape(len(images), -1)[:, :8]
        )
        return prima_facie.compute(p)

    compute.calls = 0
    return compute


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """The default study on a fake real cohort, for tests that only look at it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ETHNICMER_WORKSPACE", str(tmp_path_factory.mktemp("shared")))
        made = FakeCohort()
        patch.setattr(prima_facie, "open_cohort", lambda p, progress=False: made)
        patch.setattr(prima_facie, "motion_images", lambda *a: made.images)
        return prima_facie.compute(P.model_copy(update={"n_draws": 5, "n_trees": 10}))


def test_scores_are_those_of_the_predictions(result):
    assert result.groups == ("Asian", "Non-Asian")
    assert len(result.draws) == 15
    for row in result.draws.itertuples():
        part = result.predictions.query("draw == @row.draw and scenario == @row.scenario")
        assert part["subject"].nunique() == row.subjects == 6
        assert row.clips == len(part) == part["clip_id"].nunique()
        assert np.isclose(row.macro, f1_score(part["label"], part["predicted"], average="macro"))
        assert np.isclose(row.majority, f1_score(part["label"], part["majority"], average="macro"))
        assert np.isclose(row.share_negative, (part["label"] == "Negative").mean())
    assert result.predictions["p_non_negative"].between(0, 1).all()
    agree = (result.predictions["p_non_negative"] > 0.5) == (
        result.predictions["predicted"] == "Non-negative"
    )
    assert (agree | (result.predictions["p_non_negative"] == 0.5)).all()
    table = result.table.set_index("scenario")
    assert np.isclose(
        table.loc["Mixed", "macro"], result.draws.query("scenario == 'Mixed'")["macro"].median()
    )
    assert table.loc["Mixed", "macro_paper"] == 0.4375
    assert table.loc["Non-Asian only", "Negative_paper"] == 0.6929
    first = result.first_draw.set_index(["scenario", "score"]).loc[("Mixed", "macro")]
    assert np.isclose(
        first["value"], result.draws.query("draw == 0 and scenario == 'Mixed'")["macro"].iloc[0]
    )
    assert first["low"] <= first["value"] <= first["high"]


def test_motion_that_both_groups_share_does_not_make_mixed_worse(result):
    assert result.table["macro"].min() > 0.85
    verdicts = [finding.verdict for finding in result.findings()]
    assert verdicts[0] == "not supported"
    assert verdicts[1] == "not reproduced"
    assert result.difference("mixed minus majority rule").low > 0


def test_opposed_motion_makes_mixed_worse_and_is_found(study):
    result = study(P.model_copy(update={"n_trees": 10, "n_draws": 5}), opposed=True, per_subject=6)
    finding = result.findings()[0]
    assert finding.verdict == "reproduced"
    assert finding.high < 0
    row = result.differences.set_index("comparison").loc["mixed minus mono"]
    assert row["draws_below_zero"] == row["draws"] == 5
    assert np.isclose(row["paper"], 0.4375 - (0.4546 + 0.4785) / 2)
    assert np.isclose(row["sign_p"], 2 * 0.5**5)


def test_the_sign_of_the_difference_is_mixed_minus_mono(result):
    wide = result.draws.pivot_table(index="draw", columns="scenario", values="macro")
    per_draw = wide["Mixed"] - (wide["Asian only"] + wide["Non-Asian only"]) / 2
    assert np.isclose(result.difference("mixed minus mono").value, per_draw.mean())


def test_a_simulated_cohort_tests_nothing_about_people_but_shows_its_numbers(study):
    result = study(simulated=True, groups=("A", "B"))
    for finding in result.findings():
        assert finding.verdict == "cannot be tested here"
        assert "simulated" in finding.reason
        assert finding.low <= finding.high
        assert "Asian" not in finding.question
    assert result.table["scenario"].tolist() == ["A only", "B only", "Mixed"]
    assert result.table["paper_row"].tolist() == ["Asian only", "Non-Asian only", "Mixed"]


def test_verdicts_depend_on_the_source_alone(result):
    simulated = replace(result, provenance=Provenance("clips", True, "0" * 16))
    assert [f.estimate for f in result.findings()] == [f.estimate for f in simulated.findings()]
    assert "cannot be tested here" not in {f.verdict for f in result.findings()}
    assert {f.verdict for f in simulated.findings()} == {"cannot be tested here"}


def test_few_draws_give_no_verdict(result):
    few = replace(result, parameters=result.parameters.model_copy(update={"n_draws": 4}))
    assert {f.verdict for f in few.findings()} == {"cannot be tested here"}
    assert all("Needs 5 draws" in f.reason for f in few.findings())


def test_draws_are_kept_and_more_draws_add_only_the_new_ones(study):
    first = study()
    assert study.calls == 1
    files = {p: p.stat().st_mtime_ns for p in first.runs[0].path.glob("draw*.parquet")}
    assert len(files) == 2
    again = study()
    assert study.calls == 1
    pd.testing.assert_frame_equal(first.predictions, again.predictions)
    assert [*first.findings()] == [*again.findings()]
    more = study(P.model_copy(update={"n_draws": 3}))
    assert study.calls == 2
    assert {p: p.stat().st_mtime_ns for p in files} == files
    pd.testing.assert_frame_equal(more.predictions.query("draw < 2"), first.predictions)


def test_a_killed_study_ends_with_the_same_bytes(study):
    first = study()
    files = sorted(first.runs[0].path.glob("draw*.parquet"))
    before = [f.read_bytes() for f in files]
    files[0].unlink()
    files[1].write_bytes(before[1][:100])
    study()
    assert [f.read_bytes() for f in files] == before


@pytest.mark.parametrize(
    ("change", "other"),
    [
        ({"n_trees": 3}, True),
        ({"seed": 1}, True),
        ({"normalisation": "none"}, True),
        ({"features": "resnet18"}, True),
        ({"n_draws": 2}, False),
        ({"image_size": 64}, False),
        ({"weights": "imagenet"}, False),
    ],
)
def test_only_what_changes_a_prediction_changes_the_run(study, change, other):
    small = P.model_copy(update={"n_draws": 1, "n_subjects": 4, "n_trees": 2})
    keys = [study(p, subjects=4).runs[0].key for p in (small, small.model_copy(update=change))]
    assert (keys[0] != keys[1]) == other


def test_resnet_features_depend_on_their_size_and_weights(study, tmp_path):
    p = P.model_copy(update={"features": "resnet18", "n_draws": 1})
    path = tmp_path / "weights.pt"
    keys = {study(p).runs[0].key, study(p.model_copy(update={"image_size": 64})).runs[0].key}
    for content in (b"1", b"2"):
        path.write_bytes(content)
        keys.add(study(p.model_copy(update={"weights": str(path)})).runs[0].key)
    assert len(keys) == 4
    assert weights_identity("none") == "none"
    with pytest.raises(StudyError, match="is not a file"):
        weights_identity(str(tmp_path / "gone.pt"))


def test_a_group_that_is_too_small_is_named(study):
    with pytest.raises(
        StudyError, match=r"6 subjects of group 'Asian' .* there are 5; set n_subjects lower than 6"
    ):
        study(subjects=5)


def test_predictions_do_not_depend_on_scoring_code(study):
    run = json.loads((study().runs[0].path / "run.json").read_text())
    assert run["code"] == runs.code_fingerprint("ethnicmer_lib.design.scenarios")
    seen, queue = set(), ["ethnicmer_lib.design.scenarios"]
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue += runs._imports(name)
    assert not {n for n in seen if n.rpartition(".")[2] in ("statistics", "scores", "findings", "figures")}


def test_the_majority_rule_looks_only_at_training_subjects():
    subjects, labels = list("aaabbc"), np.array(["x", "x", "x", "y", "y", "y"])
    got = forest.majority(labels, forest.leave_one_subject_out(subjects), ("x", "y"))
    assert got.tolist() == ["y", "y", "y", "x", "x", "x"]


def test_a_forest_never_sees_the_subject_it_is_tested_on():
    # Every subject has its own feature and its own label: only leakage could be right.
    subjects = np.repeat(np.arange(10), 4)
    labels = np.where(subjects % 2, "odd", "even")
    features = np.eye(10)[subjects]
    p = forest.loso_forest(features, labels, subjects, 0, 30)
    assert np.allclose(p.sum(1), 1)
    right = p[np.arange(40), (labels == "odd").astype(int)]
    assert right.max() < 0.5


@pytest.mark.parametrize(
    ("features", "says"),
    [(np.zeros((3, 2)), "one row to each"), (np.full((4, 2), np.nan), "row 0 .subject a. are not finite")],
)
def test_a_forest_refuses_bad_features(features, says):
    with pytest.raises(StudyError, match=says):
        forest.loso_forest(features, list("xyxy"), list("aabb"), 0, 5)


def test_crossed_intervals_grow_with_few_subjects_and_vanish_for_equal_arms():
    def table(subjects, seed=0):
        rng = np.random.default_rng(seed)
        rows = [
            {"draw": d, "arm": a, "subject": f"s{s:02d}", "group": "AB"[s % 2], "label": "xy"[c % 2],
             "predicted": "xy"[c % 2 if rng.random() < 0.7 else rng.integers(2)]}
            for d in range(4) for a in ("one", "two") for s in range(subjects) for c in range(6)
        ]  # fmt: skip
        return pd.DataFrame(rows)

    small, large = (crossed_scores(table(n), ["one", "two"], ["x", "y"], 500).mean((1, 0)) for n in (6, 40))
    assert small.high - small.low > 1.5 * (large.high - large.low)
    same = table(10)
    same = pd.concat([same.query("arm == 'one'"), same.query("arm == 'one'").assign(arm="two")])
    assert crossed_scores(same, ["one", "two"], ["x", "y"], 200).mean((1, -1)) == pytest.approx(
        (0, 0, 0), abs=1e-12
    )
    with pytest.raises(StudyError, match="draw 0 has no predictions of 'three'"):
        crossed_scores(table(4), ["one", "three"], ["x", "y"], 50)


def test_real_motion_images_and_resnet_features_fit_the_forest(workspace, monkeypatch):
    monkeypatch.setattr(prima_facie, "open_cohort", lambda p, progress=False: FakeCohort(subjects=4))
    p = PrimaFacie(data="flow", n_subjects=4, n_draws=1, n_trees=5, image_size=28)
    for features in ("resnet18", "flow"):
        result = prima_facie.compute(p.model_copy(update={"features": features}))
        assert result.predictions["p_non_negative"].between(0, 1).all()
        assert len(result.predictions) == 3 * 16
