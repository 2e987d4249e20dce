"""The simulator page: faces, Action Units, clips with their truth, time, codes, sizes, and the knobs."""

from __future__ import annotations

import html
from dataclasses import fields
from typing import Any

import pandas as pd
from IPython.display import HTML

from ethnicmer_lib.clips import labels
from ethnicmer_lib.evidence import coded_units
from ethnicmer_lib.evidence.simulated_cohort import Example, SimulatedCohortResult
from ethnicmer_lib.evidence.simulated_faces import ARROW_STEP, SHEET, SHEET_PX, Picture
from ethnicmer_lib.show import tables as notebook
from ethnicmer_lib.show.figures import simulator as figures_simulator
from ethnicmer_lib.simulator import protocol
from ethnicmer_lib.simulator.anatomy import ACTION_UNITS
from ethnicmer_lib.simulator.knobs import described as knob_texts
from ethnicmer_lib.simulator.settings import COMPONENTS, SimulatorSettings

GAIN = 6.0  #: factor on the grey levels of apex minus onset, as in the dataset chapter

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

#: Setting of the simulator -> (parameter of the chapters or '', what a course can do with it).
TEACHING = {
    "size": ("cohort_size", "Try things on the small one first."),
    "seed": ("simulator_seed", "Other people, same rules: does a result survive them?"),
    "texture_cue": (
        "texture_cue",
        "A cue that gives the group away without any expression: does a network use it?",
    ),
    "action_unit_effect": ("action_unit_effect", "A true difference of known size: is it found?"),
    "database_shift": (
        "database_shift",
        "Cameras and coders that differ: what does a test on one of them measure?",
    ),
    "label_noise": ("label_noise", "Wrong labels: how far do scores fall, and would anybody notice?"),
    "confounding": ("confounding", "Group without database: which conclusions need it?"),
    "others": ("", "What did leaving clips out change?"),
    "repeats": ("", "How many subjects does an effect of a given size need?"),
    "codes": ("", "Do the codes of one team lead to the same conclusions?"),
    "without": ("", "Which component makes the task hard?"),
}


def values(result: SimulatedCohortResult) -> dict[str, Any]:
    """Figures and texts of the page."""
    source, clips = result.provenance, result.clips
    return {
        "n_clips": len(clips),
        "n_subjects": clips["subject"].nunique(),
        "n_faces": len(result.faces),
        "n_action_units": len(ACTION_UNITS),
        "fps": protocol.FRAMES_PER_SECOND,
        "faces": figures_simulator.faces(result.faces, source),
        "sheet": figures_simulator.action_units(
            result.sheet, result.arrows, [caption(picture) for picture in SHEET], ARROW_STEP, source
        ),
        "panels": figures_simulator.clip_panels([_panels(one) for one in result.examples], source, GAIN),
        "gain": f"{GAIN:g}",
        "profile": figures_simulator.profile(result.profile, source),
        "profile_clip": result.examples[-1].clip_id,
        "frequencies": figures_simulator.frequencies(result.frequencies, source),
        "sizes": figures_simulator.sizes(result.peaks(), source),
        **_sizes(result),
        **_durations(clips),
        **_codes(result),
    }


def caption(picture: Picture) -> tuple[str, str]:
    """What stands above a picture of the sheet: code and name."""
    unit, side = picture
    if not unit:
        return "neutral", ""
    return f"AU {unit}", SIDES.get(side, NAMES[unit])


def _panels(one: Example) -> tuple[Any, ...]:
    return f"{one.label}\n{one.database}\nAU {one.action_units}", one.onset, one.apex, one.flow, one.strain


def _sizes(result: SimulatedCohortResult) -> dict[str, str]:
    moved = result.amplitudes[["left_px", "right_px"]].max(axis=1)
    peaks = result.peaks()["peak_px"]
    return {
        "sheet_px": f"{SHEET_PX:g}",
        "sheet_factor": f"{SHEET_PX / moved.median():.0f}",
        "median_px": f"{peaks.median():.1f}",
        "below_one": f"{(peaks < 1).mean():.0%}",
        "largest_px": f"{peaks.max():.1f}",
        "typical_px": f"{protocol.TYPICAL_AMPLITUDE:g}",
    }


def _durations(clips: pd.DataFrame) -> dict[str, str]:
    ms = 1000 / protocol.FRAMES_PER_SECOND
    rise = (clips["apex"] - clips["onset"]) * ms
    whole = (clips["offset"] - clips["onset"]) * ms
    return {
        "rise_ms": f"{rise.min():.0f} to {rise.max():.0f}",
        "whole_ms": f"{whole.min():.0f} to {whole.max():.0f}",
    }


def _codes(result: SimulatedCohortResult) -> dict[str, str]:
    real = labels.released_clips()["action_units"]
    chance = result.yardstick
    return {
        "n_coded": str(len(real)),
        "lacking": f"{coded_units.lacking(real):.0%}",
        "stray": f"{protocol.STRAY:.0%}",
        "difference": f"{result.difference:.1%}",
        "without_strays": f"{result.without_strays:.1%}",
        "textbook": f"{result.textbook:.1%}",
        "chance": f"{chance.value:.1%} [{chance.low:.1%}, {chance.high:.1%}]",
    }


def described() -> dict[str, str]:
    """Setting of the simulator -> what it does, from the docstring that the command line shows, too."""
    texts = {name: text.replace("``", "").rstrip(".") + "." for name, text in knob_texts().items()}
    return {
        name: text[:1].upper() + text[1:].replace("COMPONENTS", "the next table")
        for name, text in texts.items()
    }


def knobs(result: SimulatedCohortResult) -> HTML:
    """Every setting of the simulator: where to turn it, its default, what it does and what it is for in a course."""
    texts = described()
    rows = []
    for field in fields(SimulatorSettings):
        parameter, use = TEACHING[field.name]
        lines = [f"<code>--{field.name.replace('_', '-')}</code>"]
        if parameter:
            lines.append(f"in this book <code>{parameter}</code>")
        lines.append(f"default {html.escape(_plain(field.default))}")
        if parameter and getattr(result.parameters, parameter) != field.default:
            lines.append(
                f"<strong>here {html.escape(_plain(getattr(result.parameters, parameter)))}</strong>"
            )
        meaning = f"{html.escape(texts[field.name])}<br><em>In a course: {html.escape(use)}</em>"
        rows.append(
            {
                "knob": notebook.Html(f"<span>{'<br>'.join(lines)}</span>"),
                "what it does": notebook.Html(f"<span>{meaning}</span>"),
            }
        )
    return notebook.table(pd.DataFrame(rows), "The knobs of the simulator.", result.provenance)


def _plain(value: Any) -> str:
    """A default as a reader would write it."""
    if value is False:
        return "no"
    if value == ():
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def components(result: SimulatedCohortResult) -> HTML:
    """What makes a clip like a recording, and what is left without it."""
    rows = pd.DataFrame(list(COMPONENTS.items()), columns=["component", "without it"])
    return notebook.table(rows, "Components of realism that --without leaves out.", result.provenance)
