"""Figures and texts of the dataset chapter and the data card: they draw what is in the tables, and say the source."""

from __future__ import annotations

import pytest

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.decisions import Decision, decisions_table
from ethnicmer_lib.clips.table import LABELS, Cohort, Provenance
from ethnicmer_lib.paper import count_checks, dataset
from ethnicmer_lib.publish.old_parameters import DataCard
from ethnicmer_lib.show.figures import dataset as figures_dataset
from ethnicmer_lib.show.pages import data_card
from ethnicmer_lib.show.pages import dataset as page

REAL = Provenance("a test", False, "0" * 16)


class Opened(Cohort):
    """The released clips as a cohort; there is no frame to show."""

    def frames(self, clip_id, moment):
        raise AssertionError("no frame of real clips is shown")


@pytest.fixture(scope="module")
def cohort():
    log = [Decision("SAMM/006/006_1_2", "apex", "none", "7", "missing_apex='midpoint'")]
    return Opened(labels.released_clips(), REAL, decisions_table(log))


@pytest.fixture(scope="module")
def result(cohort):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "open_cohort", lambda p, progress: cohort)
        return dataset.compute(DataCard())


def words(fig) -> str:
    texts = [text.get_text() for text in fig.texts]
    return " | ".join(texts + [text.get_text() for ax in fig.axes for text in ax.texts])


def test_the_mosaic_shows_every_cell_and_who_is_not_there():
    fig = figures_dataset.clips_mosaic(labels.released_clips(), REAL)
    text = words(fig)
    for cell in (
        "100 (23)",
        "32 (14)",
        "25 (10)",
        "36 (11)",
        "1 (1)",
        "5 (4)",
        "56 (16)",
        "25 (7)",
        "10 (7)",
    ):
        assert cell in text
    assert "CASME II\nNon-Asian\nnobody" in text
    assert "25 subjects, 157 clips" in text
    areas = [bar.get_width() * bar.get_height() for bar in fig.axes[0].patches]
    assert sum(areas) == pytest.approx(1)
    counted = labels.released_clips().groupby(["database", "group", "label"]).size()
    assert sorted(round(area * 290) for area in areas if area) == sorted(counted)


@pytest.mark.parametrize("simulated", [True, False])
def test_figures_carry_their_source(simulated):
    provenance = Provenance("somewhere", simulated, "")
    figures = [
        figures_dataset.clips_mosaic(labels.released_clips(), provenance),
        figures_dataset.mapping_bars(count_checks.mapping_counts(), provenance),
    ]
    for fig in figures:
        assert "Source: somewhere" in words(fig)
        assert ("SIMULATED" in words(fig)) == simulated


def test_a_cohort_of_one_column_is_drawn():
    clips = labels.released_clips()
    fig = figures_dataset.clips_mosaic(clips[clips["database"] == "CASME II"], REAL)
    assert len(fig.axes[0].patches) == len(LABELS)


def test_the_mapping_bars_have_the_counts():
    text = words(figures_dataset.mapping_bars(count_checks.mapping_counts(), REAL))
    for count in ("157", "42", "91", "102", "107", "88", "V = 0.73"):
        assert count in text


def test_the_pages_values_and_tables(result, cohort):
    values = page.values(result, cohort)
    assert values["n_conflicts"] == "6"
    assert values["failed_sentence"] == "032 (5 of 6 clips)"
    assert values["moved_sentence"] == "037"
    assert "midpoint' (1)" in values["decisions_note"]
    assert "missing_apex=&#x27;midpoint&#x27;" in page.decisions(result).data
    mismatches = page.mismatches(result).data
    assert mismatches.count("<tr>") == 1 + 4
    assert "Tables I to III" in mismatches
    assert "199 (36)" in page.mappings(result).data
    screening = page.screening(result).data
    assert "White 2, Others 2" in screening
    assert "5 failed" in screening
    assert "database and group" in page.associations(result.associations, REAL).data


def test_the_data_cards_numbers(result):
    values = data_card.values(result)
    assert (values["n_released"], values["n_kept"], values["n_others"]) == ("415", "290", "125")
    assert values["least_most"] == "1 to 33, median 4"
    assert values["rarest"] == "1 Positive clip of 1 Asian subject in SAMM"
    per_subject = result.clips.groupby("subject").size().sort_values(ascending=False)
    half = int(values["half"])
    assert per_subject.iloc[:half].sum() >= 145 > per_subject.iloc[: half - 1].sum()
    table = data_card.composition(labels.released_clips(), result, loaded=False).data
    assert "157 (25)" in table
    assert "released label table" in table


def test_no_decision_is_said_in_words(cohort, monkeypatch):
    quiet = Opened(labels.released_clips(), Provenance("a test", True, "0"))
    monkeypatch.setattr(dataset, "open_cohort", lambda p, progress: quiet)
    result = dataset.compute(DataCard())
    assert page._decisions(result).startswith("Nothing was decided")
    assert page.decisions(result).data == ""
    assert "no person is shown" in data_card.values(result)["cohort_kind"]
