"""Scenarios and their controls: who is drawn, what is held still, and the same predictions by either classifier."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from fake_cohort import FakeCohort
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC

from ethnicmer_lib.design.folds import MIXED, leave_one_subject_out
from ethnicmer_lib.design.scenarios import CONTROLS, draw_rows, predictions
from ethnicmer_lib.design.support_vectors import PENALTY, Distances
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.old_parameters import PrimaFacie

DESCRIBED = CONTROLS["as_described"]


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


def test_the_parameter_offers_every_control():
    assert list(get_args(PrimaFacie.model_fields["control"].annotation)) == list(CONTROLS)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(6, 12), st.integers(6, 12), st.sampled_from([2, 4, 6]), st.integers(0, 99), st.integers(0, 99)
)
def test_scenarios_hold_the_right_number_of_each_group(a, b, n, seed, draw):
    clips = clips_of(a, b)
    rows = draw_rows(DESCRIBED, clips, n, seed, draw)
    drawn = subjects_of(clips, rows)
    assert list(drawn) == ["A only", "B only", MIXED]
    for (name, subjects), share in zip(drawn.items(), [(n, 0), (0, n), (n // 2, n // 2)], strict=True):
        assert len(subjects) == n
        assert (sum(s[0] == "a" for s in subjects), sum(s[0] == "b" for s in subjects)) == share
        assert len(rows[name]) == 2 * n
    shuffled = clips.sample(frac=1, random_state=0).reset_index(drop=True)
    assert drawn == subjects_of(shuffled, draw_rows(DESCRIBED, shuffled, n, seed, draw))


def test_draws_differ_and_do_not_depend_on_each_other():
    clips = clips_of(12, 12)
    drawn = [subjects_of(clips, draw_rows(DESCRIBED, clips, 6, 7, draw)) for draw in range(20)]
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
        rows = {name: draw_rows(control, clips, 6, 1, draw) for name, control in CONTROLS.items()}
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


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: draw_rows(DESCRIBED, clips_of(6, 3), 4, 0, 0), "4 subjects of group 'B' .* there are 3"),
        (lambda: draw_rows(DESCRIBED, clips_of(6, 6), 3, 0, 0), "even number"),
        (lambda: draw_rows(DESCRIBED, clips_of(6, 0), 4, 0, 0), "exactly two groups"),
        (
            lambda: draw_rows(CONTROLS["one_database"], clips_of(6, 6).assign(database="SAMM"), 4, 0, 0),
            "need two databases",
        ),
        (
            lambda: draw_rows(CONTROLS["balanced"], clips_of(6, 6).assign(label="Negative"), 4, 0, 0),
            "clips of one class only",
        ),
    ],
)
def test_what_cannot_be_drawn_says_why(call, says):
    with pytest.raises(StudyError, match=says):
        call()


def test_svc_from_distances_is_that_of_scikit_learn():
    cohort = FakeCohort(subjects=6, signal=0.7)
    features = cohort.images.reshape(len(cohort.clips), -1)
    rows = draw_rows(DESCRIBED, cohort.clips, 6, 0, 0)
    table = predictions(Distances.of(features), cohort.clips, rows, 0, 0)
    for name, part in table.groupby("scenario"):
        x, y = features[rows[name]].astype(float), part["label"].to_numpy().astype(str)
        for train, test in leave_one_subject_out(part["subject"]):
            expected = SVC(C=PENALTY).fit(x[train], y[train]).predict(x[test])
            assert part["predicted"].to_numpy()[test].tolist() == expected.tolist()
    assert table["p_non_negative"].isna().all()


def test_released_rows_take_the_first_rows_for_training_and_for_testing():
    cohort = FakeCohort(subjects=6)
    clips = cohort.clips
    # Row j can be told from all others, and from nothing else: a classifier can only repeat training clip j.
    features = np.eye(len(clips)) * 10
    rows = draw_rows(DESCRIBED, clips, 6, 0, 0)
    for known in (features, Distances.of(features)):
        table = predictions(known, clips, rows, 0, 200, flow_rows="released")
        for _, part in table.groupby("scenario"):
            labels = part["label"].to_numpy()
            for train, test in leave_one_subject_out(part["subject"]):
                assert part["predicted"].to_numpy()[test].tolist() == labels[train][: len(test)].tolist()
    own = predictions(Distances.of(features), clips, rows, 0, 0)
    assert own["predicted"].tolist() != table["predicted"].tolist()


def test_features_must_match_the_clips():
    clips = clips_of(6, 6)
    with pytest.raises(StudyError, match="3 rows of features for 24 clips"):
        predictions(np.zeros((3, 2)), clips, draw_rows(DESCRIBED, clips, 4, 0, 0), 0, 5)
    with pytest.raises(StudyError, match="must be finite"):
        Distances.of(np.full((3, 2), np.nan))
