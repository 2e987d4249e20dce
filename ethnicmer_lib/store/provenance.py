"""Where clips come from: what every figure says and every key depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ethnicmer_lib.errors import StudyError


@dataclass(frozen=True)
class Provenance:
    """Where a set of clips comes from: printed on every figure and part of every key."""

    source: str  #: one line a reader understands, e.g. 'CASME II + SAMM, published flow features'
    simulated: bool
    fingerprint: str  #: 16 hex digits; changes with any clip, label or frame
    #: Clips that a reader listed: no printed number and no claim of the paper is about them.
    others: bool = False


def provenance_of(thing: Any) -> Provenance:
    """The provenance itself, or that of clips or of a recording; StudyError when ``thing`` has none."""
    found = thing if isinstance(thing, Provenance) else getattr(thing, "provenance", None)
    if not isinstance(found, Provenance):
        raise StudyError(
            f"a {type(thing).__name__} does not say where its clips come from; give clips, a recording or a Provenance"
        )
    return found
