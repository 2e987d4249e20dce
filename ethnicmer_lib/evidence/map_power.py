"""How often activation maps show what Figs 3-4 claim, where it is planted and where it is not; recorded.

Networks are trained on cohorts of known truth.  A study is a draw of as many subjects as the real one has from all
cohorts of a truth, with the maps of networks that have not seen them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from ethnicmer_lib.design import subject_folds
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence.atlas import Cell, map_rules
from ethnicmer_lib.evidence.comparison import SIDE
from ethnicmer_lib.evidence.map_groups import (
    CLAIMS,
    WITHIN,
    first_and_second,
    map_differences,
    tilts,
)
from ethnicmer_lib.evidence.map_recording import kept_maps
from ethnicmer_lib.evidence.map_runs import OTHERS, SHUFFLED, TRAINED
from ethnicmer_lib.evidence.map_trust import STRAIN
from ethnicmer_lib.evidence.pool import METHOD, as_rendered, images, pooled, rendered
from ethnicmer_lib.evidence.regions import PARTS, REGIONS, au_regions, clip_regions, simulated_crops
from ethnicmer_lib.evidence.true_strain import true_strain
from ethnicmer_lib.networks.cells import enlarged, map_side
from ethnicmer_lib.networks.fold_task import COLUMNS
from ethnicmer_lib.networks.maps import MEASURES, TILT, Maps, input_maps, measure_maps, tilt_of
from ethnicmer_lib.networks.recipe import AS_PRINTED, Recipe
from ethnicmer_lib.paper.judging import KINDS, rules_of
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.store import Provenance, Recording, digest, kept, record, recording

SEED = 4000  #: of the first cohort; no other cohort of this book has it
MOVED = [f"{part}_px" for part in PARTS]  #: how far each part of a face really moved
DELETED_BY = ("map", "strain", "random", *OTHERS)  #: how :func:`map_runs.drops` chooses what it deletes
_FALLS = [f"{way}_{by}" for way, by in product(("drop", "alone"), DELETED_BY)]
Shown = Mapping[
    str, pd.DataFrame
]  #: what is judged, 'maps' or 'input', -> its table as of :func:`cohort_maps`
Judge = Callable[
    [Shown, int], Iterator[dict[str, Any]]
]  #: what rules say of one study, whose number is the seed
_KEPT = [*COLUMNS, "fold", "predicted", "p", "correct", *REGIONS, *MEASURES]


class Cohort(NamedTuple):
    """A simulated cohort that was never written as frames."""

    table: pd.DataFrame
    provenance: Provenance


def record_map_power(
    command: str,
    part: Literal["maps", "tilts"] = "maps",
    cohorts: int = 3,
    strengths: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
    confoundings: Sequence[float] = (0.0, 1.0),
    folds: int = 5,
    n_studies: int = 200,
    size: str = "full",
    subjects: int = 0,
    recipe: Recipe = AS_PRINTED,
    weights: str = "none",
    seed: int = 0,
) -> Path:
    """Keep in ``results/map_power`` the measures of maps of ``cohorts`` of every truth, and what is said of studies;
    or, of the maps that are recorded there, the ``tilts``: :func:`tilt_studies`, which trains nothing.

    A truth is the share of clips in which the paper's effect is planted, and how nearly group and database coincide.
    Networks are plain ResNet-18 on images of 28 px, one training run a fold of whole subjects; maps are of the layer
    that the rules name.  A study has ``subjects`` (0: as many as the real one has), a cohort those of ``size``.
    StudyError for more subjects than the cohorts have.  Finished folds and studies are kept.
    """
    if part == "tilts":
        known = recording("map_power")
        table = with_tilt(known.table("maps"), known.parameters["size"])
        cells = known.table("subjects")[["strength", "confounding"]].drop_duplicates().itertuples(index=False)
        rows = [
            tilt_studies(*_of(known, table, truth), truth, n_studies, seed)
            for truth in (Cell(*cell, subjects=known.parameters["subjects"]) for cell in cells)
        ]
        about = {"n_studies": n_studies, "seed": seed, "subjects": known.parameters["subjects"]}
        return record("map_power", {"tilts": pd.concat(rows)}, known.provenance, command, about)
    asked = {"cohorts": cohorts, "strengths": list(strengths), "confoundings": list(confoundings)}
    asked |= {"folds": folds, "n_studies": n_studies, "size": size, "subjects": subjects, "weights": weights}
    asked |= {
        "layer": _layer(),
        "image_size": SIDE,
        "flow_method": METHOD,
        "seed": seed,
        "recipe": asdict(recipe),
    }
    pool = [SimulatorSettings(size=size, seed=SEED + number) for number in range(cohorts)]
    source = f"simulated cohorts, seeds {pool[0].seed} to {pool[-1].seed}"
    provenance, seconds = Provenance(source, True, digest(asked)), 0.0
    tables: dict[str, list[pd.DataFrame]] = {"maps": [], "subjects": [], "studies": []}
    truths = [Cell(one, of, subjects=subjects) for one in strengths for of in confoundings]
    for truth in tqdm(truths, "truths"):
        # Where nothing is planted no clip and no network depends on the group: one training serves all confoundings.
        trained = truth if truth.strength else replace(truth, confounding=confoundings[0])
        found = [cohort_maps(one, trained, folds, recipe, weights, provenance) for one in pool]
        maps, who = (pd.concat(parts, ignore_index=True) for parts in list(zip(*found, strict=True))[:2])
        if trained == truth:
            seconds += sum(spent for *_, spent in found)
            tables["maps"].append(maps.assign(strength=truth.strength, confounding=truth.confounding))
        tables["subjects"].append(who.assign(strength=truth.strength, confounding=truth.confounding))
        tables["studies"].append(studies(maps, who, truth, n_studies, seed))
    recorded = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    return record("map_power", recorded, provenance, command, asked, seconds=round(seconds))


def cohort_maps(
    settings: SimulatorSettings,
    truth: Cell,
    folds: int,
    recipe: Recipe,
    weights: str,
    provenance: Provenance,
) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    """The measures of a cohort's maps and of their input, its subjects with database and group, and the seconds.

    ``of`` is 'trained', the 'input', and where nothing is planted the networks of :func:`map_runs.mapped` that cannot
    know; there are ``*_px``, how far the parts of the face really moved, and ``drop_*`` and ``alone_*``, too.  Names of
    subjects and clips have the cohort's seed before them.
    """
    made = rendered(settings)
    planted = replace(settings, confounding=truth.confounding, action_unit_effect=truth.strength)
    table, checks = as_rendered(pooled(made), planted), not truth.strength
    seen = images(made)[table["row"]]
    splits = subject_folds(table, folds, seed=settings.seed)
    about = recipe, [settings.seed], weights, checks
    maps, seconds = kept_maps(Cohort(table[COLUMNS], provenance), seen, splits, *about)
    maps = maps.rename(columns={f"{name}_{_layer()}": name for name in _FALLS})
    side, crops = map_side(_layer(), SIDE), simulated_crops(settings)
    cells = np.frombuffer(b"".join(maps[f"cells_{_layer()}"]), np.float32).reshape(-1, side, side)
    shown = Maps(
        enlarged(cells, SIDE), maps.drop(columns=[name for name in maps if name.startswith("cells_")]), side
    )
    first = np.flatnonzero(maps["arm"] == TRAINED)
    given = Maps(shown.array[first], shown.table.iloc[first].reset_index(drop=True), side)
    given = input_maps(given, seen, Cohort(table, provenance))
    both = [(shown, shown.table["arm"]), (given, STRAIN)]
    found = pd.concat(
        [measure_maps(one, clip_regions(one.table, SIDE, crops)).assign(of=of) for one, of in both],
        ignore_index=True,
    )
    columns = ["of", *_KEPT]
    if checks:
        found = found.join(true_strain(settings, SIDE).set_index("clip_id")[MOVED], on="clip_id")
        columns += [*MOVED, *_FALLS]
    numbers = [name for name in columns[1:] if found[name].dtype == float]
    found = found[columns].astype(dict.fromkeys(numbers, "float32"))
    who = table[["subject", "database", "group"]].drop_duplicates()
    names = {name: f"{settings.seed}/" + found[name] for name in ("clip_id", "subject")}
    return found.assign(**names), who.assign(subject=f"{settings.seed}/" + who["subject"]), seconds


@kept("evidence", "stats", "paper")
def studies(maps: pd.DataFrame, who: pd.DataFrame, truth: Cell, n: int = 200, seed: int = 0) -> pd.DataFrame:
    """What the ledger's rules say of ``n`` studies of a truth, from maps and from their input: a row per study, ``by``
    ('maps' or 'input') and claim, with the truth, ``value``, ``claimed``, ``opposite``, and ``p`` before adjustment.

    ``maps`` and ``who`` are of all cohorts, as of :func:`cohort_maps`.
    """
    shown = {"maps": maps[maps["of"] == TRAINED], "input": maps[maps["of"] == STRAIN]}
    return _every(judged, shown, who, truth, n, seed)


def _every(judge: Judge, shown: Shown, who: pd.DataFrame, truth: Cell, n: int, seed: int) -> pd.DataFrame:
    """The rows of ``n`` studies, side by side where that pays."""
    jobs = min(os.cpu_count() or 1, -(-n // 50))  # for a few studies processes cost more than they save
    found = Parallel(jobs)(delayed(_study)(judge, shown, who, truth, study, seed) for study in range(n))
    return pd.DataFrame([row for rows in found for row in rows])


def _study(
    judge: Judge, shown: Shown, who: pd.DataFrame, truth: Cell, study: int, seed: int
) -> list[dict[str, Any]]:
    """One study drawn and judged."""
    group = drawn(who, truth, np.random.default_rng([seed, study]))
    dealt = {
        by: one[one["subject"].isin(group)].assign(group=one["subject"].map(group))
        for by, one in shown.items()
    }
    return [{**asdict(truth), "study": study, **row} for row in judge(dealt, study)]


def judged(dealt: Shown, study: int) -> Iterator[dict[str, Any]]:
    """One study judged: the rows of :func:`studies`."""
    tested = map_differences(dealt, study)
    for by, table in dealt.items():
        p = tested[tested["of"] == by].set_index(["label", "measure"])["p"]
        for said in map_rules(table, tested, by):
            yield said._replace(by=by)._asdict() | {"p": p[CLAIMS[said.rule]]}


def with_tilt(maps: pd.DataFrame, size: str) -> pd.DataFrame:
    """Recorded maps with :data:`TILT`, from the shares of their regions and how much of the crop these cover."""
    crops = simulated_crops(SimulatorSettings(size=size))
    cover = pd.DataFrame({name: au_regions(SIDE, crop) for name, crop in crops.items()}).map(np.mean).T
    return maps.assign(**{TILT: tilt_of(maps, cover.loc[maps["database"]].set_axis(maps.index))})


def _of(known: Recording, table: pd.DataFrame, truth: Cell) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The maps and the subjects of a truth; where nothing is planted, one training served all confoundings."""
    where = "strength == @truth.strength and confounding == @truth.confounding"
    maps = table.query(where if truth.strength else "strength == 0")
    return maps, known.table("subjects").query(where)


