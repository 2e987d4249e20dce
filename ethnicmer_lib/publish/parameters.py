"""Typed parameters: one small model per chapter, the single source of names, types, ranges and help texts."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.recipe import Recipe
from ethnicmer_lib.networks.switches import Switches
from ethnicmer_lib.sources import KINDS, Simulated, Source, source_of

FlowMethod = Literal["micro", "micro_neighbours", "dis", "farneback", "deepflow", "tvl1", "classic_nl_fast"]
Scaling = Literal["none", "robust", "clip_min_max", "as_released"]
Variant = Literal["resnet18", "dual_motion", "dual_rgb", "tinyvit"]
Folds = Literal["loso"] | Annotated[int, Field(ge=2, le=20)]
Sourced = Annotated[Source, BeforeValidator(source_of)]

SOURCE = Field(Simulated(), description="which clips: a name in book/sources.yml, or its entries")
SEED = Field(0, ge=0, le=2**31 - 1, description="of everything random after the clips")
FLOW = Field("micro", description="optical flow method; published features come with their own")
SCALING = Field("robust", description="of u, v and strain, clip by clip")
SIZE = Field(56, ge=28, le=448, description="side of the images, in px")
WEIGHTS = Field(
    "none", min_length=1, description="what networks start from: 'none', 'imagenet' (downloaded) or a file"
)
FOLDS = Field("loso", description="leave one subject out, or a number of folds of whole subjects")
RECIPE = Field(Recipe(), description="how networks are trained: what differs from the paper's")
# What IPython puts into a notebook's namespace by itself.
_NOTEBOOK_NAMES = {"In", "Out"}
_ABSENT = object()
_PLAIN = (int, float, str, bool, list, tuple, dict, types.NoneType)


class Parameters(BaseModel):
    """What every chapter's parameters share: frozen, no unknown names, defaults validated."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @classmethod
    def names(cls) -> list[str]:
        """Parameter names in declaration order."""
        return list(cls.model_fields)

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> Self:
        """Validate ``values``.

        Raises
        ------
        StudyError
            For an unknown name (with the allowed ones) or a value out of range (with the range).
        """
        for name in values:
            if name not in cls.model_fields:
                close = difflib.get_close_matches(name, cls.names(), n=1)
                hint = f" Did you mean {close[0]}?" if close else ""
                raise StudyError(
                    f"unknown parameter {name} for {cls.__name__}.{hint} Allowed: {', '.join(cls.names())}"
                )
        try:
            return cls(**values)
        except ValidationError as error:
            raise StudyError("; ".join(_said(cls, problem) for problem in error.errors())) from None

    def identity(self) -> dict[str, Any]:
        """The values that can change a result, as JSON: all but where the data lie on this machine."""
        found = self.model_dump(mode="json")
        if "source" in found:
            found["source"] = self.source.identity()
        return found

    def explained(self) -> Iterator[tuple[str, str, str, str]]:
        """(name, value here, allowed values, meaning) of every parameter that this source has; no paths."""
        for name, _, allowed, meaning in described(type(self)):
            value: Any = self
            for part in name.split("."):
                value = getattr(value, part, _ABSENT)
            if value is _ABSENT or isinstance(value, BaseModel | Path) or is_dataclass(value):
                continue
            if name.startswith("source.") and not meaning.startswith(f"{self.source.kind} only"):
                continue
            yield name, repr(value), allowed, meaning


def _said(model: type[Parameters], problem: Mapping[str, Any]) -> str:
    where = [str(part) for part in problem["loc"]]
    known = {row[0]: row[2] for row in described(model)}
    name = ".".join(where[: 2 if where[0] in ("recipe", "switches") and len(where) > 1 else 1])
    entries = [key for key in known if key.startswith(f"{where[0]}.")]
    said = "there is no such entry" if problem["type"] == "unexpected_keyword_argument" else problem["msg"]
    allowed = known.get(name) or ", ".join(entry.partition(".")[2] for entry in entries)
    return f"{name}={problem['input']!r} is refused: {said}. Allowed: {allowed}"


class Dataset(Parameters):
    """Who is in the data: Tables I-III, and where an ethnic label comes from."""

    source: Sourced = SOURCE
    checkpoint: str | None = Field(
        None,
        description="the published FaceXFormer file, to annotate frames yourself; else the released codes",
    )
    seed: int = SEED


class SimulatorPage(Parameters):
    """The simulated cohort itself: faces, Action Units, knobs and how real it is."""

    source: Sourced = SOURCE
    n_faces: int = Field(12, ge=4, le=24, multiple_of=4, description="how many subjects are shown")
    seed: int = SEED


class Motion(Parameters):
    """Optical flow, optical strain and the optical flow image: Eqs 5-7."""

    source: Sourced = SOURCE
    flow_method: FlowMethod = FLOW
    scaling: Scaling = SCALING
    example: int = Field(0, ge=0, le=100, description="which example clip of each label is drawn")
    seed: int = SEED


class PrimaFacie(Parameters):
    """The three 16-subject scenarios and a random forest: Table IV."""

    source: Sourced = SOURCE
    n_subjects: int = Field(16, ge=4, le=16, multiple_of=2, description="subjects in each scenario")
    n_draws: int = Field(10, ge=1, le=1000, description="how often they are drawn")
    control: Literal["as_described", "one_database", "two_databases", "balanced", "without_largest"] = Field(
        "as_described", description="what is held still while they are drawn"
    )
    features: Literal["resnet18", "flow", "noise"] = Field(
        "resnet18",
        description="what the classifier sees: ResNet-18 features (paper), the flow image, or noise",
    )
    classifier: Literal["forest", "svc"] = Field(
        "forest", description="random forest, as the paper describes, or SVC with C 100, as released"
    )
    flow_method: FlowMethod = FLOW
    scaling: Scaling = SCALING
    image_size: int = Field(112, ge=28, le=448, description="side of the image given to ResNet-18, in px")
    weights: str = WEIGHTS
    seed: int = SEED


