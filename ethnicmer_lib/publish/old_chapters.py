"""The study: its chapters in reading order, what each needs, and the parameters a profile gives them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.publish import old_parameters as models
from ethnicmer_lib.publish.old_parameters import CohortParameters


@dataclass(frozen=True)
class Chapter:
    """One chapter: its notebook ``book/<name>.md``, its parameters and the module that computes it."""

    name: str
    title: str
    model: type[CohortParameters]
    module: str
    frames_for: str = ""  #: what it needs onset and apex frames for; '' where motion is enough
    simulated_only: bool = False  #: whether it is about the simulated cohort

    def compute(self, parameters: CohortParameters, progress: bool = False) -> Any:
        """Compute the chapter, or load what the run store already has."""
        return importlib.import_module(self.module).compute(parameters, progress=progress)

    @property
    def reads_all(self) -> bool:
        """Whether it is a page about what all other chapters found."""
        return issubclass(self.model, models.Intro)

    def left_out(self, data: models.Source) -> str | None:
        """Why this chapter cannot be built on a source, or None where it can."""
        if self.simulated_only and data != "simulated":
            return "This chapter introduces the simulated cohort. It is part of the study that runs on it."
        if data == "flow" and self.frames_for:
            return (
                f"The published flow features hold no frames, and this chapter needs them {self.frames_for}. "
                "It is part of the study on the simulated cohort and on licensed copies of the databases."
            )
        return None


CHAPTERS = (
    Chapter(
        "dataset",
        "Who is in the data",
        models.Dataset,
        "ethnicmer_lib.paper.dataset",
        "to show what a clip is",
    ),
    Chapter(
        "simulator",
        "The simulated cohort",
        models.Simulator,
        "ethnicmer_lib.evidence.simulated_cohort",
        simulated_only=True,
    ),
    Chapter(
        "motion",
        "From two frames to motion",
        models.Motion,
        "ethnicmer_lib.evidence.motion",
        "to compute optical flow and strain",
    ),
    Chapter(
        "prima_facie", "Prima facie: do groups differ?", models.PrimaFacie, "ethnicmer_lib.design.prima_facie"
    ),
    Chapter("benchmark", "Does ethnic context help?", models.Benchmark, "ethnicmer_lib.networks.benchmark"),
    Chapter(
        "activation_maps",
        "Where the network looks",
        models.ActivationMaps,
        "ethnicmer_lib.networks.activation",
    ),
    Chapter("audit", "Paper and released code", models.Audit, "ethnicmer_lib.paper.audit"),
)


INTRO = Chapter(
    "intro", "Is micro-expression ethnic leaning?", models.Intro, "ethnicmer_lib.publish.old_chapters"
)
#: A page that describes and finds nothing: the same computation as the dataset chapter's.
DATA_CARD = Chapter("data_card", "Data card", models.DataCard, "ethnicmer_lib.paper.dataset")
#: How intervals and tests are made, and how often they are right: about the study's tools, so it finds nothing.
STATISTICS = Chapter(
    "statistics",
    "How sure: intervals and tests",
    models.Statistics,
    "ethnicmer_lib.evidence.calibration_record",
)
CLAIMS = Chapter("claims", "The claims ledger", models.Claims, "ethnicmer_lib.paper.ledger")
PAGES = (INTRO, *CHAPTERS, STATISTICS, DATA_CARD, CLAIMS)


def chapter(name: str) -> Chapter:
    """The chapter called ``name``; StudyError with the names there are."""
    for one in PAGES:
        if one.name == name:
            return one
    raise StudyError(f"no chapter {name!r}; chapters: {', '.join(c.name for c in PAGES)}")


@cache
def profiles() -> dict[str, dict[str, dict[str, Any]]]:
    """The profiles of ``profiles.yml``: profile -> section -> parameter -> value."""
    return yaml.safe_load(resources.files("ethnicmer_lib.publish").joinpath("profiles.yml").read_text())


def resolve(
    one: Chapter, profile: str = "quick", overrides: Mapping[str, Any] | None = None, *, own: bool = False
) -> CohortParameters:
    """The parameters of a chapter: defaults, then the profile, then ``overrides``.

    An override is ``name`` (wherever that parameter exists) or ``chapter.name``. With ``own`` every plain
    name must be one of this chapter's.

    Raises
    ------
    StudyError
        Unknown profile, chapter or parameter, or a value out of range.
    """
    if profile not in profiles():
        raise StudyError(f"no profile {profile!r}; profiles: {', '.join(profiles())}")
    everywhere = set().union(*(page.model.names() for page in PAGES))
    sections = profiles()[profile]
    values = {k: v for k, v in sections.get("all", {}).items() if k in one.model.model_fields}
    values |= sections.get(one.name, {})
    for name, value in (overrides or {}).items():
        target, _, inner = name.rpartition(".")
        if target:
            if target != one.name:
                chapter(target).model.check({inner: value})
                continue
            values[inner] = value
        elif own or name in one.model.model_fields:
            values[name] = value
        elif name not in everywhere:
            raise StudyError(f"no chapter has a parameter {name}; see `ethnicmer params CHAPTER`")
    return one.model.check(values)


def notebook_cell(one: Chapter) -> str:
    """The parameters cell of a chapter's notebook: one commented assignment each, values of `quick`."""
    return models.notebook_cell(resolve(one))


def findings(parameters: models.Intro, progress: bool = False) -> tuple[list[Finding], Any]:
    """What the chapters on this copy's cohort have found, in reading order, and the cohort's provenance."""
    rows: list[Finding] = []
    provenance = None
    for one in CHAPTERS:
        if one.left_out(parameters.data) is None:
            result = one.compute(resolve(one, parameters.profile, parameters.overrides()), progress)
            provenance = provenance or result.provenance
            # A chapter on other data, as the audit is, must not speak for this copy's cohort.
            if result.provenance == provenance:
                rows += result.findings()
    return rows, provenance


def typed(pairs: list[str]) -> dict[str, Any]:
    """``['n_subjects=12', 'benchmark.folds=loso']`` as a dict with YAML-typed values."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise StudyError(f"-p {pair!r}: write name=value, for example -p seed=3")
        values[name.strip()] = yaml.safe_load(text)
    return values
