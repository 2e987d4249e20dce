"""Every way to ask whether a second branch helps: which ways there are, and their values by another route."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, recall_score

from ethnicmer_lib.evidence.specifications import branch_table

LABELS = ["Negative", "Positive", "Surprise"]


@pytest.fixture
def predictions(workspace):
    rng = np.random.default_rng(3)
    subject = np.repeat([f"s{i:02d}" for i in range(12)], 4)
    clips = pd.DataFrame({"clip_id": [f"c{i}" for i in range(48)], "subject": subject})
    clips["database"] = np.where(clips["subject"] < "s06", "CASME II", "SAMM")
    clips["label"] = np.resize(LABELS, 48)
    clips.loc[clips["subject"] == "s01", "subject"] = "s00"  # the largest subject
    tables = []
    for arm, right in (("plain", 0.4), ("dual", 0.8), ("shuffled", 0.8)):
        for seed in range(2):
            said = np.where(rng.random(48) < right, clips["label"], rng.permutation(clips["label"]))
            tables.append(clips.assign(arm=arm, seed=seed, predicted=said))
    return pd.concat(tables, ignore_index=True)


def test_every_way_is_there_once_and_scored_as_scikit_learn_scores_it(predictions):
    curve = branch_table({"here": predictions})
    choices = ["taught", "run", "clips", "score"]
    assert not curve.duplicated(choices).any()
    assert set(curve["taught"]) == {"the group", "groups dealt at random"}  # what was trained
    assert len(curve) == 2 * 4 * 2
    assert curve["value"].is_monotonic_increasing
    assert (curve["runs"] == 2).all()
    functions = {"macro": f1_score, "uar": recall_score}
    for row in curve[curve["taught"] == "the group"].itertuples():
        part = predictions
        if row.clips == "without the largest subject":
            part = part[part["subject"] != "s00"]
        elif row.clips != "all clips":
            part = part[part["database"] == row.clips.removesuffix(" alone")]
        by_run = part.groupby(["arm", "seed"])[["label", "predicted"]].apply(
            lambda rows, score=row.score: functions[score](rows["label"], rows["predicted"], average="macro")
        )
        assert row.value == pytest.approx(by_run["dual"].mean() - by_run["plain"].mean())
        assert row.low < row.value < row.high