@kept("evidence", "stats", "paper")
def tilt_studies(
    maps: pd.DataFrame, who: pd.DataFrame, truth: Cell, n: int = 200, seed: int = 0
) -> pd.DataFrame:
    """What the rules on one group's Surprise say of ``n`` studies of a truth, by 'maps', 'input' and, where nothing is
    planted, 'labels shuffled': networks that cannot know.  A row per study, source and claim, as of :func:`studies`.
    """
    arms = {"maps": TRAINED, "input": STRAIN, SHUFFLED: SHUFFLED}
    shown = {by: maps[maps["of"] == of] for by, of in arms.items() if (maps["of"] == of).any()}
    return _every(tilted, shown, who, truth, n, seed)


def tilted(dealt: Shown, study: int) -> Iterator[dict[str, Any]]:
    """One study judged: the rows of :func:`tilt_studies`."""
    for by, table in dealt.items():
        tested = tilts({by: table}, study).set_index("group")
        for key, number in WITHIN.items():
            row = tested.loc[first_and_second(table)[number]]
            words = {"direction": rules_of("activation_maps")[key]["direction"], "p_holm": row["p_holm"]}
            verdict = "not supported" if np.isnan(row["p"]) else KINDS["effect"](row[TILT], words)
            said = {"claimed": verdict == "reproduced", "opposite": verdict == "contradicted"}
            yield {"by": by, "rule": key, "value": row[TILT].value, "p": row["p"], **said}


def drawn(who: pd.DataFrame, truth: Cell, rng: np.random.Generator) -> Mapping[str, Any]:
    """Subject -> group in one study: as many of each database and group as the truth says, no subject twice.

    Where nothing is planted, groups are dealt out anew.  StudyError where the cohorts have too few.
    """
    group: dict[str, str] = {}
    for (database, name), n in sorted(truth.sizes().items()):
        fits = (who["database"] == database) & ~who["subject"].isin(group)
        if truth.strength:
            fits &= who["group"] == name
        if fits.sum() < n:
            raise StudyError(
                f"{truth}: a study needs {n} subjects of group {name} in {database}, the cohorts have {fits.sum()}; "
                "record more cohorts"
            )
        group |= dict.fromkeys(rng.permutation(who.loc[fits, "subject"].to_numpy())[:n], name)
    return group


def _layer() -> str:
    return rules_of("activation_maps")["map_sides"]["layer"]
