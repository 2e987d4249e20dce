"""Whole subjects on one side only, and scenarios that are what Section III-B says."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.design import subject_folds
from ethnicmer_lib.errors import StudyError

SUBJECTS = st.lists(st.integers(0, 9).map("s{}".format), min_size=8, max_size=60)


def clips_of(a: int, b: int, per_subject: int = 2) -> pd.DataFrame:
    subjects = [f"a{i:02d}" for i in range(a)] + [f"b{i:02d}" for i in range(b)]
    table = pd.DataFrame({"subject": np.repeat(subjects, per_subject)})
    labels = np.resize(["Negative", "Negative", "Positive", "Surprise"], len(table))
    return table.assign(group=table["subject"].str[0].str.upper(), label=labels)


def check(folds, subjects):
    subjects = np.asarray(subjects)
    for fold in folds:
        assert fold.train.dtype == fold.test.dtype == np.int64
        assert len(fold.test)
        assert not set(subjects[fold.train]) & set(subjects[fold.test])
        assert np.array_equal(np.sort(np.concatenate(fold)), np.arange(len(subjects)))
    assert np.array_equal(np.sort(np.concatenate([fold.test for fold in folds])), np.arange(len(subjects)))


@settings(deadline=None, max_examples=50)
@given(SUBJECTS.filter(lambda s: len(set(s)) > 1))
def test_loso_tests_every_clip_once_and_never_shares_a_subject(subjects):
    folds = subject_folds(pd.DataFrame({"subject": subjects}))
    check(folds, subjects)
    assert [subjects[fold.test[0]] for fold in folds] == sorted(set(subjects))


@pytest.mark.filterwarnings("ignore:The least populated class")
@settings(deadline=None, max_examples=50)
@given(SUBJECTS.filter(lambda s: len(set(s)) > 3), st.integers(2, 4), st.integers(0, 5), st.data())
def test_grouped_folds_never_share_a_subject(subjects, k, seed, data):
    labels = data.draw(st.lists(st.sampled_from("xy"), min_size=len(subjects), max_size=len(subjects)))
    table = pd.DataFrame({"subject": subjects, "label": labels})
    folds, again = (subject_folds(table, k, seed) for _ in range(2))
    check(folds, subjects)
    assert all(
        np.array_equal(x, y) for a, b in zip(folds, again, strict=True) for x, y in zip(a, b, strict=True)
    )


def test_subject_folds_takes_loso_or_a_number():
    clips = clips_of(4, 4)
    assert len(subject_folds(clips, "loso", 0)) == 8
    assert len(subject_folds(clips, 3, 0)) == 3
    with pytest.raises(StudyError, match="folds='looo'; allowed"):
        subject_folds(clips, "looo", 0)


@pytest.mark.parametrize(
    ("subjects", "labels", "folds", "says"),
    [
        ("aa", "xx", "loso", "there are 1"),
        ("ab", "xx", 3, "folds=3; allowed.*there are 2"),
        ("abc", "xyz", 2, "members in each class. Ask for fewer"),
        ("ab", "xx", 1, "folds=1; allowed"),
    ],
)
def test_what_cannot_be_designed_says_why(subjects, labels, folds, says):
    with pytest.raises(StudyError, match=says):
        subject_folds(pd.DataFrame({"subject": list(subjects), "label": list(labels)}), folds)
