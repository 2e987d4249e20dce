"""What Table V's claims are judged by: two networks are compared in the runs that both have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.networks.arms import ARMS, VARIANTS
from ethnicmer_lib.networks.table_v import CONTROLS, RELEASED, contrasts, released_claims
from ethnicmer_lib.paper import called, rules_of
from ethnicmer_lib.paper.numbers import read_yaml
from ethnicmer_lib.store import project_root


@pytest.fixture
def made():
    """A run of the plain network as released on 12 subjects, and what any arm and seed made of it."""
    clips = pd.DataFrame({"subject": [f"s{i // 4:02d}" for i in range(48)]})
    clips = clips.assign(clip_id=clips["subject"] + [f"/{i % 4}" for i in range(48)])
    clips["label"] = np.resize(["Negative", "Positive", "Surprise"], 48)

    def run(arm, seed, wrong):
        said = clips["label"].where(np.arange(48) >= wrong, "Negative")
        return clips.assign(arm=arm, seed=seed, predicted=said)

    return run


def test_runs_that_one_network_lacks_do_not_count(made):
    plain = [made("plain_released", seed, 12 + seed) for seed in range(5)]
    some = pd.concat([*plain, *(made("dual_released", seed, 3) for seed in (0, 3))])
    both = contrasts(some).set_index(["a", "b"]).loc[("dual_released", "plain_released")]
    trimmed = contrasts(some[some["seed"].isin([0, 3])]).set_index(["a", "b"])
    assert both["runs"] == 2
    assert both["difference"] == trimmed["difference"]["dual_released", "plain_released"]
    assert released_claims(some)["released_branch"][1]["seeds"] == 2


def test_one_run_of_a_method_without_chance_stands_for_all(made):
    some = pd.concat([*(made("plain", seed, 3 + seed) for seed in range(5)), made("majority", 0, 48)])
    found = contrasts(some).set_index(["a", "b"])
    assert found.loc[("majority", "plain"), "runs"] == 5


def test_every_arm_has_a_name_for_readers_and_the_claims_say_the_same_name():
    names = read_yaml("results")["names"]
    assert [*names] == [*ARMS]
    glossary = (project_root() / "book" / "glossary.md").read_text(encoding="utf-8")
    assert all(f"`{arm}`" in glossary and names[arm] in glossary for arm in VARIANTS[:4])
    rules = rules_of("benchmark")
    for key, pair in (CONTROLS | RELEASED).items():
        assert [rules[key]["a"], rules[key]["b"]] == [called(arm) for arm in pair]


def test_one_arm_alone_is_compared_with_nothing(made):
    assert contrasts(made("plain", 0, 3)).empty
