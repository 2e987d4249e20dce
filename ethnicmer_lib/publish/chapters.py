"""The chapters in reading order, what each needs, and the parameters that a profile and a reader give them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import NoneType
from typing import Any

import yaml

from ethnicmer_lib.errors import StudyError, checked
from ethnicmer_lib.publish import parameters as models
from ethnicmer_lib.publish.parameters import Parameters
from ethnicmer_lib.sources import source_entries, source_names, source_of
from ethnicmer_lib.store import project_root

PROFILES = ("quick", "paper", "tiny")
_PLAIN = (int, float, str, bool, list, tuple, dict, NoneType)


@dataclass(frozen=True)
class Chapter:
    """One chapter: its notebook is ``book/<name>.md``."""

    name: str
    title: str
    model: type[Parameters]
    needs_frames: str = ""  #: what it needs onset and apex frames for; '' where motion is enough
    trains: bool = False  #: whether it trains for long: such chapters run one at a time
    simulated_only: bool = False  #: whether it is about the simulated clips
    reads_all: bool = False  #: whether it shows what all other chapters have found

    @property
    def path(self) -> Path:
        """The notebook, a MyST text file; StudyError outside a checkout."""
        return root() / "book" / f"{self.name}.md"

    def left_out(self, kind: str) -> str | None:
        """Why this chapter cannot be built on a kind of source, or None where it can."""
        if self.simulated_only and kind != "simulated":
            return "This chapter introduces the simulated cohort. It is part of the study that runs on it."
        if kind == "flow" and self.needs_frames:
            return (
                f"The published flow features hold no frames, and this chapter needs them {self.needs_frames}. "
                "It is part of the study on the simulated cohort and on licensed copies of the databases."
            )
        return None


CHAPTERS = (
    Chapter("dataset", "Who is in the data", models.Dataset, "to show what a clip is"),
    Chapter("simulator", "The simulated cohort", models.SimulatorPage, simulated_only=True),
    Chapter("motion", "From two frames to motion", models.Motion, "to compute optical flow and strain"),
    Chapter("prima_facie", "Prima facie: do groups differ?", models.PrimaFacie, trains=True),
    Chapter("benchmark", "Does ethnic context help?", models.Benchmark, trains=True),
    Chapter("activation_maps", "Where the network looks", models.ActivationMaps, trains=True),
    Chapter("audit", "Paper and released code", models.Audit),
)
INTRO = Chapter("intro", "Is micro-expression ethnic leaning?", models.Intro, reads_all=True)
#: Pages that find nothing themselves: about tools, clips, the library, or about what the chapters have found.
PAGES = (
    INTRO,
    *CHAPTERS,
    Chapter("claims", "The claims ledger", models.Claims, reads_all=True),
    Chapter("statistics", "How sure: intervals and tests", models.Statistics),
    Chapter("data_card", "Data card", models.DataCard),
    Chapter("library", "The library", Parameters),
)


def root() -> Path:
    """The checkout with the book's sources; StudyError when called from elsewhere."""
    found = project_root()
    if found is None:
        raise StudyError("no _toc.yml here or above: run this inside a checkout of the project")
    return found


def chapter(name: str) -> Chapter:
    """The chapter called ``name``; StudyError with the names there are."""
    known = {one.name: one for one in PAGES}
    if name not in known:
        raise StudyError(f"no chapter {name!r}; chapters: {', '.join(known)}")
    return known[name]


def parameters(chapter_name: str, namespace: Mapping[str, Any]) -> Parameters:
    """The parameters of a chapter, out of the ``globals()`` of its notebook: checked and typed.

    StudyError for a name or value that is refused, with the allowed ones: for plain values under another name too,
    since papermill injects an unknown name without an error, and for a parameter whose name the notebook has given to
    something else, an import for example, which would have hidden the value that was asked for.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> p = em.parameters("motion", {"source": "tiny", "flow_method": "dis"})
    >>> p.source.size, p.flow_method, p.scaling
    ('tiny', 'dis', 'robust')
    """
    model = chapter(chapter_name).model
    plain = {}
    for name, value in namespace.items():
        if isinstance(value, _PLAIN):
            if not name.startswith("_") and name not in ("In", "Out"):  # these two are IPython's
                plain[name] = value
        elif name in model.model_fields:
            kind = type(value).__name__
            raise StudyError(
                f"the parameter {name} is hidden: the notebook gave its name to a {kind}; rename that one"
            )
    return checked(model, plain)


