"""What a manifest says: where its table and its pictures are, and what its columns and words mean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from ethnicmer_lib.clips.policies import Policies

#: Columns of a manifest, each as a template may use those before it.
Column = Literal[
    "database",
    "subject",
    "clip",
    "emotion",
    "onset",
    "apex",
    "offset",
    "action_units",
    "group",
    "ethnicity",
    "path",
]
Label = Literal["Negative", "Positive", "Surprise"]


def place(path: Path) -> Path:
    """A path with variables of the environment and ``~`` in it filled in."""
    return Path(os.path.expandvars(path)).expanduser()


def _texts(given: Any) -> Any:
    # YAML makes numbers of names such as 0.
    return {str(name): value for name, value in given.items()} if isinstance(given, Mapping) else given


Place = Annotated[Path, AfterValidator(place)]
Texts = BeforeValidator(_texts)
#: Entries of sources with frames of real people.
PSEUDONYMS = Field(False, description="whether subjects and clips go by pseudonyms, in pages and results")
FACE_MODEL = Field(None, description="model file of the face detector that policies.uncropped names")
PUBLISHABLE = Field(
    (),
    description="'DATABASE/SUBJECT' of those whom your agreement lets you show; of no other a frame is drawn",
)


class Manifest(BaseModel):
    """Any database, by a table with one row a clip and a folder of frames or of flow images."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    kind: Literal["manifest"] = "manifest"
    table: Place = Field(description="CSV or spreadsheet, one row a clip")
    frames: Place | None = Field(None, description="folder of the clips' folders of frames")
    flow: Place | None = Field(None, description="in its place: folder of flow images (u, v, strain)")
    database: str = Field("", description="name of the database, where no column says it")
    columns: dict[Column, str] = Field(
        {}, description="column of a clip: its header, or a template of headers"
    )
    emotions: Annotated[dict[str, Label | None], Texts] = Field(
        {}, description="what the table says: label, or null to leave the clip out; beside Table III's"
    )
    rows: Annotated[dict[str, str | list[str]], Texts] = Field(
        {}, description="header: values; only these rows are read"
    )
    policies: Policies = Field(Policies(), description="what to do with quirks of a copy")
    face_model: Place | None = FACE_MODEL
    publishable: tuple[str, ...] = PUBLISHABLE
    pseudonyms: bool = PSEUDONYMS

    def __hash__(self) -> int:
        return hash(self.model_dump_json())
