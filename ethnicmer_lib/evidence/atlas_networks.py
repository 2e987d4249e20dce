"""Table V in cohorts of known truth: networks trained run after run, and what the paper's rule and ours say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd

from ethnicmer_lib.design import subject_folds
from ethnicmer_lib.evidence.atlas_pool import SEED
from ethnicmer_lib.evidence.pool import as_rendered, images, pooled, rendered
from ethnicmer_lib.networks.fold_task import COLUMNS
from ethnicmer_lib.networks.folds import train_and_predict
from ethnicmer_lib.networks.recipe import AS_PRINTED, Recipe
from ethnicmer_lib.paper.judging import KINDS, printed_effect, rules_of
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.stats import MACRO, difference, scores

RULE = "motion_context"  #: of ``claims.yml``: the first two rows of Table V, which need motion alone
KEPT = ["strength", "cohort", "arm", "seed", "fold", *COLUMNS, "predicted"]


def trained_cohorts(
    strengths: Sequence[float],
    cohorts: int,
    runs: int,
    folds: int,
    shift: float = 1.0,
    recipe: Recipe = AS_PRINTED,
    seed: int = 0,
    size: str = "full",
) -> pd.DataFrame:
    """Held-out predictions of both networks of :data:`RULE` on the first ``cohorts`` of the pool: columns :data:`KEPT`.

    A cohort has the subjects of the real study, its groups as confounded, and the effect planted in a share of its
    clips (``strengths``).  Every network is trained ``runs`` times in ``folds`` folds of whole subjects; finished folds
    are kept.  ``size`` is that of the simulated cohort.
    """
    arms, tables = [rules_of("benchmark")[RULE][side] for side in "ba"], []
    for strength, number in product(strengths, range(cohorts)):
        settings = SimulatorSettings(size=size, seed=SEED + number, database_shift=shift)
        made = rendered(settings)
        table = as_rendered(pooled(made), replace(settings, action_unit_effect=strength))[[*COLUMNS, "row"]]
        splits = subject_folds(table, folds, seed=settings.seed)
        seeds = range(seed, seed + runs)
        found = train_and_predict(arms, images(made)[table["row"]], None, table, splits, recipe, seeds=seeds)
        tables.append(found.assign(strength=strength, cohort=settings.seed)[KEPT])
    return pd.concat(tables, ignore_index=True)


def pairs_of_runs(predictions: pd.DataFrame) -> np.ndarray:
    """(runs, runs) gain in macro F1 of the network with a second branch over the one without, of every pair of runs on
    one cohort."""
    macro = scores(predictions, by=["arm", "seed"])[MACRO]
    return np.subtract.outer(*(macro[rules_of("benchmark")[RULE][side]].to_numpy() for side in "ab"))


def said_of_networks(predictions: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """What is said of the gain of the second branch in every cohort of :func:`trained_cohorts`.

    One row per strength and cohort: ``runs`` of each network; ``gain``, macro F1 over subjects and runs (an
    ``Estimate``), and ``p`` of the swap test; ``lowest`` and ``highest`` gain of any pair of single runs; ``printed``,
    the share of pairs whose gain is as large as the printed one; ``ours``, the verdict of our rule.
    """
    rule, rows = rules_of("benchmark")[RULE], []
    least = printed_effect("benchmark", RULE)
    for key, part in predictions.groupby(["strength", "cohort"]):
        found = difference(part, [(rule["a"], rule["b"])], seed=seed).iloc[0]
        pairs = pairs_of_runs(part)
        words = rule | {"p_holm": found["p"]}
        rows.append(
            dict(zip(("strength", "cohort"), key, strict=True))
            | {"runs": len(pairs), "gain": found["difference"], "p": found["p"]}
            | {"lowest": pairs.min(), "highest": pairs.max(), "printed": float((pairs >= least).mean())}
            | {"ours": KINDS[rule["rule"]](found["difference"], words)}
        )
    return pd.DataFrame(rows)
