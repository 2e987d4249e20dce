"""The FACS codes behind the paper's sentences on its activation maps (Figs 3-4): who shows which Action Unit."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd
from scipy.stats import fisher_exact

from ethnicmer_lib.clips.facs import read_code
from ethnicmer_lib.clips.labels import SAMM, released_clips

GROUPS = ("Asian", "Non-Asian")


class UnitClaim(NamedTuple):
    """One sentence of Section IV-C on an Action Unit."""

    key: str
    action_unit: int
    one_sided: bool  #: only codes that name one side of the face count
    label: str
    more: str  #: the group of which the paper says that it shows the unit more

    @property
    def unit(self) -> str:
        """As the page writes it."""
        return f"{'one-sided ' * self.one_sided}AU{self.action_unit}"


CLAIMS = (
    UnitClaim("au12", 12, True, "Positive", "Non-Asian"),
    UnitClaim("au26", 26, False, "Surprise", "Non-Asian"),
    UnitClaim("au1", 1, False, "Surprise", "Asian"),
    UnitClaim("au2", 2, False, "Surprise", "Asian"),
    UnitClaim("au5", 5, False, "Surprise", "Asian"),
)


class Shown(NamedTuple):
    """How many clips of either group show a unit, and Fisher's exact two-sided p."""

    clips: Mapping[str, int]
    with_unit: Mapping[str, int]
    p: float

    def share(self, group: str) -> float:
        """Share of the group's clips that show the unit; NaN without clips."""
        return self.with_unit[group] / self.clips[group] if self.clips[group] else float("nan")

    def __str__(self) -> str:
        return ", ".join(f"{group} {self.with_unit[group]} of {self.clips[group]}" for group in GROUPS)


def shown(claim: UnitClaim, clips: pd.DataFrame | None = None, *, within_samm: bool = False) -> Shown:
    """Count the clips of a claim's label that show its unit.

    Clips are counted as if independent, as coders' tables usually are; few subjects stand behind them.

    Parameters
    ----------
    claim : one of :data:`CLAIMS`.
    clips : a clips table; by default the released one.
    within_samm : count the clips of SAMM alone, the one database with both groups.
    """
    return _released(claim, within_samm) if clips is None else _count(claim, clips, within_samm)


@functools.cache
def _released(claim: UnitClaim, within_samm: bool) -> Shown:
    return _count(claim, released_clips(), within_samm)


def _count(claim: UnitClaim, clips: pd.DataFrame, within_samm: bool) -> Shown:
    clips = clips[(clips["label"] == claim.label) & ((clips["database"] == SAMM) | (not within_samm))]
    # Where the coder left an alternative ('R6 or R12'), either counts as named.
    has = [_has(read_code(re.sub(r"\bor\b", "+", text)), claim) for text in clips["action_units"]]
    counts = pd.crosstab(clips["group"], pd.Series(has, index=clips.index))
    counts = counts.reindex(index=list(GROUPS), columns=[False, True], fill_value=0)
    return Shown(
        counts.sum(axis=1).to_dict(), counts[True].to_dict(), float(fisher_exact(counts.to_numpy()).pvalue)
    )


def table() -> pd.DataFrame:
    """One row per claim: unit, label, more, the counts in words, p, and the same within SAMM (``_samm``)."""
    rows = []
    for claim in CLAIMS:
        everywhere, samm = shown(claim), shown(claim, within_samm=True)
        rows.append(
            {"unit": claim.unit, "label": claim.label, "more": claim.more, "shown": str(everywhere),
             "p": everywhere.p, "shown_samm": str(samm), "p_samm": samm.p}
        )  # fmt: skip
    return pd.DataFrame(rows)


def verdict(claim: UnitClaim, level: float = 0.05) -> str:
    """'reproduced', 'contradicted' or 'not supported' by the codes.

    A difference over all clips that is not there within SAMM may be one of the databases, whichever way it points:
    it is not supported as one of the groups.
    """
    everywhere, samm = shown(claim), shown(claim, within_samm=True)
    if max(everywhere.p, samm.p) > level:
        return "not supported"
    other = next(group for group in GROUPS if group != claim.more)
    return "reproduced" if everywhere.share(claim.more) > everywhere.share(other) else "contradicted"


def _has(code: Mapping[int, str], claim: UnitClaim) -> bool:
    return claim.action_unit in code and (not claim.one_sided or code[claim.action_unit] != "")
