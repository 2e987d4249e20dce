"""The FACS codes behind the paper's sentences on its activation maps (Figs 3-4): who shows which Action Unit."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
from scipy.stats import fisher_exact

from ethnicmer_lib.clips.facs import read_code
from ethnicmer_lib.clips.labels import GROUPS, SAMM, released_clips
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.stats.means import bootstrap_mean

#: Key of a sentence of Section IV-C -> its Action Unit, whether only codes that name one side of the face count, its
#: label, and the group of which the paper says that it shows the unit more.
CLAIMS = {
    "one_sided_smile": (12, True, "Positive", "Non-Asian"),
    "au26_surprise": (26, False, "Surprise", "Non-Asian"),
    "au1_surprise": (1, False, "Surprise", "Asian"),
    "au2_surprise": (2, False, "Surprise", "Asian"),
    "au5_surprise": (5, False, "Surprise", "Asian"),
}


def shown(clips: pd.DataFrame, unit: int, one_sided: bool, label: str) -> pd.DataFrame:
    """How many clips of a label show a unit: a row per group, columns False and True.

    Clips are counted as if independent, as coders' tables usually are; few subjects stand behind them.
    """
    clips = clips[clips["label"] == label]
    has = [unit in code and bool(code[unit] or not one_sided) for code in _codes(clips)]
    counts = pd.crosstab(clips["group"], pd.Series(has, clips.index, dtype=bool))
    return counts.reindex(index=list(GROUPS), columns=[False, True], fill_value=0)


def in_words(counts: pd.DataFrame) -> tuple[str, float]:
    """A table of :func:`shown` as the page writes it, and Fisher's exact two-sided p."""
    words = ", ".join(f"{group} {row[True]} of {row.sum()}" for group, row in counts.iterrows())
    return words, float(fisher_exact(counts.to_numpy()).pvalue)


def unit_claims() -> dict[str, Any]:
    """What the released FACS codes say of each of :data:`CLAIMS`, as keywords for ``judge``.

    A difference over all clips that is not there within SAMM, the one database with both groups, may be one of the
    databases, whichever way it points: it is not supported as one of the groups.
    """
    clips = released_clips()
    found = {}
    for key, (unit, one_sided, label, more) in CLAIMS.items():
        counts = shown(clips, unit, one_sided, label)
        shares = counts[True] / counts.sum(axis=1)
        names = {"unit": f"{'one-sided ' * one_sided}AU{unit}", "label": label, "more": more}
        names["everywhere"], names["p"] = in_words(counts)
        within = shown(clips[clips["database"] == SAMM], unit, one_sided, label)
        names["samm"], names["p_samm"] = in_words(within)
        found[key] = (None, names | {"difference": shares[more] - shares.drop(more).item()})
    return found


def units_named(label: str, units: tuple[int, ...]) -> tuple[Estimate, dict[str, Any]]:
    """Share of the released clips of a label whose code names one of ``units``, with what to say of it."""
    clips = released_clips()
    clips = clips[clips["label"] == label]
    hits = pd.Series([float(any(unit in code for unit in units)) for code in _codes(clips)])
    names = " or ".join(f"AU{unit}" for unit in units)
    return bootstrap_mean(hits, clips["subject"]), {"units": names, "hits": hits.sum(), "clips": len(hits)}


def _codes(clips: pd.DataFrame) -> list[dict[int, str]]:
    """{AU: side} of every clip; where the coder left an alternative ('R6 or R12'), either counts as named."""
    return [read_code(re.sub(r"\bor\b", "+", text)) for text in clips["action_units"]]
