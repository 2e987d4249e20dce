"""Scenarios and their controls: who is drawn, what is held still, and held-out predictions by any classifier."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from fake_cohort import FakeClips
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from ethnicmer_lib.design import (
    CONTROLS,
    classifier,
    draw_scenarios,
    features,
    forest_baseline,
    held_out,
    majority_rule,
    predict_scenarios,
    repeat_scenarios,
    subject_folds,
)
from ethnicmer_lib.design.scenarios import MIXED, RULE, with_rule
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.chapters import chapter
from ethnicmer_lib.stats import macro_f1, scores
from ethnicmer_lib.store import used_runs


def clips_of(a: int, b: int, per_subject: int = 2) -> pd.DataFrame:
    """Group A in both databases by turns, group B in SAMM alone."""
    subjects = [f"a{i:02d}" for i in range(a)] + [f"b{i:02d}" for i in range(b)]
    table = pd.DataFrame({"subject": np.repeat(subjects, per_subject)})
    table["group"] = table["subject"].str[0].str.upper()
    odd = table["subject"].str[1:].astype(int) % 2 == 1
    table["database"] = np.where((table["group"] == "A") & odd, "CASME II", "SAMM")
    table["label"] = np.resize(["Negative", "Negative", "Negative", "Positive", "Surprise"], len(table))
    return table.assign(clip_id=[f"c{i}" for i in range(len(table))])


def subjects_of(clips, rows):
    return {name: sorted(clips["subject"].iloc[r].unique()) for name, r in rows.items()}


def fake(**options):
    cohort = FakeClips(**options)
    return cohort.images.reshape(len(cohort.table), -1), cohort.table


def test_the_parameter_offers_every_control():
    assert list(get_args(chapter("prima_facie").model.model_fields["control"].annotation)) == list(CONTROLS)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(6, 12), st.integers(6, 12), st.sampled_from([2, 4, 6]), st.integers(0, 99), st.integers(0, 99)
)
def test_scenarios_hold_the_right_number_of_each_group(a, b, n, seed, draw):
    clips = clips_of(a, b)
    rows = draw_scenarios(clips, n, seed=seed, draw=draw)
    drawn = subjects_of(clips, rows)
    assert list(drawn) == ["A only", "B only", MIXED]
    for (name, subjects), share in zip(drawn.items(), [(n, 0), (0, n), (n // 2, n // 2)], strict=True):
        assert len(subjects) == n
        assert (sum(s[0] == "a" for s in subjects), sum(s[0] == "b" for s in subjects)) == share
        assert len(rows[name]) == 2 * n
    shuffled = clips.sample(frac=1, random_state=0).reset_index(drop=True)
    assert drawn == subjects_of(shuffled, draw_scenarios(shuffled, n, seed=seed, draw=draw))


def test_draws_differ_and_do_not_depend_on_each_other():
    clips = clips_of(12, 12)
    drawn = [subjects_of(clips, draw_scenarios(clips, 6, seed=7, draw=draw)) for draw in range(20)]
    assert len({tuple(d["A only"]) for d in drawn}) > 15
    half = [sorted(s for s in d[MIXED] if s[0] == "a") for d in drawn]
    # The mixed half is its own draw, not a part of the mono-ethnic scenario.
    assert any(not set(h) <= set(d["A only"]) for h, d in zip(half, drawn, strict=True))
    assert pd.Series([s for d in drawn for s in d["A only"]]).nunique() == 12


def test_a_control_holds_one_thing_still():
    clips = clips_of(12, 10, per_subject=3)
    clips = pd.concat(
        [clips, clips[clips["subject"] == "b03"].assign(clip_id=list("xyz"))], ignore_index=True
    )
    for draw in range(5):
        rows = {name: draw_scenarios(clips, 6, name, 1, draw) for name in CONTROLS}
        for part in rows["one_database"].values():
            assert set(clips["database"].iloc[part]) == {"SAMM"}
        assert list(rows["two_databases"]) == ["A only", MIXED]
        for part in rows["two_databases"].values():
            who = clips.iloc[part].drop_duplicates("subject")
            assert who["database"].value_counts().to_dict() == {"SAMM": 3, "CASME II": 3}
        for name, part in rows["balanced"].items():
            assert (clips["label"].iloc[part] == "Negative").mean() == 0.5
            assert set(part) <= set(rows["as_described"][name])
        assert all("b03" not in s for s in subjects_of(clips, rows["without_largest"]).values())
    few = draw_scenarios(clips_of(12, 5), 8, "one_database")  # four of the smaller group are left
    assert {len(names) for names in subjects_of(clips_of(12, 5), few).values()} == {4}


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: draw_scenarios(clips_of(6, 3), 4), "4 subjects of group 'B' .* there are 3"),
        (lambda: draw_scenarios(clips_of(6, 6), 3), "even number"),
        (lambda: draw_scenarios(clips_of(6, 0), 4), "exactly two groups"),
        (
            lambda: draw_scenarios(clips_of(6, 6), 4, "nothing"),
            "'nothing' is unknown; allowed: as_described",
        ),
        (
            lambda: draw_scenarios(clips_of(6, 6).assign(database="SAMM"), 4, "one_database"),
            "need two databases",
        ),
        (
            lambda: draw_scenarios(clips_of(6, 6).assign(label="Negative"), 4, "balanced"),
            "clips of one class only",
        ),
        (lambda: classifier("tree"), "'tree' is unknown"),
        (lambda: features(np.zeros((2, 3, 4, 4)), "text"), "'text' is unknown"),
        (lambda: repeat_scenarios(np.zeros((3, 2)), clips_of(6, 6), 4, 1), "3 rows of features for 24 clips"),
        (lambda: held_out(GaussianNB(), np.zeros((3, 2)), clips_of(6, 6), []), "one row to each"),
    ],
)
@pytest.mark.usefixtures("workspace")
def test_what_cannot_be_done_says_why(call, says):
    with pytest.raises(StudyError, match=says):
        call()


@pytest.mark.parametrize("model", [RandomForestClassifier(20, random_state=3), SVC(C=100), GaussianNB()])
def test_predictions_are_those_of_scikit_learn(model):
    x, clips = fake(subjects=6, signal=0.7)
    found = held_out(model, x, clips, subject_folds(clips))
    how = {"groups": clips["subject"], "cv": LeaveOneGroupOut()}
    assert found["predicted"].tolist() == cross_val_predict(model, x, clips["label"], **how).tolist()
    chances = found[["p_Negative", "p_Positive", "p_Surprise"]]
    if hasattr(model, "predict_proba"):
        expected = cross_val_predict(model, x, clips["label"], method="predict_proba", **how)
        assert np.array_equal(chances, expected)
    else:
        assert chances.isna().all(axis=None)


def test_a_forest_never_sees_the_subject_it_is_tested_on():
    # Every subject has its own feature and its own label: only leakage could be right.
    clips = clips_of(10, 0, 4).assign(
        label=lambda t: np.where(t["subject"].str[-1].astype(int) % 2, "x", "y")
    )
    found = held_out(
        classifier("forest", n_trees=30), np.eye(10)[np.repeat(range(10), 4)], clips, subject_folds(clips)
    )
    assert np.allclose(found["p_x"] + found["p_y"], 1)
    assert np.where(found["label"] == "x", found["p_x"], found["p_y"]).max() < 0.5


def test_the_majority_rule_looks_only_at_training_subjects():
    clips = clips_of(3, 0).assign(label=list("xxyxyy"))
    assert majority_rule(clips, subject_folds(clips))["predicted"].tolist() == list("yyxxxx")
    one_class = clips.assign(label=list("xxxxyy"))
    found = held_out(SVC(), np.eye(6), one_class, subject_folds(one_class))
    assert found["predicted"].tolist()[4:] == ["x", "x"]


@pytest.mark.usefixtures("workspace")
def test_baselines_have_one_schema():
    x, clips = fake(subjects=4)
    folds = subject_folds(clips, 3, seed=1)
    both = pd.concat([forest_baseline(x, clips, folds, 5, 10), majority_rule(clips, folds, 5)])
    assert {"arm", "seed", "fold", "clip_id", "subject", "database", "group", "label", "predicted"} <= set(
        both
    )
    assert (both["fold"] >= 0).all()
    table = scores(both)
    assert table.loc["forest", "macro"] > 0.5 > table.loc["majority", "macro"]
    expected = held_out(DummyClassifier(strategy="most_frequent"), x, clips, folds)
    assert both[both["arm"] == "majority"]["predicted"].tolist() == expected["predicted"].tolist()


def test_released_rows_take_the_first_rows_for_training_and_for_testing():
    _, clips = fake(subjects=6)
    # Row j can be told from all others, and from nothing else: a classifier can only repeat training clip j.
    x = np.eye(len(clips)) * 10
    rows = draw_scenarios(clips, 6)
    for name in ("forest", "svc"):
        model = classifier(name, n_trees=60)
        table = predict_scenarios(model, x, clips, rows, flow_rows="released")
        for _, part in table.groupby("arm"):
            labels = part["label"].to_numpy()
            for train, test in subject_folds(part):
                assert part["predicted"].to_numpy()[test].tolist() == labels[train][: len(test)].tolist()
    own = predict_scenarios(model, x, clips, rows)
    assert own["predicted"].tolist() != table["predicted"].tolist()


def test_draws_are_kept_and_more_draws_add_only_the_new_ones(workspace):
    x, clips = fake()
    small, smaller = (classifier("forest", n_trees=n) for n in (5, 3))
    first = repeat_scenarios(x, clips, 6, 2, classifier=small)
    files = {path: path.read_bytes() for path in used_runs()[-1].path.glob("draw*.parquet")}
    assert len(files) == 2
    damaged = min(files)
    damaged.write_bytes(files[damaged][:100])
    with pytest.warns(UserWarning, match="damaged"):
        more = repeat_scenarios(x, clips, 6, 3, classifier=small)
    pd.testing.assert_frame_equal(more.query("draw < 2"), first)
    assert {path: path.read_bytes() for path in files} == files
    shared = {"x": x, "table": clips, "n_subjects": 6, "n_draws": 1, "classifier": small}
    for change in (
        {"classifier": smaller},
        {"seed": 1},
        {"classifier": "svc"},
        {"control": "balanced"},
        {"x": x + 1},
    ):
        repeat_scenarios(**shared | change)
        assert used_runs()[-1].path not in {path.parent for path in files}
    repeat_scenarios(**shared | {"classifier": GaussianNB()}, progress=False)


@pytest.mark.usefixtures("workspace")
def test_predictions_of_draws_say_all_that_scoring_needs():
    x, clips = fake()
    found = repeat_scenarios(x, clips, 6, 2, classifier=classifier("forest", n_trees=10))
    assert found.columns[:9].tolist() == [
        "arm", "seed", "draw", "clip_id", "subject", "database", "group", "label", "predicted"
    ]  # fmt: skip
    per_draw = scores(found, ["draw", "arm"])
    for key, part in found.groupby(["draw", "arm"]):
        row = per_draw.loc[key]
        assert part["subject"].nunique() == 6
        assert np.isclose(row["macro"], f1_score(part["label"], part["predicted"], average="macro"))
    ruled = with_rule(found)
    rule = ruled[ruled["arm"] == RULE]
    assert np.isclose(macro_f1(rule), f1_score(rule["label"], rule["majority"], average="macro"))
    assert per_draw["macro"].min() > 0.7


@pytest.mark.usefixtures("workspace")
def test_features_are_what_was_asked_for():
    images = np.random.default_rng(0).random((5, 3, 56, 56)).astype(np.float32)
    assert features(images, "flow").shape == (5, 3 * 28 * 28)
    small = np.ascontiguousarray(images[..., :28, :28])
    assert np.array_equal(features(small, "flow"), small.reshape(5, -1))
    noise = features(images, "noise", seed=1)
    assert noise.shape == (5, 512)
    assert np.array_equal(noise, np.random.default_rng([1, 512]).standard_normal((5, 512), dtype=np.float32))
    resnet = features(small, "resnet18", seed=1)
    assert resnet.shape == (5, 512)
    assert np.isfinite(resnet).all()
    assert not np.array_equal(resnet, features(small, "resnet18", seed=2))
