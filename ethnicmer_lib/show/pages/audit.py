"""The audit page: Table IV as released and under controls, the FACS codes, and what each switch does."""

from __future__ import annotations

from typing import Any

import pandas as pd
from IPython.display import HTML

from ethnicmer_lib.design.table_iv import DESCRIBED
from ethnicmer_lib.paper.audit import AuditResult
from ethnicmer_lib.paper.released import CELLS, SCENARIOS
from ethnicmer_lib.show import tables as notebook
from ethnicmer_lib.show.figures import audit as figures_audit

_HEADS = dict(zip(CELLS, ("Negative", "Non-negative", "macro F1"), strict=True))
_CONTROLS = {
    "forest": "as described, flow image",
    "svc": "as described, flow image",
    "forest, ResNet-18": "as described, ResNet-18 features",
    "svc, ResNet-18": "as described, ResNet-18 features",
    "one_database": "within SAMM",
    "two_databases": "same two databases in both",
    "balanced": "balanced classes",
    "without_largest": "without the largest subject",
    "noise": "noise instead of features",
    "released rows": "rows of the flow as released",
}


def values(result: AuditResult) -> dict[str, Any]:
    """Figures and texts of the page."""
    recorded, lottery = result.recorded, result.lottery
    printed_gap = result.printed["macro"]["Mixed"] - result.printed["macro"][list(SCENARIOS[:2])].mean()
    subject = _example_subject(result.pairs)
    labels = result.pairs.set_index("clip_id")["label"]
    shown = result.pairs[result.pairs["subject"] == subject].reset_index(drop=True)
    described = recorded.arms[DESCRIBED]
    test, samm = recorded.permutations["as_described"], recorded.permutations["one_database"]
    within = recorded.table().set_index("arm").loc["svc, one_database"]
    return {
        "cells_equal": result.cells_equal,
        "cells_printed": result.printed.size,
        "flow_rows": figures_audit.flow_rows(
            shown.assign(twin_label=labels.loc[shown["twin"]].to_numpy()), result.provenance
        ),
        "example_subject": subject,
        "lottery": figures_audit.lottery(
            lottery, result.printed["macro"].loc[list(SCENARIOS)], result.provenance
        ),
        "lottery_seeds": len(lottery),
        "lottery_below": f"{lottery['below'].mean():.0%}",
        "controls": figures_audit.controls(_arms(result), recorded.provenance, printed_gap),
        "described_draws": described.parameters.n_draws,
        "svc_draws": recorded.arms["svc"].parameters.n_draws,
        "control_draws": recorded.arms["forest"].parameters.n_draws,
        "described_gap": str(described.difference("mixed minus mono")),
        "permutation": (
            f"With the {test.permutations} permutations of the groups between all subjects, the middle 95 % of the "
            f"difference is {test.low:+.3f} to {test.high:+.3f}, and what is observed is {test.observed:+.3f}: "
            f"p = {test.worse:.3f} for so low a value, one-sided. Between the subjects of SAMM alone it is "
            f"{samm.observed:+.3f} against {samm.low:+.3f} to {samm.high:+.3f}, p = {samm.worse:.3f}."
        ),
        "within_samm": f"{within['value']:+.3f} [{within['low']:+.3f}, {within['high']:+.3f}]",
        "controls_command": result.controls_command,
        "recorded_command": recorded.command,
        "recorded_seconds": f"{recorded.made['seconds'] / 60:.0f}",
    }


def released_table(result: AuditResult) -> HTML:
    """Table IV as printed, by the rule on labels, and from noise, cell by cell."""
    sources = {"printed": result.printed, "labels alone": result.by_labels}
    sources |= {f"noise, {name}": table for name, table in result.by_noise.items()}
    rows = []
    for scenario in SCENARIOS:
        for source, table in sources.items():
            cells = {head: f"{table.loc[scenario, cell]:.4f}" for cell, head in _HEADS.items()}
            rows.append({"scenario": scenario, "from": source, **cells})
    return notebook.table(
        pd.DataFrame(rows),
        "Table IV as released: printed, and computed without a single image.",
        result.provenance,
    )


