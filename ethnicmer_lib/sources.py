"""Source names become clips: the one place that knows simulated, published and licensed clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from ethnicmer_lib.clips.entries import FACE_MODEL, PSEUDONYMS, PUBLISHABLE, Manifest, Place, place
from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.policies import AS_WRITTEN, Policies
from ethnicmer_lib.clips.pseudonyms import secret
from ethnicmer_lib.clips.table import Clips
from ethnicmer_lib.errors import StudyError, check_name, checked
from ethnicmer_lib.simulator.knobs import described
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.store import lock, project_root, workspace

if TYPE_CHECKING:
    from ethnicmer_lib.clips.check import Report
    from ethnicmer_lib.clips.reading import Copy

Mapped = Literal["paper", "others_non_asian", "asian_only", "drop_others", "drop_conflicting", "flip_tie"]


def _copy(path: Path | None) -> Path | None:
    # An environment variable that is not set: of this database there is no copy.
    return None if path is None or "$" in str(place(path)) else place(path)


Folder = Annotated[Path | None, AfterValidator(_copy)]
#: Entries that say where data lie on this machine, and change no result.
PLACES = {
    "folder",
    "casme2",
    "samm",
    "casme2_coding",
    "samm_coding",
    "annotations",
    "table",
    "frames",
    "flow",
}
PLACES |= {"face_model"}
MAPPING = Field("paper", description="how the released ethnic labels become two groups")


class _Source(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _meanings(schema: dict[str, Any]) -> None:
    for name, text in described().items():
        schema["properties"][name]["description"] = text.replace("``", "")


@dataclass(frozen=True, config=ConfigDict(extra="forbid", json_schema_extra=_meanings))
class Simulated(SimulatorSettings):
    """Faces rendered from Action Units, so that the truth is known; ships. Its entries are the simulator's settings."""

    kind: Literal["simulated"] = "simulated"

    def settings(self) -> SimulatorSettings:
        """What the simulator is told."""
        return SimulatorSettings(**{one.name: getattr(self, one.name) for one in fields(SimulatorSettings)})


class Published(_Source):
    """The published optical flow features of the real clips; no faces."""

    kind: Literal["flow"] = "flow"
    folder: Place = Field(description="folder of the published flow features")
    mapping: Mapped = MAPPING


class Licensed(_Source):
    """The reader's own copies of CASME II and SAMM."""

    kind: Literal["licensed"] = "licensed"
    casme2: Folder = Field(None, description="your CASME II folder")
    samm: Folder = Field(None, description="your SAMM folder")
    casme2_coding: Folder = Field(
        None, description="path of CASME II's coding file; default: it is found in the folder"
    )
    samm_coding: Folder = Field(None, description="the same for SAMM")
    annotations: Place | None = Field(
        None, description="CSV of group labels per clip; default: the released label table"
    )
    mapping: Mapped = MAPPING
    policies: Policies = Field(Policies(), description="what to do with quirks of a copy")
    face_model: Place | None = FACE_MODEL
    publishable: tuple[str, ...] = PUBLISHABLE
    pseudonyms: bool = PSEUDONYMS


#: Names that need no checkout; ``book/sources.yml`` adds to them.
_NAMES = {"simulated": {"kind": "simulated"}, "tiny": {"kind": "simulated", "size": "tiny"}}


def source_names() -> dict[str, dict[str, Any]]:
    """What each source name means: those of ``book/sources.yml``, where there is a checkout, and the two that ship."""
    path = project_root() / "book" / "sources.yml"
    return _NAMES | (yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {})


def source_entries(source: Any) -> Any:
    """The entries that a name of :func:`source_names` stands for, or of a mapping, with a kind; else ``source``."""
    if isinstance(source, Mapping):
        return {"kind": "simulated", **source}
    if not isinstance(source, str):
        return source
    names = source_names()
    check_name("source", source, names)
    return dict(names[source])


#: A source as parameters take it: a name, entries, or one that was checked.
Source = Annotated[
    Annotated[Simulated | Published | Licensed | Manifest, Field(discriminator="kind")],
    BeforeValidator(source_entries),
]


class _Given(BaseModel):
    source: Source


def source_of(source: Any) -> Simulated | Published | Licensed | Manifest:
    """The checked source; StudyError with the allowed names and values for anything wrong."""
    return checked(_Given, {"source": source}).source


def check_source(source: Any, n_subjects: int | None = None, progress: bool = True) -> Report:
    """What is wrong with the files of a source, as :func:`open_clips` would read them.

    ``n_subjects`` is how many subjects of each group a scenario of the study takes. StudyError for a source that is
    none, or simulated.
    """
    from ethnicmer_lib.clips.check import report

    wanted = source_of(source)
    if isinstance(wanted, Simulated):
        raise StudyError(
            "simulated clips are made, and checked whenever they are opened: check your own copies"
        )
    copy, policies = _read(wanted)
    return report(copy, policies, progress, n_subjects)


def _read(wanted: Published | Licensed | Manifest) -> tuple[Copy, Policies]:
    """What was found in the files of a source, and the policies by which it is settled."""
    # Imported here so that a page of simulated clips needs no spreadsheets.
    from ethnicmer_lib.clips.manifest import read_manifest
    from ethnicmer_lib.clips.published import read_flow
    from ethnicmer_lib.clips.reading import read_copy

    if isinstance(wanted, Published):
        return read_flow(wanted.folder, wanted.mapping), AS_WRITTEN
    if isinstance(wanted, Manifest):
        return read_manifest(wanted), wanted.policies
    folders = {CASME2: wanted.casme2, SAMM: wanted.samm}
    coding = {CASME2: wanted.casme2_coding, SAMM: wanted.samm_coding}
    about = (wanted.annotations, wanted.policies, wanted.mapping, coding, wanted.face_model)
    return read_copy(folders, *about), wanted.policies


def open_clips(
    source: str | Mapping[str, Any] | Simulated | Published | Licensed | Manifest, progress: bool = True
) -> Clips:
    """Open the clips of a source; simulated ones are rendered first, as far as the workspace lacks them.

    ``source`` is a name of ``book/sources.yml`` ('simulated', 'tiny', ...), a mapping such as
    ``{"kind": "manifest", "table": "clips.csv", "frames": "PATH"}``, or a checked source. StudyError when it is none of
    these, or a file of it is missing or wrong.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> clips = em.open_clips("tiny", progress=False)
    >>> clips.groups
    ['A', 'B']
    """
    wanted = source_of(source)
    from ethnicmer_lib.clips.licensed import open_copy, open_licensed

    if not isinstance(wanted, Simulated):
        clips = open_copy(*_read(wanted))
        clips.publish(getattr(wanted, "publishable", ()))
        if getattr(wanted, "pseudonyms", False):
            clips.hide(secret())
        return clips
    # Imported here so that a page of other clips does not need the simulator.
    from ethnicmer_lib.simulator.layout import FOLDERS, GROUPS
    from ethnicmer_lib.simulator.write import fingerprint, write_cohort

    settings = wanted.settings()
    root = workspace() / "cohorts" / f"simulated-{fingerprint(settings)}"
    with lock(root.name):  # pages run side by side: one renders, the others wait
        write_cohort(root, settings, progress=progress)
    return open_licensed(*(root / folder for folder in FOLDERS.values()), root / GROUPS)
