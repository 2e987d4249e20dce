"""What to do with the quirks of licensed copies: one named choice for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field


@dataclass(frozen=True)
class Policies:
    """Each field is one kind of quirk; the defaults change what a coder wrote only where it is a known typing error."""

    #: typing errors of published files, in known.yml
    known_errors: Literal["corrected", "as_is"] = "corrected"
    #: an apex outside its clip's onset and offset, or on its onset
    apex: Literal["as_is", "midpoint", "offset", "drop"] = "as_is"
    missing_apex: Literal["midpoint", "offset", "drop"] = "midpoint"  #: a clip that has no apex
    missing_frames: Literal["as_is", "drop", "nearest"] = "as_is"  #: an onset or apex file missing or damaged
    nearest_within: Annotated[int, Field(ge=1, le=20)] = 2  #: frames that the nearest may be away
    renumbered: Literal["refuse", "map"] = "refuse"  #: all frames of a clip, numbered from 0 or 1
    double_rows: Literal["refuse", "first", "last"] = "refuse"  #: two rows of a clip in the coding file
    #: of several coding files: none ('only' one may be there), the 'newest', or one by part of its name
    coding_file: Annotated[str, BeforeValidator(str), Field(min_length=1)] = "only"
    #: frames that are much wider than a face: cropped by a detector of faces, whose file is source.face_model
    uncropped: Literal["as_is", "yunet", "cascade"] = "as_is"
    casme2_frames: Literal["any", "cropped", "raw"] = "any"  #: 'any': the cropped ones where they are there


AS_WRITTEN = Policies()
