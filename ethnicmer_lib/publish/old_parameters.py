"""Typed parameters: one model per chapter, the single source of names, types, ranges and help texts.

The notebook's parameters cell, ``ethnicmer params``, the command line and every error message are made
from these models. A chapter inherits the parameters of what it depends on, so a change of the cohort
reaches every chapter and a change of one chapter's own parameter reaches only that chapter.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ethnicmer_lib.errors import StudyError

Source = Literal["simulated", "flow", "licensed"]
Variant = Literal["resnet18", "dual_motion", "dual_rgb", "tinyvit"]
Weights = Annotated[str, Field(min_length=1)]
EthnicMapping = Literal[
    "paper", "others_non_asian", "asian_only", "drop_others", "drop_conflicting", "flip_018"
]
ApexPolicy = Literal["as_is", "midpoint", "offset", "drop", "estimate"]
WEIGHTS = Field("none", description="'none' (random initialisation), 'imagenet' (downloaded), or a path")

# What IPython puts into a notebook's namespace by itself.
_NOTEBOOK_NAMES = {"In", "Out"}


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
            lines = []
            for problem in error.errors():
                name = str(problem["loc"][0]) if problem["loc"] else "parameters"
                lines.append(
                    f"{name}={problem['input']!r} is refused: {problem['msg']}. Allowed: {allowed(cls, name)}"
                )
            raise StudyError("; ".join(lines)) from None

    @classmethod
    def from_notebook(cls, namespace: Mapping[str, Any]) -> Self:
        """Collect this chapter's parameters from a notebook's ``globals()`` and validate them.

        Plain values under a name that is not a parameter are refused too: papermill itself injects an
        unknown name with no more than a log line.  So is a parameter's name that now means something else, a module
        that the notebook imports, say: it would have hidden the value that was asked for.

        Raises
        ------
        StudyError
            For a name or value as in :meth:`check`, or a parameter that something else has taken the name of.
        """
        plain = (int, float, str, bool, list, tuple, dict, types.NoneType)
        for name in cls.names():
            if name in namespace and not isinstance(namespace[name], plain):
                kind = type(namespace[name]).__name__
                raise StudyError(
                    f"the parameter {name} is hidden: the notebook gave its name to a {kind}; rename that one"
                )
        values = {
            name: value
            for name, value in namespace.items()
            if not name.startswith("_") and name not in _NOTEBOOK_NAMES and isinstance(value, plain)
        }
        return cls.check(values)

    def identity(self) -> dict[str, Any]:
        """The values that can change a result, as JSON: all but where the data lie on this machine."""
        return self.model_dump(mode="json", exclude={"flow_dir", "casme2_dir", "samm_dir", "annotations"})


class CohortParameters(Parameters):
    """Which clips the study runs on."""

    data: Source = Field("simulated", description="where the clips come from")
    cohort_size: Literal["full", "tiny"] = Field(
        "full",
        description="simulated only: the paper's 53 subjects and 290 clips, or 12 subjects to try things",
    )
    simulator_seed: int = Field(2025, ge=0, le=2**31 - 1, description="simulated only: seed of the cohort")
    texture_cue: float = Field(
        0.0, ge=0, le=1, description="simulated only: strength of the abstract texture that marks the group"
    )
    action_unit_effect: float = Field(
        0.0,
        ge=0,
        le=1,
        description="simulated only: share of clips that move by group as the paper's Figs 3-4 describe",
    )
    database_shift: float = Field(
        1.0, ge=0, le=1, description="simulated only: how far the databases differ, 1 as the real ones do"
    )
    label_noise: float = Field(
        0.0, ge=0, le=1, description="simulated only: share of clips with a wrong emotion written down"
    )
    confounding: float = Field(
        1.0,
        ge=0,
        le=1,
        description="simulated only: how nearly group and database coincide, 1 as in the real study",
    )
    flow_dir: Path | None = Field(None, description="flow only: folder of the published flow features")
    casme2_dir: Path | None = Field(None, description="licensed only: your CASME II folder")
    samm_dir: Path | None = Field(None, description="licensed only: your SAMM folder")
    annotations: Path | None = Field(
        None, description="licensed only: CSV of group labels per clip; default: the released label table"
    )
    ethnic_mapping: EthnicMapping = Field(
        "paper", description="flow and licensed: how the released ethnic labels become two groups"
    )
    apex: ApexPolicy = Field(
        "as_is", description="licensed only: what to do with an apex outside its clip's onset and offset"
    )
    missing_apex: ApexPolicy = Field(
        "midpoint", description="licensed only: what to do with a clip that has no apex"
    )
    missing_frames: Literal["as_is", "nearest", "drop"] = Field(
        "as_is", description="licensed only: what to do when an onset or apex file is missing or damaged"
    )
    frame_sizes: Literal["refuse", "resize", "drop"] = Field(
        "refuse", description="licensed only: what to do when onset and apex frame differ in size"
    )
    double_rows: Literal["refuse", "first", "last"] = Field(
        "refuse", description="licensed only: which row counts when the coding file has two of a clip"
    )
    coding_file: str = Field(
        "only",
        min_length=1,
        description="licensed only: 'only' coding file there, 'newest', or part of the name of the one to use",
    )
    casme2_frames: Literal["any", "cropped", "raw"] = Field(
        "any", description="licensed only: which frames of CASME II; 'any' takes the cropped ones if there"
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of everything random after the cohort")


class Simulator(CohortParameters):
    """The simulated cohort itself: faces, Action Units, knobs and how real it is."""

    n_faces: int = Field(12, ge=4, le=24, multiple_of=4, description="how many subjects are shown")


class MotionParameters(CohortParameters):
    """How motion is computed from onset to apex."""

    flow_method: Literal["dis", "farneback", "deepflow", "tvl1", "micro", "classic_nl_fast"] = Field(
        "dis", description="optical flow method"
    )
    normalisation: Literal["none", "robust", "clip_min_max", "as_released"] = Field(
        "robust", description="scaling of the optical flow image (u, v, strain), clip by clip"
    )


class Dataset(CohortParameters):
    """Who is in the data: Tables I-III."""


class DataCard(CohortParameters):
    """The data card: what the cohort of this site is, in the questions of a datasheet."""


class Motion(MotionParameters):
    """Optical flow, optical strain and the optical flow image: Eqs 5-7."""

    example: int = Field(0, ge=0, le=100, description="which example clip of each label is drawn")


class PrimaFacie(MotionParameters):
    """The three 16-subject scenarios and a random forest: Table IV."""

    n_subjects: int = Field(16, ge=4, le=16, multiple_of=2, description="subjects drawn per scenario")
    n_draws: int = Field(10, ge=1, le=1000, description="how often the subjects are drawn")
    features: Literal["resnet18", "flow", "noise"] = Field(
        "resnet18",
        description="input of the classifier: ResNet-18 features (paper), the flow image itself, or noise",
    )
    classifier: Literal["forest", "svc"] = Field(
        "forest", description="random forest, as the paper describes, or SVC with C 100, as released"
    )
    control: Literal["as_described", "one_database", "two_databases", "balanced", "without_largest"] = Field(
        "as_described", description="how subjects and clips are drawn; all but the first hold one thing still"
    )
    flow_rows: Literal["own", "released"] = Field(
        "own",
        description="whose flow a clip is given: its own, or, as released, the row of its place in the set",
    )
    weights: Weights = WEIGHTS
    image_size: int = Field(112, ge=28, le=448, description="side of the image given to ResNet-18, in px")
    n_trees: int = Field(100, ge=1, le=2000, description="forest only: trees in the forest")


class TrainingParameters(MotionParameters):
    """How networks are trained; the paper's settings are the defaults (Section IV)."""

    folds: Literal["loso"] | Annotated[int, Field(ge=2, le=20)] = Field(
        "loso", description="leave one subject out, or a number of folds with whole subjects"
    )
    epochs: int = Field(15, ge=1, le=500, description="training epochs")
    # What larger images cost and bring on the published flow features: results/image_size, and its section.
    image_size: int = Field(56, ge=28, le=448, description="side of the input images, in px")
    batch_size: int = Field(32, ge=2, le=512, description="clips per training step")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Adam's learning rate")
    gamma: float = Field(0.9, gt=0, le=1, description="factor on the learning rate after every epoch")
    weights: Weights = WEIGHTS
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="numbers that training computes with; bfloat16 by autocast, for a GPU"
    )
    compiled: bool = Field(
        False, description="whether torch.compile prepares the training step, for a GPU; needs a C++ compiler"
    )


