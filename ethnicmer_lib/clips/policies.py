"""What to do with the quirks of licensed copies: one named choice for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

Apex = Literal["as_is", "midpoint", "offset", "drop"]


@dataclass(frozen=True)
class Policies:
    """Each field is one kind of quirk; the defaults change nothing that a coder wrote down."""

    apex: Apex = "as_is"  #: an apex outside its clip's onset and offset
    missing_apex: Apex = "midpoint"  #: a clip that has no apex
    missing_frames: Literal["as_is", "nearest", "drop"] = "as_is"  #: an onset or apex file missing or damaged
    double_rows: Literal["refuse", "first", "last"] = "refuse"  #: two rows of a clip in the coding file
    #: the 'only' coding file there, the 'newest', or part of the name of the one to use
    coding_file: Annotated[str, Field(min_length=1)] = "only"
    casme2_frames: Literal["any", "cropped", "raw"] = "any"  #: 'any': the cropped ones where they are there


AS_WRITTEN = Policies()
