"""The roster: which subjects a cohort has, their database, group and the emotions of their clips."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ethnicmer_lib.clips import labels
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.simulator.settings import SimulatorSettings

#: The released label table's groups -> the group that a simulated subject is given (bookkeeping, no appearance).
GROUPS = {"Asian": "A", "Non-Asian": "B"}
OTHERS = "others"  #: emotion of the clips that the paper leaves out

#: The small cohort: emotions of every subject in turn; both groups appear in both databases.
_TINY_EMOTIONS = {
    CASME2: ("happiness", "disgust", "surprise", "repression", "sadness"),
    SAMM: ("happiness", "anger", "surprise", "contempt", "fear"),
}


@dataclass(frozen=True)
class Entry:
    """One subject: database, group 'A' or 'B', and the emotions of the clips in order (lower case)."""

    database: str
    group: str
    emotions: tuple[str, ...]


def roster(settings: SimulatorSettings) -> list[Entry]:
    """The subjects of a cohort, in order.

    ``full`` has the paper's counts exactly: databases, groups and raw emotions are those of the clips kept in the
    released label table (290 clips of 53 subjects, Tables I-III; with ``others`` 415 clips of 55).  With
    ``confounding`` below 1 as many subjects trade groups between the databases as needed; the number of
    subjects of each group and what every subject shows stay.  ``tiny`` is balanced, so that confounding has
    nothing to act on.
    """
    if settings.size == "tiny":
        return _tiny(settings.others) * settings.repeats
    entries = []
    for repeat in range(settings.repeats):
        entries += _unconfounded(_paper(settings.others), settings, repeat)
    return entries


@cache
def _paper(others: bool) -> tuple[Entry, ...]:
    """The subjects of the released label table."""
    clips = labels.coded_clips().replace({"emotion": {"other": OTHERS}})
    if not others:
        clips = clips[clips["emotion"] != OTHERS]
    return tuple(
        Entry(database, GROUPS[rows["group"].iloc[0]], tuple(rows["emotion"]))
        for (database, _), rows in clips.groupby(["database", "subject"], sort=False)
    )


def _tiny(others: bool) -> list[Entry]:
    """Twelve subjects, three of each group in each database, with four or five clips each."""
    return [
        Entry(database, group, _TINY_EMOTIONS[database][: 4 + number // 2 % 2] + (OTHERS,) * others)
        for database in (CASME2, SAMM)
        for number, group in enumerate("ABABAB")
    ]


def _unconfounded(entries: tuple[Entry, ...], settings: SimulatorSettings, repeat: int) -> list[Entry]:
    """``entries`` with groups traded: at ``confounding`` 0 CASME II has its even share of group B."""
    entries = list(entries)
    here = [i for i, e in enumerate(entries) if e.database == CASME2 and e.group == "A"]
    there = [i for i, e in enumerate(entries) if e.database == SAMM and e.group == "B"]
    n_casme2 = sum(e.database == CASME2 for e in entries)
    even = n_casme2 * sum(e.group == "B" for e in entries) / len(entries)
    wanted = round((1 - settings.confounding) * (even - (n_casme2 - len(here))))
    rng = np.random.default_rng([settings.seed, repeat, 7])
    # Nested draws: a weaker confounding trades the same subjects and some more.
    for giver, taker in zip(rng.permutation(here)[:wanted], rng.permutation(there)[:wanted], strict=True):
        entries[giver], entries[taker] = (
            replace(entries[giver], group="B"),
            replace(entries[taker], group="A"),
        )
    return entries
