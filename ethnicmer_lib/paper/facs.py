"""The FACS codes behind the paper's sentences on its activation maps (Figs 3-4): who shows which Action Unit."""

from __future__ import annotations

import functools
import re
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.facs import read_code
from ethnicmer_lib.clips.labels import GROUPS, SAMM, released_clips
from ethnicmer_lib.paper.judging import rules_of
from ethnicmer_lib.stats.means import (
    bootstrap_mean,
    mean_against_zero,
    mean_difference,
    permutation_difference,
)
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


def unit_claims(of: pd.DataFrame | None = None) -> dict[str, Any]:
    """What the FACS codes of clips (the released ones) say of each of :data:`CLAIMS`, as keywords for ``judge``.

    Groups are permuted between subjects, over all clips and within SAMM, the one database with both groups; p-values
    are adjusted for all these tests (Holm). A difference that is not there within SAMM may be one of the databases.
    """
    clips, columns = released_clips() if of is None else of, ("has", "subject", "group")
    places = {"": clips, "_samm": clips[clips["database"] == SAMM]}
    parts = {(key, place): coded(at, *CLAIMS[key][:3]) for key in CLAIMS for place, at in places.items()}
    measured = {at: [part[name] for name in columns] for at, part in parts.items()}
    tests = {at: permutation_difference(*of) for at, of in measured.items()}
    p, found = holm(pd.DataFrame({"p": tests}))["p_holm"], {}
    for key, (unit, one_sided, label, more) in CLAIMS.items():
        pair = [parts[key, place] for place in places]
        people = pair[1].groupby("group")["subject"].nunique()
        differences = [mean_difference(*measured[key, place]) for place in places]
        words = {"unit": f"{'one-sided ' * one_sided}AU{unit}", "label": label, "more": more, "tests": len(p)}
        words["difference"] = differences[0].value * (1 if more == GROUPS[0] else -1)
        # 1 / the smallest p-value; with groups alike in size, the mirrored arrangement is as extreme
        words["arrangements"] = comb(people.sum(), people.min()) / people.eq(people.min()).sum()
        for place, part, difference in zip(places, pair, differences, strict=True):
            # Shares differ by 1 at most; without an interval this is NaN.
            seen = f"{difference.detectable:.2f}" if difference.detectable <= 1 else "no size"
            words |= {f"counts{place}": in_words(part), f"p{place}": p[key, place], f"seen{place}": seen}
        found[key] = (differences[0], words)
    return found


def units_named() -> dict[str, Any]:
    """How many released clips have Action Units in their code, of every rule of the claims that lists units.

    Clips are those of its ``label`` and ``groups`` (all, where it names none). The value is the share that has one of
    ``units``, or with ``together`` all, minus the share that has one of ``less``; where there is such a share, with a
    test of the difference, signs of subjects flipped, adjusted over all of these (Holm).
    """
    clips, found, tests = released_clips(), {}, {}
    for key, rule in rules_of("claims").items():
        if "units" in rule:
            part = clips[clips["label"].eq(rule["label"]) & clips["group"].isin(rule.get("groups", GROUPS))]
            codes, less = _codes(part), rule.get("less", ())
            named = [sum(unit in code for unit in rule["units"]) for code in codes]
            has = np.array(named) >= (len(rule["units"]) if rule.get("together") else 1)
            other = np.array([any(unit in code for unit in less) for code in codes])
            words = {"clips": len(part), "hits": has.sum(), "others": other.sum()}
            more = part.assign(has=has.astype(float) - other)
            found[key] = (bootstrap_mean(more["has"], part["subject"]), words)
            if less:
                tests[key] = mean_against_zero(more, "has")[1]
    for key, p in holm(pd.DataFrame({"p": tests}))["p_holm"].items():
        found[key][1].update(p_holm=p, tests=len(tests))
    return found


def _codes(clips: pd.DataFrame) -> list[dict[int, str]]:
    """{AU: side} of every clip; where the coder left an alternative ('R6 or R12'), either counts as named."""
    return [_code(text) for text in clips["action_units"]]


@functools.cache
def _code(text: str) -> dict[int, str]:
    return read_code(re.sub(r"\bor\b", "+", text))
