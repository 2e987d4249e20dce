"""Calibration: the simulated tables are what they claim, and intervals and tests keep what they promise."""

import json

import numpy as np
import pytest
from checkout import ROOT
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from typer.testing import CliRunner

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import calibration, calibration_record
from ethnicmer_lib.evidence.calibration import CLIPS, DESIGNS
from ethnicmer_lib.publish import cli
from ethnicmer_lib.show.pages import statistics as page
from ethnicmer_lib.store import old_recording as results


@pytest.fixture(scope="module")
def record():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "folder", lambda: ROOT / "results")
        return calibration_record.load()


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


def test_the_recorded_run_is_within_the_bounds(record):
    assert (record.summary["tables"] == 1000).all()
    anew = record.summary[record.summary["design"].isin([d.name for d in DESIGNS if d.anew])]
    assert outside(anew) == []
    # The very same subjects in every table vary less than the interval allows for: it may be long, not short.
    same = record.summary[~record.summary["design"].isin(anew["design"])]
    for kind, least, most in (("interval", 0.93, 0.985), ("test", 0.035, 0.065)):
        assert same.loc[same["kind"] == kind, "rate"].between(least, most).all()


def test_todays_code_makes_the_recorded_tables(record):
    tables = record.first["table"].nunique()
    again = calibration.simulate(DESIGNS[0], tables, record.resamples, record.seed)
    assert list(again["quantity"]) == list(record.first["quantity"])
    for column in ("truth", "value", "low", "high", "p"):
        assert np.allclose(again[column], record.first[column], atol=1e-9, equal_nan=True), (
            "run `ethnicmer calibrate --record`"
        )


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


def test_the_command_prints_the_table_and_records_it(workspace, monkeypatch, tmp_path):
    monkeypatch.setattr(results, "folder", lambda: tmp_path / "results")
    options = ["calibrate", "--tables", "6", "--resamples", "100", "--record"]
    done = CliRunner().invoke(cli.app, options)
    assert done.exit_code == 0, done.output
    for design in DESIGNS:
        assert f"{design.name} (6 tables)" in done.output
    assert "95 ± 2" in done.output
    found = calibration_record.load()
    assert found.command == "ethnicmer calibrate --tables 6 --resamples 100 --seed 0 --record"
    assert set(found.summary["design"]) == {design.name for design in DESIGNS}
    assert found.first["table"].nunique() == calibration_record.FIRST
    path = tmp_path / "results" / "statistics" / "calibration.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StudyError, match=r"calibration\.parquet is missing or not what was recorded"):
        calibration_record.load()


def test_no_recording_and_too_few_resamples_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(results, "folder", lambda: tmp_path)
    with pytest.raises(StudyError, match="ethnicmer calibrate --record"):
        calibration_record.load()
    with pytest.raises(StudyError, match="at least 1 and 100"):
        calibration_record.measure(10, 50)


def test_the_recording_says_how_it_was_made():
    text = (ROOT / "results" / "statistics" / "provenance.json").read_text()
    made = json.loads(text)
    assert made["command"].startswith("ethnicmer calibrate")
    assert made["made"]["commit"]
    assert str(ROOT) not in text
    for name, digest in made["sha256"].items():
        assert results.sha256(ROOT / "results" / "statistics" / f"{name}.parquet") == digest


def test_the_page_shows_every_rate_and_says_it_is_simulated(record):
    values = page.values(record)
    assert values["subjects"] == 53
    assert values["clips"] == 290
    assert values["n_tables"] == 1000
    rate = record.summary.set_index(["design", "quantity"]).loc[(DESIGNS[0].name, CLIPS), "rate"]
    assert values["clip_coverage"] == f"{100 * rate:.1f} %"
    assert "SIMULATED" in {text.get_text() for text in values["calibration"].texts}
    shown = page.rates(record).data
    assert "SIMULATED" in shown
    for quantity in record.summary["quantity"].unique():
        assert quantity in shown
    for design in DESIGNS:
        assert f"{design.name[1:]}: intervals hold" in values["coverage_note"]


def test_a_rate_outside_its_band_is_said(record):
    summary = record.summary.copy()
    chosen = (summary["design"] == DESIGNS[0].name) & (summary["quantity"] == "macro F1")
    summary.loc[chosen, "rate"] = 0.80
    assert "outside the band: macro F1 below" in page._note(summary, DESIGNS[0].name)
    marked = [line for line in calibration.lines(summary) if line.endswith("*")]
    assert any("80.0 %" in line for line in marked)


def test_the_figure_has_a_mark_for_every_rate(record):
    figure = page.values(record)["calibration"]
    shown = record.summary[record.summary["kind"] != "contrast"]
    drawn = [c for ax in figure.axes for c in ax.collections if isinstance(c, PathCollection)]
    assert sum(len(c.get_offsets()) for c in drawn) == len(shown)
    assert to_rgba("#e9f1ef") in [tuple(p.get_facecolor()) for ax in figure.axes for p in ax.patches]
