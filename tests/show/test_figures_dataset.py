"""Figures and texts of the dataset chapter and the data card: they draw what is in the tables, and say the source."""

from __future__ import annotations

import numpy as np
import pytest

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.table import LABELS, Provenance
from ethnicmer_lib.paper import counted
from ethnicmer_lib.show.figures import dataset as figures_dataset

REAL = Provenance("a test", False, "0" * 16)


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
    assert "25 subjects,\n157 clips" in text
    areas = [bar.get_width() * bar.get_height() for bar in fig.axes[0].patches]
    assert sum(areas) == pytest.approx(1)
    counted = labels.released_clips().groupby(["database", "group", "label"]).size()
    assert sorted(round(area * 290) for area in areas if area) == sorted(counted)


@pytest.mark.parametrize("simulated", [True, False])
def test_figures_carry_their_source(simulated):
    provenance = Provenance("somewhere", simulated, "")
    figures = [
        figures_dataset.clips_mosaic(labels.released_clips(), provenance),
        figures_dataset.mapping_bars(counted.mapping_counts(), provenance),
    ]
    for fig in figures:
        assert "Source: somewhere" in words(fig)
        assert ("SIMULATED" in words(fig)) == simulated


def test_a_cohort_of_one_column_is_drawn():
    clips = labels.released_clips()
    fig = figures_dataset.clips_mosaic(clips[clips["database"] == "CASME II"], REAL)
    assert len(fig.axes[0].patches) == len(LABELS)


def test_the_mapping_bars_have_the_counts():
    text = words(figures_dataset.mapping_bars(counted.mapping_counts(), REAL))
    for count in ("157", "42", "91", "102", "107", "88", "V = 0.73"):
        assert count in text


def test_no_frame_of_a_licensed_clip_is_drawn():
    face = np.full((8, 8), 200, np.uint8)
    real = figures_dataset.filmstrip([("Positive", face, face)], REAL)
    assert not [ax for ax in real.axes if ax.images]
    assert "not shown" in words(real)
    simulated = figures_dataset.filmstrip([("Positive", face, face)], Provenance("x", True, ""))
    assert len([ax for ax in simulated.axes if ax.images]) == 3


def test_the_data_cards_numbers():
    values = counted.card()
    assert (values["n_released"], values["n_kept"], values["n_others"]) == (415, 290, 125)
    assert values["least_most"] == "1 to 33, median 4"
    assert values["rarest"].startswith("1 Positive of 1 subject")
    assert values["n_conflicts"] == 6
    clips = labels.released_clips()
    per_subject = clips.groupby("subject").size().sort_values(ascending=False)
    half = values["half"]
    assert per_subject.iloc[:half].sum() >= 145 > per_subject.iloc[: half - 1].sum()
    assert counted.composition(clips).loc[("CASME II", "Asian"), "all"] == "157 (25)"


def test_what_the_dataset_claims_are_judged_by():
    claims = counted.dataset_claims()
    v, words_of = claims["database_association"]
    assert f"{v.value:.3f}" == "0.735"
    assert round(words_of["database_rule"], 3) == 0.855
    assert claims["group_cells"][1]["clips"] == 1
    assert claims["mappings"][1]["n"] == 6
    tables = counted.count_tables(labels.released_clips())
    assert tables["table_i"].loc["total"].tolist() == [53, 54, False]
    assert tables["table_ii"].loc["Asian"].tolist() == [183, 183, True]
    assert tables["table_iii"]["equal"].all()
