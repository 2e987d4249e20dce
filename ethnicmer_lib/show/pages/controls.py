"""The recorded part of the benchmark page: Table V on the real clips, its controls, the release's switches."""

from __future__ import annotations

import html
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from ethnicmer_lib.clips.table import LABELS, Provenance
from ethnicmer_lib.networks.controls import ControlsResult
from ethnicmer_lib.networks.old_arms import ARMS, BY_NAME
from ethnicmer_lib.networks.old_learnt import DATABASE_RULE, OWN_HEAD
from ethnicmer_lib.networks.probes import ALL, WITHIN
from ethnicmer_lib.networks.switches import AS_DESCRIBED, AS_RELEASED
from ethnicmer_lib.paper import benchmark_claims
from ethnicmer_lib.publish import recorded
from ethnicmer_lib.publish.old_parameters import Benchmark
from ethnicmer_lib.publish.recorded import RecordedPart
from ethnicmer_lib.show import tables as notebook
from ethnicmer_lib.show.figures import style as figures
from ethnicmer_lib.show.pages import benchmark as live
from ethnicmer_lib.stats.bootstrap import MACRO

NAME = "flow"
COMMAND = "ethnicmer record flow --part controls --flow-dir PATH"
READERS = {
    OWN_HEAD: "its own head",
    "emotion": "probe of the emotion branch",
    "ethnic": "probe of the ethnic branch",
}
#: The arm that flips one switch alone, for the switches that have one on the dual network.
_SWITCH_ARMS = {
    name: [arm for arm in ARMS if arm.variant == "dual_motion" and set(arm.changes) == {name}]
    for name in asdict(AS_DESCRIBED)
}


class Real(NamedTuple):
    """What is recorded of Table V on the real clips; ``controls`` is None before it has been made."""

    benchmark: RecordedPart
    controls: RecordedPart | None


def load(name: str = NAME) -> Real:
    """The recorded benchmark, and the recorded controls where they are."""
    made = recorded.load_part(name, "controls") if recorded.has(name, "controls") else None
    return Real(recorded.load_part(name, "benchmark"), made)


def values(real: Real) -> dict[str, Any]:
    """Figures and texts of the recorded sections."""
    return {
        "real_protocol": _protocol(real.benchmark),
        "controls_protocol": _missing() if real.controls is None else _protocol(real.controls),
        "effects": effects(real),
        "effects_note": "" if real.controls is None else _effects_note(real.controls.result),
        "learnt_note": "" if real.controls is None else _learnt_note(real.controls.result),
    }


def table_v(real: Real) -> HTML:
    """Table V on the real clips."""
    result = real.benchmark.result
    return live.table_v(replace(result, provenance=_source(result.provenance)))


def arms(real: Real) -> HTML:
    """Every arm with its scores."""
    if real.controls is None:
        return _note()
    result: ControlsResult = real.controls.result
    rows = result.table.copy()
    for name in (*LABELS, MACRO, "UAR"):
        rows[f"{name}_shown"] = [
            notebook.with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"], 2)
            for _, row in rows.iterrows()
        ]
    for name in ("per_fold", "per_subject"):
        rows[f"{name}_shown"] = [
            notebook.Html(f"<span>{strict:.2f} / {present:.2f}</span>")
            for strict, present in zip(rows[name], rows[f"{name}_present"], strict=True)
        ]
    return notebook.table(
        rows,
        "Every arm under the same folds and seeds: pooled scores with 95 % intervals over subjects; means over folds "
        "and over subjects of macro F1, absent classes as 0 / left out.",
        _source(result.provenance),
        columns={"title": "arm", f"{MACRO}_shown": "macro F1 (UF1)", "UAR_shown": "UAR"}
        | {f"{label}_shown": label for label in LABELS}
        | {"per_fold_shown": "by fold", "per_subject_shown": "by subject"},
        note=_left_out(result),
    )


def effects(real: Real) -> Figure:
    """Paired differences of every arm to its references."""
    if real.controls is None:
        return figures.message("The controls have not been recorded yet.", real.benchmark.result.provenance)
    result: ControlsResult = real.controls.result
    rows = result.differences.assign(
        name=[f"{_short(a)} − {_short(b)}" for a, b in zip(*_pairs(result), strict=True)], paper=np.nan
    )
    printed = benchmark_claims.paper_results()["table_v"]["rows"]
    claim = (rows["arm"] == "dual") & (rows["reference"] == "plain")
    rows.loc[claim, "paper"] = printed["dual_motion"][-1] - printed["resnet18"][-1]
    return figures.intervals(
        rows, _source(result.provenance), "difference of macro F1 on the same clips", zero=0
    )


def switch_table(real: Real) -> HTML:
    """Every switch: what the paper says, what the release does, and what flipping it alone does to macro F1."""
    rows = []
    for name, described in asdict(AS_DESCRIBED).items():
        for arm in _SWITCH_ARMS[name]:
            released = getattr(AS_RELEASED, name)
            rows.append(
                {
                    "switch": f"{name}={_yaml(arm.changes[name])}",
                    "meaning": Benchmark.model_fields[name].description,
                    "described": _yaml(described),
                    "released": _yaml(released),
                    "effect": "–" if real.controls is None else _effect(real.controls.result, arm.name),
                }
            )
    return notebook.table(
        pd.DataFrame(rows),
        "Each switch flipped alone on the dual ResNet-18: macro F1 minus that of the network as described.",
        _source(real.benchmark.result.provenance),
        columns={
            "switch": "switch",
            "meaning": "what it decides",
            "described": "as described",
            "released": "as released",
            "effect": "effect, 95 % interval",
        },
        note="" if real.controls is not None else _missing(),
    )


