"""Table IV's recorded runs: the fast classifier is scikit-learn's, rows of the recording are computed again today."""

import numpy as np
import pandas as pd
import pytest
from checkout import ROOT
from fake_cohort import FakeClips

from ethnicmer_lib import sources
from ethnicmer_lib.clips.labels import ETHNIC_MAPPINGS
from ethnicmer_lib.design import classifier, draw_scenarios, predict_scenarios, repeat_scenarios
from ethnicmer_lib.design.permutation import GIVEN, TESTED, permutation_tests, permuted_groups, tail
from ethnicmer_lib.design.scenarios import BINARY, MIXED
from ethnicmer_lib.design.studies import STUDIES, studies_table
from ethnicmer_lib.evidence import table_iv
from ethnicmer_lib.evidence.scenario_svc import answers, distances
from ethnicmer_lib.evidence.specifications import (
    COUNTS,
    Specification,
    by_clip,
    counts,
    specification_table,
    specifications,
)
from ethnicmer_lib.stats import scores
from ethnicmer_lib.store import recording


def fake(**options):
    made = FakeClips(**options)
    return made.images.reshape(len(made.table), -1), made.table


@pytest.fixture(scope="module")
def real():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield recording("table_iv")


@pytest.fixture(scope="module")
def flow(real, shared):
    clips = sources.open_clips({"kind": "flow", "folder": str(shared / "flow_features")})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return table_iv._inputs(clips, 0, ["flow"])["flow"], clips.table


@pytest.mark.parametrize("signal", [0.2, 0.7])
def test_the_fast_classifier_says_what_scikit_learn_says(signal):
    x, clips = fake(subjects=8, signal=signal)
    names, drawn = table_iv.drawn_clips(clips, 6, 4, "as_described", 0)
    number = np.unique(clips["subject"], return_inverse=True)[1]
    said = answers(distances(x), number, (clips["label"] == "Negative").to_numpy(), drawn)
    for draw in range(4):
        found = predict_scenarios(classifier("svc"), x, clips, draw_scenarios(clips, 6, draw=draw))
        for number_of, name in enumerate(names):
            mine = said[draw, number_of]
            expected = found.loc[found["arm"] == name, "predicted"] == "Negative"
            assert (mine[mine >= 0] == 1).tolist() == expected.tolist()
    difference = table_iv.difference_by_draw(names, (clips["label"] == "Negative").to_numpy(), said)
    macro = scores(found, labels=BINARY)["macro"]
    assert difference[-1] == pytest.approx(macro[MIXED] - macro.drop(MIXED).mean())


def test_a_training_set_of_one_class_gives_that_class():
    drawn = np.ones((1, 1, 4), dtype=bool)
    x = np.random.default_rng(0).standard_normal((4, 3))
    said = answers(distances(x), np.array([0, 0, 1, 1]), np.array([True, True, False, False]), drawn)
    assert said.ravel().tolist() == [0, 0, 1, 1]


@pytest.mark.usefixtures("workspace")
def test_opposed_motion_is_found_by_permutation_and_shared_motion_is_not():
    def test(n, **cohort):
        x, clips = fake(subjects=10, **cohort)
        return permutation_tests(table_iv.null_distribution(x, clips, 6, 2, n)).loc["as_described"]

    opposed = test(39, opposed=True)
    assert opposed["observed"] < opposed["low"]
    assert opposed["p"] == 2 / 40
    assert test(19, seed=3)["p"] > 0.1


def test_an_interrupted_permutation_test_goes_on_from_its_last_part(workspace, monkeypatch):
    dealt, original = [], table_iv.permuted_groups

    def counted(table, control, seed, number):
        dealt.append(number)
        if len(dealt) == 22:
            raise KeyboardInterrupt
        return original(table, control, seed, number)

    monkeypatch.setattr(table_iv, "permuted_groups", counted)
    x, clips = fake(subjects=12)
    with pytest.raises(KeyboardInterrupt):
        table_iv.null_distribution(x, clips, 6, 1, 22)
    found = table_iv.null_distribution(x, clips, 6, 1, 22)
    assert dealt[22:] == [20, 21, 22]
    assert found["permutation"].tolist() == list(range(23))


