"""Figures: each draws, carries its source, and says SIMULATED exactly when the data are."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from fake_cohort import FakeClips
from IPython.core.pylabtools import print_figure
from matplotlib.figure import Figure

from ethnicmer_lib.clips.table import LABELS, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence.specifications import Specification
from ethnicmer_lib.show.figures import activation, audit, dataset, style
from ethnicmer_lib.show.figures import motion as figures_motion
from ethnicmer_lib.show.figures.scores import intervals, scenario_draws
from ethnicmer_lib.show.figures.specifications import specification_curve
from ethnicmer_lib.stats.intervals import Estimate

REAL = Provenance("CASME II + SAMM, published flow features", False, "0")
SIMULATED = Provenance("simulated cohort (seed 1)", True, "1")
RNG = np.random.default_rng(0)


def clips() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"database": d, "subject": f"{d}{g}{i}", "group": g, "label": label}
            for d, g in [("CASME II", "A"), ("SAMM", "A"), ("SAMM", "B")]
            for i in range(3)
            for label in LABELS
        ]
    )


def drawings(provenance: Provenance) -> dict[str, Figure]:
    face = RNG.integers(0, 255, (40, 30, 3)).astype(np.uint8)
    flow = RNG.normal(size=(40, 30, 2)).astype(np.float32)
    errors = pd.DataFrame(
        {"peak_px": [0.5, 1, 2], "error_px": [0.1, 0.1, 0.2], "zero_px": [0.2, 0.4, 0.8], "database": "SAMM"}
    )
    macro = pd.DataFrame({"A only": [0.5, 0.6], "Mixed": [0.4, 0.5]})
    rows = pd.DataFrame(
        {
            "name": ["a", "b"],
            "value": [0.5, 0.6],
            "low": [0.4, 0.5],
            "high": [0.6, 0.7],
            "paper": [0.55, np.nan],
        }
    )
    estimates = [Estimate(-0.1, -0.2, 0.0), Estimate(0.1, 0.0, 0.2), Estimate(0.0, -0.1, 0.1)]
    studied = pd.DataFrame({"difference": estimates}, ["forest", "svc", "svc, one_database"])
    kinds = [
        ("paper", "flow", "svc", "balanced", True),
        ("paper", "resnet18", "forest", "as_described", False),
    ]
    curve = pd.DataFrame(kinds, columns=list(Specification._fields))
    curve = curve.assign(draws=1, value=0.0, low=-0.1, high=0.1)
    flow_rows = pd.DataFrame(
        {"clip_id": ["SAMM/009/009_2_1"], "label": ["Negative"], "given": ["CASME II/sub01/EP02_01f"]}
    ).assign(twin="SAMM/006/006_1_2", twin_label="Non-negative", predicted="Non-negative")
    maps = {(label, g): RNG.random((7, 7)) for label in ("Positive", "Surprise") for g in "AB"}
    return {
        "mosaic": dataset.subjects_mosaic(clips(), provenance),
        "filmstrip": dataset.filmstrip(
            [("one", face, face), ("two", face[..., 0], face[..., 0])], provenance
        ),
        "panels": figures_motion.motion_panels([("clip", flow, np.abs(flow[..., 0]))], provenance),
        "errors": figures_motion.error_against_amplitude(errors, provenance),
        "draws": scenario_draws(
            macro, {"A only": 0.4, "Mixed": 0.4}, provenance, {"A only": 0.45, "Mixed": 0.44}
        ),
        "intervals": intervals(rows, provenance, "macro F1", zero=0.0),
        "studies": audit.studies(studied, -0.03, provenance),
        "specifications": specification_curve(
            curve, curve["control"] == "as_described", -0.03, "macro F1", provenance
        ),
        "flow rows": audit.flow_rows(flow_rows, provenance),
        "regions": activation.regions(RNG.random((40, 30, 3)), {"AU26": np.eye(20)[::-1]}, provenance),
        "maps": activation.mean_maps(maps, dict.fromkeys(maps, 3), RNG.random((20, 20)), provenance),
    }


@pytest.mark.parametrize(("subjects", "simulated", "drawn"), [(4, False, 0), (5, False, 4), (4, True, 4)])
def test_a_mean_of_few_real_subjects_is_not_drawn(subjects, simulated, drawn):
    clips = FakeClips(subjects, simulated=simulated)
    maps = {(label, group): np.eye(4) for label in ("Positive", "Surprise") for group in clips.groups}
    shown = activation.mean_maps(maps, {}, RNG.random((20, 20)), clips)
    assert len([ax for ax in shown.axes if len(ax.images) == 2]) == drawn
    assert any("fewer than 5 subjects" in text.get_text() for text in shown.texts) == (not drawn)


@pytest.mark.parametrize("provenance", [REAL, SIMULATED], ids=["real", "simulated"])
def test_every_figure_names_its_source_and_says_simulated_when_it_is(provenance):
    for name, figure in drawings(provenance).items():
        texts = [text.get_text() for text in figure.texts]
        assert f"Source: {provenance.source}" in texts, name
        assert ("SIMULATED" in texts) == provenance.simulated, name


def test_every_figure_can_be_saved_and_is_not_blank():
    for name, figure in drawings(SIMULATED).items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=40)
        buffer.seek(0)
        assert plt.imread(buffer)[..., :3].std() > 0.01, name


def test_type_that_is_too_small_for_a_phone_is_refused():
    @style.figure
    def tiny(of):
        fig, ax = plt.subplots()
        ax.tick_params(labelsize=8)
        return fig

    with pytest.raises(
        StudyError, match="figure tiny: type of 8 pt cannot be read on a phone; take 9 or more"
    ):
        tiny(REAL)


def test_a_long_source_stays_beside_simulated():
    @style.figure
    def plain(of):
        return plt.subplots(figsize=(style.NARROW, 2))[0]

    fig = plain(Provenance("a source of very many words, " * 5, True, "1"))
    source, simulated = (text.get_window_extent() for text in fig.texts)
    assert simulated.x1 < source.x0 < source.x1 <= fig.bbox.x1


def test_a_figure_of_words_is_shown_in_a_notebook():
    shown = print_figure(style.in_words("There is no picture."))
    assert shown.startswith(b"\x89PNG")


def test_an_empty_panel_says_so():
    figure = dataset.subjects_mosaic(clips(), SIMULATED)
    assert [t.get_text() for ax in figure.axes for t in ax.texts] == ["nobody"]