def learnt(real: Real) -> HTML:
    """Balanced accuracy for group and database, of heads, probes and the database rule."""
    if real.controls is None:
        return _note()
    result: ControlsResult = real.controls.result
    found = result.learnt
    rows = []
    # Heads of the arms that differ in the test alone, and emotion features beside a second branch, say little new.
    tested = found["arm"].isin(["batch_norm", "saved_after", "tinyvit_batch_norm"])
    beside = (found["reader"] == "emotion") & ~found["arm"].isin(["plain", "dual", "plain_released"])
    for (arm, reader), part in found[~tested & ~beside].groupby(["arm", "reader"], sort=False):
        cells = {
            (r.target, r.where): notebook.with_interval(r.value, r.low, r.high, 2) for r in part.itertuples()
        }
        rows.append(
            {
                "arm": BY_NAME[arm].title if arm else "–",
                "reader": READERS.get(reader, reader),
                "taught": cells.get(("taught", ALL), "–"),
                "group": cells.get(("group", ALL), "–"),
                "database": cells.get(("database", ALL), "–"),
                "within": cells.get(("group", WITHIN), "–"),
            }
        )
    return notebook.table(
        pd.DataFrame(rows),
        "Balanced accuracy on held-out subjects, 95 % intervals over subjects; chance is 0.5.",
        _source(result.provenance),
        columns={
            "arm": "arm",
            "reader": "read by",
            "taught": "what it was taught",
            "group": "group",
            "database": "database",
            "within": f"group within {_shared(result)}",
        },
    )


def findings(real: Real) -> HTML:
    """Verdicts of the recorded controls."""
    if real.controls is None:
        return _note()
    result: ControlsResult = real.controls.result
    caption = f"Findings of the controls, recorded {real.controls.made['time'][:10]}."
    return notebook.findings(result.findings(), result.provenance, caption, folded=True)


def _protocol(part: RecordedPart) -> str:
    p = part.result.parameters
    folds = "leaving one subject out" if p.folds == "loso" else f"{p.folds} folds of whole subjects"
    return (
        f"Recorded {part.made['time'][:10]} on {part.made['machine']}: {part.result.table['clips'].max()} clips, "
        f"{folds}, "
        f"{p.epochs} epoch{'s' * (p.epochs != 1)}, {p.image_size} pixels, "
        f"{p.n_seeds} seed{'s' * (p.n_seeds != 1)}, weights: {p.weights}. "
        f"Made by: {part.command} --flow-dir PATH"
    )


def _effects_note(result: ControlsResult) -> str:
    """How many of the differences to a network have an interval that leaves zero out."""
    sides = {
        (row.arm, row.reference): result.difference(row.arm, row.reference).side
        for row in result.differences.itertuples()
        if BY_NAME[row.arm].network
    }
    clear = [f"{_short(a)} − {_short(b)}" for (a, b), side in sides.items() if side]
    if not clear:
        return f"The interval of every one of the {len(sides)} differences between networks holds zero."
    return (
        f"Of the {len(sides)} differences between networks, {len(clear)} have an interval without zero: "
        f"{'; '.join(clear)}."
    )


def _learnt_note(result: ControlsResult) -> str:
    rows = result.learnt.set_index(["arm", "reader", "target", "where"]).index
    if ("dual", "ethnic", "group", WITHIN) not in rows:
        return "No database holds two groups, so group and database cannot be told apart."
    overall, within = (result.has_learnt("dual", "ethnic", "group", where) for where in (ALL, WITHIN))
    database = result.has_learnt("dual", "ethnic", "database")
    rule = result.has_learnt("", DATABASE_RULE, "group")
    side = "above" if within.low > 0.5 else "below" if within.high < 0.5 else "not distinguishable from"
    return (
        f"From the ethnic features of the network as described, a probe reads the database with a balanced accuracy of "
        f"{database} and the group with {overall}; the database alone gives the group with {rule}. "
        f"Within {_shared(result)}, where the database says nothing, it is {within}: {side} chance."
    )


def _effect(result: ControlsResult, arm: str) -> str:
    rows = set(zip(*_pairs(result), strict=True))
    if (arm, "dual") not in rows:
        return "not run"
    return notebook.with_interval(*result.difference(arm, "dual"))


def _pairs(result: ControlsResult) -> tuple[list[str], list[str]]:
    return result.differences["arm"].tolist(), result.differences["reference"].tolist()


def _short(arm: str) -> str:
    return BY_NAME[arm].title.replace(" ResNet-18, as described", "")


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shared(result: ControlsResult) -> str:
    groups = result.predictions.groupby("database")["group"].nunique()
    return " and ".join(sorted(groups.index[groups > 1])) or "one database"


def _source(provenance: Provenance) -> Provenance:
    return replace(provenance, source=f"{provenance.source}; recorded run")


def _left_out(result: ControlsResult) -> str:
    return "".join(
        f"Left out: {BY_NAME[name].title} ({html.escape(why)}). " for name, why in result.left_out.items()
    )


def _missing() -> str:
    return f"The controls have not been recorded yet; this makes them: {COMMAND}"


def _note() -> HTML:
    return HTML(f"<p class='note'>{_missing()}</p>")
