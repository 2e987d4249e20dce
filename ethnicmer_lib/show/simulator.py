"""Words and tables of the simulator chapter: Action Units, knobs, and what the recorded evidence says."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.show.figures.scores import intervals
from ethnicmer_lib.show.figures.simulator import traces
from ethnicmer_lib.show.tables import table
from ethnicmer_lib.simulator.knobs import described
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.store import Provenance

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


def caption(picture: tuple[int, str]) -> tuple[str, str]:
    """What stands above a picture of the sheet: code and name."""
    unit, side = picture
    return (f"AU {unit}", SIDES.get(side, NAMES[unit])) if unit else ("neutral", "")


def knobs() -> pd.DataFrame:
    """Every setting of the simulator with its default and what it does."""
    texts = {name: text.replace("``", "") for name, text in described().items()}
    rows = [(one.name, str(one.default), texts[one.name]) for one in fields(SimulatorSettings)]
    return pd.DataFrame(rows, columns=["knob", "default", "what it does"])


def evidence_words(evidence: Any) -> dict[str, Any]:
    """Figures and texts of the two recorded sections, by the names that the chapter gives them; ``evidence`` as of
    ``evidence.simulator.Evidence``."""
    crossed, real = evidence.crossed(), evidence.predictions("real", "logistic")
    alone = evidence.predictions("all", "logistic", "random")
    ablation = evidence.ablation_table("logistic").assign(paper=np.nan)
    cohorts = Provenance("simulated cohorts; recorded run", True, evidence.real.fingerprint)
    inputs = ("colour", "texture", "motion")
    return {
        "crossed": evidence.macro(crossed),
        "crossed_casme2": evidence.macro(crossed[crossed["database"] == CASME2]),
        "crossed_samm": evidence.macro(crossed[crossed["database"] == SAMM]),
        "strict": evidence.macro(evidence.crossed(strict=True)),
        "real_loso": evidence.macro(real),
        "gap": evidence.paired(alone, real),
        "chosen_casme2": ", ".join(evidence.chosen(CASME2)),
        "chosen_samm": ", ".join(evidence.chosen(SAMM)),
        "ablation": intervals(ablation, _tested(evidence), "change of macro F1 on the real clips", zero=0),
        "traces": traces(evidence.traces, evidence.level, cohorts),
        **{f"told_{kind}": "{} of {}".format(*evidence.told_apart(kind)) for kind in inputs},
        "level": f"{evidence.level:g}",
        "evidence_made": "{} (commit {commit}, {time})".format(evidence.command, **evidence.made),
    }


def transfer(evidence: Any) -> HTML:
    """The table of ways of training, all tested on the real clips."""
    caption = "Recognising the published motion of real clips: macro F1, F1 of each label, macro F1 in each database."
    rows = evidence.transfer_table().rename(columns={"macro": "macro F1"})
    return table(rows, caption, _tested(evidence), digits=2)


def difficulty(evidence: Any) -> HTML:
    """The table of how hard two draws of the simulated cohort are beside the real clips."""
    of = Provenance(f"simulated cohorts beside {_tested(evidence).source}", True, evidence.real.fingerprint)
    shown = evidence.difficulty_table().replace({"cohort": {"all": "first", "again": "second"}})
    return table(
        shown, "Macro F1, one subject left out at a time, in simulated cohorts and in the real clips.", of
    )


def _tested(evidence: Any) -> Provenance:
    """The source of scores on real clips."""
    return Provenance(f"{evidence.real.source}; recorded run", False, evidence.real.fingerprint)
