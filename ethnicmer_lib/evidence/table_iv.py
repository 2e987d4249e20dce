"""Table IV's recorded runs: every study, the null distributions of its tests, and every mapping of ethnic labels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.clips.labels import LEFT_OUT, binary_labels, coded_clips
from ethnicmer_lib.clips.table import Clips
from ethnicmer_lib.design.classifiers import ABOUT
from ethnicmer_lib.design.features import FLOW_SIZE, features
from ethnicmer_lib.design.permutation import TESTED, permuted_groups
from ethnicmer_lib.design.scenarios import (
    MIXED,
    NEGATIVE,
    NON_NEGATIVE,
    draw_scenarios,
    repeat_scenarios,
    subjects_in,
)
from ethnicmer_lib.design.studies import DESCRIBED, STUDIES
from ethnicmer_lib.evidence.scenario_svc import answers, distances
from ethnicmer_lib.evidence.specifications import Specification, counts, specifications
from ethnicmer_lib.motion.extract import motion_images
from ethnicmer_lib.store import Run, record, recorded_before, used_runs

SIZES = {"flow": FLOW_SIZE, "resnet18": 56, "noise": FLOW_SIZE}  #: px of the images by kind of features
_PART = 20  #: permutations between two files: what an interruption can cost


def record_table_iv(
    clips: Clips,
    command: str,
    part: Literal["predictions", "permutations", "mappings"] = "predictions",
    n_subjects: int = 16,
    n_draws: int = 200,
    control_draws: int = 10,
    permutations: int = 999,
    seed: int = 0,
) -> Path:
    """Compute a part of Table IV's recording and keep it in ``results/table_iv/``; interrupted, it goes on.

    'predictions' is every study with ``n_draws`` draws, forests other than the one described with ``control_draws``.
    'permutations' is Mixed minus mono by SVC(C=100) on the flow image, the mean of ``n_draws`` draws, as observed and
    with groups dealt anew that many times; tests that are recorded of these clips and parameters stay.  'mappings' is
    every specification: SVC with ``n_draws`` draws, forests with ``control_draws``; draws of forests that are recorded
    stay.
    """
    before = 0.0
    parameters = {
        "n_subjects": n_subjects,
        "n_draws": n_draws,
        "seed": seed,
        "weights": "none",
        "scaling": "robust",
    }
    if part == "permutations":
        parameters |= {"features": "flow", "classifier": "svc", "permutations": permutations}
        known, before = recorded_before("table_iv", part, clips.provenance, parameters)
        done = {} if known is None else dict(list(known.groupby("control")))
        asked = (_inputs(clips, seed, ["flow"])["flow"], clips.table, n_subjects, n_draws, permutations)
        tables = [done[test] if test in done else null_distribution(*asked, test, seed) for test in TESTED]
        table = pd.concat(tables, ignore_index=True)
    elif part == "mappings":
        parameters |= {"image_size": SIZES["resnet18"], "n_trees": 100}
        known, before = recorded_before("table_iv", part, clips.provenance, parameters)
        table = _mappings(clips, n_subjects, n_draws, control_draws, seed, known)
        parameters |= {"forest_draws": control_draws}
    else:
        table, draws = _studies(clips, n_subjects, n_draws, control_draws, seed)
        parameters |= {"image_size": SIZES["resnet18"], "n_trees": 100, "draws": draws}
    seconds = round(before + sum(sum(run.seconds().values()) for run in used_runs()))
    return record("table_iv", {part: table}, clips.provenance, command, parameters, seconds=seconds)


def _inputs(clips: Clips, seed: int, kinds: list[str]) -> dict[str, np.ndarray]:
    return {kind: features(motion_images(clips, size=SIZES[kind]), kind, seed=seed) for kind in kinds}


def _studies(
    clips: Clips, n_subjects: int, n_draws: int, control_draws: int, seed: int
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Predictions of all studies, and the draws of each."""
    inputs, tables, draws = _inputs(clips, seed, list(SIZES)), [], {}
    for name, (kind, model, control, flow_rows) in STUDIES.items():
        draws[name] = n_draws if model == "svc" or name == DESCRIBED else control_draws
        found = repeat_scenarios(
            inputs[kind], clips.table, n_subjects, draws[name], control, model, flow_rows, seed=seed
        )
        found.insert(0, "study", name)
        tables.append(found.drop(columns=[column for column in found if column.startswith("p_")]))
    return pd.concat(tables, ignore_index=True), draws


