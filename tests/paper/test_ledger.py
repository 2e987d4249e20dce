"""The ledger: complete, from what ships, by key, and moved by what it is measured from."""

import json
import re
from base64 import b64decode
from io import BytesIO

import pandas as pd
import pytest

from ethnicmer_lib.clips.labels import SAMM, released_clips
from ethnicmer_lib.paper import (
    RELEASED,
    answered,
    cells,
    claims_ledger,
    judge,
    label_claims,
    numbers,
    printed,
    released,
    unit_claims,
)
from ethnicmer_lib.paper import on_labels as labels_and_texts
from ethnicmer_lib.paper.facs import CLAIMS, coded, in_words
from ethnicmer_lib.paper.findings import NOT_HERE, VERDICTS
from ethnicmer_lib.paper.on_labels import clips_right
from ethnicmer_lib.publish.chapters import chapter
from ethnicmer_lib.show.claims import ledger as shown_ledger
from ethnicmer_lib.stats import permutation_difference
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.store.provenance import Provenance

REAL = Provenance("published flow", False, "1")
SIMULATED = Provenance("simulated cohort (seed 1)", True, "2")


@pytest.fixture(scope="module")
def on_labels():
    """What ships and needs no clips."""
    with pytest.MonkeyPatch.context() as patched:  # takes seconds, and has a test of its own
        patched.setattr(released, "equal_from_noise", lambda: ["SVC(C=100)"])
        found = judge("claims", RELEASED, **label_claims())
    return found + judge("audit", RELEASED, **unit_claims())


@pytest.fixture(scope="module")
def ledger(on_labels):
    return claims_ledger(on_labels)


def test_every_claim_has_a_verdict_a_reason_and_a_page(ledger):
    deciding = ledger[ledger["decides"]]
    assert deciding["key"].is_unique
    assert set(deciding["key"]) == set(ledger["key"])
    assert deciding["printed"].notna().sum() == 39  # 38 cells of tables, and the subjects that the text names
    assert deciding["printed"].isna().sum() >= 60
    sentences = deciding.loc[deciding["printed"].isna(), "says"]
    assert sentences.str.startswith("The paper: ").all()
    assert sentences.is_unique
    assert deciding["verdict"].isin(VERDICTS).all()
    assert (deciding["reason"].str.len() > 5).all()
    assert deciding["where"].all()
    assert all(chapter(page) for page in deciding["page"])


def test_all_printed_cells_are_there(ledger):
    places = ledger.dropna(subset="printed").drop_duplicates("key").groupby("place").size()
    counts = {"Table I": 6, "Table II": 5, "Table III": 3, "Table IV": 9, "Table V": 16}
    assert places.to_dict() == counts  # with the number of subjects that the text names


def test_verdicts_that_the_shipped_labels_decide(ledger):
    expected = {
        "table_i_white_subjects": "reproduced",
        "table_i_asian_subjects": "not reproduced",
        "subjects_total": "not reproduced",
        "table_ii_white_clips": "not reproduced",
        "table_ii_others_clips": "reproduced",
        "table_iii_negative_clips": "reproduced",
        "subjects_add_up": "reproduced",
        "clips_add_up": "contradicted",
        "five_categories": "reproduced",
        "sixteen_subjects": "not reproduced",
        "same_distribution": "contradicted",
        "balanced_labels": "contradicted",
        "smaller_classes": "contradicted",
        "averages_iv": "reproduced",
        "averages_v": "reproduced",
        "others_by_hand": "not supported",
        "mapping_balances": "reproduced",
        "asian_includes": "contradicted",
        "screening_corrects": "not supported",
        "screening_all": "not supported",
        "domain_shift": "contradicted",
        "primary_variable": "contradicted",
        "sixteen_drawn": "reproduced",
        "mixed_subjects": "reproduced",
        "mixed_clips": "contradicted",
        "cde_iv": "contradicted",
        "separate_backbones": "contradicted",
        "separate_tuning": "contradicted",
        "losses": "reproduced",
        "protocol_epochs": "reproduced",
        "gain_points": "reproduced",
        "rows_order": "not supported",
        "unit_6_positive": "not reproduced",
        "unit_12_positive": "reproduced",
        "unit_1_surprise": "not supported",
        "unit_26_surprise": "not reproduced",
        "both_units_asian": "contradicted",
        "both_units_non_asian": "not supported",
        "lower_non_asian": "not supported",
        "upper_asian": "reproduced",
        "intensity": NOT_HERE,
        "one_sided_smile": NOT_HERE,
        "au26_surprise": "not supported",
        "au5_surprise": "not supported",
        "au12_universal": "not supported",
        "random_forest": NOT_HERE,
        "duration": NOT_HERE,
        "universality": NOT_HERE,
        "map_sides": NOT_HERE,
        "table_v_tinyvit_macro": NOT_HERE,
    }
    assert ledger[ledger["decides"]].set_index("key").loc[list(expected), "verdict"].to_dict() == expected


