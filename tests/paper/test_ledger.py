"""The ledger: complete, from what ships, by key, and moved by what it is measured from."""

import json

import pytest

from ethnicmer_lib.clips.labels import SAMM, released_clips
from ethnicmer_lib.paper import (
    RELEASED,
    cells,
    claims_ledger,
    judge,
    label_claims,
    printed,
    released,
    unit_claims,
)
from ethnicmer_lib.paper.facs import CLAIMS, in_words, shown
from ethnicmer_lib.paper.findings import NOT_HERE, VERDICTS
from ethnicmer_lib.publish.chapters import chapter
from ethnicmer_lib.show.claims import ledger as shown_ledger
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
    assert len(deciding) == 80
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
        "mapping_balances": "not supported",
        "screening_corrects": "reproduced",
        "units_positive": "reproduced",
        "one_sided_smile": "not supported",
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
    counted = {key: shown(clips, *claim[:3]) for key, claim in CLAIMS.items()}
    assert counted["one_sided_smile"][True].to_dict() == {"Asian": 11, "Non-Asian": 9}
    assert counted["au26_surprise"][True].to_dict() == {"Asian": 1, "Non-Asian": 2}
    assert counted["au5_surprise"][True].to_dict() == {"Asian": 3, "Non-Asian": 6}
    assert in_words(counted["au5_surprise"])[1] == pytest.approx(0.0033, abs=1e-4)
    words, p = in_words(shown(clips[clips["database"] == SAMM], *CLAIMS["au1_surprise"][:3]))
    assert words.startswith("Asian 2 of 5, ")
    assert round(p, 2) == 0.56


def test_the_page_holds_every_entry_its_filters_and_the_ledger_as_json(ledger):
    text = shown_ledger(ledger).data
    deciding = ledger[ledger["decides"]]
    assert text.count("class='finding'") == len(deciding)
    for verdict, count in deciding["verdict"].value_counts().items():
        assert text.count(f"data-verdict='{verdict}'") == count
    inside = text.partition("<pre>")[2].partition("</pre>")[0].replace("&quot;", '"').replace("&#x27;", "'")
    assert {row["key"] for row in json.loads(inside)} == set(ledger["key"])