def drawn_clips(
    table: pd.DataFrame, n_subjects: int, n_draws: int, control: str, seed: int
) -> tuple[list[str], np.ndarray]:
    """Names of the scenarios, and which clips they have: (draws, scenarios, n) bool, of ``draw_scenarios``."""
    drawn = [draw_scenarios(table, n_subjects, control, seed, draw) for draw in range(n_draws)]
    rows = np.arange(len(table))
    return list(drawn[0]), np.array([[np.isin(rows, one[name]) for name in drawn[0]] for one in drawn])


def said_by_svc(x: np.ndarray, table: pd.DataFrame, drawn: np.ndarray) -> np.ndarray:
    """What SVC(C=100) says of Negative in drawn scenarios, as of :func:`scenario_svc.answers`."""
    number = np.unique(table["subject"].astype(str), return_inverse=True)[1]
    return answers(distances(x), number, (table["label"] == NEGATIVE).to_numpy(), drawn)


def svc_predictions(
    x: np.ndarray, table: pd.DataFrame, names: Sequence[str], drawn: np.ndarray
) -> pd.DataFrame:
    """:func:`said_by_svc` as predictions, a row per clip of a scenario: draw, arm, subject, group, label, predicted."""
    draw, arm, row = np.nonzero(drawn)
    clips = table.iloc[row].assign(label=lambda rows: binary_labels(rows["label"]), draw=draw)
    said = np.where(said_by_svc(x, table, drawn)[draw, arm, row] == 1, NEGATIVE, NON_NEGATIVE)
    clips = clips.assign(arm=np.array(names)[arm], predicted=said).reset_index(drop=True)
    return clips[["draw", "arm", "subject", "group", "label", "predicted"]]