def test_as_described_decides_before_as_released_and_real_before_simulated(on_labels):
    as_released = cells("table_iv", printed("table_iv"), "released_iv")
    described = printed("table_iv").map(lambda value: Estimate(value + 0.2, value + 0.1, value + 0.3))
    about = {"draws": 10, "weights": "none"}
    found = judge("audit", RELEASED, **as_released) + judge(
        "audit", REAL, about=about, **cells("table_iv", described)
    )
    both = {
        "first": "A",
        "second": "B",
        "draws": 10,
        "subjects": 16,
        "features": "flow",
        "classifier": "forest",
    }
    for of, value in ((SIMULATED, -0.3), (REAL, 0.0)):
        found += judge(
            "prima_facie", of, about=both, mono_consistent=Estimate(value, value - 0.01, value + 0.01)
        )
    ledger = claims_ledger(on_labels + found).set_index("key")
    assert ledger.loc["table_iv_mixed_macro", ["mode", "verdict", "decides"]].to_numpy().tolist() == [
        ["as described", "not reproduced", True],
        ["as released", "reproduced", False],
    ]
    mono = ledger.loc["mono_consistent"]
    assert (mono["simulated"], mono["verdict"], mono["decides"]) == (False, "reproduced", True)


def test_action_units_are_counted_as_coders_wrote_them():
    clips = released_clips()
    counted = {
        key: coded(clips, *claim[:3]).groupby("group")["has"].sum().to_dict() for key, claim in CLAIMS.items()
    }
    assert counted["one_sided_smile"] == {"Asian": 11, "Non-Asian": 9}
    assert counted["au26_surprise"] == {"Asian": 1, "Non-Asian": 2}
    assert counted["au5_surprise"] == {"Asian": 3, "Non-Asian": 6}
    within = coded(clips[clips["database"] == SAMM], *CLAIMS["au1_surprise"][:3])
    assert in_words(within) == "Asian 2 of 5, Non-Asian 2 of 10"


def test_groups_of_action_units_are_permuted_between_subjects_and_adjusted_as_one_family():
    found = {key: words for key, (_, words) in unit_claims().items()}
    clips = coded(released_clips(), *CLAIMS["au2_surprise"][:3])
    alone = permutation_difference(clips["has"], clips["subject"], clips["group"])
    assert alone < 0.02  # by clips, Fisher's exact test gives .007
    assert {words["tests"] for words in found.values()} == {2 * len(CLAIMS)}
    assert all(
        words[name] == 1 or words[name] > alone for words in found.values() for name in ("p", "p_samm")
    )
    assert min(words["p"] for words in found.values()) > 0.05
    assert found["one_sided_smile"]["arrangements"] == 8  # one subject of eight
    assert found["au26_surprise"]["arrangements"] == 330  # four of eleven


@pytest.mark.parametrize(
    ("p", "difference", "ways", "verdict"),
    [
        (0.01, 0.5, 330, "reproduced"),
        (0.01, -0.5, 330, "contradicted"),
        (0.2, 0.5, 330, "not supported"),
        (0.01, 0.5, 8, NOT_HERE),
    ],
)
def test_an_action_unit_can_get_every_verdict(p, difference, ways, verdict):
    words = unit_claims()["au1_surprise"][1] | {
        "p": p,
        "p_samm": p,
        "difference": difference,
        "arrangements": ways,
    }
    finding = judge("audit", RELEASED, au1_surprise=(None, words))[0]
    assert finding.verdict == verdict
    assert "adjusted over 10 tests (Holm)" in finding.answer
    assert "of no size within SAMM" in finding.reason  # 5 clips beside 10


def test_printed_rows_of_table_v_fit_one_number_of_right_clips_each():
    supports = released_clips()["label"].value_counts()
    right = {arm: clips_right(row, supports) for arm, row in printed("table_v").iterrows()}
    assert right == {"resnet18": [209], "dual_motion": [220], "dual_rgb": [190], "tinyvit": [221]}


