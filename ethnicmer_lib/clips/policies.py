"""What to do with the quirks of licensed copies: one named choice for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

Apex = Literal["as_is", "midpoint", "offset", "drop", "estimate"]


@dataclass(frozen=True)
class Policies:
    """Each field is one kind of quirk; the defaults change nothing that a coder wrote down."""

    apex: Annotated[
        Apex, Field(description="what to do with an apex outside its clip's onset and offset")
    ] = "as_is"
    missing_apex: Annotated[Apex, Field(description="what to do with a clip that has no apex")] = "midpoint"
    missing_frames: Annotated[
        Literal["as_is", "nearest", "drop"],
        Field(description="what to do when an onset or apex file is missing or damaged"),
    ] = "as_is"
    frame_sizes: Annotated[
        Literal["refuse", "resize", "drop"],
        Field(description="what to do when onset and apex frame differ in size"),
    ] = "refuse"
    double_rows: Annotated[
        Literal["refuse", "first", "last"],
        Field(description="which row counts when the coding file has two of a clip"),
    ] = "refuse"
    coding_file: Annotated[
        str,
        Field(
            min_length=1,
            description="'only' coding file there, 'newest', or part of the name of the one to use",
        ),
    ] = "only"
    casme2_frames: Annotated[
        Literal["any", "cropped", "raw"],
        Field(description="which frames of CASME II; 'any' takes the cropped ones if there"),
    ] = "any"


AS_WRITTEN = Policies()
