"""Recorded evidence about flow methods: written, read, refused when changed, and shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from ethnicmer_lib.clips.table import LABELS, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import comparison
from ethnicmer_lib.evidence import motion_record as motion_evidence
from ethnicmer_lib.show.figures import motion as figures_motion
from ethnicmer_lib.show.pages import motion as page
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.store import old_recording as results

WAYS = ("dis", "deepflow", "micro, neighbours", "micro")


def accuracy() -> pd.DataFrame:
    rows = [
        {"way": way, "clip_id": f"c{clip}", "database": "SAMM", "noise": 1.0, "peak": peak}
        | {"error_px": peak * (3 - i) * 0.1, "zero_px": peak / 2, "strain_r": 0.3 * i, "seconds": 0.1 + i}
        for i, way in enumerate(WAYS)
        for peak in (0.3, 1.0)
        for clip in range(3)
    ]
    return pd.DataFrame(rows)


def downstream() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    tables = []
    for share, way in zip((0.5, 0.6, 1.0, 0.6), WAYS, strict=True):
        label = np.array(LABELS * 20)
        right = rng.random(60) < share
        predicted = np.where(right, label, rng.choice(LABELS, 60))
        table = pd.DataFrame(
            {"clip_id": [f"c{i}" for i in range(60)], "label": label, "predicted": predicted}
        )
        tables.append(table.assign(way=way, subject=[f"s{i // 6}" for i in range(60)], seconds=0.2))
    return pd.concat(tables, ignore_index=True)


@pytest.fixture
def where(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "folder", lambda: tmp_path)
    return tmp_path / "motion"


@pytest.fixture
def record(where):
    motion_evidence.store("accuracy", accuracy())
    motion_evidence.store("downstream", downstream())
    return motion_evidence.load()


def test_what_is_stored_is_what_is_loaded(record):
    assert record.accuracy.equals(accuracy())
    assert record.downstream.equals(downstream())
    assert record.provenance.simulated
    assert set(record.made) == set(motion_evidence.PARTS)
    assert record.made["accuracy"]["commit"]


def test_a_changed_recording_is_refused(record, where):
    accuracy().assign(error_px=0.0).to_parquet(where / "accuracy.parquet")
    with pytest.raises(StudyError, match=r"accuracy\.parquet"):
        motion_evidence.load()


def test_nothing_recorded_is_said_in_place_of_a_table(where):
    empty = motion_evidence.load()
    assert empty.accuracy is None
    for part in motion_evidence.PARTS:
        assert f"--part {part}" in getattr(page, part)(empty).data
    assert page.recorded(empty)["goal_note"] == ""


def test_tables_are_means_and_scores(record):
    table = record.accuracy_table().set_index("way")
    assert table.loc["deepflow", "error 1"] == pytest.approx(0.2)
    assert table.loc["micro, neighbours", "strain 0.3"] == pytest.approx(0.6)
    assert record.ratio("micro, neighbours", "deepflow", 1.0) == pytest.approx(0.5)
    assert record.no_motion() == {0.3: pytest.approx(0.15), 1.0: pytest.approx(0.5)}
    scores = record.downstream_table().set_index("way")
    for way, part in downstream().groupby("way"):
        expected = f1_score(part["label"], part["predicted"], average="macro")
        assert scores.loc[way, "macro"].value == pytest.approx(expected)
    assert scores.loc["dis", "change"] is None
    assert scores.loc["micro, neighbours", "change"].low > 0


def test_the_page_shows_both_tables(record):
    assert "DeepFlow" in page.accuracy(record).data
    assert "SIMULATED" in page.accuracy(record).data
    assert "difference to DIS" in page.downstream(record).data
    texts = page.recorded(record)
    assert "0.50 at 1 px" in texts["goal_note"]
    assert texts["goal_note"].endswith("with neighbours: reached.")
    assert "micro, neighbours" in texts["downstream_note"]


def test_methods_that_recognise_more_than_the_true_flow_are_named():
    def table(**macro: float) -> pd.DataFrame:
        rows = [
            {"way": way.replace("_", " "), "macro": Estimate(value, 0.0, 1.0)} for way, value in macro.items()
        ]
        return pd.DataFrame(rows)

    said = page._beside_truth(table(dis=0.5, deepflow=0.7, micro=0.72, true_flow=0.65))
    assert "reaches 0.650, and 2 of 3 methods lie above it (DeepFlow; micro)" in said
    assert page._beside_truth(table(dis=0.5, true_flow=0.65)) == ""
    assert page._beside_truth(table(dis=0.5)) == ""


@pytest.mark.parametrize(
    ("aims", "said"),
    [
        ({"0.3 px": True, "1 px": True}, "reached"),
        ({"0.3 px": False, "1 px": False}, "not reached"),
        ({"0.3 px": True, "1 px": False}, "reached at 0.3 px, not at 1 px"),
    ],
)
def test_an_aim_that_was_missed_is_said_to_be(aims, said):
    assert page._reached(aims) == said


def test_an_unknown_part_is_refused_before_anything_runs(monkeypatch):
    monkeypatch.setattr(comparison, "accuracy", lambda **_: pytest.fail("ran"))
    with pytest.raises(StudyError, match=r"speed.*accuracy, downstream"):
        motion_evidence.save(["accuracy", "speed"])


def test_pictures_have_a_map_a_method_and_say_simulated():
    maps = {
        name: np.random.default_rng(1).normal(size=(20, 16)) for name in ("truth", "DIS", "micro, neighbours")
    }
    provenance = Provenance("clips", True, "0")
    grid = figures_motion.method_grid([("1 px", 1.0, maps), ("3 px", 3.0, maps)], provenance, "v")
    pictures = [ax for ax in grid.axes if ax.images]
    assert len(pictures) == 6
    assert {text.get_text() for text in grid.texts} >= {"SIMULATED"}
    strain = np.abs(maps["DIS"])
    row = ("turned", maps["truth"], strain, 0 * strain)
    pair = figures_motion.strain_pair([row], provenance, ("a", "b", "c"))
    assert [ax.get_title() for ax in pair.axes[:3]] == ["a", "b", "c"]
