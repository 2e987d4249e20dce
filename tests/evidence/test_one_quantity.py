"""One quantity, several numbers: each row of the table is the number that its page shows, computed as the page does."""

from functools import cache

import pytest

import ethnicmer_lib as em
from ethnicmer_lib.design.studies import DESCRIBED, studies_table
from ethnicmer_lib.evidence.flow_accuracy import recognised
from ethnicmer_lib.evidence.image_size import size_table
from ethnicmer_lib.evidence.one_quantity import shown_twice
from ethnicmer_lib.evidence.traps import traps_table
from ethnicmer_lib.networks.table_v import claims
from ethnicmer_lib.paper import released
from ethnicmer_lib.paper.counted import group_rules
from ethnicmer_lib.stats import single_runs
from ethnicmer_lib.store import project_root


@cache
def shown():
    return shown_twice(seed=0)


@cache
def macro(name, part="predictions"):
    return em.scores(em.recording(name).table(part), interval=True, seed=0)["macro"]


@cache
def contrasts(name, part="predictions"):
    return em.networks.contrasts(em.recording(name).table(part), seed=0).set_index(["a", "b"])["difference"]


@cache
def sizes():
    recorded = em.recording("image_size")
    return size_table(recorded.predictions, recorded.table("seconds")).set_index("size")["macro"]


@cache
def studies():
    draws = em.recording("table_iv").predictions
    return studies_table(draws[draws["study"].isin([DESCRIBED, "svc", "forest"])], seed=0)


@cache
def middle():
    return em.design.middle_table(em.recording("table_iv").predictions.query("study == 'forest, ResNet-18'"))


def real():
    return em.recording("table_v").predictions


def told(name, table=None):
    said = em.recording(name).predictions
    found = em.group_accuracy(said, said if table is None else table, seed=0)
    return found.set_index("arm").loc["dual_motion", "database_rule"]


SCORES, CONTRASTS = (
    "em.scores(real.predictions, interval=True",
    "em.networks.contrasts(real.predictions, seed=p.seed)",
)
CONTROLS = "em.scores(controls, interval=True, seed=p.seed)"
STUDIES = "studies_table(recorded.predictions, seed=p.seed)"
#: What the page of a row holds, and the number that it shows, in the order of the table.
ON_PAGES = [
    (SCORES, lambda: macro("table_v")["resnet18"]),
    (
        'em.paper.cells("table_v", single_runs(real.predictions))',
        lambda: single_runs(real())["macro"]["resnet18"],
    ),
    (CONTROLS, lambda: macro("table_v", "controls")["plain"]),
    ("size_table(sizes.predictions", lambda: sizes()[28]),
    ("size_table(sizes.predictions", lambda: sizes()[224]),
    (SCORES, lambda: macro("table_v")["forest"]),
    (CONTROLS, lambda: macro("table_v", "controls")["forest"]),
    (
        "traps.traps_table(real.predictions)",
        lambda: traps_table(em.recording("traps").predictions)["honest"].iloc[0],
    ),
    ('recognised(recorded.table("downstream"), reference="dis")', lambda: downstream()["micro"]),
    ('recognised(recorded.table("downstream"), reference="dis")', lambda: downstream()["dis"]),
    (SCORES, lambda: macro("table_v")["majority"]),
    ("em.design.middle_table(predictions)", lambda: middle().loc["Mixed", "majority"]),
    (CONTRASTS, lambda: contrasts("table_v")["dual_motion", "resnet18"]),
    (
        "claims(real.predictions, em.released_clips(), seed=p.seed)",
        lambda: claims(real(), em.released_clips())["gain_size"],
    ),
    (
        "em.networks.contrasts(controls, seed=p.seed)",
        lambda: contrasts("table_v", "controls")["dual", "plain"],
    ),
    (
        "em.networks.contrasts(released, seed=p.seed)",
        lambda: contrasts("table_v", "released")["dual", "plain"],
    ),
    (
        "em.networks.contrasts(released, seed=p.seed)",
        lambda: contrasts("table_v", "released")["dual_released", "plain_released"],
    ),
    (
        "em.networks.contrasts(nothing.predictions, seed=p.seed)",
        lambda: contrasts("table_v_simulated")["dual_motion", "resnet18"],
    ),
    (STUDIES, lambda: studies().loc[DESCRIBED, "difference"]),
    (STUDIES, lambda: studies().loc["svc", "difference"]),
    (STUDIES, lambda: studies().loc["forest", "difference"]),
    (
        'em.paper.printed_effect("prima_facie", "mixed_drop")',
        lambda: em.paper.printed_effect("prima_facie", "mixed_drop"),
    ),
    ("em.design.middle_table(predictions)", lambda: middle().loc["Mixed", "macro"]),
    (STUDIES, lambda: studies().loc["svc", "median Mixed"]),
    ("released.from_labels()", lambda: released.from_labels().loc["Mixed", "macro"]),
    ("counts.group_rules(real)", lambda: group_rules(em.released_clips())[0]),
    (
        "claims(real.predictions, em.released_clips(), seed=p.seed)",
        lambda: told("table_v", em.released_clips()),
    ),
    (
        "em.group_accuracy(nothing.predictions, nothing.predictions, seed=p.seed)",
        lambda: told("table_v_simulated"),
    ),
    ("em.show.say(**card(p.seed))", lambda: em.paper.counted.card(0)["n_kept"]),
    ('recorded["table_v"].predictions["clip_id"].nunique()', lambda: real()["clip_id"].nunique()),
]


@cache
def downstream():
    return recognised(em.recording("motion").table("downstream"), reference="dis")["macro"]


@pytest.mark.parametrize(("row", "source", "number"), [(i, *one) for i, one in enumerate(ON_PAGES)])
def test_a_row_is_the_number_that_its_page_shows(row, source, number):
    one = shown().iloc[row]
    page = (project_root() / "book" / f"{one['page']}.md").read_text(encoding="utf-8")
    assert source in page
    assert f"# {one['section']}\n" in page
    assert one["number"] == pytest.approx(number(), abs=1e-12)


def test_every_number_is_checked_and_a_quantity_has_several_with_one_to_quote():
    assert len(shown()) == len(ON_PAGES)
    for _, rows in shown().groupby("quantity", sort=False):
        assert len(rows) > 1
        assert rows["number"].map(str).is_unique
        assert rows["why"].is_unique
        assert list(rows["why"].str.startswith("To quote")) == [True] + [False] * (len(rows) - 1)


def test_how_a_number_was_made_is_read_from_its_recording():
    rows = shown().set_index(["quantity", "section", "over"])
    first = rows.loc[("macro F1, plain ResNet-18", "Table V on the real clips", "subjects, runs")]
    made = em.recording("table_v").parameters
    assert first["repeated"] == f"{made['n_seeds']} runs"
    assert [first["epochs"], first["size"]] == [made["recipe"]["epochs"], made["image_size"]]
    simulated = shown()["clips"].str.contains("SIMULATED", na=False)
    assert set(shown().loc[simulated, "page"]) == {"motion", "benchmark"}