@pytest.mark.usefixtures("workspace")
def test_a_drop_of_laboratories_is_found_by_groups_dealt_to_all_and_not_within_databases():
    x, clips = fake(subjects=20, opposed=True)
    who = clips["subject"].rank(method="dense").astype(int)
    here = (clips["group"] == clips["group"].min()) ^ (
        who % 10 == 0
    )  # a few subjects sit in the other laboratory
    as_groups = clips.assign(database=np.where(here, "one", "other"))
    asked = (x, as_groups, 6, 3, 39)
    assert tail(table_iv.null_distribution(*asked, "as_described"), -1) == 2 / 40
    # Within its database a subject's motion is alike whatever its group, so that nothing is left for the group.
    of_database = as_groups.assign(group=np.where(here ^ (who % 7 == 0), "A", "B"))
    assert tail(table_iv.null_distribution(x, of_database, 6, 3, 39, GIVEN), -1) > 0.05


@pytest.mark.parametrize("control", TESTED)
def test_todays_code_makes_a_recorded_permutation(real, flow, control):
    x, clips = flow
    null = real.table("permutations").set_index(["control", "permutation"])["difference"]
    n_draws = real.parts["permutations"]["parameters"]["n_draws"]
    dealt, chosen = permuted_groups(clips, control, 0, 7), [0, 3]
    names, drawn = table_iv.drawn_clips(dealt, 16, n_draws, TESTED[control], 0)
    number = np.unique(clips["subject"].astype(str), return_inverse=True)[1]
    negative = (clips["label"] == "Negative").to_numpy()
    made = table_iv.difference_by_draw(names, negative, answers(distances(x), number, negative, drawn))
    assert null[control, 7] == pytest.approx(made.mean(), abs=1e-12)
    for draw in chosen:  # and scikit-learn's classifier agrees
        found = predict_scenarios(
            classifier("svc"), x, clips, draw_scenarios(dealt, 16, TESTED[control], draw=draw)
        )
        macro = scores(found, labels=BINARY)["macro"]
        assert made[draw] == pytest.approx(macro[MIXED] - macro.drop(MIXED).mean())


def test_the_observed_difference_is_that_of_the_recorded_study(real):
    null = real.table("permutations").query("permutation == 0").set_index("control")["difference"]
    studies = {
        "as_described": "svc",
        "given_database": "svc",
        "one_database": "svc, one_database",
        "two_databases": "svc, two_databases",
    }
    for control, study in studies.items():
        rows = real.predictions[real.predictions["study"] == study]
        macro = scores(rows, ["draw", "arm"])["macro"].unstack("arm")
        assert len(macro) == real.parts["permutations"]["parameters"]["n_draws"]
        drop = macro.pop(MIXED) - macro.mean(axis=1)
        assert null[control] == pytest.approx(drop.mean(), abs=1e-3), control


def test_specifications_are_recorded_and_agree_with_the_studies(real, flow):
    x, clips = flow
    table = real.table("mappings")
    keys = list(Specification._fields)
    recorded = {
        Specification(*row) for row in table[keys].drop_duplicates().itertuples(index=False, name=None)
    }
    assert recorded <= set(specifications())
    assert {of for of in specifications() if of.classifier == "svc"} <= recorded
    by = ["arm", "subject", "draw"]
    for control, study in (("as_described", "svc"), ("two_databases", "svc, two_databases")):
        of = Specification("paper", "flow", "svc", control, False)
        mine = (
            table[(table[keys] == list(of)).all(axis=1)]
            .astype({"arm": str, "subject": str})
            .set_index(by)[COUNTS]
        )
        expected = counts(real.predictions[real.predictions["study"] == study]).set_index(by)[COUNTS]
        off = (mine.astype(int) - expected.loc[mine.index].astype(int)).abs().to_numpy().sum()
        assert len(mine) == len(expected)
        assert off <= 1e-3 * mine[["negative", "other"]].to_numpy().sum()  # clips within the tolerance
    of = Specification("asian_only", "flow", "svc", "two_databases", True)
    chosen, rows, n = table_iv.scenarios_of(clips, of, 16)
    found = predict_scenarios(
        classifier("svc"), x[rows], chosen, draw_scenarios(chosen, n, of.control, draw=5)
    )
    expected = counts(found.assign(draw=5)).set_index(by)[COUNTS]
    mine = table[(table[keys] == list(of)).all(axis=1) & (table["draw"] == 5)]
    mine = mine.astype({"arm": str, "subject": str}).set_index(by)[COUNTS]
    assert mine.sort_index().to_numpy().tolist() == expected.sort_index().to_numpy().tolist()


