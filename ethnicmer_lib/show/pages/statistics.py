"""The statistics page: which interval, which test, and how often they are right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from ethnicmer_lib.evidence.calibration import CLIPS, DESIGNS, PROCESSES, TARGET, real_clusters
from ethnicmer_lib.evidence.calibration_record import CalibrationRecord
from ethnicmer_lib.show import tables as notebook
from ethnicmer_lib.show.figures import statistics as figures_statistics
from ethnicmer_lib.stats.intervals import effective_subjects, tail_probability

_VERBS = {"interval": "intervals hold the truth", "test": "tests reject"}


def values(result: CalibrationRecord) -> dict[str, Any]:
    """Figures and texts of the page."""
    clusters = real_clusters()
    clips = clusters.counts.sum(1)
    effective = effective_subjects(clips)
    anew = result.summary[result.summary["design"] == DESIGNS[0].name].set_index("quantity")
    method = PROCESSES[3][0]
    return {
        "subjects": len(clips),
        "clips": int(clips.sum()),
        "most": int(clips.max()),
        "fewest": int(clips.min()),
        "effective": f"{effective:.0f}",
        "tail": f"{100 * tail_probability(subjects=effective):.1f}",
        "plain_tail": f"{100 * tail_probability():.1f}",
        "tail_few": f"{100 * tail_probability(subjects=16):.1f}",
        "n_tables": int(result.summary["tables"].max()),
        "resamples": result.resamples,
        "chances": ", ".join(
            f"{chance:.2f} for {label}"
            for label, chance in zip(clusters.labels, np.diag(method.expected()), strict=True)
        ),
        "ability": method.ability,
        "bias": method.bias,
        "calibration": figures_statistics.calibration(result.summary, result.provenance),
        "coverage_note": " ".join(_note(result.summary, design.name) for design in DESIGNS),
        "clip_coverage": _percent(anew.loc[CLIPS, "rate"]),
        "calibration_made": f"commit {result.made['commit']}, {result.made['time']}",
    }


def rates(result: CalibrationRecord) -> HTML:
    """The calibration table: one row a quantity, one column a design."""
    rows = result.summary
    cells = rows.assign(
        cell=[
            notebook.with_interval(100 * r.rate, 100 * r.rate_low, 100 * r.rate_high, 1)
            for r in rows.itertuples()
        ]
    )
    shown = cells.pivot(index=["kind", "quantity"], columns="design", values="cell").fillna("–")
    order = rows.drop_duplicates(["kind", "quantity"])[["kind", "quantity"]]
    shown = shown.loc[pd.MultiIndex.from_frame(order)].reset_index()
    wanted = ", ".join(
        f"{verb} in {100 * TARGET[kind][0]:g} ± {100 * TARGET[kind][1]:g} %" for kind, verb in _VERBS.items()
    )
    return notebook.table(
        shown.sort_values("kind", key=lambda kinds: kinds == "test", kind="stable"),
        "Per cent of tables whose 95 % interval holds the truth, or whose p is at most 0.05.",
        result.provenance,
        columns={"quantity": ""} | {design.name: design.name for design in DESIGNS},
        note=f"Small print: 95 % interval of the rate for so many tables (Wilson). Wanted: {wanted}.",
    )


def _note(summary: pd.DataFrame, design: str) -> str:
    """What one design shows, in a sentence."""
    rows = summary[summary["design"] == design]
    words = []
    for kind, verb in _VERBS.items():
        part = rows[rows["kind"] == kind]
        ends = (_percent(part["rate"].min()), _percent(part["rate"].max()))
        off = part[(part["rate"] - part["target"]).abs() > part["margin"] + 1e-9]
        words.append(
            f"{verb} in {' to '.join(dict.fromkeys(ends))} of the tables"
            + (f" (outside the band: {_outside(off)})" if len(off) else "")
        )
    return f"{design[0].upper()}{design[1:]}: {', '.join(words)}."


def _outside(off: pd.DataFrame) -> str:
    return ", ".join(f"{r.quantity} {'above' if r.rate > r.target else 'below'}" for r in off.itertuples())


def _percent(share: float) -> str:
    return f"{100 * np.round(share, 4):.1f} %"