def notebook_values(one: Chapter) -> dict[str, Any]:
    """What the parameters cell of a chapter's notebook assigns: the `quick` profile."""
    cell = one.path.read_text(encoding="utf-8").partition(":tags: [parameters")[2]
    code = cell.partition("\n")[2].partition("```")[0]
    try:
        return {line.targets[0].id: ast.literal_eval(line.value) for line in ast.parse(code).body}
    except (SyntaxError, ValueError, AttributeError) as error:
        raise StudyError(
            f"{one.path}: the parameters cell is not one plain assignment a line: {error}"
        ) from None


def resolve(
    one: Chapter, profile: str = "quick", overrides: Mapping[str, Any] | None = None, *, own: bool = False
) -> Parameters:
    """The parameters of a chapter: a profile's, then ``overrides`` in their order; StudyError for what is wrong.

    'quick' is what the notebook's own cell says; 'tiny' that and ``profiles.yml``; 'paper' the defaults (the paper's
    protocol) and ``profiles.yml``.  An override is a ``name`` (wherever that parameter exists; ``own`` refuses names
    that are not this chapter's) or ``chapter.name`` -> value; names like ``recipe.epochs`` set one entry.
    """
    if profile not in PROFILES:
        raise StudyError(f"no profile {profile!r}; profiles: {', '.join(PROFILES)}")
    known = one.model.model_fields
    values = {} if profile == "paper" else notebook_values(one)
    profiles = yaml.safe_load((resources.files(__package__) / "profiles.yml").read_text(encoding="utf-8"))
    section = profiles.get(profile, {})
    values |= {name: value for name, value in section.get("all", {}).items() if name in known}
    values |= section.get(one.name, {})
    names = {page.name for page in PAGES}
    for name, value in (overrides or {}).items():
        first, _, rest = name.partition(".")
        if rest and first in names:
            if first == one.name:
                set_entry(values, rest, value)
        elif own or first in known:
            set_entry(values, name, value)
        elif not any(first in page.model.model_fields for page in PAGES):
            raise StudyError(f"no chapter has a parameter {first}; see `ethnicmer params CHAPTER`")
    return checked(one.model, values)


def set_entry(values: dict[str, Any], name: str, value: Any) -> None:
    """Set ``name``, or with a name like ``recipe.epochs`` one entry of a mapping, or of a source that has a name."""
    first, _, rest = name.partition(".")
    if not rest:
        values[first] = value
        return
    values[first] = dict(
        source_entries(values.get(first, {})) if first == "source" else values.get(first, {})
    )
    set_entry(values[first], rest, value)


def written(one: Chapter, p: Parameters) -> dict[str, Any]:
    """What a notebook has to be told to run with ``p``: plain values that differ from its own cell's.

    A source is given by its name in ``book/sources.yml`` where it has one, so that no path of this machine is written
    into a page; else its entries, and those of a recipe, that differ from their defaults.
    """
    told = checked(one.model, notebook_values(one))
    changed = {name for name in one.model.model_fields if getattr(p, name) != getattr(told, name)}
    plain = p.model_dump(mode="json", include=changed)
    unusual = p.model_dump(mode="json", exclude_defaults=True)
    plain |= {name: unusual.get(name, {}) for name in changed & {"recipe", "switches"}}
    if "source" in changed:
        named = (name for name, entries in source_names().items() if _is(entries, p.source))
        plain["source"] = next(named, unusual.get("source", {}) | {"kind": p.source.kind})
    return plain


def _is(entries: Mapping[str, Any], source: Any) -> bool:
    try:
        return source_of(entries) == source
    except StudyError:  # an entry of the reader's own that is wrong is said where it is used
        return False
