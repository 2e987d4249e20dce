"""Evidence for the default image size: scored from the recorded predictions, refused for a single size."""

from __future__ import annotations

import pytest
from sklearn.metrics import f1_score

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence.image_size import SIZES, record_image_size, size_table
from ethnicmer_lib.store import recording


def test_the_recorded_table_is_scored_as_scikit_learn_does_and_shares_are_of_the_largest():
    found = recording("image_size")
    table = size_table(found.predictions, found.table("seconds")).set_index("size")
    assert tuple(table.index) == SIZES
    for size, part in found.predictions.groupby("arm"):
        expected = f1_score(part["label"], part["predicted"], average="macro")
        assert table.loc[int(size), "macro"].value == pytest.approx(expected)
    assert table.loc[224, "share"] == 1
    assert table["minutes"].is_monotonic_increasing
    assert [round(one.value, 3) for one in table["macro"]] == [0.678, 0.679, 0.681, 0.651]


def test_one_size_is_no_comparison():
    with pytest.raises(StudyError, match="give at least two"):
        record_image_size(None, "", sizes=[28])
