"""The pool of the atlas as it is recorded: what is small of every version of every clip, and whether it holds."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.labels import SAMM
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence.comparison import SIDE, clip_image
from ethnicmer_lib.evidence.pool import as_rendered, images, pooled, real_cells, versions
from ethnicmer_lib.evidence.regions import clip_regions, simulated_crops
from ethnicmer_lib.networks.maps import MEASURES, Maps, measure_maps
from ethnicmer_lib.simulator.scene import measure
from ethnicmer_lib.simulator.settings import SimulatorSettings

WIDTH = 32  #: numbers of a clip: its flow image on the pool's first principal axes, about the origin
FEATURES = [f"x{number:02d}" for number in range(WIDTH)]
SEED = 3000  #: of the first cohort of the pool; no other cohort of this book has it


def pool_table(made: dict[SimulatorSettings, pd.DataFrame]) -> pd.DataFrame:
    """The rendered versions of all cohorts, one under the other: what is small of them.

    ``shift``, the columns of :func:`pool.versions` but the image, :data:`FEATURES`, and :data:`MEASURES` of the map
    that the strain of the image is.  A subject's name has the seed of its cohort before it.
    """
    parts = []
    for settings, found in made.items():
        names = {name: f"{settings.seed}/" + found[name] for name in ("clip_id", "subject")}
        parts.append(found.assign(**names, shift=settings.database_shift))
        if not found["image"].any():
            continue
        strain = Maps(images(found)[:, 2], found.assign(predicted=found["label"]), SIDE)
        seen = measure_maps(strain, clip_regions(found, SIDE, simulated_crops(settings)))[list(MEASURES)]
        parts[-1] = parts[-1].assign(**seen)
    table = pd.concat(parts, ignore_index=True)
    if MEASURES.keys().isdisjoint(table):
        return table.drop(columns="image")
    x = images(table).reshape(len(table), -1)
    _, axes = np.linalg.eigh(x.T.astype(np.float64) @ x)
    numbers = pd.DataFrame((x @ axes[:, : -WIDTH - 1 : -1]).astype(np.float32), columns=FEATURES)
    return pd.concat(
        [table.drop(columns="image").astype(dict.fromkeys(MEASURES, "float32")), numbers], axis=1
    )


def coded_pool(subjects: int) -> pd.DataFrame:
    """The codes of so many subjects of SAMM, and as many others as come with them: no clip is rendered."""
    here = sum(n for (database, _), n in real_cells().items() if database == SAMM)
    cohorts = [SimulatorSettings(seed=SEED + repeat) for repeat in range(-(-subjects // here))]
    return pool_table({one: versions(one, None, jobs=1) for one in cohorts})


def pool_under(pool: pd.DataFrame, shift: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The versions of a pool that were rendered under a database shift, and their clips as of ``pool.pooled``.

    StudyError where there are none.
    """
    part = pool[pool["shift"] == shift].reset_index(drop=True)
    if part.empty:
        raise StudyError(
            f"shift={shift}: the pool was rendered under {sorted(set(pool['shift']))}; take one of these"
        )
    return part, pooled(part)


def agreement(made: dict[SimulatorSettings, pd.DataFrame], method: str, clips: int = 12) -> pd.DataFrame:
    """Cohorts rendered as the simulator makes them, beside the same drawn from the pool: ``clips`` of each.

    A row per clip of half the effect at either end of confounding: clip_id, confounding, strength, shift, group,
    planted, and ``apart``, the largest difference of any number of both flow images.
    """
    rows = []
    for settings, confounding in product(made, (0.0, 1.0)):
        found, asked = made[settings], {"confounding": confounding, "action_unit_effect": 0.5}
        cohort = SimulatorSettings(seed=settings.seed, database_shift=settings.database_shift, **asked)
        drawn = as_rendered(pooled(found), cohort)
        # Sorted, so that planted and other clips are in it in proportion.
        chosen = drawn.sort_values(["planted", "clip_id"], ascending=False).iloc[
            :: max(1, len(drawn) // clips)
        ]
        names = set(chosen["clip_id"])
        of = partial(clip_image, method=method, neighbours=False)
        table, again = measure(cohort, of, chosen=lambda clip, names=names: clip.clip_id in names)
        pair = table[["clip_id"]].assign(again=[image for image, _ in again]).merge(chosen, on="clip_id")
        mine = images(found.iloc[pair["row"]])
        apart = [float(np.abs(a - b).max()) for a, b in zip(mine, pair["again"], strict=True)]
        about = pair[["clip_id", "group", "planted"]].assign(
            apart=apart, confounding=confounding, strength=0.5
        )
        rows.append(about.assign(shift=settings.database_shift, seed=settings.seed))
    return pd.concat(rows, ignore_index=True)
