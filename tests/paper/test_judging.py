"""Findings come from named estimates by the rules of claims.yml; what makes one untestable says so."""

import fnmatch
import re

import pandas as pd
import pytest

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.paper import RELEASED, cells, judge, printed, released, rules_of
from ethnicmer_lib.paper.counted import beside_paper
from ethnicmer_lib.paper.findings import MODES, NOT_HERE, VERDICTS
from ethnicmer_lib.paper.judging import KINDS
from ethnicmer_lib.paper.numbers import read_yaml
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.store.provenance import Provenance

REAL = Provenance("published flow", False, "1")
SIMULATED = Provenance("simulated cohort (seed 1, texture_cue=0.3)", True, "2")
ABOUT = {
    "first": "Asian", "second": "Non-Asian", "draws": 10, "subjects": 16, "features": "flow", "classifier": "forest",
}  # fmt: skip
DROP = (Estimate(-0.2, -0.3, -0.1), {"draws_below": 9, "p_holm": 0.01, "permutations": 199})


def _drop(of=REAL, departures=(), about=ABOUT, value=DROP):
    return judge("prima_facie", of, departures, about, mixed_drop=value)[0]


def test_every_rule_is_whole_and_no_key_stands_twice():
    known, seen = read_yaml("claims"), []
    for chapter in known["findings"]:
        for key, rule in rules_of(chapter).items():
            seen.append(key)
            assert rule["rule"] in KINDS, key
            assert rule["mode"] in MODES
            assert set(rule.get("instead", {}).values()) <= set(VERDICTS)
            assert all(rule[part] for part in ("question", "answer", "reason"))
    assert len(seen) == len(set(seen))
    answered = {key for claim in known["claims"] for key in claim.get("answers", [claim["key"]])}
    assert answered <= set(seen)
    keys = [claim["key"] for claim in known["claims"]]
    assert len(keys) == len(set(keys))


#: Kind of rule -> the verdicts that it gives, with data that make it give each.
GIVES = {
    "effect": {
        "reproduced": (0.6, 0.55, 0.7),
        "contradicted": (-0.4, -0.5, -0.3),
        "not supported": (0.1, -0.4, 0.6),
    },
    "equal": {
        "reproduced": (0.0, -0.01, 0.01),
        "contradicted": (0.8, 0.7, 0.9),
        "not supported": (0.1, 0.05, 0.9),
    },
    "number": {"reproduced": (0.04, 0.04, 0.04), "not reproduced": (7.0, 7.0, 7.0)},
    "holds": {"reproduced": None, "contradicted": None},
    "open": {NOT_HERE: None},
}


@pytest.mark.parametrize("key", [key for key in rules_of("claims") if "*" not in key])
def test_a_claim_can_get_every_verdict_that_its_rule_names_and_no_other(key):
    rule, words = rules_of("claims")[key], {"paper": 0.04, "direction": 1}
    reached = set()
    for verdict, ends in GIVES[rule["rule"]].items():
        held = words | rule | {"holds": verdict == "reproduced"}
        held["paper"] = 0.04  # some name a printed cell
        assert KINDS[rule["rule"]](Estimate(*ends) if ends else None, held) == verdict
        reached.add(rule.get("instead", {}).get(verdict, verdict))
    named = set(re.findall("|".join(sorted(VERDICTS, key=len, reverse=True)), rule["when"]))
    assert named <= reached, key


def test_a_finding_says_where_it_comes_from():
    found = _drop()
    assert (found.key, found.chapter, found.source, found.simulated) == (
        "mixed_drop",
        "prima_facie",
        REAL.source,
        False,
    )
    assert found.verdict == "reproduced"
    assert "Asian and Non-Asian subjects are mixed" in found.question
    assert "paper -0.029" in found.answer
    assert "10 draws of 16 subjects" in found.reason


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(Estimate(-0.2, -0.3, 0.1), "not supported"), (Estimate(0.2, 0.1, 0.3), "contradicted")],
)
def test_the_verdict_follows_the_interval(value, verdict):
    assert _drop(value=(value, DROP[1])).verdict == verdict


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"of": SIMULATED}, "a texture of strength 0.3"),
        (
            {"departures": ["recipe={'epochs': 3}"]},
            "Not the design that the paper describes: recipe={'epochs': 3}",
        ),
        ({"about": ABOUT | {"draws": 2}}, "Needs 5 draws or more"),
    ],
)
def test_what_makes_a_finding_untestable_says_so(changed, says):
    found = _drop(**changed)
    assert found.verdict == NOT_HERE
    assert says in found.reason
    assert found.estimate == -0.2


