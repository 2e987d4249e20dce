"""What to do with the quirks of licensed copies: one named choice for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field


@dataclass(frozen=True)
class Policies:
    """Each field is one kind of quirk; the defaults change nothing that a coder wrote down."""

    #: an apex outside its clip's onset and offset
    apex: Literal["as_is", "midpoint", "offset", "drop"] = "as_is"
    missing_apex: Literal["midpoint", "offset", "drop"] = "midpoint"  #: a clip that has no apex
    missing_frames: Literal["as_is", "drop"] = "as_is"  #: an onset or apex file missing or damaged
    double_rows: Literal["refuse", "first", "last"] = "refuse"  #: two rows of a clip in the coding file
    #: of several coding files: none ('only' one may be there), the 'newest', or one by part of its name
    coding_file: Annotated[str, BeforeValidator(str), Field(min_length=1)] = "only"
    casme2_frames: Literal["any", "cropped", "raw"] = "any"  #: 'any': the cropped ones where they are there


AS_WRITTEN = Policies()
