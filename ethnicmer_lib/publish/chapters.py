"""The chapters in reading order, what each needs, and the parameters that a profile and a reader give them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from itertools import chain
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any

import jupytext
import yaml
from nbformat import NotebookNode
from pydantic import create_model

from ethnicmer_lib.errors import StudyError, check_name, checked
from ethnicmer_lib.publish.parameters import Known, Parameters
from ethnicmer_lib.sources import PLACES, open_clips, source_entries, source_names, source_of
from ethnicmer_lib.store import digest, project_root

PROFILES = ("quick", "paper", "tiny")
_PLAIN = (int, float, str, bool, list, tuple, dict, NoneType)
#: How flow comes from frames: without effect on flow that others have computed.
_OF_FRAMES = ("flow_method", "scaling")


@dataclass(frozen=True)
class Chapter:
    """One chapter: its notebook is ``book/<name>.md``."""

    name: str
    parameters: str = ""  #: their names, in the order of its parameters cell
    frames: str = ""  #: what it needs onset and apex frames for; '' where motion is enough
    trains: bool = False  #: whether it trains for long: such chapters run one at a time
    two_groups: bool = False  #: whether it compares two groups, no more and no fewer
    simulated_only: bool = False  #: whether it is about the simulated clips
    reads_all: bool = False  #: whether it shows what all other chapters have found

    @property
    def path(self) -> Path:
        """The notebook, a MyST text file."""
        return project_root() / "book" / f"{self.name}.md"

    @cached_property
    def model(self) -> type[Parameters]:
        """The parameters as a model that checks their values."""
        known = {name: Known.model_fields[name] for name in self.parameters.split()}
        fields = {name: (field.annotation, field) for name, field in known.items()}
        return create_model(self.name, __base__=Parameters, **fields)

    def left_out(self, source: Any) -> str | None:
        """Why this chapter cannot be built on a checked source, or None where it can."""
        if self.simulated_only and source.kind != "simulated":
            return "This chapter introduces the simulated cohort."
        if self.frames and _ready_made(source):
            return f"Flow features hold no frames; this chapter needs them {self.frames}."
        if self.two_groups and source.kind == "manifest" and len(groups := opened(source).groups) != 2:
            return f"This chapter compares two groups; these clips have {len(groups)}: {', '.join(groups)}."
        return None


def _ready_made(source: Any) -> bool:
    """Whether a checked source holds flow instead of frames."""
    return source.kind == "flow" or getattr(source, "flow", None) is not None


opened = cache(open_clips)
_DRAWN = "source n_subjects n_draws n_permutations control features classifier flow_method scaling image_size"
_DRAWN += " weights seed"
_TRAINED = "source variants folds n_seeds image_size flow_method scaling weights recipe switches seed"
_MAPPED = "source folds image_size layer flow_method scaling weights recipe seed"
CHAPTERS = (
    Chapter("dataset", "source checkpoint seed"),
    Chapter("simulator", "source n_faces seed", simulated_only=True),
    Chapter("motion", "source flow_method scaling example seed", frames="to compute optical flow and strain"),
    Chapter("prima_facie", _DRAWN, two_groups=True, trains=True),
    Chapter("benchmark", _TRAINED, trains=True),
    Chapter("activation_maps", _MAPPED, two_groups=True, trains=True),
    Chapter("audit", "lottery_seeds seed"),
)
INTRO = Chapter("intro", "source profile changes", reads_all=True)
#: The course: lessons run on what ships with the book, whatever its source.
LESSONS = tuple(
    Chapter(f"course/{name}")
    for name in ["faces", "two_frames", "evaluation", "results_table", "explaining", "culture"]
)
#: Pages that find nothing themselves: about tools, clips, the library, or about what the chapters have found.
PAGES = (
    INTRO,
    *CHAPTERS,
    Chapter("claims", "source profile changes", reads_all=True),
    Chapter("statistics", "seed"),
    Chapter("atlas", "n_studies n_draws seed"),
    Chapter("protocol"),
    Chapter("data_card", "source seed"),
    Chapter("library"),
    *LESSONS,
)


def chapter(name: str) -> Chapter:
    """The chapter called ``name``; StudyError with the names there are."""
    known = {one.name: one for one in PAGES}
    check_name("chapter", name, known)
    return known[name]


def read(one: Chapter) -> NotebookNode:
    """A chapter's notebook; the names of its cells are the same at every reading.  StudyError where there is none."""
    if not one.path.is_file():
        raise StudyError(f"there is no {one.path}: run this inside a checkout of the project")
    notebook = jupytext.read(one.path)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    return notebook


def code(one: Chapter) -> list[tuple[str, list[str]]]:
    """Source and tags of the code cells of a chapter's notebook."""
    cells = [cell for cell in read(one).cells if cell.cell_type == "code"]
    return [(cell.source.strip(), cell.metadata.get("tags", [])) for cell in cells]


