"""The FACS codes behind the paper's sentences on its activation maps (Figs 3-4): who shows which Action Unit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.facs import read_code
from ethnicmer_lib.clips.labels import GROUPS, SAMM, released_clips
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.stats.means import bootstrap_mean, permutation_difference
from ethnicmer_lib.stats.permutation import holm

#: Key of a sentence of Section IV-C -> its Action Unit, whether only codes that name one side of the face count, its
#: label, and the group of which the paper says that it shows the unit more.
CLAIMS = {
    "one_sided_smile": (12, True, "Positive", "Non-Asian"),
    "au26_surprise": (26, False, "Surprise", "Non-Asian"),
    "au1_surprise": (1, False, "Surprise", "Asian"),
    "au2_surprise": (2, False, "Surprise", "Asian"),
    "au5_surprise": (5, False, "Surprise", "Asian"),
}


#: Label -> the Action Units that the captions of Figs 3-4 give it.
UNITS = {"Positive": (6, 12), "Surprise": (1, 2, 5, 26)}
LOWER, UPPER = (26,), (1, 2, 5)  #: of the surprised face (Section IV-C)


def coded(clips: pd.DataFrame, unit: int, one_sided: bool, label: str) -> pd.DataFrame:
    """The clips of a label with a column ``has`` (float): whether their code names a unit, on one side where asked."""
    clips = clips[clips["label"] == label]
    return clips.assign(
        has=[float(unit in code and bool(code[unit] or not one_sided)) for code in _codes(clips)]
    )


def in_words(clips: pd.DataFrame) -> str:
    """How many clips of each group have the unit, of :func:`coded`, as the page writes it."""
    groups = clips.groupby("group")["has"]
    return ", ".join(f"{group} {has.sum():.0f} of {len(has)}" for group, has in groups)


def unit_claims() -> dict[str, Any]:
    """What the released FACS codes say of each of :data:`CLAIMS`, as keywords for ``judge``.

    Groups are permuted between subjects, over all clips and within SAMM, the one database with both groups; p-values
    are adjusted for all these tests (Holm). A difference that is not there within SAMM may be one of the databases.
    """
    clips = released_clips()
    places = {"": clips, "_samm": clips[clips["database"] == SAMM]}
    parts = {
        (key, place): coded(of, *claim[:3]) for key, claim in CLAIMS.items() for place, of in places.items()
    }
    tests = {
        of: permutation_difference(*(part[name] for name in ("has", "subject", "group")))
        for of, part in parts.items()
    }
    p = holm(pd.DataFrame({"p": tests}))["p_holm"]
    found = {}
    for key, (unit, one_sided, label, more) in CLAIMS.items():
        everywhere, within = parts[key, ""], parts[key, "_samm"]
        shares = everywhere.groupby("group")["has"].mean()
        people = within.groupby("group")["subject"].nunique()
        ways = comb(people.sum(), people.min()) / (
            1 + people.eq(people.min()).all()
        )  # either group, if alike
        words = {"unit": f"{'one-sided ' * one_sided}AU{unit}", "label": label, "more": more, "tests": len(p)}
        words |= {"everywhere": in_words(everywhere), "samm": in_words(within), "arrangements": ways}
        words |= {
            "p": p[key, ""],
            "p_samm": p[key, "_samm"],
            "difference": shares[more] - shares.drop(more).item(),
        }
        found[key] = (None, words)
    return found


def units_named() -> dict[str, Any]:
    """Share of the clips of a label whose code names each of its :data:`UNITS`, and, by group, several of them."""
    clips = released_clips()
    found = {}
    for label, units in UNITS.items():
        part = clips[clips["label"] == label]
        for unit in units:
            found[f"unit_{unit}_{label.lower()}"] = _share(part, _any(part, [unit]), units=f"AU{unit}")
    for group in GROUPS:
        smile, surprise = (clips[(clips["group"] == group) & (clips["label"] == label)] for label in UNITS)
        both = np.prod([_any(smile, [unit]) for unit in UNITS["Positive"]], axis=0)
        found[f"both_units_{_key(group)}"] = _share(smile, both, units=_listed(UNITS["Positive"], "and"))
        more, less = (UPPER, LOWER) if group == "Asian" else (LOWER, UPPER)
        there, here = _any(surprise, more), _any(surprise, less)
        words = {
            "there": int(there.sum()),
            "here": int(here.sum()),
            "more": _listed(more),
            "less": _listed(less),
        }
        found[f"{'upper' if more == UPPER else 'lower'}_{_key(group)}"] = _share(
            surprise, there - here, **words
        )
    return found


def _share(clips: pd.DataFrame, has: np.ndarray, **words: Any) -> tuple[Estimate, dict[str, Any]]:
    about = {
        "hits": has.sum(),
        "clips": len(has),
        "group": clips["group"].iloc[0],
        "label": clips["label"].iloc[0],
    }
    return bootstrap_mean(has, clips["subject"]), about | words


def _any(clips: pd.DataFrame, units: Sequence[int]) -> np.ndarray:
    return np.array([float(any(unit in code for unit in units)) for code in _codes(clips)])


def _listed(units: Sequence[int], joined: str = "or") -> str:
    return f" {joined} ".join(f"AU{unit}" for unit in units)


def _key(group: str) -> str:
    return group.lower().replace("-", "_")


def _codes(clips: pd.DataFrame) -> list[dict[int, str]]:
    """{AU: side} of every clip; where the coder left an alternative ('R6 or R12'), either counts as named."""
    return [read_code(re.sub(r"\bor\b", "+", text)) for text in clips["action_units"]]
