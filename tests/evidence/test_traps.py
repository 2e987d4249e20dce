"""Each trap on a cohort made for it: it pays where it should, and the honest protocol does not fall for it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import steps, traps
from ethnicmer_lib.evidence.tracked import tracked_cohort
from ethnicmer_lib.stats import macro_f1

SUBJECTS, EACH = 18, 6


def cohort(face: float = 0.0, signal: float = 0.0, width: int = 30, seed: int = 0):
    """Subjects who mostly show one label; measures know the face, the label, or nothing."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(SUBJECTS), EACH)
    label = np.where(rng.random(subject.size) < 0.8, subject % 3, rng.integers(3, size=subject.size))
    x = rng.normal(size=(subject.size, width))
    x += face * rng.normal(size=(SUBJECTS, width))[subject]
    x[:, :3] += signal * np.eye(3)[label]
    table = pd.DataFrame({"subject": [f"s{s:02d}" for s in subject], "label": np.array(list("abc"))[label]})
    return x, table.assign(clip_id=[f"c{i}" for i in range(len(table))])


def gain(trap: str, seeds: int = 1, **made) -> float:
    x, table = cohort(**made)
    honest, trapped = (
        pd.concat([traps.predict(x, table, one, seed) for seed in range(seeds)])
        for one in (traps.HONEST, trap if trap != "mean" else traps.HONEST)
    )
    return traps.inflation(honest, trapped, trap, resamples=100)["inflation"].value


def test_splitting_clips_pays_where_faces_are_recognisable_alone():
    assert gain("clips", face=3.0) > 0.2
    assert abs(gain("clips", face=0.0, signal=3.0)) < 0.1


def test_choosing_the_epoch_on_the_test_subject_pays_even_in_noise():
    assert gain("epoch", seeds=2) > 0.01


def test_choosing_measures_on_all_clips_finds_labels_in_noise():
    assert gain("select", width=600) > 0.15


def test_clips_made_between_neighbours_before_the_split_carry_the_test_subject_into_training():
    x, table = cohort()
    rare = table["label"].to_numpy() == "c"
    keep = ~rare | (np.arange(len(rare)) % 3 == 0)
    tables = [traps.predict(x[keep], table[keep], one) for one in (traps.HONEST, "balance")]
    assert macro_f1(tables[1]) > macro_f1(tables[0])


def test_rows_out_of_step_lose_the_signal_and_scaling_hardly_matters():
    assert gain("rows", signal=3.0) < -0.2
    assert abs(gain("scale", signal=3.0)) < 0.05


def test_scaling_a_subject_by_its_own_clips_changes_its_answers():
    x, table = cohort(signal=3.0)
    assert (traps.predict(x, table)["predicted"] != traps.predict(x, table, "batch")["predicted"]).any()


def test_the_mean_over_subjects_is_another_score_of_the_same_answers():
    x, table = cohort(signal=1.0)
    said = traps.predict(x, table)
    found = traps.inflation(said, said, "mean", resamples=100)
    assert found["honest"] == pytest.approx(macro_f1(said))
    from sklearn.metrics import f1_score

    parts = [f1_score(one["label"], one["predicted"], average="macro") for _, one in said.groupby("subject")]
    assert found["trapped"] == pytest.approx(np.mean(parts))


def test_the_honest_protocol_finds_nothing_in_noise():
    x, table = cohort(width=600)
    assert macro_f1(traps.predict(x, table)) < 0.45


def test_the_tables_hold_every_trap_with_an_interval():
    x, table = cohort(signal=1.0)
    found = traps.measure_traps(x, table, ["clips", "mean"], n_seeds=2)
    for shown in (traps.traps_table(found), traps.cohorts_table(found)):
        assert shown["trap"].tolist() == ["clips", "mean"]
        assert all(one.low <= one.value <= one.high for one in shown["inflation"])


def test_wrong_names_and_rows_are_refused():
    x, table = cohort()
    with pytest.raises(StudyError, match="trap='luck' is unknown"):
        traps.predict(x, table, "luck")
    with pytest.raises(StudyError, match="must match row by row"):
        traps.predict(x[1:], table)


def test_made_clips_make_labels_equally_frequent_and_lie_between_clips_of_their_label():
    x, y = np.array([[0.0], [1.0], [9.0], [9.0], [9.0], [9.0]]), np.array([0, 0, 1, 1, 1, 1])
    made, labels, parents = steps.balanced(x, y, np.random.default_rng(0))
    assert labels.tolist() == [0, 0]
    assert ((made >= 0) & (made <= 1)).all()
    assert set(parents) <= {0, 1}


def test_a_tracked_cohort_is_the_same_for_the_same_seed_and_has_the_subjects_of_the_study():
    one, other = tracked_cohort(), tracked_cohort()
    assert np.array_equal(one.x, other.x)
    assert one.table["subject"].nunique() == 53
    assert tracked_cohort(noise=0, face=0).x.min() >= 0
