"""Words and tables of the simulator chapter: Action Units, knobs, and what the recorded evidence says."""

from __future__ import annotations

import html
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.show.figures.simulator import traces
from ethnicmer_lib.show.figures.style import intervals
from ethnicmer_lib.show.tables import Html, table
from ethnicmer_lib.simulator.knobs import described as knob_texts
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.stats import Estimate
from ethnicmer_lib.store import Provenance

KNOBS = {"texture_cue": "texture", "action_unit_effect": "motion"}  #: knob -> the input in which it shows
#: What each Action Unit is called in FACS (Ekman and Friesen 1978).
NAMES = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    24: "lip pressor",
    25: "lips part",
    26: "jaw drop",
}

SIDES = {"L": "left side only", "R": "right side only"}

#: Setting of the simulator -> (parameter of a chapter or '', what a course can do with it).
TEACHING = {
    "size": ("source.size", "Try things on the small one first."),
    "seed": ("source.seed", "Other people, same rules: does a result survive them?"),
    "texture_cue": (
        "source.texture_cue",
        "A cue that gives the group away without any expression: does a network use it?",
    ),
    "action_unit_effect": ("source.action_unit_effect", "A true difference of known size: is it found?"),
    "database_shift": (
        "source.database_shift",
        "Cameras and coders that differ: what does a test on one of them measure?",
    ),
    "label_noise": ("source.label_noise", "Wrong labels: how far do scores fall, and would anybody notice?"),
    "confounding": ("source.confounding", "Group without database: which conclusions need it?"),
    "others": ("", "What did leaving clips out change?"),
    "repeats": ("", "How many subjects does an effect of a given size need?"),
    "codes": ("", "Do the codes of one team lead to the same conclusions?"),
    "without": ("", "Which component makes the task hard?"),
}


def caption(picture: tuple[int, str]) -> tuple[str, str]:
    """What stands above a picture of the sheet: code and name."""
    unit, side = picture
    if not unit:
        return "neutral", ""
    return f"AU {unit}", SIDES.get(side, NAMES[unit])


def described() -> dict[str, str]:
    """Setting of the simulator -> what it does, from the docstring that the command line shows, too."""
    texts = {name: text.replace("``", "").rstrip(".") + "." for name, text in knob_texts().items()}
    return {
        name: text[:1].upper() + text[1:].replace("COMPONENTS", "the next table")
        for name, text in texts.items()
    }


def knobs() -> pd.DataFrame:
    """Every setting of the simulator: where to turn it, its default, what it does and what it is for in a course."""
    texts = described()
    rows = []
    for field in fields(SimulatorSettings):
        parameter, use = TEACHING[field.name]
        lines = [f"<code>--{field.name.replace('_', '-')}</code>"]
        lines += [f"in this book <code>{parameter}</code>"] * bool(parameter)
        lines.append(f"default {html.escape(_plain(field.default))}")
        meaning = f"{html.escape(texts[field.name])}<br><em>In a course: {html.escape(use)}</em>"
        rows.append({"knob": Html("<br>".join(lines)), "what it does": Html(meaning)})
    return pd.DataFrame(rows)


def _plain(value: Any) -> str:
    """A default as a reader would write it."""
    if value is False:
        return "no"
    if value == ():
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def evidence_words(evidence: Any) -> dict[str, Any]:
    """Figures and texts of the two recorded sections, by the names that the chapter gives them.

    Parameters
    ----------
    evidence : as of ``evidence.simulator.evidence``.
    """
    crossed, strict = evidence.crossed(), evidence.crossed(strict=True)
    real = evidence.predictions("real", "logistic")
    alone = evidence.predictions("all", "logistic", "random")
    difficulty = evidence.difficulty_table()
    none = {kind: evidence.told_apart(kind) for kind in ("colour", "texture", "motion")}
    at = evidence.made
    return {
        "crossed": str(evidence.macro(crossed)),
        "crossed_casme2": str(evidence.macro(crossed[crossed["database"] == CASME2])),
        "crossed_samm": str(evidence.macro(crossed[crossed["database"] == SAMM])),
        "strict": str(evidence.macro(strict)),
        "real_loso": str(evidence.macro(real)),
        "gap": str(evidence.paired(alone, real)),
        "chosen_casme2": _option(*evidence.chosen(CASME2)),
        "chosen_samm": _option(*evidence.chosen(SAMM)),
        "difficulty_note": _difficulty(difficulty),
        "ablation": intervals(
            evidence.ablation_table("logistic").assign(paper=np.nan),
            tested(evidence),
            "change of macro F1 on the real clips",
            zero=0,
        ),
        "ablation_note": _ablation(evidence.ablation_table("logistic")),
        "traces": traces(evidence.traces, evidence.level, simulated(evidence)),
        "null_note": _null(none, evidence.level),
        "knob_note": " ".join(_knob(evidence, knob, kind) for knob, kind in KNOBS.items()),
        "evidence_made": f"{evidence.command} (commit {at['commit']}, {at['time']})",
    }


def tested(evidence: Any) -> Provenance:
    """The source of scores on real clips."""
    return Provenance(f"{evidence.real.source}; recorded run", False, evidence.real.fingerprint)


def simulated(evidence: Any) -> Provenance:
    """The source of scores on simulated clips."""
    return Provenance("simulated cohorts; recorded run", True, evidence.real.fingerprint)


def transfer(evidence: Any) -> HTML:
    """The table of ways of training, all tested on the real clips."""
    columns = {
        "trained on": "trained on",
        "macro": "macro F1",
        **{name: name for name in (*LABELS, CASME2, SAMM)},
    }
    return table(
        evidence.transfer_table(),
        "Recognising the published motion of real clips: macro F1, F1 of each label, macro F1 in each database.",
        tested(evidence),
        columns=columns,
        digits=2,
    )


def _option(classifier: str, framing: str) -> str:
    crops = "random crops" if framing == "random" else "whole frames"
    return f"{'a forest' if classifier == 'forest' else 'logistic regression'} with {crops}"


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


def _null(none: dict[str, tuple[int, int]], level: float) -> str:
    found = ", ".join(
        f"in {hits} of {n} from {'the ' * (kind != 'motion')}{kind}" for kind, (hits, n) in none.items()
    )
    return f"With every knob at 0 the groups are told apart (p < {level:g}) {found}"


def _knob(evidence: Any, knob: str, kind: str) -> str:
    rows = evidence.traces
    rows = rows[(rows["knob"] == knob) & (rows["input"] == kind)].groupby("strength")["auc"].mean()
    steps = ", ".join(f"{value:.2f} at {strength:g}" for strength, value in rows.items())
    return f"With {knob} the mean area under the curve from {kind} is {steps}."
