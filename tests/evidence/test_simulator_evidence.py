"""Evidence about the simulator: scored from the recorded predictions, refused when they were changed."""

from __future__ import annotations

import pytest
from sklearn.metrics import f1_score

from ethnicmer_lib.clips.labels import CASME2, SAMM, released_clips
from ethnicmer_lib.evidence import group_trace, realism
from ethnicmer_lib.evidence import simulator as simulator_evidence
from ethnicmer_lib.show import simulator as page
from ethnicmer_lib.simulator.settings import COMPONENTS


@pytest.fixture(scope="module")
def evidence():
    return simulator_evidence.Evidence()


def test_every_condition_was_recorded_for_every_classifier(evidence):
    clips = set(released_clips()["clip_id"])
    for condition in realism.conditions():
        for classifier in realism.CLASSIFIERS:
            table = evidence.predictions(condition, classifier, "random")
            assert len(table) == 278
            assert table["clip_id"].is_unique
            assert set(table["clip_id"]) <= clips
    recorded = set(
        zip(evidence.traces["knob"], evidence.traces["strength"], evidence.traces["seed"], strict=True)
    )
    assert recorded == {(knob, strength, s.seed) for knob, strength, s in group_trace.conditions()}


def test_recorded_labels_are_those_of_the_released_table(evidence):
    truth = released_clips().set_index("clip_id")["label"]
    table = evidence.predictions("real", "forest")
    assert list(table["label"]) == list(truth.loc[table["clip_id"]])


def test_scores_are_those_of_scikit_learn(evidence):
    table = evidence.predictions("all", "logistic", "random")
    expected = f1_score(table["label"], table["predicted"], average="macro")
    found = evidence.macro(table)
    assert found.value == pytest.approx(expected)
    assert found.low < found.value < found.high


def test_a_choice_is_scored_on_the_other_database_only(evidence):
    crossed = evidence.crossed()
    assert len(crossed) == 278
    for tested, other in ((CASME2, SAMM), (SAMM, CASME2)):
        rows = crossed[crossed["database"] == tested]
        assert {*zip(rows["classifier"], rows["framing"], strict=True)} == {evidence.chosen(other)}
    strict = evidence.crossed(strict=True)
    assert {*zip(strict["database"], strict["condition"], strict=True)} == {
        (CASME2, f"codes of {SAMM}"),
        (SAMM, f"codes of {CASME2}"),
    }


def test_simulated_training_recognises_real_clips_as_the_book_says(evidence):
    table = evidence.transfer_table().set_index("trained on")["macro"]
    assert table["simulated clips, chosen on the other database"].value >= 0.58
    assert table["majority class"].value == pytest.approx(
        f1_score(
            ["Negative"] * 180 + ["Positive"] * 58 + ["Surprise"] * 40, ["Negative"] * 278, average="macro"
        )
    )
    assert (evidence.difficulty_table().groupby("classifier")["difference"].mean().abs() <= 0.05).all()


def test_groups_are_not_told_apart_without_a_knob_and_are_with_it(evidence):
    for kind in group_trace.INPUTS:
        hits, cohorts = evidence.told_apart(kind)
        assert cohorts == 20
        assert hits <= 1
    for knob, kind in {"texture_cue": "texture", "action_unit_effect": "motion"}.items():
        hits, cohorts = evidence.told_apart(kind, knob, 1.0)
        assert hits == cohorts > 0
        rows = evidence.traces
        rows = rows[(rows["knob"] == knob) & (rows["input"] == kind)]
        assert rows.groupby("strength")["auc"].mean().is_monotonic_increasing


def test_what_the_knobs_do_is_computed(evidence):
    """A weak effect of Action Units lies below the area of plain cohorts, so only texture grows throughout."""
    said = evidence.knobs()
    assert "2 of 2 at 1 from motion (action_unit_effect)" in said["turned"]
    assert "2 of 2 at 0.25, 2 of 2 at 0.5, 2 of 2 at 1 from texture (texture_cue)" in said["turned"]
    areas = evidence.traces.query("input == 'motion'").groupby(["knob", "strength"])["auc"].mean()
    assert areas["action_unit_effect", 0.25] < areas["none", 0]
    assert said["growing"] == "texture"


def test_the_ablation_has_a_row_for_every_component(evidence):
    rows = evidence.ablation_table("logistic")
    assert list(rows["name"]) == [*(f"without {name}" for name in COMPONENTS), "without random crops"]
    assert ((rows["low"] <= rows["value"]) & (rows["value"] <= rows["high"])).all()


def test_the_page_says_what_was_recorded(evidence):
    values = page.evidence_words(evidence)
    assert evidence.macro(evidence.predictions("real", "logistic")) == values["real_loso"]
    assert values["told_colour"].endswith(" of 20")
    assert evidence.command in values["evidence_made"]
    shown = page.transfer(evidence).data
    assert "published flow features" in shown
    assert "SIMULATED" not in shown
    assert "SIMULATED" in {text.get_text() for text in values["traces"].texts}