def controls_table(result: AuditResult) -> HTML:
    """Every arm: median macro F1 of the scenarios, the difference with its interval, how often Mixed is lowest."""
    table = result.recorded.table()
    rows = pd.DataFrame(
        {
            "arm": table["title"],
            "draws": table["draws"],
            **{name: [f"{v:.2f}" if v == v else "–" for v in table[f"median {name}"]] for name in SCENARIOS},
            "larger class": [f"{v:.2f}" for v in table["majority Mixed"]],
            "difference": [notebook.with_interval(r.value, r.low, r.high) for r in table.itertuples()],
            "lowest": [f"{v:.0%}" for v in table["below"]],
        }
    )
    columns = {name: name for name in rows}
    columns |= {
        "larger class": "larger class",
        "difference": "Mixed minus mono",
        "lowest": "Mixed lowest",
    }
    return notebook.table(
        rows,
        "Median macro F1 over draws of subjects, and the difference with its 95 % interval.",
        result.recorded.provenance,
        columns=columns,
        note=(
            "<em>Larger class</em>: always answering it, in Mixed. <em>Mixed lowest</em>: share of draws where it "
            "is below every mono scenario."
        ),
    )


def units_table(result: AuditResult) -> HTML:
    """What the FACS codes say of the units that Section IV-C names."""
    rows = result.units.assign(
        p=[f"{value:.3f}" for value in result.units["p"]],
        p_samm=[f"{value:.3f}" for value in result.units["p_samm"]],
    )
    columns = {
        "unit": "Action Unit",
        "label": "label",
        "more": "paper: more in",
        "shown": "clips with it",
        "p": "Fisher p",
        "shown_samm": "within SAMM",
        "p_samm": "p",
    }
    return notebook.table(rows, "Clips whose FACS code names the unit.", result.provenance, columns=columns)


def switches_table(result: AuditResult) -> HTML:
    """Every switch with its measured effect."""
    effects = result.effects()
    rows = pd.DataFrame(
        {
            "table": ["IV" if chapter == "prima_facie" else "V" for chapter in effects["chapter"]],
            "switch": [f"{row.parameter}={row.changed}" for row in effects.itertuples()],
            "described": effects["described"],
            "kind": ["as released" if released else "control" for released in effects["in_release"]],
            "effect": [notebook.with_interval(row.value, row.low, row.high) for row in effects.itertuples()],
        }
    )
    columns = {
        "table": "Table",
        "switch": "switch",
        "described": "as described",
        "kind": "kind",
        "effect": "effect, 95 % interval",
    }
    return notebook.table(
        rows,
        "What flipping one switch changes: Mixed minus mono (Table IV) or macro F1 (Table V).",
        result.recorded.provenance,
        columns=columns,
        note=(
            "Intervals of Table IV are over draws, of Table V over subjects. The arms of Table V depart from the "
            "paper's protocol as its chapter says."
        ),
    )


def _example_subject(pairs: pd.DataFrame) -> str:
    """The held-out subject that the figure shows: the first with four to six clips, right and wrong ones."""
    for subject, part in pairs.groupby("subject", sort=False):
        right = part["predicted"] == part["label"]
        if 4 <= len(part) <= 6 and right.any() and not right.all():
            return str(subject)
    return str(pairs["subject"].iloc[0])


def _arms(result: AuditResult) -> pd.DataFrame:
    """The arms as the figure takes them: forests and SVC under one title."""
    table = result.recorded.table()
    kinds = [name.partition(", ")[2] for name in table["arm"]]
    return table.assign(
        classifier=[name.partition(", ")[0] for name in table["arm"]],
        title=[
            _CONTROLS.get(name) or _CONTROLS[kind] for name, kind in zip(table["arm"], kinds, strict=True)
        ],
    )