def parameters(chapter_name: str, namespace: Mapping[str, Any]) -> Parameters:
    """The parameters of a chapter, out of the ``globals()`` of its notebook: checked and typed.

    StudyError for a name or value that is refused, with the allowed ones: for plain values under another name too,
    since papermill injects an unknown name without an error.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> p = em.parameters("motion", {"source": "tiny", "flow_method": "dis"})
    >>> p.source.size, p.flow_method, p.scaling
    ('tiny', 'dis', 'robust')
    """
    model = chapter(chapter_name).model
    plain = {
        name: value
        for name, value in namespace.items()
        if isinstance(value, _PLAIN) and not name.startswith("_") and name not in ("In", "Out")  # of IPython
    }
    return checked(model, plain | {name: namespace[name] for name in model.model_fields if name in namespace})


def notebook_values(one: Chapter) -> dict[str, Any]:
    """What the parameters cell of a chapter's notebook assigns: the `quick` profile."""
    values: dict[str, Any] = {}
    for source, tags in code(one):
        if "parameters" in tags:
            exec(source, {}, values)
    return values


def resolve(
    one: Chapter, profile: str = "quick", overrides: Mapping[str, Any] = MappingProxyType({})
) -> Parameters:
    """The parameters of a chapter: a profile's, then ``overrides`` in their order; StudyError for what is wrong.

    'quick' is what the notebook's own cell says; 'tiny' that and ``profiles.yml``; 'paper' the defaults (the paper's
    protocol) and ``profiles.yml``.  An override is a ``name`` (wherever that parameter exists) or ``chapter.name`` ->
    value; names like ``recipe.epochs`` set one entry.
    """
    check_name("profile", profile, PROFILES)
    values = {} if profile == "paper" else notebook_values(one)
    profiles = yaml.safe_load((resources.files(__package__) / "profiles.yml").read_text(encoding="utf-8"))
    if one.reads_all:  # what it shows was made with the same
        changes = {name: value for name, value in overrides.items() if name.partition(".")[0] != "source"}
        values |= {"profile": profile, "changes": changes}
    names = {page.name for page in PAGES}
    for name, value in chain(profiles.get(profile, {}).items(), overrides.items()):
        first, _, rest = name.partition(".")
        if rest and first in names:
            if first == one.name:
                set_entry(values, rest, value)
        elif first in one.model.model_fields:
            set_entry(values, name, value)
        elif first not in Known.model_fields:
            raise StudyError(f"no chapter has a parameter {first}; see `ethnicmer params CHAPTER`")
    p = checked(one.model, values)
    idle = [name for name in overrides if name.removeprefix(f"{one.name}.") in _OF_FRAMES]
    if idle and hasattr(p, "source") and _ready_made(p.source):
        raise StudyError(
            f"{idle[0]} changes nothing here: others have computed the flow of these clips; leave it out"
        )
    return p


def set_entry(values: dict[str, Any], name: str, value: Any) -> None:
    """Set ``name``, or with a name like ``recipe.epochs`` one entry of a mapping, or of a source that has a name."""
    first, _, rest = name.partition(".")
    if rest:
        known = values.get(first, {})
        values[first] = dict(source_entries(known) if first == "source" else known)
        set_entry(values[first], rest, value)
    else:
        values[first] = value


def shown_by(p: Parameters) -> list[tuple[Chapter, Parameters]]:
    """The chapters that a page about all of them is about, in reading order, each with its parameters."""
    here = [one for one in CHAPTERS if one.left_out(p.source) is None]
    return [(one, resolve(one, p.profile, {"source": p.source, **p.changes})) for one in here]


def written(one: Chapter, p: Parameters) -> dict[str, Any]:
    """What a notebook has to be told to run with ``p``: plain values that differ from its own cell's.

    A source is given by its name in ``book/sources.yml`` where it has one; else its entries, and those of a recipe,
    that differ from their defaults. No path of this machine is written into a page: the environment holds it.
    """
    told = checked(one.model, notebook_values(one))
    full, unusual = p.model_dump(mode="json"), p.model_dump(mode="json", exclude_defaults=True)
    changed = [name for name in full if getattr(p, name) != getattr(told, name)]
    plain = {name: unusual.get(name, {} if isinstance(full[name], dict) else full[name]) for name in changed}
    if "source" in plain:
        plain["source"] |= {"kind": p.source.kind}
        for name in source_names():
            with suppress(StudyError):  # an entry of the reader's own that is wrong is said where it is used
                plain["source"] = name if source_of(name) == p.source else plain["source"]
        if isinstance(plain["source"], dict):
            places = {
                name: _unseen(path) for name, path in plain["source"].items() if name in PLACES and path
            }
            plain["source"] |= places
    return plain


def _unseen(path: str) -> str:
    """A path as a variable of the environment, which the kernels of notebooks inherit."""
    known = [name for name, value in os.environ.items() if value == path and name.startswith("ETHNICMER_")]
    name = (known or [f"ETHNICMER_PLACE_{digest(path).upper()}"])[0]
    os.environ[name] = path
    return f"${name}"
