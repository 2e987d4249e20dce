"""The ledger: complete, measured from what ships, and moved by what it is measured from."""

import dataclasses

import pytest
from checkout import ROOT

from ethnicmer_lib.paper import audit, facs_claims
from ethnicmer_lib.paper import ledger as claims
from ethnicmer_lib.paper.claim_evidence import DESCRIBED, NOT_HERE, RELEASED, Evidence
from ethnicmer_lib.paper.counts import released_tables
from ethnicmer_lib.paper.findings import VERDICTS
from ethnicmer_lib.publish import old_chapters as study
from ethnicmer_lib.publish import recorded
from ethnicmer_lib.publish.old_parameters import Audit, Claims
from ethnicmer_lib.show.pages import audit as audit_page
from ethnicmer_lib.show.pages import claims as page
from ethnicmer_lib.store import old_recording as results


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    """What ships: labels and recorded runs.  Chapters that need faces are missing, as on the published features."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ETHNICMER_WORKSPACE", str(tmp_path_factory.mktemp("ledger")))
        patch.setattr(results, "folder", lambda: ROOT / "results")
        real = recorded.load("flow")
        found = audit.compute(Audit(lottery_seeds=20))
        chapters = {"benchmark": real.benchmark}
        yield Evidence(released_tables(), found, real, chapters)


@pytest.fixture(scope="module")
def ledger(evidence):
    return claims.Ledger(Claims(), evidence.audit.provenance, tuple(claims.entries(evidence)))


def test_every_claim_has_a_verdict_a_reason_and_a_page(ledger):
    assert len(ledger.entries) >= 60
    keys = [entry.claim.key for entry in ledger.entries]
    assert len(set(keys)) == len(keys)
    assert {claim.key for claim in claims.sentences()} == set(claims.MEASURES)
    for entry in ledger.entries:
        assert entry.verdict in VERDICTS
        assert len(entry.reason) > 5
        assert entry.claim.where
        assert study.chapter(entry.claim.page.replace("-", "_"))
    assert sum(ledger.counts().values()) == len(ledger.entries)


def test_all_printed_cells_are_there(ledger):
    cells = [entry.claim for entry in ledger.entries if entry.claim.value is not None]
    of = {n: sum(c.where == f"Table {n}" for c in cells) for n in ("I", "II", "III", "IV", "V")}
    assert of == {"I": 5, "II": 5, "III": 3, "IV": 9, "V": 16}


def test_table_iv_is_reproduced_as_released_and_judged_as_described(ledger):
    cells = [entry for entry in ledger.entries if entry.claim.where == "Table IV" and entry.claim.value]
    assert len(cells) == 9
    for entry in cells:
        by_mode = {one.mode: one.finding for one in entry.measured}
        assert by_mode[RELEASED].verdict == "reproduced"
        assert entry.deciding.mode == DESCRIBED
        low, high = by_mode[DESCRIBED].low, by_mode[DESCRIBED].high
        inside = low <= entry.claim.value <= high
        assert (entry.verdict == "reproduced") == inside


def test_verdicts_that_the_shipped_labels_decide(ledger):
    expected = {
        "table_I_White": "reproduced",
        "table_I_Asian": "not reproduced",
        "subjects_total": "not reproduced",
        "table_II_White": "not reproduced",
        "table_II_Others": "reproduced",
        "table_III_Negative": "reproduced",
        "subjects_add_up": "reproduced",
        "clips_add_up": "contradicted",
        "sixteen_subjects": "not reproduced",
        "from_flow": "contradicted",
        "same_distribution": "contradicted",
        "balanced_labels": "contradicted",
        "smaller_classes": "contradicted",
        "averages_iv": "reproduced",
        "averages_v": "reproduced",
        "others_by_hand": "not supported",
        "one_sided_smile": "not supported",
        "duration": NOT_HERE,
        "universality": NOT_HERE,
        "map_sides": NOT_HERE,
    }
    got = {key: next(m.finding.verdict for m in ledger[key].measured) for key in expected}
    assert got == expected


def test_counts_are_those_of_the_released_table(ledger):
    values = {
        k: ledger[k].deciding.finding.estimate for k in ("table_I_Asian", "table_II_White", "subjects_total")
    }
    assert values == {"table_I_Asian": 30, "table_II_White": 87, "subjects_total": 53}


def test_action_units_are_counted_as_the_coders_wrote_them():
    shown = {claim.key: facs_claims.shown(claim) for claim in facs_claims.CLAIMS}
    assert dict(shown["au12"].with_unit) == {"Asian": 11, "Non-Asian": 9}
    assert dict(shown["au26"].with_unit) == {"Asian": 1, "Non-Asian": 2}
    assert dict(shown["au5"].with_unit) == {"Asian": 3, "Non-Asian": 6}
    assert shown["au5"].p == pytest.approx(0.0033, abs=1e-4)
    samm = facs_claims.shown(facs_claims.CLAIMS[2], within_samm=True)
    assert (samm.with_unit["Asian"], samm.clips["Asian"], round(samm.p, 2)) == (2, 5, 0.56)


def test_another_recording_gives_another_verdict(evidence, ledger):
    """Mixed made perfect in the recorded predictions: the drop must not survive it."""
    described = evidence.audit.recorded.arms[claims.DESCRIBED_ARM]
    changed = described.predictions.copy()
    mixed = changed["scenario"] == "Mixed"
    changed.loc[mixed, "predicted"] = changed.loc[mixed, "label"]
    rescored = audit.table_iv.prima_facie.score(described.parameters, described.provenance, changed, [])
    arms = {**evidence.audit.recorded.arms, claims.DESCRIBED_ARM: rescored}
    other = dataclasses.replace(
        evidence,
        audit=dataclasses.replace(
            evidence.audit, recorded=dataclasses.replace(evidence.audit.recorded, arms=arms)
        ),
    )
    moved = claims.Ledger(Claims(), ledger.provenance, tuple(claims.entries(other)))
    assert moved["mixed_drop"].deciding.finding.estimate > ledger["mixed_drop"].deciding.finding.estimate
    assert moved["table_IV_Mixed_Average"].verdict == "not reproduced"
    assert moved["mixed_drop"].verdict == "contradicted"


def test_the_page_holds_every_entry_and_its_filters(ledger):
    text = page.ledger(ledger).data
    assert text.count("class='finding'") == len(ledger.entries)
    for verdict, count in ledger.counts().items():
        assert text.count(f"data-verdict='{verdict}'") == count
    values = page.values(ledger)
    assert values["table_iv_released"] == 9
    assert values["n_claims"] == len(ledger.entries)
    assert '"table_I_White"' in page.download(ledger).data.replace("&quot;", '"')


def test_every_switch_is_a_parameter_with_a_measured_effect(evidence):
    effects = evidence.audit.effects()
    assert len(effects) == len(audit.SWITCHES)
    for switch, row in zip(audit.SWITCHES, effects.itertuples(), strict=True):
        chapter = study.chapter(switch.chapter)
        default = study.resolve(chapter)
        assert str(getattr(default, switch.parameter)) == switch.described
        flipped = study.typed([f"{switch.parameter}={switch.changed}"])
        changed = study.resolve(chapter, overrides=flipped, own=True)
        others = {k: v for k, v in changed.model_dump().items() if k != switch.parameter}
        assert others == {k: v for k, v in default.model_dump().items() if k != switch.parameter}
        assert row.low <= row.value <= row.high
    assert audit_page.switches_table(evidence.audit).data.count("<tr>") == 1 + len(effects)


def test_the_audit_page_shows_the_rule_and_the_cells(evidence):
    values = audit_page.values(evidence.audit)
    assert values["cells_equal"] == values["cells_printed"] == 9
    table = audit_page.released_table(evidence.audit).data
    assert table.count("0.4330") == 1 + 1 + len(evidence.audit.by_noise)
    assert "within SAMM" in audit_page.units_table(evidence.audit).data
    assert audit_page.controls_table(evidence.audit).data.count("<tr>") == 1 + len(
        evidence.audit.recorded.arms
    )
    for finding in evidence.audit.findings():
        assert finding.verdict in VERDICTS