def test_an_entry_of_the_protocol_that_the_release_changes_is_contradicted(monkeypatch):
    known = numbers.read_yaml("release")
    changed = known | {"claims": {"protocol_epochs": known["claims"]["protocol_epochs"] | {"value": 20}}}
    files = {
        "release": changed,
        "results": numbers.read_yaml("results"),
        "claims": numbers.read_yaml("claims"),
    }
    monkeypatch.setattr(labels_and_texts, "read_yaml", files.get)
    found = judge("claims", RELEASED, **labels_and_texts.read_in_release())[0]
    assert (found.answer, found.verdict) == ("The default is 20 epochs.", "contradicted")


def test_a_claim_about_the_released_draw_is_judged_on_it_alone(on_labels):
    drawn = {finding.key: finding.verdict for finding in on_labels}
    about = {
        "first": "Asian",
        "second": "Non-Asian",
        "draws": 10,
        "subjects": 16,
        "features": "f",
        "classifier": "c",
    }
    redrawn = judge(
        "prima_facie", REAL, about=about, same_distribution=(Estimate(0.02, 0.01, 0.03), {"shares": ""})
    )
    assert redrawn[0].verdict == "reproduced"
    same = claims_ledger(on_labels + redrawn).query("key == 'same_distribution'")
    assert same["verdict"].tolist() == [drawn["released_shares"]] == ["contradicted"]


def test_the_page_holds_every_entry_its_filters_and_the_ledger_as_files(ledger):
    text = shown_ledger(ledger).data
    deciding = ledger[ledger["decides"]]
    assert text.count("class='finding'") == len(deciding)
    for verdict, count in deciding["verdict"].value_counts().items():
        assert text.count(f"data-verdict='{verdict}'") == count
    csv, rows = (b64decode(re.search(rf"text/{kind};base64,(.*?)'", text)[1]) for kind in ("csv", "json"))
    assert {row["key"] for row in json.loads(rows)} == set(ledger["key"])
    pd.testing.assert_series_equal(pd.read_csv(BytesIO(csv))["printed"], ledger["printed"], check_index=False)


def test_what_is_printed_and_what_is_found_stand_side_by_side(ledger):
    numbers = dict(re.findall(r"id='(\w+)'.*?class='estimate'>(.*?)<", shown_ledger(ledger).data))
    one = ledger[ledger["decides"] & ledger["printed"].notna() & ledger["value"].notna()].iloc[0]
    printed, found = re.fullmatch(r"printed ([\d.]+), found ([-\d.]+)", numbers[one["key"]]).groups()
    assert float(printed) == pytest.approx(one["printed"], abs=1e-4)
    assert float(found) == pytest.approx(one["value"], abs=1e-4)


def test_one_question_has_one_answer_on_landing_page_and_ledger(on_labels):
    """Both read the same findings by key: of several on real clips the first that could be tested."""
    words = {"clips": 278, "weights": "none", "image_size": 28}
    contrast = {"p_holm": 0.01, "family": 2}

    def said(value, of=REAL, seeds=5):
        return judge("benchmark", of, (), words | {"seeds": seeds}, motion_context=(value, contrast))

    better, unclear = Estimate(0.05, 0.02, 0.08), Estimate(0.01, -0.03, 0.05)
    recorded, few, live = said(better), said(better, seeds=3), said(unclear)
    for told, verdict in (
        ([*recorded, *live], "reproduced"),
        ([*live, *recorded], "not supported"),
        ([*few, *live], "not supported"),
        ([*few, *said(better, SIMULATED)], NOT_HERE),
    ):
        table = claims_ledger([*on_labels, *told]).query("decides").set_index("key")
        landing = answered([*on_labels, *told])
        assert table.loc["motion_context", "verdict"] == landing["motion_context"].verdict == verdict
        shared = table.index.intersection([*landing])
        assert len(shared) > 30
        direct = table.loc[shared, "answer"] == [landing[key].answer for key in shared]
        assert (table.loc[shared, "verdict"] == [landing[key].verdict for key in shared])[direct].all()
    only = claims_ledger([*on_labels, *said(better, SIMULATED)]).query("key == 'motion_context'")
    assert only["verdict"].tolist() == [
        NOT_HERE
    ]  # a false alarm is the rule's, and says nothing of the claim
    assert only["reason"].str.startswith("A false alarm.").all()
