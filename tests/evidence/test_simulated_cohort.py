"""The simulator's chapter: pictures that move as told, clips and codes as planned, and findings that hold back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.table import LABELS, Clips, Provenance
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import coded_units, simulated_cohort, simulated_faces
from ethnicmer_lib.evidence.simulated_faces import ARROW_STEP, SHEET, SHEET_PX
from ethnicmer_lib.paper import judge
from ethnicmer_lib.show import simulator as page
from ethnicmer_lib.simulator.anatomy import ACTION_UNITS
from ethnicmer_lib.simulator.protocol import plan_cohort
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.simulator.truth import Truth

PX = 8  # side of the frames of a planned cohort


class Planned(Clips):
    """The clips of a plan with blank frames, so that nothing has to be rendered."""

    def __init__(self, settings: SimulatorSettings):
        self.plans = {clip.clip_id: clip for subject in plan_cohort(settings) for clip in subject.clips}
        rows = [
            {
                **{
                    name: getattr(c, name)
                    for name in ("clip_id", "database", "subject", "clip", "emotion", "group")
                },
                **{name: getattr(c, name) for name in ("onset", "apex", "offset")},
                "ethnicity": c.group,
                "label": labels.EMOTION_LABEL[c.emotion],
                "action_units": c.action_unit_text,
            }
            for c in self.plans.values()
        ]
        super().__init__(pd.DataFrame(rows), Provenance("planned clips", True, "f" * 16))

    def frames(self, clip_id, moment):
        return np.full((PX, PX), 100 + (moment == "apex"), np.uint8)


@pytest.fixture(scope="module")
def pictures():
    """The pictures of the tiny cohort, drawn once: (faces, sheet, arrows)."""
    plan = plan_cohort(SimulatorSettings(size="tiny"))
    return (
        simulated_faces.neutral_faces(plan[:2], 0.0),
        simulated_faces.action_unit_sheet(plan[0], 0.0),
        simulated_faces.displacements(plan[0]),
    )


@pytest.fixture
def planned(monkeypatch, workspace):
    """Clips of a plan, with the truth that was planned."""
    known = Truth(np.zeros((PX, PX, 2), np.float32), np.ones((PX, PX)), np.zeros((PX, PX), bool))
    monkeypatch.setattr(simulated_cohort, "truth", lambda *_: known)
    monkeypatch.setattr(
        simulated_cohort, "true_action_units", lambda c, clip_id: c.plans[clip_id].action_units
    )
    return lambda **changes: (SimulatorSettings(**changes), Planned(SimulatorSettings(**changes)))


def verdicts(options, clips):
    shares = simulated_cohort.code_shares(clips, options)
    claims = simulated_cohort.simulator_claims(clips, shares)
    asked = list(simulated_cohort.on_request(options))
    noisy = [one for one in asked if one in ("size", "label_noise")]
    return [
        *judge("simulator", clips, noisy, simulated_counts=claims["simulated_counts"]),
        *judge("simulator", clips, asked, simulated_units=claims["simulated_units"]),
    ], shares


def test_every_picture_of_the_sheet_moves_by_what_is_written_under_it(pictures):
    _, sheet, arrows = pictures
    assert len(sheet) == len(arrows) == len(SHEET)
    assert sheet.dtype == np.uint8
    longest = np.nanmax(np.hypot(arrows[..., 0], arrows[..., 1]), axis=(1, 2))
    assert longest[0] == 0  # the neutral face
    assert (longest[1:] <= SHEET_PX + 0.1).all()  # arrows are a sample of the points
    assert (longest[1:] > 0.4 * SHEET_PX).all()
    assert len(np.unique(sheet.reshape(len(sheet), -1), axis=0)) == len(sheet)


def test_one_side_of_the_face_moves_alone(pictures):
    arrows = pictures[2]
    middle = arrows.shape[2] // 2
    length = np.nan_to_num(np.hypot(arrows[..., 0], arrows[..., 1]))
    for side, mine, other in (
        ("L", slice(middle, None), slice(None, middle)),
        ("R", slice(None, middle), slice(middle, None)),
    ):
        one = length[next(i for i, picture in enumerate(SHEET) if picture.side == side)]
        assert (
            one[:, mine].sum() > 5 * one[:, other].sum()
        )  # the person's left is on the right of the picture


def test_the_neutral_picture_of_the_sheet_is_the_subjects_face(pictures):
    faces, sheet, arrows = pictures
    assert (sheet[0] == faces[0]).all()
    assert not (faces[0] == faces[1]).all()
    assert arrows.shape[1:3] == tuple(
        len(range(ARROW_STEP // 2, side, ARROW_STEP)) for side in faces.shape[1:3]
    )


def test_the_texture_shows_only_when_asked_for():
    plan = plan_cohort(SimulatorSettings(size="tiny"))
    other = dataclasses.replace(plan[0], group="B" if plan[0].group == "A" else "A")
    assert (
        simulated_faces.neutral_faces([plan[0]], 0.0) == simulated_faces.neutral_faces([other], 0.0)
    ).all()
    assert not (
        simulated_faces.neutral_faces([plan[0]], 1.0) == simulated_faces.neutral_faces([other], 1.0)
    ).all()


def test_the_full_cohort_has_table_iii_and_its_codes_are_compared(planned):
    (counts, codes), shares = verdicts(*planned())
    assert counts.verdict == "reproduced"
    assert counts.estimate == 290
    assert "by construction" in counts.reason.lower()
    assert "53 subjects (printed 54" in counts.answer
    assert codes.estimate == pytest.approx(shares["difference"])
    assert codes.verdict == (
        "reproduced" if shares["difference"] <= shares["chance"].high else "not reproduced"
    )
    assert shares["without_strays"] < shares["difference"] < shares["textbook"]
    assert shares["without_strays"] < shares["chance"].high


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"size": "tiny"}, ["cannot be tested here", "cannot be tested here"]),
        ({"label_noise": 0.3}, ["cannot be tested here", "cannot be tested here"]),
        ({"action_unit_effect": 1.0}, ["reproduced", "cannot be tested here"]),
        ({"database_shift": 0.0}, ["reproduced", "cannot be tested here"]),
    ],
)
def test_a_changed_cohort_is_not_tested_for_what_was_changed(planned, changes, expected):
    assert [one.verdict for one in verdicts(*planned(**changes))[0]] == expected


def test_examples_are_large_clips_of_their_label_and_of_both_databases(planned):
    _, clips = planned(size="tiny")
    moved = simulated_cohort.amplitudes(clips)
    names = simulated_cohort.typical(moved)
    examples = [clips.row(name) for name in names]
    assert [one["label"] for one in examples] == list(LABELS)
    assert len({one["database"] for one in examples}) == 2
    assert simulated_cohort.example(clips, names[0])[0].startswith(f"{LABELS[0]}\n")
    peaks = simulated_cohort.peaks(moved).set_index("clip_id")["peak_px"]
    for name, one in zip(names, examples, strict=True):
        same = clips.table.loc[
            clips.table[["label", "database"]].eq(one[["label", "database"]]).all(axis=1), "clip_id"
        ]
        assert peaks[same].median() < peaks[name] <= peaks[same].max()
    for clip_id, clip in clips.plans.items():
        assert peaks[clip_id] == pytest.approx(max(max(sides) for sides in clip.action_units.values()))


def test_the_profile_is_the_clips(planned):
    options, clips = planned(size="tiny")
    clip = clips.table.iloc[3]
    found = simulated_cohort.profile(options, clip["clip_id"])
    table = found.set_index("moment")
    assert table.loc["onset", "ms"] == 0
    assert table.loc["apex", "ms"] == (clip["apex"] - clip["onset"]) * 5
    assert table.loc["offset", "ms"] == (clip["offset"] - clip["onset"]) * 5
    assert table.loc["onset", "shift"] == 0
    assert found["expression"].max() == table.loc["apex", "expression"] <= 1


def test_more_faces_than_subjects_are_refused(workspace):
    with pytest.raises(StudyError, match="n_faces=24: the cohort has 12 subjects"):
        simulated_cohort.pictures(SimulatorSettings(size="tiny"), 24)


def coded(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["subject", "label", "action_units"])


def test_shares_are_of_the_clips_with_a_code_that_can_be_shown():
    others = [("b", "Positive", "12"), ("b", "Surprise", "1+2")]
    table = coded([("a", "Negative", "4+R7B"), ("a", "Negative", "4"), ("a", "Negative", "99"), *others])
    found = coded_units.frequencies(table, table).set_index(["label", "action_unit"])
    assert found.loc[("Negative", 4), "simulated"] == 1
    assert found.loc[("Negative", 7), "simulated"] == 0.5
    assert found.loc[("Surprise", 12), "coded"] == 0
    assert len(found) == 3 * len(coded_units.CODED_UNITS)
    with pytest.raises(StudyError, match="no Surprise clip"):
        coded_units.frequencies(table[table["label"] != "Surprise"], table)


def test_codes_with_an_action_unit_that_the_head_lacks_are_counted():
    assert coded_units.lacking(pd.Series(["4+L10A", "38", "12 or 39", "R14"])) == 0.5


@settings(deadline=None, max_examples=15)
@given(n=st.integers(2, 6), seed=st.integers(0, 1000))
def test_subjects_who_all_do_the_same_differ_by_nothing(n, seed):
    codes = zip(LABELS, ("4", "12", "1+2"), strict=True)
    table = coded([(f"s{i}", label, text) for label, text in codes for i in range(n)])
    assert tuple(coded_units.yardstick(table, seed)) == (0, 0, 0)


def test_chance_differs_less_between_more_subjects():
    real = labels.released_clips()
    twice = pd.concat([real, real.assign(subject="again " + real["subject"])])
    one, two = coded_units.yardstick(real), coded_units.yardstick(twice)
    assert one.low < one.value < one.high
    assert two.value < one.value


def test_every_knob_and_every_picture_is_explained():
    names = [field.name for field in dataclasses.fields(SimulatorSettings)]
    assert {picture.action_unit for picture in SHEET} - {0} == set(page.NAMES)
    assert set(page.NAMES) < set(ACTION_UNITS)
    table = page.knobs().set_index("knob")
    assert list(table.index) == names
    assert table["default"]["texture_cue"] == "0.0"
    assert table["what it does"].str.len().gt(20).all()
    chapter = Path("book/simulator.md").read_text()
    assert all(f"\n- `{name}`: " in chapter for name in names)