@pytest.mark.usefixtures("workspace")
def test_counts_are_predictions_in_short():
    x, clips = fake()
    found = repeat_scenarios(x, clips, 6, 2, classifier="svc", progress=False)
    columns = ["arm", "subject", "group", "draw", "label", "predicted"]
    again, before = (
        rows[columns].sort_values(columns, ignore_index=True) for rows in (by_clip(counts(found)), found)
    )
    pd.testing.assert_frame_equal(again, before, check_dtype=False)
    short = counts(found).assign(**Specification("paper", "flow", "svc", "balanced", False)._asdict())
    forests = pd.concat(
        [found.assign(study=name) for name, study in STUDIES.items() if study.classifier == "forest"]
    )
    curve = specification_table(forests, short)
    assert len(curve) == 7
    assert curve["value"].tolist() == pytest.approx([curve["value"][0]] * 7)
    assert ((curve["low"] <= curve["value"]) & (curve["value"] <= curve["high"])).all()


@pytest.mark.parametrize("part", ["predictions", "permutations", "mappings"])
def test_recording_writes_every_part(workspace, monkeypatch, part):
    made = FakeClips(subjects=12)
    monkeypatch.setattr(table_iv, "motion_images", lambda *a, **k: made.images)
    monkeypatch.setattr(table_iv, "features", lambda x, *a, **k: x.reshape(len(x), -1))
    monkeypatch.setattr(table_iv, "mapped", lambda table, mapping: (table, np.arange(len(table))))
    few = {name: STUDIES[name] for name in ("svc", "svc, noise", "svc, released rows", "forest")}
    monkeypatch.setattr(table_iv, "STUDIES", few)
    monkeypatch.setattr(table_iv, "TESTED", {"as_described": "as_described"})
    kinds = [Specification(name, "flow", "svc", "balanced", True) for name in ETHNIC_MAPPINGS]
    kinds.append(kinds[0]._replace(classifier="forest"))
    monkeypatch.setattr(table_iv, "specifications", lambda: kinds)
    (workspace / "_toc.yml").touch()  # a checkout of its own
    monkeypatch.chdir(workspace)
    table_iv.record_table_iv(made, "as typed", part, n_subjects=6, n_draws=2, control_draws=1, permutations=1)
    found = recording("table_iv")
    assert found.command == "as typed"
    table = found.table(part)
    if part == "predictions":
        assert studies_table(table)["draws"].to_dict() == dict.fromkeys(few, 2) | {"forest": 1}
    elif part == "permutations":
        assert table["permutation"].tolist() == [0, 1]
    else:
        assert len(table.groupby(list(Specification._fields), observed=True)) == len(kinds)
        made_again, whole = [], table_iv.repeat_scenarios

        def counted(*asked, **options):
            made_again.append(options.get("first", 0))
            return whole(*asked, **options)

        monkeypatch.setattr(table_iv, "repeat_scenarios", counted)
        with pytest.warns(UserWarning, match="held mappings already"):
            table_iv.record_table_iv(made, "more", part, n_subjects=6, n_draws=2, control_draws=3)
        assert made_again == [1]
        more = recording("table_iv").table(part).query("classifier == 'forest'").reset_index(drop=True)
        assert sorted(more["draw"].unique()) == [0, 1, 2]
        first = table.query("classifier == 'forest'").reset_index(drop=True)
        again = more[more["draw"] == 0].reset_index(drop=True)
        assert again.astype(str).equals(first.astype(str))
