"""The atlas, recorded: a pool that is rendered once, and thousands of studies drawn from it over a grid of truths."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from ethnicmer_lib.clips.labels import SAMM
from ethnicmer_lib.evidence.atlas import JOINT, Cell, bars, our_rules, papers_rules, unit_signs, unit_tests
from ethnicmer_lib.evidence.atlas_networks import trained_cohorts
from ethnicmer_lib.evidence.atlas_pool import FEATURES, SEED, agreement, coded_pool, pool_table, pool_under
from ethnicmer_lib.evidence.calibration import DESIGNS, better_by, draw, networks
from ethnicmer_lib.evidence.comparison import SIDE
from ethnicmer_lib.evidence.made_up import real_clusters, runs_of
from ethnicmer_lib.evidence.pool import METHOD, draw_study, rendered
from ethnicmer_lib.networks import where
from ethnicmer_lib.networks.maps import MEASURES
from ethnicmer_lib.networks.recipe import AS_PRINTED, Recipe
from ethnicmer_lib.paper.judging import printed_effect
from ethnicmer_lib.paper.numbers import printed
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.stats.confusions import class_f1
from ethnicmer_lib.store import Provenance, Run, digest, record, recording, used_runs

BLOCK = 25  #: studies between two files: what an interruption can cost
PRINTED_GAIN, PRINTED_ORDER = "gain_size", "rows_order"


def record_atlas(
    command: str,
    part: Literal["all", "pool", "studies", "codes", "bars", "networks"] = "all",
    repeats: int = 6,
    shifts: Sequence[float] = (0.0, 1.0),
    method: str = METHOD,
    strengths: Sequence[float] = (0.0, 0.25, 0.5, 1.0),
    confoundings: Sequence[float] = (0.0, 1.0),
    sizes: Sequence[int] = (28, 56),
    balances: Sequence[float] = (0.5,),
    coded_sizes: Sequence[int] = (28, 53, 112, 224, 448, 671),
    n_studies: int = 400,
    n_ours: int = 200,
    n_null: int = 1500,
    n_draws: int = 10,
    resamples: int = 500,
    cohorts: int = 2,
    runs: int = 5,
    folds: int = 3,
    recipe: Recipe = AS_PRINTED,
    seed: int = 0,
) -> Path:
    """Compute the atlas, or a part of it, and keep it in ``results/atlas/``; interrupted, it goes on.

    'all' is the five parts, one after the other.  'pool' renders ``repeats`` times the real roster under every
    database shift, with its agreement with cohorts that are rendered as such.  'studies' draws from the recorded pool:
    at every strength, confounding and shift ``n_studies`` of the real size, and of each of ``sizes`` within SAMM, and
    where the share of Negative clips is one of ``balances``; the paper's rules judge all of them, ours the first
    ``n_ours``; where nothing is planted and groups are as confounded as the real ones, both judge ``n_null``.
    'codes' needs no picture: the rules on FACS codes alone, ``n_ours`` studies of each of ``coded_sizes`` in both
    databases, as confounded as the real ones, and within SAMM.  'bars' is Table IV itself in the first ``n_ours`` of
    both databases under the largest shift.  'networks' trains the two networks of the first rows of Table V on
    ``cohorts`` of the pool at the least strength: ``runs`` times in ``folds`` folds.

    StudyError for a size that the pool cannot give.
    """
    if part == "all":
        given = dict(locals())
        return [
            record_atlas(**given | {"part": one}) for one in ("pool", "studies", "codes", "bars", "networks")
        ][-1]
    before = {run.path for run in used_runs()}
    if part == "pool":
        asked = {"repeats": repeats, "shifts": list(shifts), "method": method, "seed": SEED}
        settings = [
            SimulatorSettings(seed=SEED + repeat, database_shift=shift)
            for shift in shifts
            for repeat in range(repeats)
        ]
        made = {one: rendered(one, method) for one in settings}
        source = f"simulated pool: {repeats} times the real roster under database shifts {list(shifts)}"
        provenance = Provenance(source, True, digest(asked))
        tables = {"pool": pool_table(made), "agreement": agreement(made, method)}
        return record("atlas", tables, provenance, command, asked, alone=True)
    pool, about = recording("atlas"), {"n_studies": n_studies, "n_ours": n_ours}
    about |= {"n_draws": n_draws, "resamples": resamples, "seed": seed}
    asked = about | {"strengths": list(strengths)}
    if part == "codes":
        grid = [
            Cell(one, float(design == JOINT), 1.0, design, size)
            for one, size, design in product(strengths, coded_sizes, (JOINT, SAMM))
        ]
        coded = coded_pool(max(coded_sizes))
        tables = {"codes": studies(coded, grid, **about | {"n_studies": n_ours})}
        asked |= {"sizes": list(coded_sizes)}
    elif part == "bars":
        asked |= {"confoundings": list(confoundings), "n_studies": n_ours}
        grid = [Cell(*truth, max(shifts)) for truth in product(strengths, confoundings)]
        tables = {"bars": bars_of(pool.table("pool"), grid, n_ours, seed)}
    elif part == "networks":
        asked = {
            "strengths": [min(strengths)],
            "cohorts": cohorts,
            "runs": runs,
            "folds": folds,
        }
        asked |= {"recipe": asdict(recipe), "seed": seed, "image_size": SIDE}
        trained = trained_cohorts(asked["strengths"], cohorts, runs, folds, max(shifts), recipe, seed)
        words = [name for name in trained if trained[name].dtype == object]
        tables = {"networks": trained.astype(dict.fromkeys(words, "category"))}
    else:
        grid = cells(strengths, confoundings, pool.parts["pool"]["parameters"]["shifts"], sizes, balances)
        tables = {"studies": studies(pool.table("pool"), grid, **about, n_null=n_null)}
        tables["table_v"] = table_v_rules(5 * n_studies, seed)
        asked |= {"n_null": n_null, "confoundings": list(confoundings), "sizes": list(sizes)}
        asked |= {"balances": list(balances)}
    seconds = round(sum(sum(run.seconds().values()) for run in used_runs() if run.path not in before))
    return record("atlas", tables, pool.provenance, command, asked, seconds=seconds)


def bars_of(pool: pd.DataFrame, grid: Sequence[Cell], n_studies: int, seed: int = 0) -> pd.DataFrame:
    """Table IV of the first studies of every cell, one draw each, as ``papers_rules`` sees it.

    A row a study: strength, confounding, study, and macro F1 of every scenario.
    """
    rows = []
    for cell in tqdm(grid, "bars"):
        part = pool_under(pool, cell.shift)
        for number in range(n_studies):
            first = bars(*study_of(*part, cell, seed, number), 1, number).iloc[0]
            about = {"strength": cell.strength, "confounding": cell.confounding, "study": number}
            rows.append(about | first.to_dict())
    return pd.DataFrame(rows)


def cells(
    strengths: Sequence[float],
    confoundings: Sequence[float],
    shifts: Sequence[float],
    sizes: Sequence[int],
    balances: Sequence[float] = (),
) -> list[Cell]:
    """The grid: both databases at the real size, and under the largest shift within SAMM at every size, and with other
    shares of Negative clips (at the ends of ``strengths``)."""
    joint = [Cell(*truth) for truth in product(strengths, confoundings, shifts)]
    inside = [Cell(one, 0.0, max(shifts), SAMM, size) for one, size in product(strengths, sizes)]
    ends = {min(strengths): None, max(strengths): None}
    return (
        joint
        + inside
        + [Cell(one, 1.0, max(shifts), negative=share) for one, share in product(ends, balances)]
    )


class Block(NamedTuple):
    """Studies of a cell that are computed together."""

    name: str
    cell: Cell
    numbers: range
    about: dict[str, int]


class Done(NamedTuple):
    """A block with what was found."""

    task: Block
    rows: pd.DataFrame
    seconds: float


def studies(
    pool: pd.DataFrame,
    grid: Sequence[Cell],
    n_studies: int = 1000,
    n_ours: int = 200,
    n_draws: int = 10,
    resamples: int = 500,
    seed: int = 0,
    progress: bool = True,
    n_null: int = 0,
) -> pd.DataFrame:
    """What all rules say of studies drawn from a pool, kept block by block, by any engine of ``networks.where``.

    ``n_null`` (0: as the others) is how many studies both the paper's rules and ours judge of a cell of both databases
    where nothing is planted and groups are as confounded as the real ones.  One row per study and rule: the fields of
    :class:`Cell`, ``study``, and those of :class:`Evidence`.
    """
    about = {"n_ours": n_ours, "n_draws": n_draws, "resamples": resamples, "seed": seed}
    asked = {"pool": pool, "n_null": n_null, **about}
    run = Run.open("atlas", code=("clips", "stats", "design", "paper", "evidence"), inputs=asked)
    null = {one for one in grid if n_null and replace(one, shift=1.0) == Cell()}
    blocks = [
        Block(f"{digest(asdict(cell))[:12]}-{part[0]:06d}-{len(part)}", cell, part, about | {"n_ours": ours})
        for cell in grid
        for n, ours in [(n_null, n_null) if cell in null else (n_studies, n_ours)]
        for part in (range(n)[start : start + BLOCK] for start in range(0, n, BLOCK))
    ]
    left = [block for block in blocks if run.read(block.name) is None]
    made = where.run(where.chosen("serial"), judged, left, pool)
    for done in tqdm(made, desc="blocks of studies", total=len(left), disable=not progress):
        run.write(done.task.name, done.rows, done.seconds)
    table = pd.concat([run.read(block.name) for block in blocks], ignore_index=True)
    return table.astype(
        {"study": "uint32", "value": "float32", **dict.fromkeys(("design", "by", "rule"), "category")}
    )


def judged(block: Block, pool: pd.DataFrame) -> Done:
    """One block: every study drawn and judged; of a pool that has codes alone, by the rules on codes."""
    start = time.perf_counter()
    asked = {name: n for name, n in block.about.items() if name in ("n_draws", "resamples")}
    part, rows = pool_under(pool, block.cell.shift), []
    for number in block.numbers:
        x, study = study_of(*part, block.cell, block.about["seed"], number)
        papers, ours = unit_signs(study), unit_tests(study)
        if x.size:
            papers, ours = papers_rules(x, study, number), our_rules(x, study, **asked, seed=number)
        said = [*papers, *(ours if number < block.about["n_ours"] else ())]
        rows += [{**asdict(block.cell), "study": number, **one._asdict()} for one in said]
    return Done(block, pd.DataFrame(rows), time.perf_counter() - start)


def study_of(
    made: pd.DataFrame, clips: pd.DataFrame, cell: Cell, seed: int = 0, number: int = 0
) -> tuple[np.ndarray, pd.DataFrame]:
    """One study of a cell from a pool as of :func:`pool_under`: features (n, WIDTH), and the study with its codes and
    measures of maps, a row a clip; of a pool without pictures (n, 0) and no measures."""
    study = draw_study(clips, cell.sizes(), cell.strength, seed, number, cell.negative)
    of = made.iloc[study["row"]].reset_index(drop=True)
    return of.filter(FEATURES).to_numpy(), study.assign(**of.filter(["action_units", *MEASURES]))


def table_v_rules(tables: int = 5000, seed: int = 0) -> pd.DataFrame:
    """What the paper reads off Table V, from one run of each network, where all networks are alike or one is better.

    Predictions are made up for subjects drawn from the real ones, by runs that differ as recorded ones do
    (:mod:`evidence.made_up`).  One row per truth and rule: how many ``tables``, and in how many ``claimed``.
    """
    real, runs = real_clusters(), runs_of(networks())
    macro = printed("table_v")["macro"].sort_values()
    gain = printed_effect("benchmark", PRINTED_GAIN)
    method, better = better_by(runs.better, real)
    rows = []
    for truth, sizes, of_motion in (
        ("all networks alike", runs.usual, method),
        ("all networks alike, runs as the most varied", runs.most, method),
        ("the second branch adds the printed gain", runs.usual, better),
    ):
        made = np.empty((tables, len(macro)))
        for table in range(tables):
            rng = np.random.default_rng([seed, table])
            counts = draw(DESIGNS[0], real, rng).counts
            normal = rng.standard_normal((len(counts), 1 + len(real.labels)))
            for arm, name in enumerate(macro.index):
                process = of_motion if name == "dual_motion" else method
                made[table, arm] = np.nanmean(
                    class_f1(process.drawn(counts, normal, sizes, 1, rng)[0].sum(0))
                )
        found = pd.DataFrame(made, columns=macro.index)
        claimed = {
            PRINTED_GAIN: found["dual_motion"] - found["resnet18"] >= gain,
            PRINTED_ORDER: (np.diff(made, axis=1) > 0).all(axis=1),
        }
        rows += [(truth, rule, tables, int(one.sum())) for rule, one in claimed.items()]
    return pd.DataFrame(rows, columns=["truth", "rule", "tables", "claimed"])
