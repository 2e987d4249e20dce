"""Typed parameters: every parameter of the book once, with its type, range, default and help text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from ethnicmer_lib.networks.recipe import Recipe
from ethnicmer_lib.networks.switches import Switches
from ethnicmer_lib.sources import PLACES, Simulated, Source

FlowMethod = Literal["micro", "micro_neighbours", "dis", "farneback", "deepflow", "tvl1", "classic_nl_fast"]
Control = Literal["as_described", "one_database", "two_databases", "balanced", "without_largest"]
Variant = Literal["resnet18", "dual_motion", "dual_rgb", "tinyvit", "tinyvit_21m"]
#: Words of JSON Schema for what a number may be.
LIMITS = ("minimum", "exclusiveMinimum", "maximum", "multipleOf")


class Parameters(BaseModel):
    """What every chapter's parameters share: frozen, no unknown names, defaults validated."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    def identity(self) -> dict[str, Any]:
        """The values that can change a result, as JSON: all but where the data lie on this machine."""
        return self.model_dump(mode="json", exclude={"source": PLACES})

    def explained(self) -> Iterator[tuple[str, str, str, str]]:
        """(name, value here, allowed values, meaning) of every parameter that this source has; no paths."""
        return _explained(self)


def _explained(entries: Any, inside: str = "") -> Iterator[tuple[str, str, str, str]]:
    for name, about in TypeAdapter(type(entries)).json_schema()["properties"].items():
        value = getattr(entries, name)
        if isinstance(value, BaseModel) or is_dataclass(value):
            yield from _explained(value, f"{inside}{name}.")
        elif name != "kind" and not isinstance(value, Path):
            yield inside + name, repr(value), _allowed(about), about.get("description", "")


def _allowed(about: Mapping[str, Any]) -> str:
    """The values that a JSON schema allows: their names, or their type and its limits."""
    if "anyOf" in about:
        return " or ".join(map(_allowed, about["anyOf"]))
    if names := about.get("enum", [about["const"]] if "const" in about else []):
        return ", ".join(map(repr, names))
    if "items" in about:
        return f"list of {_allowed(about['items'])}"
    limits = [f"{word} {about[word]}" for word in LIMITS if word in about]
    return ", ".join([about["type"], *limits])


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("a name is given twice")
    return names


class Known(Parameters):
    """Every parameter; a chapter has some of them."""

    source: Source = Field(Simulated(), description="which clips: a name in book/sources.yml, or its entries")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="of everything random after the clips")
    checkpoint: str | None = Field(
        None,
        description="the published FaceXFormer file, to annotate frames yourself; else the released codes",
    )
    n_faces: int = Field(12, ge=4, le=24, multiple_of=4, description="how many subjects are shown")
    flow_method: FlowMethod = Field(
        "micro", description="optical flow method; published features come with their own"
    )
    scaling: Literal["none", "robust", "clip_min_max", "as_released"] = Field(
        "robust", description="of u, v and strain, clip by clip"
    )
    example: int = Field(0, ge=0, le=100, description="which example clip of each label is drawn")
    n_subjects: int = Field(16, ge=4, le=16, multiple_of=2, description="subjects in each scenario")
    n_draws: int = Field(10, ge=1, le=1000, description="how often they are drawn")
    n_permutations: int = Field(199, ge=19, le=9999, description="of groups within databases")
    n_studies: int = Field(1000, ge=2, le=100_000, description="studies that are drawn for each truth")
    control: Control = Field("as_described", description="what is held still while they are drawn")
    features: Literal["resnet18", "flow", "noise"] = Field(
        "resnet18",
        description="what the classifier sees: ResNet-18 features (paper), the flow image, or noise",
    )
    classifier: Literal["forest", "svc"] = Field(
        "forest", description="random forest, as the paper describes, or SVC with C 100, as released"
    )
    image_size: int = Field(224, ge=28, le=448, description="side of the images, in px")
    weights: str = Field(
        "none",
        min_length=1,
        description="what networks start from: 'none', 'imagenet' (downloaded) or a file",
    )
    variants: Annotated[tuple[Variant, ...], AfterValidator(_each_once)] = Field(
        ("resnet18", "dual_motion", "dual_rgb", "tinyvit"),
        min_length=1,
        description="rows of Table V to train",
    )
    folds: Literal["loso"] | Annotated[int, Field(ge=2, le=20)] = Field(
        "loso", description="leave one subject out, or a number of folds of whole subjects"
    )
    n_seeds: int = Field(1, ge=1, le=100, description="repetitions, with seeds seed, seed+1, ...")
    recipe: Recipe = Field(Recipe(), description="how networks are trained: what differs from the paper's")
    switches: Switches = Field(Switches(), description="what differs from 'as described'")
    layer: Literal["layer2", "layer3", "layer4"] = Field(
        "layer4", description="ResNet-18 stage whose maps are drawn"
    )
    lottery_seeds: int = Field(
        2000, ge=2, le=100_000, description="seeds of the draw that the rule on labels is tried with"
    )
    profile: str = Field("quick", min_length=1, description="which profile the chapters were built with")
    changes: dict[str, Any] = Field(
        default={}, description="parameters that differ from the profile, as name or chapter.name"
    )
