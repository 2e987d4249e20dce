"""What the branches have learnt: balanced accuracy for group and database of heads, probes and the database rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ethnicmer_lib.networks.old_arms import BY_NAME
from ethnicmer_lib.networks.probes import ALL, BRANCHES, TARGETS, WITHIN, column
from ethnicmer_lib.networks.switches import Switches
from ethnicmer_lib.publish.old_parameters import Benchmark
from ethnicmer_lib.stats.bootstrap import UAR, bootstrap_f1

OWN_HEAD, DATABASE_RULE = "own head", "the database alone"
LEARNT_COLUMNS = ["arm", "reader", "target", "where", "value", "low", "high", "clips"]


def balanced_accuracies(p: Benchmark, parts: Mapping[str, pd.DataFrame], resamples: int) -> pd.DataFrame:
    """Balanced accuracy of heads, probes and the database rule, with subject-bootstrap intervals.

    Parameters
    ----------
    parts : arm -> its predictions, as in :class:`controls.ControlsResult`.
    resamples : of the bootstrap.

    Returns
    -------
    LEARNT_COLUMNS; what each row means is said in :class:`controls.ControlsResult`.
    """
    rows: list[dict[str, Any]] = []

    def ask(arm: str, reader: str, target: str, where: str, table: pd.DataFrame, said: str) -> None:
        if said not in table or table[said].isna().all() or table[target].nunique() < 2:
            return
        table = table[table[said].notna() & (table[said] != "")]
        if where == WITHIN:
            table = table[table.groupby("database")["group"].transform("nunique") > 1]
        if table[target].nunique() < 2:
            return
        asked = table.assign(label=table[target], predicted=table[said])
        names = sorted({*asked["label"], *asked["predicted"]})
        estimate = bootstrap_f1(asked, names, resamples, p.seed, repeat="seed")[UAR]
        rows.append(
            dict(
                zip(
                    LEARNT_COLUMNS,
                    (arm, reader, target, where, *estimate, table["clip_id"].nunique()),
                    strict=True,
                )
            )
        )

    any_part = next(iter(parts.values()))
    any_part = any_part[any_part["seed"] == any_part["seed"].min()]
    most = any_part.groupby("database")["group"].agg(lambda groups: groups.mode().iloc[0])
    ruled = any_part.assign(rule=any_part["database"].map(most))
    ask("", DATABASE_RULE, "group", ALL, ruled, "rule")
    ask("", DATABASE_RULE, "group", WITHIN, ruled, "rule")
    for name, part in parts.items():
        if not BY_NAME[name].network:
            continue
        arm = BY_NAME[name]
        context = arm.switches(Switches.of(p)).context
        ask(name, OWN_HEAD, "taught", ALL, part, "predicted_group")
        if context != "database":
            ask(name, OWN_HEAD, "group", ALL, part, "predicted_group")
            ask(name, OWN_HEAD, "group", WITHIN, part, "predicted_group")
        for branch in BRANCHES:
            for target, where in TARGETS:
                ask(name, branch, target, where, part, column(branch, target, where))
    return pd.DataFrame(rows, columns=LEARNT_COLUMNS)