#: What a trained network depends on besides cohort, folds, seed, weights and switches: part of a run's key.
TRAINED_WITH = frozenset(
    {
        "flow_method",
        "normalisation",
        "epochs",
        "image_size",
        "batch_size",
        "learning_rate",
        "gamma",
        "precision",
        "compiled",
    }
)


class Benchmark(TrainingParameters):
    """Four ways to give a network the ethnic context: Table V."""

    variants: tuple[Variant, ...] = Field(
        ("resnet18", "dual_motion", "dual_rgb", "tinyvit"),
        min_length=1,
        description="rows of Table V to train",
    )
    n_seeds: int = Field(1, ge=1, le=100, description="repetitions, with seeds seed, seed+1, ...")
    # From here to `standardise`: what the paper describes against what its code does (ethnicmer_lib/switches.py).
    context: Literal["group", "shuffled", "database"] = Field(
        "group",
        description="what the ethnic branch is taught: the group; groups shuffled between subjects; the database",
    )
    ethnic_loss: bool = Field(
        True, description="whether the ethnic branch has a loss of its own; without it, it is only capacity"
    )
    shared_backbone: bool = Field(
        False, description="dual_motion only: one backbone called for both branches, as released"
    )
    test_batch_norm: Literal["running", "batch"] = Field(
        "running",
        description="batch norm at test: statistics of training; of the subject's own clips, as released",
    )
    weights_saved: Literal["before_test", "after_test"] = Field(
        "before_test",
        description="before the test; after it, as released: running statistics have seen the test subject",
    )
    standardise: Literal["none", "imagenet"] = Field(
        "none",
        description="flow images as they are; stretched to [0, 1], minus ImageNet's mean, over its sd, as released",
    )
    n_trees: int = Field(100, ge=1, le=2000, description="trees in the forest of the plain-forest row")


