"""Recordings: what was committed is what is read, or one clear error."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import Provenance, record, recording

SOURCE = Provenance("published features", False, "abc")
TABLE = pd.DataFrame({"arm": ["plain", "dual"], "predicted": ["Positive", "Surprise"]})


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.delenv("ETHNICMER_WORKSPACE", raising=False)
    (tmp_path / "_toc.yml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_recording_comes_back_with_how_it_was_made(checkout):
    record(
        "t",
        {"predictions": TABLE},
        SOURCE,
        "ethnicmer record t",
        {"epochs": 3},
        left_out={"tinyvit": "no frames"},
    )
    found = recording("t")
    pd.testing.assert_frame_equal(found.predictions, TABLE)
    assert found.provenance == SOURCE
    assert found.command == "ethnicmer record t"
    assert found.parameters == {"epochs": 3}
    assert found.parts["predictions"]["left_out"] == {"tinyvit": "no frames"}
    assert found.made["python"]


def test_parts_stay_beside_each_other_unless_they_are_of_other_clips(checkout):
    record("t", {"predictions": TABLE}, SOURCE, "one", {})
    record("t", {"controls": TABLE}, SOURCE, "two", {})
    assert list(recording("t").parts) == ["predictions", "controls"]
    note = (
        checkout / "results" / "t" / "record.json"
    )  # as before provenance knew of clips that are not the paper's
    note.write_text(re.sub(r',\s*"others": false', "", note.read_text()))
    with pytest.warns(UserWarning, match="held predictions already; what was there is in") as said:
        record("t", {"predictions": TABLE[:1]}, SOURCE, "three", {"epochs": 9})
    aside = Path(str(said[0].message).rpartition(" ")[2])
    pd.testing.assert_frame_equal(pd.read_parquet(aside / "predictions.parquet"), TABLE)
    assert "others" not in (aside / "record.json").read_text()
    assert (recording("t").command, recording("t").parameters) == ("three", {"epochs": 9})
    with pytest.raises(StudyError, match="holds predictions of other clips"):
        record("t", {"controls": TABLE}, Provenance("others", False, "xyz"), "three", {})
    record("t", {"more": TABLE}, SOURCE, "four", {})
    with pytest.warns(UserWarning, match="held predictions, controls, more already"):
        record("t", {"predictions": TABLE}, Provenance("others", False, "xyz"), "five", {}, alone=True)
    assert list(recording("t").parts) == ["predictions"]
    assert not (checkout / "results" / "t" / "controls.parquet").exists()


def test_a_changed_or_missing_table_is_refused_with_its_cure(checkout):
    record("t", {"predictions": TABLE}, SOURCE, "one", {})
    TABLE.assign(predicted="Negative").to_parquet(checkout / "results/t/predictions.parquet")
    with pytest.raises(StudyError, match=r"not what was recorded; restore it with git checkout"):
        _ = recording("t").predictions
    with pytest.raises(StudyError, match="no 'controls' in results/t; it holds predictions"):
        recording("t").table("controls")
    with pytest.raises(StudyError, match="ethnicmer record none"):
        recording("none")
    for damaged in ("", "[]", '{"parts": {}}'):
        (checkout / "results/t/record.json").write_text(damaged)
        with pytest.raises(
            StudyError, match=r"record.json is not what was recorded; restore it with git checkout"
        ):
            recording("t")


def test_a_recording_says_the_command_that_made_it_not_the_one_of_today(checkout):
    record("t", {"predictions": TABLE}, SOURCE, "ethnicmer record t", {}, recorded_as="ethnicmer evidence")
    assert recording("t").command == "ethnicmer evidence"
