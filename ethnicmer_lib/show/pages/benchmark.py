"""The benchmark page: Table V with intervals, paired differences, and what the second branch learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.networks.benchmark import BenchmarkResult
from ethnicmer_lib.paper import benchmark_claims
from ethnicmer_lib.show import tables as notebook
from ethnicmer_lib.show.figures import style as figures
from ethnicmer_lib.stats.bootstrap import MACRO

NAMES = {
    "resnet18": "ResNet-18, motion only",
    "dual_motion": "two ResNet-18, ethnicity from motion",
    "dual_rgb": "two ResNet-18, ethnicity from the frame",
    "tinyvit": "ResNet-18 and TinyViT on the frame",
    "forest": "random forest, motion only",
    "majority": "always the larger class",
}


def values(result: BenchmarkResult) -> dict[str, Any]:
    """Figures and texts of the page."""
    p = result.parameters
    changed = benchmark_claims.departures(p)
    networks = result.table[~result.table["variant"].isin(["forest", "majority"])]
    protocol = (
        f"This copy trains for {p.epochs} epoch{'s' * (p.epochs != 1)} with Adam at {p.learning_rate:g}, "
        f"{'leaving one subject out' if p.folds == 'loso' else f'in {p.folds} folds of whole subjects'}, "
        f"at {p.image_size} pixels, from weights: {p.weights}."
    )
    if changed:
        protocol += (
            f" That departs from the paper in {', '.join(changed)}, so that it fits into minutes; the scores of the "
            "networks are those of a short training and must not be read against the printed ones. "
            "The profile named paper runs the paper's protocol."
        )
    shown = pd.DataFrame(
        {
            "name": [NAMES[v] for v in result.table["variant"]],
            "value": result.table[MACRO],
            "low": result.table[f"{MACRO}_low"],
            "high": result.table[f"{MACRO}_high"],
            "paper": result.table[f"{MACRO}_paper"],
        }
    )
    forest = result.table.set_index("variant").loc["forest"]
    classes = (
        result.predictions[result.predictions["variant"] == "forest"].groupby("subject")["label"].nunique()
    )
    by_subject = (
        f"{(classes < len(LABELS)).mean():.0%} of the subjects lack a class. For the forest the pooled macro F1 is "
        f"{forest[MACRO]:.2f}; the mean over subjects is {forest['per_subject']:.2f} where an absent class counts as 0 "
        f"and {forest['per_subject_present']:.2f} where it is left out."
    )
    left_out = " ".join(f"{NAMES[v]} is left out: {why}." for v, why in result.left_out.items())
    return {
        "protocol": protocol,
        "by_subject": by_subject,
        "scores": figures.intervals(shown, result.provenance, "macro F1 (three classes)"),
        "scores_note": left_out
        or f"{len(networks)} network variants, a plain forest and the larger class; {networks['clips'].max()} clips.",
    }


def table_v(result: BenchmarkResult) -> HTML:
    """F1 per class and macro F1 per variant, with the paper's macro F1."""
    rows = result.table.copy()
    rows["name"] = rows["variant"].map(NAMES)
    for score in (*LABELS, MACRO, "UAR"):
        rows[f"{score}_shown"] = [
            notebook.with_interval(row[score], row[f"{score}_low"], row[f"{score}_high"], 2)
            for _, row in rows.iterrows()
        ]
    rows["paper"] = ["–" if np.isnan(v) else f"{v:.4f}" for v in rows[f"{MACRO}_paper"]]
    rows["subjects_shown"] = [
        notebook.Html(f"<span>{strict:.2f} / {present:.2f}</span>")
        for strict, present in zip(rows["per_subject"], rows["per_subject_present"], strict=True)
    ]
    columns = {"name": "method"}
    columns |= {f"{label}_shown": label for label in LABELS}
    columns |= {
        f"{MACRO}_shown": "macro F1 (UF1)",
        "paper": "paper, macro F1",
        "UAR_shown": "UAR",
        "subjects_shown": "macro F1 by subject",
        "protocol": "protocol",
    }
    left_out = "; ".join(f"{NAMES[v]}: {why}" for v, why in result.left_out.items())
    return notebook.table(
        rows,
        "F1 per class, macro F1 and unweighted average recall of the pooled predictions, 95 % intervals over "
        "subjects; and the mean over subjects of macro F1 within each, absent classes as 0 / left out.",
        result.provenance,
        columns=columns,
        note=f"Left out: {left_out}." if left_out else "",
    )


def differences(result: BenchmarkResult) -> HTML:
    """Paired differences of macro F1."""
    rows = result.paired.copy()
    rows["pair"] = [f"{NAMES[r.a]} − {NAMES[r.b]}" for r in rows.itertuples()]
    rows["shown"] = [notebook.with_interval(r.value, r.low, r.high) for r in rows.itertuples()]
    rows["paper"] = ["–" if np.isnan(v) else f"{v:+.4f}" for v in rows["paper"]]
    return notebook.table(
        rows,
        "Differences of macro F1 on the same clips.",
        result.provenance,
        columns={"pair": "comparison", "shown": "difference, 95 % interval", "paper": "paper"},
    )


def context(result: BenchmarkResult) -> HTML:
    """Accuracy of the ethnic branch for the group, beside what the database alone gives."""
    rows = result.groups.copy()
    rows["name"] = rows["variant"].map(NAMES)
    for name in ("accuracy", "database_rule", "difference"):
        rows[f"{name}_shown"] = [
            notebook.with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
            for _, row in rows.iterrows()
        ]
    columns = {
        "name": "method",
        "accuracy_shown": "group recognised",
        "database_rule_shown": "by the database alone",
        "difference_shown": "difference",
    }
    return notebook.table(
        rows, "Share of clips whose group is recognised.", result.provenance, columns=columns
    )
