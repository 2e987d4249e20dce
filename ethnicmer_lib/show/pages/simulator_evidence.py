"""Two sections of the simulator page: how real the motion is, and whether anything tells the groups apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.table import LABELS, Provenance
from ethnicmer_lib.evidence.simulator import LEVEL, Evidence
from ethnicmer_lib.show import tables as notebook
from ethnicmer_lib.show.figures import simulator as figures_simulator
from ethnicmer_lib.show.figures import style as figures
from ethnicmer_lib.stats.bootstrap import MACRO, Estimate, bootstrap_f1, paired_difference

KNOBS = {"texture_cue": "texture", "action_unit_effect": "motion"}  #: knob -> the input in which it shows


def values(evidence: Evidence) -> dict[str, Any]:
    """Figures and texts of the two sections."""
    crossed, strict = evidence.crossed(), evidence.crossed(strict=True)
    real = evidence.predictions("real", "logistic")
    alone = evidence.predictions("all", "logistic", "random")
    difficulty = evidence.difficulty_table()
    none = {kind: evidence.told_apart(kind) for kind in ("colour", "texture", "motion")}
    at = evidence.made
    return {
        "crossed": _macro(crossed),
        "crossed_casme2": _macro(crossed[crossed["database"] == CASME2]),
        "crossed_samm": _macro(crossed[crossed["database"] == SAMM]),
        "strict": _macro(strict),
        "real_loso": _macro(real),
        "gap": str(paired_difference(alone, real, LABELS)),
        "chosen_casme2": _option(*evidence.chosen(CASME2)),
        "chosen_samm": _option(*evidence.chosen(SAMM)),
        "difficulty_note": _difficulty(difficulty),
        "ablation": figures.intervals(
            evidence.ablation_table("logistic").assign(paper=np.nan),
            tested(evidence),
            "change of macro F1 on the real clips",
            zero=0,
        ),
        "ablation_note": _ablation(evidence.ablation_table("logistic")),
        "traces": figures_simulator.traces(evidence.traces, LEVEL, simulated(evidence)),
        "null_note": _null(none),
        "knob_note": " ".join(_knob(evidence, knob, kind) for knob, kind in KNOBS.items()),
        "evidence_made": f"{evidence.command} (commit {at['commit']}, {at['time']})",
    }


def tested(evidence: Evidence) -> Provenance:
    """The source of scores on real clips."""
    return Provenance(f"{evidence.real.source}; recorded run", False, evidence.real.fingerprint)


def simulated(evidence: Evidence) -> Provenance:
    """The source of scores on simulated clips."""
    return Provenance("simulated cohorts; recorded run", True, evidence.real.fingerprint)


def transfer(evidence: Evidence) -> HTML:
    """The table of ways of training, all tested on the real clips."""
    rows = evidence.transfer_table()
    databases = (CASME2, SAMM)
    shown = rows.assign(
        **{
            name: [notebook.with_interval(*value, 2) for value in rows[name]]
            for name in ("macro", *databases)
        },
        **{
            label: [notebook.Html(f"<span>{value.value:.2f}</span>") for value in rows[label]]
            for label in LABELS
        },
    )
    return notebook.table(
        shown,
        "Recognising the published motion of real clips: macro F1, F1 of each label, macro F1 in each database.",
        tested(evidence),
        columns={"trained on": "trained on", "macro": "macro F1"}
        | {name: name for name in (*LABELS, *databases)},
    )


def _option(classifier: str, framing: str) -> str:
    crops = "random crops" if framing == "random" else "whole frames"
    return f"{'a forest' if classifier == 'forest' else 'logistic regression'} with {crops}"


def _macro(table: pd.DataFrame) -> str:
    return str(bootstrap_f1(table, LABELS)[MACRO])


def _difficulty(rows: pd.DataFrame) -> str:
    words = []
    for name, found in rows.groupby("classifier", sort=False):
        ours = ", ".join(str(value) for value in found["simulated"])
        real: Estimate = found["real"].iloc[0]
        words.append(
            f"with {'a forest' if name == 'forest' else 'logistic regression'} {ours} against {real} "
            f"(mean difference {found['difference'].mean():+.3f})"
        )
    return "; ".join(words)


def _ablation(rows: pd.DataFrame) -> str:
    """Which components change the score by more than their interval allows for, in either direction."""
    sentences = []
    for words, chosen in (
        ("lower", rows[rows["high"] < 0].sort_values("value")),
        ("raise", rows[rows["low"] > 0].sort_values("value", ascending=False)),
    ):
        if len(chosen):
            named = ", ".join(
                f"{name.removeprefix('without ')} ({change:+.2f})" for name, change in _pairs(chosen)
            )
            sentences.append(
                f"Left out alone, these {words} the score by more than the interval allows for: {named}."
            )
    if not sentences:
        return "No single component changes the score by more than the interval allows for."
    undecided = int(((rows["low"] <= 0) & (rows["high"] >= 0)).sum())
    return " ".join(
        [
            *sentences,
            f"The intervals of the other {undecided} hold zero: nothing can be said for or against them.",
        ]
    )


def _pairs(rows: pd.DataFrame) -> list[tuple[str, float]]:
    return list(zip(rows["name"], rows["value"], strict=True))


def _null(none: dict[str, tuple[int, int]]) -> str:
    found = ", ".join(
        f"in {hits} of {n} from {'the ' * (kind != 'motion')}{kind}" for kind, (hits, n) in none.items()
    )
    return f"With every knob at 0 the groups are told apart (p < {LEVEL:g}) {found}"


def _knob(evidence: Evidence, knob: str, kind: str) -> str:
    rows = evidence.traces
    rows = rows[(rows["knob"] == knob) & (rows["input"] == kind)].groupby("strength")["auc"].mean()
    steps = ", ".join(f"{value:.2f} at {strength:g}" for strength, value in rows.items())
    return f"With {knob} the mean area under the curve from {kind} is {steps}."
