"""The controls of Table V: arms that share trainings, their scores, and what branches have learnt."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import toy
from checkout import ROOT
from fake_cohort import FakeCohort
from sklearn.metrics import balanced_accuracy_score, f1_score
from typer.testing import CliRunner

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import arms, controls, engine, probes
from ethnicmer_lib.networks.probes import ALL, WITHIN
from ethnicmer_lib.networks.switches import AS_DESCRIBED, AS_RELEASED, Switches
from ethnicmer_lib.publish import cli, recorded
from ethnicmer_lib.publish.old_parameters import Benchmark
from ethnicmer_lib.show.pages import controls as page
from ethnicmer_lib.stats.scoring import mean_over_folds
from ethnicmer_lib.store import old_recording as results

P = Benchmark(data="flow", folds=2, epochs=1, image_size=36, n_trees=5, n_seeds=2)
SKILL = {"plain": 0.4, "dual": 0.9, "no_ethnic_loss": 0.4, "shuffled": 0.9}


@pytest.fixture
def study(workspace, monkeypatch):
    """compute() with networks that are right as often as SKILL says; ``study.tasks`` lists what was trained."""

    def compute(p=P, only=None, **cohort):
        made = FakeCohort(**{"per_subject": 3, **cohort})

        def predict(tasks, data, run, jobs, progress, title):
            compute.tasks += tasks
            return [one(task, data.clips) for task in tasks]

        def one(task, clips):
            tested = clips.iloc[task.fold[1]].reset_index(drop=True)
            tables = []
            for arm, _ in task.arms:
                rng = np.random.default_rng([task.settings.seed, task.number, len(arm)])
                right = rng.random(len(tested)) < SKILL.get(arm, 0.6)
                table = tested[["clip_id", "subject", "database", "label", "group"]].assign(
                    arm=arm,
                    variant=task.variant,
                    seed=task.settings.seed,
                    fold=task.number,
                    taught=tested["group"],
                )
                table["predicted"] = np.where(right, tested["label"], rng.choice(LABELS, len(tested)))
                table["predicted_group"] = "" if arm == "plain" else tested["group"]
                for branch in ("emotion", "ethnic"):
                    for target, where in probes.TARGETS:
                        table[probes.column(branch, target, where)] = tested[target]
                tables.append(table)
            return pd.concat(tables)

        monkeypatch.setattr(controls, "RESAMPLES", 200)
        monkeypatch.setattr(controls, "open_cohort", lambda p, progress=False: made)
        monkeypatch.setattr(controls, "motion_images", lambda *a: made.images)
        monkeypatch.setattr(engine, "predict_tasks", predict)
        return controls.compute(p, only=only)

    compute.tasks = []
    return compute


def test_every_arm_asks_one_thing_of_arms_that_exist():
    names = list(arms.BY_NAME)
    assert len(names) == len(set(names)) == len(arms.ARMS)
    for arm in arms.ARMS:
        assert set(arm.references) <= set(names)
        assert arm.asks.endswith("?")
        if arm.name != "plain":
            assert arm.references
    flipped = {name for arm in arms.ARMS if len(arm.changes) == 1 for name in arm.changes}
    assert flipped == set(vars(AS_DESCRIBED))
    assert arms.BY_NAME["dual_released"].switches() == AS_RELEASED


def test_arms_that_differ_at_test_time_share_their_training(study):
    study()
    shared = [task.arms for task in study.tasks if task.arms[0][0] == "dual"]
    assert {tuple(name for name, _ in ways) for ways in shared} == {("dual", "batch_norm", "saved_after")}
    assert len(study.tasks) == 9 * 2 * 2  # trainings, folds, seeds
    assert len({task.name for task in study.tasks}) == len(study.tasks)
    study(P.model_copy(update={"standardise": "imagenet"}), only=["dual"])
    assert study.tasks[-1].switches == Switches(standardise="imagenet")


def test_rows_and_differences_are_those_of_the_predictions(study):
    result = study()
    table = result.table.set_index("arm")
    assert list(table.index) == [arm.name for arm in arms.ARMS if not arm.name.startswith("tinyvit")]
    assert set(result.left_out) == {"tinyvit", "tinyvit_batch_norm"}
    for name in ("dual", "forest", "majority"):
        part = result.predictions[result.predictions["arm"] == name]
        expected = np.mean(
            [
                f1_score(s["label"], s["predicted"], labels=LABELS, average="macro", zero_division=0)
                for _, s in part.groupby("seed")
            ]
        )
        assert np.isclose(table.loc[name, "macro"], expected)
        assert result.score(name).low <= expected <= result.score(name).high
    e = result.difference("dual", "plain")
    assert np.isclose(e.value, table.loc["dual", "macro"] - table.loc["plain", "macro"])
    assert e.low <= e.value <= e.high
    assert (table["folds"] == 2).all()
    assert table.loc["majority", "seeds"] == 1
    with pytest.raises(KeyError):
        result.difference("plain", "dual")


def test_verdicts_follow_the_intervals(study):
    verdicts = [f.verdict for f in study().findings()]
    # dual above plain; worse without its loss; as good with shuffled groups; a probe within SAMM that is right
    assert verdicts[:3] == ["reproduced", "reproduced", "not supported"]
    assert verdicts[-1] == "reproduced"
    simulated = study(simulated=True, groups=("A", "B")).findings()
    assert {f.verdict for f in simulated} == {"cannot be tested here"}


def test_what_was_learnt_is_balanced_accuracy_beside_the_database_rule(study):
    result = study()
    assert result.has_learnt("dual", "own head", "group").value == 1
    assert result.has_learnt("dual", "ethnic", "database").value == 1
    rule = result.predictions.query("arm == 'majority'")
    said = np.where(rule["database"] == "CASME II", "Asian", "Non-Asian")
    assert np.isclose(
        result.has_learnt("", "the database alone", "group").value,
        balanced_accuracy_score(rule["group"], said),
    )
    assert result.has_learnt("", "the database alone", "group", WITHIN).value == 0.5
    within = result.learnt.query("where == 'within' and arm == 'dual'")["clips"]
    assert (within == (rule["database"] == "SAMM").sum()).all()
    assert "plain" not in set(result.learnt.query("reader == 'own head'")["arm"])


def test_unknown_arms_are_refused(study):
    with pytest.raises(StudyError, match=r"no arm 'tripple'; arms: plain, dual"):
        study(only=["tripple"])


def test_real_networks_fit_the_bookkeeping(workspace, monkeypatch):
    monkeypatch.setattr(
        controls, "open_cohort", lambda p, progress=False: FakeCohort(subjects=4, per_subject=3)
    )
    p = P.model_copy(update={"n_seeds": 1})
    chosen = ["plain", "dual", "batch_norm", "forest", "majority"]
    result = controls.compute(p, only=chosen)
    assert list(result.table["arm"]) == chosen
    assert result.predictions.groupby("arm")["clip_id"].nunique().eq(24).all()
    assert set(result.learnt["arm"]) == {"", "plain", "dual", "batch_norm"}
    again = controls.compute(p, only=chosen)
    pd.testing.assert_frame_equal(result.predictions, again.predictions)
    assert np.isfinite(result.table["macro"]).all()


def test_probes_read_what_is_there_and_only_within_a_database_of_two_groups():
    rng = np.random.default_rng(0)
    table = pd.concat([toy.clips(30)] * 2, ignore_index=True)
    signal = (table["group"] == "B").to_numpy()[:, None] * 4.0
    known, asked = (rng.normal(size=(len(table), 5)) + signal for _ in range(2))
    noise = rng.normal(size=known.shape)
    said = probes.probe_columns({"emotion": (known, asked), "ethnic": (noise, noise[::-1])}, table, table)
    assert (said["probe_emotion_group"] == table["group"]).mean() > 0.95
    assert (said["probe_ethnic_group"] == table["group"]).mean() < 0.75
    inside = (table["database"] == "SAMM").to_numpy()
    assert set(said["probe_emotion_group_within"][~inside]) == {""}
    assert (said["probe_emotion_group_within"][inside] == table["group"][inside]).mean() > 0.95
    alone = probes.read_off(known, np.full(len(known), "A"), asked)
    assert set(alone) == {"A"}
    assert set(probes.probe_columns({}, table, table)["probe_ethnic_group"]) == {""}


def test_the_mean_over_folds_is_not_the_pooled_score():
    rows = pd.DataFrame({"fold": [0, 0, 1, 1], "label": ["Negative", "Negative", "Positive", "Surprise"]})
    perfect = rows.assign(predicted=rows["label"])
    assert np.isclose(mean_over_folds(perfect, labels=LABELS), (1 / 3 + 2 / 3) / 2)
    assert mean_over_folds(perfect, present=True) == 1
    twice = pd.concat([perfect.assign(seed=0), perfect.assign(seed=1, predicted="Negative")])
    assert mean_over_folds(twice, labels=LABELS) < mean_over_folds(perfect, labels=LABELS)
    with pytest.raises(StudyError, match="no fold"):
        mean_over_folds(perfect.assign(fold=np.nan))


@pytest.fixture
def made(study, tmp_path, monkeypatch):
    """A results folder with the committed recording and controls of a fake cohort beside it."""
    shutil.copytree(ROOT / "results", tmp_path / "results")
    monkeypatch.setattr(results, "folder", lambda: tmp_path / "results")
    where = tmp_path / "results" / "flow"
    record = json.loads((where / "provenance.json").read_text())
    record["chapters"].pop("controls", None)
    (where / "provenance.json").write_text(json.dumps(record))
    return study, where


def test_the_page_says_how_to_make_controls_that_are_missing(made):
    real = page.load()
    assert real.controls is None
    texts = page.values(real)
    assert "ethnicmer record flow --part controls" in texts["controls_protocol"]
    for show in (page.arms, page.learnt, page.findings, page.switch_table):
        assert "ethnicmer record flow --part controls" in show(real).data
    assert "recorded run" in page.table_v(real).data


def test_recorded_controls_are_scored_anew_and_shown(made, monkeypatch):
    study, _ = made
    result = study()
    monkeypatch.setitem(recorded._PARTS, "controls", lambda p, progress: result)
    with pytest.raises(StudyError, match="of another cohort"):
        recorded.save("flow", "quick", {"data": "flow"}, "ethnicmer record x", ["controls"], False)
    recorded.save("fake", "quick", {"data": "flow"}, "ethnicmer record x", ["controls"], False)
    loaded = recorded.load_part("fake", "controls")
    pd.testing.assert_frame_equal(loaded.result.table, result.table)
    real = page.Real(recorded.load_part("flow", "benchmark"), loaded)
    assert "dual ResNet-18, as described" in page.arms(real).data
    assert str(round(result.difference("shared", "dual").value, 3)) in page.switch_table(real).data
    assert "within SAMM" in page.learnt(real).data
    assert "ethnicmer record x --flow-dir PATH" in page.values(real)["controls_protocol"]
    assert ALL != WITHIN
    with pytest.raises(StudyError, match="no recorded benchmark"):
        recorded.load_part("fake", "benchmark")
    with pytest.raises(StudyError, match="no part 'maps'"):
        recorded.save("flow", "quick", {}, "x", ["maps"], False)


def test_the_command_records_parts_and_says_how(monkeypatch):
    calls = []
    monkeypatch.setattr(recorded, "save", lambda *args: calls.append(args) or "there")
    options = [
        "record",
        "flow",
        "--part",
        "controls",
        "--profile",
        "quick",
        "--flow-dir",
        "x",
        "-p",
        "epochs=2",
    ]
    shown = CliRunner().invoke(cli.app, options)
    assert "recorded: there" in shown.output
    name, profile, overrides, command, parts = calls[0]
    assert (name, profile, list(parts)) == ("flow", "quick", ["controls"])
    assert overrides["epochs"] == 2
    assert command == "ethnicmer record flow --part controls --profile quick --data flow -p epochs=2"
    CliRunner().invoke(cli.app, ["record", "flow"])
    assert list(calls[1][4]) == ["benchmark"]


def test_every_switch_is_listed_with_what_it_means():
    shown = CliRunner().invoke(cli.app, ["params", "benchmark"]).output
    for name in vars(AS_DESCRIBED):
        line = next(line for line in shown.splitlines() if line.startswith(f"{name} "))
        assert Benchmark.model_fields[name].description in line
