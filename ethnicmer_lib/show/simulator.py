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
from ethnicmer_lib.show.figures.scores import intervals
from ethnicmer_lib.show.figures.simulator import traces
from ethnicmer_lib.show.tables import Html, table
from ethnicmer_lib.simulator.knobs import described as knob_texts
from ethnicmer_lib.simulator.settings import SimulatorSettings
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

#: Setting of the simulator -> what a course can do with it.
TEACHING = {
    "size": "Try things on the small one first.",
    "seed": "Other people, same rules: does a result survive them?",
    "texture_cue": "A cue that gives the group away without any expression: does a network use it?",
    "action_unit_effect": "A true difference of known size: is it found?",
    "database_shift": "Cameras and coders that differ: what does a test on one of them measure?",
    "label_noise": "Wrong labels: how far do scores fall, and would anybody notice?",
    "confounding": "Group without database: which conclusions need it?",
    "others": "What did leaving clips out change?",
    "repeats": "How many subjects does an effect of a given size need?",
    "codes": "Do the codes of one team lead to the same conclusions?",
    "without": "Which component makes the task hard?",
}
COMMAND_LINE_ONLY = (
    "others",
    "repeats",
    "codes",
    "without",
)  #: the other settings are parameters of the book, too


def caption(picture: tuple[int, str]) -> tuple[str, str]:
    """What stands above a picture of the sheet: code and name."""
    unit, side = picture
    return (f"AU {unit}", SIDES.get(side, NAMES[unit])) if unit else ("neutral", "")


def knobs() -> pd.DataFrame:
    """Every setting of the simulator: where to turn it, its default, what it does and what it is for in a course."""
    texts, rows = knob_texts(), []  # from the docstring that the command line shows, too
    for field in fields(SimulatorSettings):
        lines = [f"<code>--{field.name.replace('_', '-')}</code>"]
        if field.name not in COMMAND_LINE_ONLY:
            lines.append(f"in this book <code>source.{field.name}</code>")
        lines.append(f"default {html.escape(_plain(field.default))}")
        does = texts[field.name].replace("``", "").rstrip(".").replace("COMPONENTS", "the next table") + "."
        use = f"<em>In a course: {html.escape(TEACHING[field.name])}</em>"
        does = f"{html.escape(does[:1].upper() + does[1:])}<br>{use}"
        rows.append({"knob": Html("<br>".join(lines)), "what it does": Html(does)})
    return pd.DataFrame(rows)


def _plain(value: Any) -> str:
    """A default as a reader would write it."""
    if value is False or value == ():
        return "none" if value == () else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def evidence_words(evidence: Any) -> dict[str, Any]:
    """Figures and texts of the two recorded sections, by the names that the chapter gives them; ``evidence`` as of
    ``evidence.simulator.evidence``."""
    crossed, strict = evidence.crossed(), evidence.crossed(strict=True)
    real = evidence.predictions("real", "logistic")
    alone = evidence.predictions("all", "logistic", "random")
    ablation = evidence.ablation_table("logistic")
    by_database = {name: evidence.macro(crossed[crossed["database"] == name]) for name in (CASME2, SAMM)}
    change = "change of macro F1 on the real clips"
    cohorts = Provenance("simulated cohorts; recorded run", True, evidence.real.fingerprint)
    at = evidence.made
    return {
        "crossed": evidence.macro(crossed),
        "crossed_casme2": by_database[CASME2],
        "crossed_samm": by_database[SAMM],
        "strict": evidence.macro(strict),
        "real_loso": evidence.macro(real),
        "gap": evidence.paired(alone, real),
        "chosen_casme2": _option(*evidence.chosen(CASME2)),
        "chosen_samm": _option(*evidence.chosen(SAMM)),
        "difficulty_note": _difficulty(evidence.difficulty_table()),
        "ablation": intervals(ablation.assign(paper=np.nan), _tested(evidence), change, zero=0),
        "ablation_note": _ablation(ablation),
        "traces": traces(evidence.traces, evidence.level, cohorts),
        "null_note": _null(evidence),
        "knob_note": " ".join(_knob(evidence.traces, knob, kind) for knob, kind in KNOBS.items()),
        "evidence_made": f"{evidence.command} (commit {at['commit']}, {at['time']})",
    }


def transfer(evidence: Any) -> HTML:
    """The table of ways of training, all tested on the real clips."""
    caption = "Recognising the published motion of real clips: macro F1, F1 of each label, macro F1 in each database."
    columns = {
        "trained on": "trained on",
        "macro": "macro F1",
        **{name: name for name in (*LABELS, CASME2, SAMM)},
    }
    return table(evidence.transfer_table(), caption, _tested(evidence), columns=columns, digits=2)


def _tested(evidence: Any) -> Provenance:
    """The source of scores on real clips."""
    return Provenance(f"{evidence.real.source}; recorded run", False, evidence.real.fingerprint)


def _classifier(name: str) -> str:
    return "a forest" if name == "forest" else "logistic regression"


def _option(classifier: str, framing: str) -> str:
    return f"{_classifier(classifier)} with {'random crops' if framing == 'random' else 'whole frames'}"


def _difficulty(rows: pd.DataFrame) -> str:
    return "; ".join(
        f"with {_classifier(name)} {', '.join(map(str, found['simulated']))} against {found['real'].iloc[0]} "
        f"(mean difference {found['difference'].mean():+.3f})"
        for name, found in rows.groupby("classifier", sort=False)
    )


def _ablation(rows: pd.DataFrame) -> str:
    """Which components change the score by more than their interval allows for, in either direction."""
    sentences = []
    for words, chosen in (("lower", rows[rows["high"] < 0]), ("raise", rows[rows["low"] > 0])):
        chosen = chosen.sort_values("value", ascending=words == "lower")
        named = ", ".join(
            f"{one.name.removeprefix('without ')} ({one.value:+.2f})" for one in chosen.itertuples()
        )
        if named:
            said = f"Left out alone, these {words} the score by more than the interval allows for: {named}."
            sentences.append(said)
    if not sentences:
        return "No single component changes the score by more than the interval allows for."
    undecided = int(((rows["low"] <= 0) & (rows["high"] >= 0)).sum())
    open_ones = f"The intervals of the other {undecided} hold zero: nothing can be said for or against them."
    return " ".join([*sentences, open_ones])


def _null(evidence: Any) -> str:
    said = []
    for kind, words in {"colour": "the colour", "texture": "the texture", "motion": "motion"}.items():
        said.append("in {} of {} from {}".format(*evidence.told_apart(kind), words))
    return f"With every knob at 0 the groups are told apart (p < {evidence.level:g}) {', '.join(said)}"


def _knob(rows: pd.DataFrame, knob: str, kind: str) -> str:
    area = rows[(rows["knob"] == knob) & (rows["input"] == kind)].groupby("strength")["auc"].mean()
    steps = ", ".join(f"{value:.2f} at {strength:g}" for strength, value in area.items())
    return f"With {knob} the mean area under the curve from {kind} is {steps}."