class ActivationMaps(TrainingParameters):
    """Where ResNet-18 looks, for Positive and Surprise by group: Figs 3-4."""

    # A map has a sixteenth or a thirty-second of an image's side, and has to show a place.
    image_size: int = Field(112, ge=28, le=448, description="side of the input images, in px")
    layer: Literal["layer3", "layer4"] = Field("layer4", description="ResNet-18 stage whose maps are drawn")


class Audit(CohortParameters):
    """Paper against released code, switch by switch; on the shipped labels and recorded runs."""

    lottery_seeds: int = Field(
        2000,
        ge=2,
        le=100_000,
        description="seeds of the draw of subjects that the rule on labels is tried with",
    )


class Statistics(CohortParameters):
    """Intervals and tests: how they are made and how often they are right; a recorded run."""


class Intro(CohortParameters):
    """The landing page: what all chapters found together."""

    profile: str = Field("quick", min_length=1, description="which profile the chapters were built with")
    changes: dict[str, Any] = Field(
        default={}, description="parameters that differ from the profile, as name or chapter.name"
    )

    def overrides(self) -> dict[str, Any]:
        """What to change in every chapter's profile so that all run on the landing page's cohort."""
        return self.model_dump(exclude={"profile", "changes"}) | self.changes


class Claims(Intro):
    """The claims ledger: every number and claim of the paper with our value and a verdict."""


def allowed(model: type[Parameters], name: str) -> str:
    """What values a parameter takes, in words."""
    if name not in model.model_fields:
        return ", ".join(model.names())
    schema = model.model_json_schema()
    return _words(schema["properties"][name], schema.get("$defs", {}))


def _words(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _words(defs[schema["$ref"].rsplit("/", 1)[1]], defs)
    if "anyOf" in schema:
        return " or ".join(_words(option, defs) for option in schema["anyOf"])
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return ", ".join(repr(value) for value in schema["enum"])
    kind = schema.get("type")
    if kind == "null":
        return "None"
    if kind == "array":
        return f"a list of {_words(schema['items'], defs)}"
    if kind == "string":
        return "a path" if schema.get("format") == "path" else "text"
    words = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}.get(
        kind, str(kind)
    )
    if "multipleOf" in schema:
        words += f", multiple of {schema['multipleOf']:g}"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        words += f" from {_plain(low)} to {_plain(high)}"
    elif "exclusiveMinimum" in schema and high is not None:
        words += f" above {schema['exclusiveMinimum']:g}, at most {high:g}"
    return words


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


def notebook_cell(values: Parameters) -> str:
    """The source of a chapter's parameters cell: one assignment with a comment per parameter."""
    model = type(values)
    lines = []
    for name, field in model.model_fields.items():
        value = getattr(values, name)
        value = list(value) if isinstance(value, tuple) else value
        # Double quotes in the code, as the formatter would have it; apostrophes in the comment stay.
        lines.append(
            f"{name} = {repr(value).replace(chr(39), chr(34))}  # {field.description}: {allowed(model, name)}"
        )
    return "\n".join(lines)
