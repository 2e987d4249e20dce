"""The FACS codes behind the paper's sentences on its activation maps (Figs 3-4): who shows which Action Unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from scipy.stats import fisher_exact

from ethnicmer_lib.clips.facs import read_code
from ethnicmer_lib.clips.labels import GROUPS, SAMM, released_clips
from ethnicmer_lib.stats.intervals import Estimate
from ethnicmer_lib.stats.means import bootstrap_mean


class UnitClaim(NamedTuple):
    """One sentence of Section IV-C on an Action Unit."""

    action_unit: int
    one_sided: bool  #: only codes that name one side of the face count
    label: str
    more: str  #: the group of which the paper says that it shows the unit more

    @property
    def unit(self) -> str:
        """As the page writes it."""
        return f"{'one-sided ' * self.one_sided}AU{self.action_unit}"


#: Key of the claim -> what it says.
CLAIMS: Mapping[str, UnitClaim] = {
    "one_sided_smile": UnitClaim(12, True, "Positive", "Non-Asian"),
    "au26_surprise": UnitClaim(26, False, "Surprise", "Non-Asian"),
    "au1_surprise": UnitClaim(1, False, "Surprise", "Asian"),
    "au2_surprise": UnitClaim(2, False, "Surprise", "Asian"),
    "au5_surprise": UnitClaim(5, False, "Surprise", "Asian"),
}


class Shown(NamedTuple):
    """How many clips of either group show a unit, and Fisher's exact two-sided p."""

    clips: Mapping[str, int]
    with_unit: Mapping[str, int]
    p: float

    def difference(self, more: str) -> float:
        """Share of the clips of ``more`` that show the unit, minus that of the other group; NaN without clips."""
        shares = {g: self.with_unit[g] / self.clips[g] if self.clips[g] else float("nan") for g in GROUPS}
        return shares[more] - next(share for group, share in shares.items() if group != more)

    def __str__(self) -> str:
        return ", ".join(f"{group} {self.with_unit[group]} of {self.clips[group]}" for group in GROUPS)


def codes(clips: pd.DataFrame) -> list[dict[int, str]]:
    """{AU: side} of every clip; where the coder left an alternative ('R6 or R12'), either counts as named."""
    return [read_code(re.sub(r"\bor\b", "+", text)) for text in clips["action_units"]]


def shown(claim: UnitClaim, clips: pd.DataFrame) -> Shown:
    """Count the clips of a claim's label that show its unit.

    Clips are counted as if independent, as coders' tables usually are; few subjects stand behind them.

    Parameters
    ----------
    claim : one of :data:`CLAIMS`.
    clips : a clips table, such as :func:`released_clips` or one database of it.
    """
    clips = clips[clips["label"] == claim.label]
    has = [
        claim.action_unit in code and (not claim.one_sided or code[claim.action_unit] != "")
        for code in codes(clips)
    ]
    counts = pd.crosstab(clips["group"], pd.Series(has, index=clips.index, dtype=bool))
    counts = counts.reindex(index=list(GROUPS), columns=[False, True], fill_value=0)
    return Shown(
        counts.sum(axis=1).to_dict(), counts[True].to_dict(), float(fisher_exact(counts.to_numpy()).pvalue)
    )


def unit_claims() -> dict[str, Any]:
    """What the released FACS codes say of each of :data:`CLAIMS`, as keywords for ``judge``.

    A difference over all clips that is not there within SAMM, the one database with both groups, may be one of the
    databases, whichever way it points: it is not supported as one of the groups.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> list(em.paper.unit_claims())[:2]
    ['one_sided_smile', 'au26_surprise']
    """
    clips = released_clips()
    samm = clips[clips["database"] == SAMM]
    found = {}
    for key, claim in CLAIMS.items():
        everywhere, within = shown(claim, clips), shown(claim, samm)
        names = {
            "unit": claim.unit,
            "label": claim.label,
            "more": claim.more,
            "everywhere": everywhere,
            "samm": within,
        }
        names |= {"p": everywhere.p, "p_samm": within.p, "difference": everywhere.difference(claim.more)}
        found[key] = (None, names)
    return found


def units_named(label: str, units: tuple[int, ...]) -> tuple[Estimate, dict[str, Any]]:
    """Share of the released clips of a label whose code names one of ``units``, with what to say of it."""
    clips = released_clips()
    clips = clips[clips["label"] == label]
    hits = pd.Series([float(any(unit in code for unit in units)) for code in codes(clips)])
    names = " or ".join(f"AU{unit}" for unit in units)
    return bootstrap_mean(hits, clips["subject"]), {"units": names, "hits": hits.sum(), "clips": len(hits)}
