"""Calibration: the simulated tables are what they claim, and intervals and tests keep what they promise."""

import numpy as np
import pytest
from checkout import ROOT
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba

from ethnicmer_lib import show
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import calibration
from ethnicmer_lib.evidence.calibration import CLIPS, DESIGNS
from ethnicmer_lib.store import recording


@pytest.fixture(scope="module")
def recorded():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        found = recording("statistics")
        return found, found.table("calibration"), found.table("first_tables")


def outside(summary):
    """Rows whose rate is not near enough to its target, in words."""
    rows = summary[summary["kind"] != "contrast"]
    off = rows[(rows["rate"] - rows["target"]).abs() > rows["margin"] + 1e-9]
    return [f"{r.design}: {r.quantity}: {r.rate:.3f}" for r in off.itertuples()]


def test_the_clusters_are_the_real_ones():
    clusters = calibration.real_clusters()
    assert clusters.labels == ("Negative", "Positive", "Surprise")
    assert len(clusters.counts) == len(clusters.groups) == 53
    assert clusters.counts.sum(0).tolist() == [192, 58, 40]
    two = calibration.real_clusters(two_labels=True)
    assert two.labels == ("Negative", "Non-negative")
    assert two.counts.sum(0).tolist() == [192, 98]


def test_expected_chances_are_the_mean_over_subjects():
    for processes in calibration.PROCESSES.values():
        for process in processes:
            effects = np.random.default_rng(1).standard_normal((200_000, 1 + len(process.skill)))
            chances = process.chances(effects)
            assert np.allclose(chances.sum(-1), 1)
            assert np.allclose(process.expected(), chances.mean(0), atol=0.003)


def test_subjects_differ_only_as_much_as_they_are_told_to():
    same = calibration.Process((1.0, 2.0), (0.5, 0.0), ability=0, bias=0)
    chances = same.chances(np.random.default_rng(0).standard_normal((5, 3)))
    assert np.allclose(chances, chances[0])
    assert chances[0, 1, 1] == pytest.approx(1 / (1 + np.exp(0.5 - 2)))


def test_a_table_does_not_depend_on_how_many_there_are():
    few, more = (calibration.simulate(DESIGNS[0], n, 100, seed=3) for n in (2, 4))
    assert few.equals(more[more["table"] < 2].reset_index(drop=True))
    other = calibration.simulate(DESIGNS[0], 2, 100, seed=4)
    assert not few["value"].equals(other["value"])
    assert few["low"].isna().equals(few["p"].notna())


def test_a_thousand_tables_of_the_real_clusters_are_within_the_bounds():
    """The claim of the book, with fewer resamples than the recorded run."""
    summary = calibration.summary(calibration.simulate(DESIGNS[0], 1000, 500, seed=11))
    assert (summary["tables"] == 1000).all()
    assert outside(summary) == []
    rates = summary.set_index("quantity")["rate"]
    assert rates[CLIPS] < 0.90  # clips resampled as if they were independent do not do
    assert (summary["mean"] - summary["truth"]).abs().max() < 0.015  # what is estimated is what is meant


def test_the_recorded_run_is_within_the_bounds(recorded):
    _, summary, _ = recorded
    assert (summary["tables"] == 1000).all()
    anew = summary[summary["design"].isin([d.name for d in DESIGNS if d.anew])]
    assert outside(anew) == []
    # The very same subjects in every table vary less than the interval allows for: it may be long, not short.
    same = summary[~summary["design"].isin(anew["design"])]
    for kind, least, most in (("interval", 0.93, 0.985), ("test", 0.035, 0.065)):
        assert same.loc[same["kind"] == kind, "rate"].between(least, most).all()


def test_todays_code_makes_the_recorded_tables(recorded):
    found, _, first = recorded
    tables, p = first["table"].nunique(), found.parameters
    again = calibration.simulate(DESIGNS[0], tables, p["resamples"], p["seed"])
    assert list(again["quantity"]) == list(first["quantity"])
    for column in ("truth", "value", "low", "high", "p"):
        assert np.allclose(again[column], first[column], atol=1e-9, equal_nan=True)


def test_rates_are_counted_with_their_error():
    rows = calibration.simulate(DESIGNS[2], 20, 100)
    summary = calibration.summary(rows).set_index("quantity")
    part = rows[rows["quantity"] == "macro F1"]
    held = ((part["low"] <= part["truth"]) & (part["truth"] <= part["high"])).sum()
    assert summary.loc["macro F1", "hits"] == held
    assert summary.loc["macro F1", "rate"] == held / 20
    assert (summary["rate_low"] <= summary["rate"]).all()
    assert (summary["rate"] <= summary["rate_high"]).all()
    assert set(summary["kind"]) == {"interval", "contrast", "test"}


def test_it_is_recorded_from_kept_tables(workspace, monkeypatch):
    (workspace / "_toc.yml").touch()  # a checkout of its own
    monkeypatch.chdir(workspace)
    with pytest.raises(StudyError, match="ethnicmer record statistics"):
        recording("statistics")
    with pytest.raises(StudyError, match="at least 1 and 100"):
        calibration.record_statistics("as typed", 10, 50)
    calibration.record_statistics("as typed", 6, 100)
    monkeypatch.setattr(calibration, "simulate", None)  # all of it is kept
    calibration.record_statistics("as typed", 6, 100)
    found = recording("statistics")
    assert found.command == "as typed"
    assert set(found.table("calibration")["design"]) == {design.name for design in DESIGNS}
    assert found.table("first_tables")["table"].nunique() == calibration.FIRST
    path = workspace / "results" / "statistics" / "calibration.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StudyError, match=r"calibration\.parquet is missing or not what was recorded"):
        found.table("calibration")


def test_the_page_says_and_shows_every_rate(recorded):
    found, summary, _ = recorded
    words = calibration.in_words(found)
    assert (words["subjects"], words["clips"], words["n_tables"]) == (53, 290, 1000)
    rate = summary.set_index(["design", "quantity"]).loc[(DESIGNS[0].name, CLIPS), "rate"]
    assert words["clip_coverage"] == f"{100 * rate:.1f} %"
    shown = show.table(calibration.rates(summary), "Rates.", found).data
    assert "SIMULATED" in shown
    assert all(quantity in shown for quantity in summary["quantity"].unique())
    assert all(f"{design.name[1:]}: intervals hold" in words["coverage_note"] for design in DESIGNS)
    off = summary.copy()
    off.loc[(off["design"] == DESIGNS[0].name) & (off["quantity"] == "macro F1"), "rate"] = 0.80
    assert "outside the band: macro F1 below" in calibration.sentence(off, DESIGNS[0].name)


def test_the_figure_has_a_mark_for_every_rate(recorded):
    found, summary, _ = recorded
    figure = show.calibration(summary, found)
    assert "SIMULATED" in {text.get_text() for text in figure.texts}
    drawn = [c for ax in figure.axes for c in ax.collections if isinstance(c, PathCollection)]
    assert sum(len(c.get_offsets()) for c in drawn) == (summary["kind"] != "contrast").sum()
    assert to_rgba("#e9f1ef") in [tuple(p.get_facecolor()) for ax in figure.axes for p in ax.patches]
