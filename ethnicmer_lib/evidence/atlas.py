"""What the paper's evidence looks like in studies whose truth is set: its rules and ours, applied to drawn studies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.labels import GROUPS as ANNOTATED
from ethnicmer_lib.design.permutation import GIVEN
from ethnicmer_lib.design.scenarios import MIXED, NEGATIVE
from ethnicmer_lib.design.studies import mixed_minus_mono
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence.map_groups import CLAIMS as MAPS
from ethnicmer_lib.evidence.map_groups import map_claims, map_differences
from ethnicmer_lib.evidence.pool import real_cells
from ethnicmer_lib.evidence.table_iv import (
    dealt_anew,
    drawn_clips,
    macro_by_draw,
    said_by_svc,
    svc_predictions,
)
from ethnicmer_lib.paper.facs import CLAIMS as UNITS
from ethnicmer_lib.paper.facs import coded, unit_claims
from ethnicmer_lib.paper.judging import KINDS, printed_effect, rules_of
from ethnicmer_lib.simulator.roster import GROUPS
from ethnicmer_lib.stats.draws import mean_over_draws
from ethnicmer_lib.stats.scoring import MACRO

PAPER, OURS = "paper", "ours"
_DEALT = 5  #: draws under every permutation: twice as many take twice as long and move p little
JOINT = "joint"  #: the design of both databases; any other is the name of the one database
LEVEL = 0.05  #: of an adjusted p, as in ``claims.yml``
DROP, ALL_MAPS, ALL_UNITS = "mixed_drop", "all three maps", "all five units"
#: The group that a simulated subject stands in for, by the names that the claims are written in.
STANDS_FOR = {group: name for name, group in GROUPS.items()}


@dataclass(frozen=True)
class Cell:
    """One truth and one design: what all studies of a cell share.

    ``strength`` is the share of clips with the planted effect, ``confounding`` and ``shift`` are those of the
    simulator; ``design`` is 'joint' or the one database that all subjects are of, half of them in either group;
    ``subjects`` is how many there are (0: as many as in the real study); ``negative`` is the share of Negative clips
    (0: as many as the subjects have).
    """

    strength: float = 0.0
    confounding: float = 1.0
    shift: float = 1.0
    design: str = JOINT
    subjects: int = 0
    negative: float = 0.0

    def sizes(self) -> dict[tuple[str, str], int]:
        """Subjects by database and group."""
        real = real_cells(self.confounding)
        if self.design == JOINT:
            return real_cells(self.confounding, self.subjects or None)
        n = self.subjects or sum(size for (database, _), size in real.items() if database == self.design)
        return {(self.design, "A"): n - n // 2, (self.design, "B"): n // 2}


class Evidence(NamedTuple):
    """What one rule says of one study."""

    by: str  #: whose rule: :data:`PAPER` or :data:`OURS`
    rule: str  #: key of the claim in ``claims.yml``, or what the paper's sentence rests on
    value: float  #: the difference that the rule looks at
    claimed: bool  #: whether the rule says that the paper's claim holds
    opposite: bool = False  #: whether it says that the opposite holds


def printed_gap() -> float:
    """How far below the mean of the mono scenarios Mixed is in Table IV."""
    return -printed_effect("prima_facie", DROP)


def _drawn(study: pd.DataFrame, n_draws: int, seed: int) -> tuple[list[str], np.ndarray]:
    """``drawn_clips`` of as many subjects as the paper chooses: as many as the rarer group has, an even number."""
    size = int(study.groupby("group")["subject"].nunique().min()) // 2 * 2
    return drawn_clips(study, size, n_draws, "as_described", seed)


def bars(x: np.ndarray, study: pd.DataFrame, n_draws: int = 1, seed: int = 0) -> pd.DataFrame:
    """Table IV of a study: macro F1 of SVC(C=100) by draw (rows) and scenario (columns).

    ``x`` (n, d) has a row for every clip of ``study``, in its order.
    """
    names, drawn = _drawn(study, n_draws, seed)
    negative = (study["label"] == NEGATIVE).to_numpy()
    return pd.DataFrame(macro_by_draw(negative, said_by_svc(x, study, drawn)), columns=names)


def papers_rules(x: np.ndarray, study: pd.DataFrame, seed: int = 0) -> Iterator[Evidence]:
    """What the paper would have written of a study: one draw of Table IV, signs of differences, no interval.

    ``study`` has the columns of :func:`draw_study`, ``action_units`` and the measures of maps; of Table IV the rule is
    that Mixed is the lowest bar and as far below the mean of the others as printed, or further.
    """
    first = bars(x, study, 1, seed).iloc[0]
    mono = first.drop(MIXED)
    gap = float(first[MIXED] - mono.mean())
    yield Evidence(PAPER, DROP, gap, first[MIXED] < mono.min() and -gap >= printed_gap(), False)
    rules, maps = rules_of("activation_maps"), {key: _difference(study, *MAPS[key]) for key in MAPS}
    yield from _signs(maps, {key: rules[key]["direction"] for key in MAPS}, ALL_MAPS)
    yield from unit_signs(study)


def unit_signs(study: pd.DataFrame) -> Iterator[Evidence]:
    """Whether the codes of a study differ between the groups to the side that the paper says."""
    shares = {key: _difference(coded(study, *UNITS[key][:3]), UNITS[key][2], "has") for key in UNITS}
    sides = {key: -1 if more == ANNOTATED[0] else 1 for key, (*_, more) in UNITS.items()}
    yield from _signs(shares, sides, ALL_UNITS)


def _difference(study: pd.DataFrame, label: str, measure: str) -> float:
    """Mean of group B minus mean of group A; NaN where one of them has no such clip."""
    mean = study.loc[study["label"] == label].groupby("group")[measure].mean()
    return float(mean.get("B", np.nan) - mean.get("A", np.nan))


def _signs(found: dict[str, float], sides: dict[str, int], together: str) -> Iterator[Evidence]:
    """Whether every difference is on the side that the paper says, and whether all of them are."""
    signed = {key: sides[key] * value for key, value in found.items()}
    for key, value in found.items():
        yield Evidence(PAPER, key, value, bool(signed[key] > 0), bool(signed[key] < 0))
    right = [value > 0 for value in signed.values()]
    yield Evidence(PAPER, together, float(np.mean(right)), all(right))


def our_rules(
    x: np.ndarray, study: pd.DataFrame, n_draws: int = 10, resamples: int = 500, seed: int = 0
) -> Iterator[Evidence]:
    """What this book's ledger would say of the same study: its own estimates, tests and rules of ``claims.yml``."""
    drawn = _drawn(study, n_draws, seed)
    found = svc_predictions(x, study, *drawn)
    drop = mean_over_draws(found, mixed_minus_mono(found), MACRO, seed, resamples)
    p = given_database(x, study, *drawn, drop.side, seed) if drop.side else 1.0
    yield _ruled("prima_facie", DROP, drop, {"draws": n_draws, "p_holm": p})
    shown = study[study["label"].isin({label for label, _ in MAPS.values()})]
    yield from map_rules(shown, map_differences({"maps": shown}, seed))
    yield from unit_tests(study)


