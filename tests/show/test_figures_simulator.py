"""Figures of the simulator's chapter: each draws, names its source and says SIMULATED."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver

from ethnicmer_lib.clips.table import LABELS, Provenance
from ethnicmer_lib.show.figures import simulator as figures
from ethnicmer_lib.show.figures.dataset import filmstrip

SIMULATED = Provenance("simulated cohort (seed 1)", True, "1")
STEP, SIZE = 10, (60, 50)


def clip(label: str, length: float, colour: bool = True) -> tuple:
    rng = np.random.default_rng(1)
    frame = rng.integers(0, 255, (*SIZE, 3) if colour else SIZE).astype(np.uint8)
    flow = np.zeros((*SIZE, 2), np.float32)
    flow[10:40, 10:40] = length
    return f"{label}\nAU 12", frame, frame[::-1], flow, rng.random(SIZE).astype(np.float32)


def drawings() -> dict[str, Figure]:
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 255, (6, *SIZE, 3)).astype(np.uint8)
    arrows = rng.normal(size=(6, SIZE[0] // STEP, SIZE[1] // STEP, 2))
    arrows[0], arrows[1, 0] = 0, np.nan
    profile = pd.DataFrame(
        {"ms": range(5), "expression": [0, 0.5, 1, 0.5, 0], "lids": 0.0, "shift": 0.1, "moment": [""] * 5}
    )
    profile.loc[[0, 2, 4], "moment"] = ["onset", "apex", "offset"]
    shares = pd.DataFrame(
        [(label, unit) for label in LABELS for unit in (1, 12, 26)], columns=["label", "action_unit"]
    )
    shares["simulated"] = shares["coded"] = np.where(shares["action_unit"] == 26, 0, 0.4)
    peaks = pd.DataFrame({"label": list(LABELS) * 4, "peak_px": np.linspace(0.2, 3, 12)})
    return {
        "faces": figures.faces(faces, SIMULATED),
        "sheet": figures.faces(faces, SIMULATED, [("AU 1", "name")] * 6, arrows, STEP),
        "clips": filmstrip([clip("a", 1.0), clip("b", 2.0, False), clip("c", 0.0)], SIMULATED),
        "profile": figures.profile(profile, SIMULATED),
        "frequencies": figures.frequencies(shares, SIMULATED),
        "sizes": figures.sizes(peaks, SIMULATED),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return drawings()


def test_every_figure_names_its_source_and_says_simulated(drawn):
    for name, figure in drawn.items():
        texts = [text.get_text() for text in figure.texts]
        assert f"Source: {SIMULATED.source}" in texts, name
        assert "SIMULATED" in texts, name


def test_every_figure_can_be_saved_is_not_blank_and_fits_a_phone(drawn):
    for name, figure in drawn.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=40, bbox_inches="tight")
        buffer.seek(0)
        picture = plt.imread(buffer)
        assert picture[..., :3].std() > 0.01, name
        assert picture.shape[1] / 40 < 358 / 72, (
            name
        )  # inches that the column has at 390 px, where 9 pt are 9 px


def test_arrows_stand_where_the_skin_moves_and_nowhere_else(drawn):
    still, some = (ax for ax in drawn["sheet"].axes[:2])
    assert not [one for one in still.collections if isinstance(one, Quiver)]
    quiver = next(one for one in some.collections if isinstance(one, Quiver))
    assert np.isfinite(quiver.U).all()
    assert (quiver.Y > STEP).all()  # the first row has no face
    lengths = np.hypot(quiver.U, quiver.V)
    assert lengths.max() == pytest.approx(1.6 * STEP)


def test_panels_without_a_picture_are_empty(drawn):
    axes = drawn["faces"].axes
    assert len(axes) == 8
    assert [bool(ax.images) for ax in axes] == [True] * 6 + [False] * 2


def test_the_clips_share_one_scale_of_motion(drawn):
    motion = [ax.images[0] for ax in drawn["clips"].axes[9:12]]
    assert len({image.get_clim() for image in motion}) == 1
    assert motion[0].get_clim()[1] == pytest.approx(np.hypot(2, 2))


def test_action_units_that_nobody_shows_are_left_out(drawn):
    shown = [label.get_text() for label in drawn["frequencies"].axes[0].get_yticklabels()]
    assert shown == ["AU 1", "AU 12"]


def test_medians_are_marked(drawn):
    marks = next(one for one in drawn["sizes"].axes[0].collections if isinstance(one, LineCollection))
    expected = [np.median(np.linspace(0.2, 3, 12)[i::3]) for i in range(3)]
    assert [line[0, 0] for line in marks.get_segments()] == pytest.approx(expected)
