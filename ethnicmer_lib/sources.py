"""Source names become clips: the one place that knows simulated, published and licensed clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from ethnicmer_lib.clips.entries import PUBLISHABLE, Manifest, Place, place
from ethnicmer_lib.clips.policies import AS_WRITTEN, Policies
from ethnicmer_lib.clips.table import Clips
from ethnicmer_lib.errors import StudyError, check_name, checked
from ethnicmer_lib.simulator.knobs import described
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.store import lock, project_root, workspace

if TYPE_CHECKING:
    from ethnicmer_lib.clips.check import Report

Mapped = Literal["paper", "others_non_asian", "asian_only", "drop_others", "drop_conflicting", "flip_tie"]


def _copy(path: Path | None) -> Path | None:
    # An environment variable that is not set: of this database there is no copy.
    return None if path is None or "$" in str(place(path)) else place(path)


Copy = Annotated[Path | None, AfterValidator(_copy)]
#: Entries that say where data lie on this machine, and change no result.
PLACES = {"folder", "casme2", "samm", "annotations", "table", "frames", "flow"}
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
    casme2: Copy = Field(None, description="your CASME II folder")
    samm: Copy = Field(None, description="your SAMM folder")
    annotations: Place | None = Field(
        None, description="CSV of group labels per clip; default: the released label table"
    )
    mapping: Mapped = MAPPING
    policies: Policies = Field(Policies(), description="what to do with quirks of a copy")
    publishable: tuple[str, ...] = PUBLISHABLE


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
    from ethnicmer_lib.clips import check
    from ethnicmer_lib.clips.manifest import read_manifest
    from ethnicmer_lib.clips.published import read_flow

    wanted = source_of(source)
    if isinstance(wanted, Published):
        return check.report(read_flow(wanted.folder, wanted.mapping), AS_WRITTEN, progress, n_subjects)
    if isinstance(wanted, Manifest):
        return check.report(read_manifest(wanted), wanted.policies, progress, n_subjects)
    if isinstance(wanted, Licensed):
        copies = (wanted.casme2, wanted.samm, wanted.annotations, wanted.policies)
        return check.check(*copies, progress, n_subjects, wanted.mapping)
    raise StudyError("simulated clips are made, and checked whenever they are opened: check your own copies")


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
    # Imported here so that a page of other clips needs neither the simulator nor spreadsheets.
    if isinstance(wanted, Published):
        from ethnicmer_lib.clips.published import open_flow

        return open_flow(wanted.folder, wanted.mapping)
    from ethnicmer_lib.clips.licensed import open_copy, open_licensed

    if isinstance(wanted, Manifest):
        from ethnicmer_lib.clips.manifest import read_manifest

        clips = open_copy(read_manifest(wanted), wanted.policies)
        clips.publish(wanted.publishable)
        return clips
    if isinstance(wanted, Licensed):
        clips = open_licensed(wanted.casme2, wanted.samm, wanted.annotations, wanted.policies, wanted.mapping)
        clips.publish(wanted.publishable)
        return clips
    from ethnicmer_lib.simulator.layout import FOLDERS, GROUPS
    from ethnicmer_lib.simulator.write import fingerprint, write_cohort

    settings = wanted.settings()
    root = workspace() / "cohorts" / f"simulated-{fingerprint(settings)}"
    with lock(root.name):  # pages run side by side: one renders, the others wait
        write_cohort(root, settings, progress=progress)
    return open_licensed(*(root / folder for folder in FOLDERS.values()), root / GROUPS)
