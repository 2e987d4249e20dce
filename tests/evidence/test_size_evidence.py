"""Evidence for the image size: computed on a cohort of nothing, stored, scored anew, and shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fake_cohort import FakeCohort
from toy import tiny_backbone

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import image_size as size_evidence
from ethnicmer_lib.networks import models
from ethnicmer_lib.publish.old_parameters import Benchmark
from ethnicmer_lib.show.pages import image_size as page
from ethnicmer_lib.stats.scoring import macro_f1
from ethnicmer_lib.store import old_recording as results

P = Benchmark(data="flow", folds=2, epochs=1, n_seeds=2)


@pytest.fixture
def found(workspace, monkeypatch):
    monkeypatch.setenv("ETHNICMER_ENGINE", "serial")
    monkeypatch.setattr(models, "_resnet18", tiny_backbone)
    monkeypatch.setattr(size_evidence, "open_cohort", lambda p, progress=False: FakeCohort(per_subject=3))
    return size_evidence.compute(P, (112, 28))


def test_every_clip_is_predicted_once_at_every_size_and_seed(found):
    counts = found.predictions.groupby(["size", "seed", "clip_id"]).size()
    assert counts.eq(1).all()
    assert len(counts) == 2 * 2 * 48
    assert len(found.seconds) == 2 * 2 * 2
    assert (found.seconds["seconds"] >= 0).all()


def test_scores_are_those_of_the_predictions_and_shares_those_of_the_seconds(found):
    table = found.table().set_index("size")
    for size, row in table.iterrows():
        part = found.predictions[found.predictions["size"] == size]
        by_seed = [macro_f1(rows, LABELS) for _, rows in part.groupby("seed")]
        assert row["f1"].value == pytest.approx(np.mean(by_seed))
    assert table.loc[112, "change"] is None
    difference = table.loc[28, "f1"].value - table.loc[112, "f1"].value
    assert table.loc[28, "change"].value == pytest.approx(difference)
    assert table.loc[112, "share"] == 1


def test_what_is_stored_is_what_is_loaded_and_a_changed_file_is_refused(found, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "folder", lambda: tmp_path / "results")
    assert size_evidence.load() is None
    where = size_evidence.save(found, "the command")
    loaded = size_evidence.load()
    pd.testing.assert_frame_equal(loaded.predictions, found.predictions, check_exact=True)
    pd.testing.assert_frame_equal(loaded.seconds, found.seconds, check_exact=True)
    assert (loaded.parameters, loaded.provenance) == (found.parameters, found.provenance)
    found.seconds.assign(seconds=0.0).to_parquet(where / "seconds.parquet")
    with pytest.raises(StudyError, match=r"seconds\.parquet is missing or not what was recorded"):
        size_evidence.load()


def test_the_page_shows_the_table_or_says_how_to_make_it(found):
    assert size_evidence.COMMAND in page.table(None).data
    assert page.sentence(None) == ""
    shown = page.table(found).data
    assert "difference to 112 px" in shown
    assert "2 folds of whole subjects, 2 seeds" in shown
    assert page.sentence(found) == "", "nothing larger than the default was tried"


def test_wrong_sizes_are_refused_before_anything_runs(monkeypatch):
    monkeypatch.setattr(size_evidence, "open_cohort", lambda *a, **k: pytest.fail("ran"))
    with pytest.raises(StudyError, match=r"image_size=20 is refused.*28 to 448"):
        size_evidence.compute(P, (20, 28))
    with pytest.raises(StudyError, match="give at least two"):
        size_evidence.compute(P, (28, 28))
