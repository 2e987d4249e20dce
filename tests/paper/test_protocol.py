"""The rules are those that are frozen, and a change of what decides is noticed."""

import copy

import pytest

from ethnicmer_lib.paper import protocol, rules_of
from ethnicmer_lib.paper.numbers import read_yaml
from ethnicmer_lib.stats import MIN_RUNS


def test_the_rules_are_those_that_were_frozen_last():
    assert protocol.rules_digest() == protocol.changes()["rules"].iloc[-1], (
        "a rule that gives verdicts has changed; say what and why in paper/protocol.yml, with the date and "
        f"rules: {protocol.rules_digest()}"
    )
    assert protocol.changes()["date"].is_monotonic_increasing


def test_every_rule_stands_in_the_protocol():
    table = protocol.all_rules()
    known = read_yaml("claims")["findings"]
    assert len(table) == sum(len(rules) - ("default" in rules) for rules in known.values())
    assert table["key"].is_unique


@pytest.mark.parametrize(
    ("change", "noticed"),
    [({"direction": -1}, True), ({"least": {"seeds": 1}}, True), ({"answer": "Other words."}, False)],
)
def test_a_changed_rule_is_noticed_and_changed_words_are_not(monkeypatch, change, noticed):
    before, known = protocol.rules_digest(), copy.deepcopy(read_yaml("claims"))
    known["findings"]["benchmark"]["motion_context"] |= change
    monkeypatch.setattr("ethnicmer_lib.paper.judging.read_yaml", lambda name: known)
    assert (protocol.rules_digest() != before) is noticed


def test_every_rule_on_training_runs_asks_for_as_many_as_the_statistics_do():
    rules = (rule for chapter in read_yaml("claims")["findings"] for rule in rules_of(chapter).values())
    asked = {rule["least"]["seeds"] for rule in rules if "seeds" in rule.get("least", {})}
    assert asked == {MIN_RUNS}