def test_other_groups_than_the_papers_cannot_test_its_maps():
    about = {"first": "Old", "second": "Young", "layer": "layer4"}
    value = (
        Estimate(0.2, 0.1, 0.3),
        {
            "mean_first": 0.4,
            "mean_second": 0.2,
            "p_holm": 0.01,
            "family": 8,
            "seeds": 5,
            "meaning": "one-sided",
        },
    )
    found = judge("activation_maps", REAL, about=about, map_sides=value)[0]
    assert found.verdict == NOT_HERE
    assert "The groups are Old and Young" in found.reason


def test_a_text_is_why_nothing_was_measured():
    found = judge("benchmark", REAL, rgb_resnet="This source has no faces")[0]
    assert (found.answer, found.verdict, found.reason) == (
        "Not trained.",
        NOT_HERE,
        "This source has no faces.",
    )


def test_printed_cells_are_judged_only_under_the_papers_protocol():
    scores = pd.DataFrame(
        {"macro": [Estimate(0.62, 0.6, 0.7), Estimate(0.5, 0.4, 0.6)]}, ["resnet18", "forest"]
    )
    about = {"clips": 256, "seeds": 5, "weights": "none", "image_size": 28}
    verdicts = [
        judge("benchmark", REAL, departures, about, **cells("table_v", scores))[0].verdict
        for departures in ((), ("epochs=6 (paper: 15)",))
    ]
    assert verdicts == ["reproduced", NOT_HERE]
    assert list(cells("table_v", scores)) == ["table_v_resnet18_macro"]
    assert all(fnmatch.fnmatchcase(key, "table_v_*") for key in cells("table_v", printed("table_v")))


def test_a_table_of_counts_names_what_differs():
    counts = pd.DataFrame(
        {"ours": [15, 30, 45], "paper": [15, 31, 46], "equal": [True, False, False]},
        ["White", "Asian", "total"],
    )
    found = judge("dataset", RELEASED, table_i=beside_paper(counts))[0]
    assert found.answer == "45 in all, printed 46; different: Asian 30 (printed 31)."
    assert (found.verdict, found.estimate, found.low) == ("not reproduced", 45, None)


def test_unknown_keys_and_missing_names_are_refused():
    with pytest.raises(StudyError, match="no finding 'drop'"):
        judge("prima_facie", REAL, drop=1.0)
    with pytest.raises(StudyError, match="no findings of chapter 'epilogue'"):
        judge("epilogue", REAL, drop=1.0)
    with pytest.raises(StudyError, match="give 'permutations'"):
        _drop(value=DROP[0])


RUNS = {"clips": 278, "weights": "none", "image_size": 28}
CONTRAST = {"p_holm": 0.01, "family": 2}
WIDE, RIGHT, WRONG = Estimate(0.01, -0.05, 0.07), Estimate(0.05, 0.02, 0.08), Estimate(-0.05, -0.08, -0.02)


def _contrast(value, of=REAL, seeds=5, key="motion_context", **changes):
    return judge("benchmark", of, (), RUNS | {"seeds": seeds}, **{key: (value, CONTRAST | changes)})[0]


@pytest.mark.parametrize(
    ("kind", "words", "verdicts"),
    [
        ("effect", {"direction": 1}, {"reproduced": RIGHT, "contradicted": WRONG, "not supported": WIDE}),
        (
            "equal",
            {"margin": 0.029},
            {
                "reproduced": Estimate(0.0, -0.02, 0.02),
                "contradicted": Estimate(0.06, 0.03, 0.09),
                "not supported": WIDE,
            },
        ),
        ("number", {"paper": 0.03}, {"reproduced": WIDE, "not reproduced": WRONG}),
    ],
)
def test_every_rule_can_give_every_verdict(kind, words, verdicts):
    assert {verdict: KINDS[kind](value, words) for verdict, value in verdicts.items()} == {
        verdict: verdict for verdict in verdicts
    }


def test_fewer_than_five_training_runs_decide_nothing():
    assert [_contrast(RIGHT, seeds=seeds).verdict for seeds in (1, 4, 5)] == [
        NOT_HERE,
        NOT_HERE,
        "reproduced",
    ]
    assert "needs 5 of them, here 4" in _contrast(RIGHT, seeds=4).reason