class Benchmark(Parameters):
    """Four ways to give a network the ethnic context: Table V."""

    source: Sourced = SOURCE
    variants: tuple[Variant, ...] = Field(
        ("resnet18", "dual_motion", "dual_rgb", "tinyvit"),
        min_length=1,
        description="rows of Table V to train",
    )
    folds: Folds = FOLDS
    n_seeds: int = Field(1, ge=1, le=100, description="repetitions, with seeds seed, seed+1, ...")
    image_size: int = SIZE
    flow_method: FlowMethod = FLOW
    scaling: Scaling = SCALING
    weights: str = WEIGHTS
    recipe: Recipe = RECIPE
    switches: Switches = Field(Switches(), description="what differs from 'as described'")
    seed: int = SEED


class ActivationMaps(Parameters):
    """Where ResNet-18 looks, for Positive and Surprise by group: Figs 3-4."""

    source: Sourced = SOURCE
    folds: Folds = FOLDS
    # A map has a sixteenth or a thirty-second of an image's side, and has to show a place.
    image_size: int = Field(112, ge=28, le=448, description="side of the images, in px")
    layer: Literal["layer3", "layer4"] = Field("layer4", description="ResNet-18 stage whose maps are drawn")
    flow_method: FlowMethod = FLOW
    scaling: Scaling = SCALING
    weights: str = WEIGHTS
    recipe: Recipe = RECIPE
    seed: int = SEED


class Audit(Parameters):
    """Paper against released code, switch by switch; on the shipped labels and recorded runs."""

    lottery_seeds: int = Field(
        2000, ge=2, le=100_000, description="seeds of the draw that the rule on labels is tried with"
    )
    seed: int = SEED


class Statistics(Parameters):
    """Intervals and tests: how they are made and how often they are right; a recorded run."""

    seed: int = SEED


class DataCard(Parameters):
    """The data card: what the clips of this site are, in the questions of a datasheet."""

    source: Sourced = SOURCE
    seed: int = SEED


class Intro(Parameters):
    """The landing page: what all chapters found together."""

    source: Sourced = SOURCE
    profile: str = Field("quick", min_length=1, description="which profile the chapters were built with")
    changes: dict[str, Any] = Field(
        default={}, description="parameters that differ from the profile, as name or chapter.name"
    )


class Claims(Intro):
    """The claims ledger: every number and claim of the paper with our value and a verdict."""


def from_notebook(model: type[Parameters], namespace: Mapping[str, Any]) -> Parameters:
    """A chapter's parameters out of a notebook's ``globals()``, checked.

    Plain values under a name that is not a parameter are refused too: papermill itself injects an unknown name with
    no more than a log line.  So is a parameter's name that now means something else, a module that the notebook
    imports, say: it would have hidden the value that was asked for.

    Raises
    ------
    StudyError
        For a name or value as in :meth:`Parameters.check`, or a parameter that something else has taken the name of.
    """
    for name in model.names():
        if name in namespace and not isinstance(namespace[name], _PLAIN):
            kind = type(namespace[name]).__name__
            raise StudyError(
                f"the parameter {name} is hidden: the notebook gave its name to a {kind}; rename that one"
            )
    values = {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_") and name not in _NOTEBOOK_NAMES and isinstance(value, _PLAIN)
    }
    return model.check(values)


def described(model: type[BaseModel]) -> Iterator[tuple[str, Any, str, str]]:
    """(name, default, allowed values, meaning) of every parameter; entries of mappings as ``recipe.epochs``."""
    for name, field in model.model_fields.items():
        yield name, field.default, _allowed(field.annotation, field.metadata), str(field.description or "")
        if name == "source":
            for kind, one in KINDS.items():
                for entry, default, allowed, meaning in described(one):
                    if entry != "kind":
                        yield f"source.{entry}", default, allowed, f"{kind} only: {meaning}"
        elif is_dataclass(field.default):
            for entry in fields(field.default):
                about = TypeAdapter(type(field.default)).json_schema()["properties"][entry.name]
                yield f"{name}.{entry.name}", entry.default, _words(about, {}), about.get("description", "")


def _allowed(annotation: Any, metadata: list[Any]) -> str:
    schema = TypeAdapter(Annotated[annotation, *metadata] if metadata else annotation).json_schema()
    return _words(schema, schema.get("$defs", {}))


def _words(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """What values a parameter takes, in words."""
    if "$ref" in schema:
        return _words(defs[schema["$ref"].rsplit("/", 1)[1]], defs)
    if "discriminator" in schema:
        return f"a name, or entries of a {', '.join(KINDS)} source"
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_words(option, defs) for option in options)
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return ", ".join(repr(value) for value in schema["enum"])
    kind = schema.get("type", "value")
    if kind == "array":
        return f"a list of {_words(schema.get('items', {}), defs)}"
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        words = "a whole number" if kind == "integer" else "a number"
        words += f" from {low} to {high}" if low is not None and high is not None else ""
        return words + (f", a multiple of {schema['multipleOf']}" if "multipleOf" in schema else "")
    named = {"boolean": "True or False", "null": "None", "object": "entries by name"}
    return named.get(kind, "a path" if schema.get("format") == "path" else "text")