def macro_by_draw(negative: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Macro F1 (draws, scenarios) of answers as of :func:`scenario_svc.answers`; a label nobody has counts as 0."""
    f1 = []
    for truth in (negative, ~negative):
        answer = (said == 1) if truth is negative else (said == 0)
        hits, marks = (answer & truth).sum(-1), answer.sum(-1) + ((said >= 0) & truth).sum(-1)
        f1.append(np.divide(2.0 * hits, marks, out=np.zeros(hits.shape), where=marks > 0))
    return np.mean(f1, axis=0)


def difference_by_draw(names: list[str], negative: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Macro F1 of Mixed minus the mean of the mono scenarios in every draw, from :func:`scenario_svc.answers`."""
    macro, mixed = macro_by_draw(negative, said), names.index(MIXED)
    return macro[:, mixed] - np.delete(macro, mixed, axis=1).mean(axis=1)


def null_distribution(
    x: np.ndarray,
    table: pd.DataFrame,
    n_subjects: int,
    n_draws: int,
    n_permutations: int,
    test: str = "as_described",
    seed: int = 0,
) -> pd.DataFrame:
    """Mixed minus mono by SVC(C=100) as observed and under permuted groups, each the mean of the same number of draws.

    Arguments as of ``repeat_scenarios``; ``test`` is a name in ``permutation.TESTED``.  Every permutation draws from
    its groups by the same random numbers.  One row per permutation: control (the test), permutation (0: as observed),
    difference.
    """
    inputs = {"x": x, "table": table[ABOUT], "n_subjects": n_subjects, "n_draws": n_draws}
    run = Run.open(
        "null_distribution", code=("design", "evidence"), inputs=inputs | {"control": test, "seed": seed}
    )
    drawn = drawn_clips(table, n_subjects, n_draws, TESTED[test], seed)
    difference = dealt_anew(x, table, *drawn, test, seed)

    def part(numbers: range) -> pd.DataFrame:
        return pd.DataFrame({"control": test, "permutation": numbers, "difference": map(difference, numbers)})

    whole = range(n_permutations + 1)
    parts = [whole[start : start + _PART] for start in whole[::_PART]]
    bar = tqdm(parts, desc=f"permutations, {test}")
    tables = [run.kept(f"part{of[0]:05d}-{len(of)}", lambda of=of: part(of)) for of in bar]
    return pd.concat(tables, ignore_index=True)


def dealt_anew(
    x: np.ndarray, table: pd.DataFrame, names: list[str], drawn: np.ndarray, test: str, seed: int
) -> Callable[[int], float]:
    """Number of a permutation -> Mixed minus mono under it, the mean over draws; 0 is as observed.

    ``names`` and ``drawn`` are as of :func:`drawn_clips` under the test's control: whole subjects.
    """
    subject, first = np.unique(table["subject"].astype(str), return_index=True)
    number, between = np.searchsorted(subject, table["subject"].astype(str)), distances(x)
    negative, members = (table["label"] == NEGATIVE).to_numpy(), drawn[..., first]
    people = table.iloc[first]

    def difference(permutation: int) -> float:
        dealt = permuted_groups(people, test, seed, permutation)
        swapped = members[..., _stands_for(people, dealt, TESTED[test])][..., number]
        return float(difference_by_draw(names, negative, answers(between, number, negative, swapped)).mean())

    return difference


def _stands_for(before: pd.DataFrame, after: pd.DataFrame, control: str) -> np.ndarray:
    """For every subject under permuted groups, the one that has its place in the pool of its group as observed.

    Pools are drawn from by place, so a scenario of permuted groups has the subjects whose counterparts it had.
    """
    within = np.zeros(len(before)) if control == "as_described" else before["database"].to_numpy()
    place = [pd.Series(within).astype(str) + table["group"].to_numpy() for table in (before, after)]
    out = np.empty(len(before), dtype=int)
    for pool in place[0].unique():
        out[np.flatnonzero(place[1] == pool)] = np.flatnonzero(place[0] == pool)
    return out


def mapped(table: pd.DataFrame, mapping: str) -> tuple[pd.DataFrame, np.ndarray]:
    """The clips with the groups of a mapping, without those that it leaves out, and their row numbers."""
    groups = coded_clips(mapping).set_index("clip_id")["group"]
    group = table["clip_id"].map(groups)
    rows = np.flatnonzero(group != LEFT_OUT)
    return table.assign(group=group).iloc[rows].reset_index(drop=True), rows


def scenarios_of(
    clips: pd.DataFrame, of: Specification, n_subjects: int
) -> tuple[pd.DataFrame, np.ndarray, int]:
    """The clips that a specification chooses from, their row numbers, and how many subjects a scenario can have."""
    table, rows = mapped(clips, of.mapping)
    if of.without_largest:
        kept = np.flatnonzero(table["subject"] != table["subject"].value_counts().index[0])
        table, rows = table.iloc[kept].reset_index(drop=True), rows[kept]
    most = 2 * int(subjects_in(table).min(axis=1).max()) if of.control == "two_databases" else n_subjects
    return table, rows, min(n_subjects, most)


def _mappings(
    clips: Clips, n_subjects: int, n_draws: int, forest_draws: int, seed: int, known: pd.DataFrame | None
) -> pd.DataFrame:
    """All specifications, one under the other; draws of a forest that are ``known`` are not made again."""
    inputs, tables = _inputs(clips, seed, ["flow", "resnet18"]), []
    about = {"inputs": inputs, "table": clips.table[ABOUT], "n_subjects": n_subjects, "seed": seed}
    run = Run.open("specifications", code=("clips", "design", "evidence"), inputs=about)

    @functools.lru_cache(maxsize=1)
    def drawn_by(of: Specification) -> tuple[pd.DataFrame, np.ndarray, list[str], np.ndarray]:
        table, rows, n = scenarios_of(clips.table, of, n_subjects)
        return table, rows, *drawn_clips(table, n, n_draws, of.control, seed)

    def by_forest(of: Specification) -> pd.DataFrame:
        table, rows, n = scenarios_of(clips.table, of, n_subjects)
        asked = (inputs[of.features][rows], table, n, forest_draws, of.control, "forest")
        before, first = pd.DataFrame(), 0
        if known is not None:
            before = known[known[list(of._fields)].eq(list(of)).all(axis=1) & (known["draw"] < forest_draws)]
            before = before.drop(columns=list(of._fields)).astype(
                dict.fromkeys(("arm", "subject", "group"), str)
            )
            first = before["draw"].nunique()
        if first == forest_draws:
            return before
        return pd.concat(
            [before, counts(repeat_scenarios(*asked, seed=seed, first=first))], ignore_index=True
        )

    def found(of: Specification) -> pd.DataFrame:
        if of.classifier == "forest":
            return by_forest(of)
        table, rows, names, drawn = drawn_by(of._replace(features=""))
        return counts(svc_predictions(inputs[of.features][rows], table, names, drawn))

    for of in tqdm(specifications(), desc="specifications"):
        draws = forest_draws if of.classifier == "forest" else n_draws
        part = run.kept("-".join([*map(str, of), str(draws)]), lambda of=of: found(of))
        tables.append(part.assign(**of._asdict())[[*Specification._fields, *part.columns]])
    table = pd.concat(tables, ignore_index=True).astype({"draw": "uint16"})
    words = [*Specification._fields[:-1], "arm", "subject", "group"]
    return table.astype(dict.fromkeys(words, "category"))