def test_an_interval_alone_is_not_enough_in_a_family_of_tests():
    assert _contrast(RIGHT, p_holm=0.06).verdict == "not supported"


def test_not_supported_says_what_could_have_been_seen():
    found = _contrast(WIDE)
    assert found.verdict == "not supported"
    assert found.detectable == pytest.approx(0.06 * (1 + 0.8416 / 1.96), rel=1e-3)
    assert f"80 % power: {found.detectable:.3f}" in found.reason
    assert _contrast(RIGHT).detectable is None


@pytest.mark.parametrize(
    ("source", "key", "value", "said"),
    [
        ("cohort", "motion_context", RIGHT, "false alarm"),
        ("cohort", "motion_context", WRONG, "false alarm"),
        ("cohort", "motion_context", WIDE, "correct rejection"),
        ("cohort (texture_cue=0.0)", "motion_context", WIDE, "correct rejection"),
        ("cohort (texture_cue=1.0)", "motion_context", RIGHT, NOT_HERE),
        ("cohort", "rgb_resnet", RIGHT, NOT_HERE),  # that a branch costs macro F1 is not about groups
        ("cohort (texture_cue=1.0)", "rgb_resnet", WIDE, NOT_HERE),
        ("cohort", "motion_context", Estimate(0.0, -0.01, 0.01), "correct rejection"),
    ],
)
def test_on_a_simulated_cohort_a_rule_is_right_or_wrong(source, key, value, said):
    of = Provenance(f"simulated {source}", True, "3")
    found = _contrast(value, of, key=key)
    assert found.verdict == said
    assert found.reason.startswith("The cohort" if said == NOT_HERE else f"A {said}. The cohort")
    assert _contrast(value, of, seeds=2, key=key).verdict == NOT_HERE


@pytest.mark.parametrize(("value", "said"), [(RIGHT, "hit"), (WIDE, "miss"), (WRONG, "miss")])
def test_what_is_planted_is_found_or_missed(value, said):
    of = Provenance("simulated cohort (texture_cue=1.0)", True, "4")
    words = {"accuracy": value, "database_rule": 0.8}
    found = judge("benchmark", of, (), RUNS | {"seeds": 5}, local_texture=(value, words))[0]
    assert found.verdict == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Estimate(0.0, -0.01, 0.01), "hit"),
        (Estimate(0.01, -0.09, 0.1), "miss"),
        (Estimate(0.2, 0.1, 0.3), "false alarm"),
    ],
)
def test_a_claim_that_nothing_differs_is_true_where_nothing_is_planted(value, said):
    words = {
        "first": "A",
        "second": "B",
        "draws": 6,
        "subjects": 16,
        "features": "flow",
        "classifier": "forest",
    }
    for source, outcome in (("cohort", said), ("cohort (texture_cue=1.0)", NOT_HERE)):
        of = Provenance(f"simulated {source}", True, "5")
        (found,) = judge("prima_facie", of, (), words, mono_consistent=value)
        assert found.verdict == outcome


def test_a_printed_effect_outside_the_interval_is_said():
    far, near = Estimate(0.01, -0.01, 0.02), Estimate(0.01, -0.01, 0.09)
    assert "as printed, +0.043, lies outside" in _contrast(far).reason
    assert "as printed" not in _contrast(near).reason


def test_a_cell_that_labels_alone_give_is_not_compared_as_described():
    of_one = pd.DataFrame({"macro": [Estimate(0.5, 0.3, 0.7)]}, ["Mixed"])
    for alone, verdict in ((True, NOT_HERE), (False, "reproduced")):
        flags = pd.DataFrame({"macro": [alone]}, ["Mixed"])
        named = cells("table_iv", of_one, labels_alone=flags)
        assert judge("audit", REAL, about={"draws": 200, "weights": "none"}, **named)[0].verdict == verdict


def test_what_is_not_compared_as_described_is_what_labels_alone_give():
    """``labels_alone`` of a rule says what the audit computes."""
    named = {key: rule["paper"] for key, rule in rules_of("prima_facie").items() if rule.get("labels_alone")}
    assert list(named) == ["minority_f1"]
    by_labels = released.from_labels().round(4)
    for paper in named.values():
        (arm,) = paper["rows"]
        assert by_labels.loc[arm, paper["cell"]] == printed("table_iv").loc[arm, paper["cell"]]