def given_database(
    x: np.ndarray,
    study: pd.DataFrame,
    names: list[str],
    drawn: np.ndarray,
    side: int,
    seed: int,
    n: int = 99,
) -> float:
    """``design.permutation.tail`` of a study under groups dealt anew within databases.

    Of the draws the first :data:`_DEALT` are dealt; it ends as soon as p can no longer be 0.05 or less, and is then the
    least that it can be.
    """
    difference = dealt_anew(x, study, names, drawn[:_DEALT], GIVEN, seed)
    observed, hits = difference(0), 1
    for permutation in range(1, n + 1):
        hits += side * difference(permutation) >= side * observed
        if 2 * hits / (n + 1) > LEVEL:
            break
    return min(1.0, 2 * hits / (n + 1))


def map_rules(measured: pd.DataFrame, tested: pd.DataFrame, of: str = "maps") -> Iterator[Evidence]:
    """What the ledger says of the claims on maps, their least number of runs apart; arguments as of ``map_claims``."""
    for key, given in map_claims(measured, tested, of)[1].items():
        # Words instead of an estimate: one group has too few such clips for a claim.
        found = (None, {}) if isinstance(given, str) else given
        yield _ruled("activation_maps", key, *found, without="seeds")


def unit_tests(study: pd.DataFrame) -> Iterator[Evidence]:
    """The tests of this book on the codes of a study."""
    try:
        units = unit_claims(study.assign(group=study["group"].map(STANDS_FOR)))
    except StudyError:  # a group without any such clip: nothing can be said
        units = dict.fromkeys(UNITS, (None, {}))
    for key, given in units.items():
        yield _ruled("audit", key, *given, sign=-1)


def _ruled(
    chapter: str, key: str, found: Any, words: Mapping[str, Any], without: str = "", sign: int = 1
) -> Evidence:
    """The verdict of a rule; what has too few subjects or draws for one claims nothing.

    ``sign`` is -1 where the estimate is of the first group minus the second: a value is B minus A.
    """
    rule = rules_of(chapter)[key]
    words = rule | words
    least = {name: n for name, n in rule.get("least", {}).items() if name != without}
    if found is None or any(words[name] < n for name, n in least.items()):
        return Evidence(OURS, key, np.nan, False)
    verdict = KINDS[rule["rule"]](found, words)
    return Evidence(OURS, key, sign * found.value, verdict == "reproduced", verdict == "contradicted")
