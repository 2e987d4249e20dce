"""Options that several commands share, and how they become parameters."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.chapters import set_entry

Profile = Annotated[str, typer.Option(help="How much to compute: quick, paper or tiny.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("-p", "--parameter", help="name=value, name.entry=value or chapter.name=value; repeatable."),
]
FlowDir = Annotated[Path | None, typer.Option(help="Folder of the published flow features (--data flow).")]
Casme2 = Annotated[Path | None, typer.Option("--casme2", help="Your CASME II folder (--data licensed).")]
Samm = Annotated[Path | None, typer.Option("--samm", help="Your SAMM folder (--data licensed).")]
Engine = Annotated[
    str | None,
    typer.Option(
        help="Where networks are trained: 'serial', 'processes', 'processes:N', or tcp://host:port of a Dask "
        "scheduler; default as many processes as are worth it. Predictions do not depend on it."
    ),
]


class _Plain(yaml.SafeLoader):
    """YAML in which yes, true, 010, 1:30 and 2019-07-01 are text: what they mean is for the parameter to say."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, rule) for tag, rule in rules if tag.endswith((":null", ":float", ":merge"))]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Plain.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?(0|[1-9]\d{0,99})$"), list("-+0123456789")
)


def overrides(
    parameter: Changes = None,
    data: Annotated[
        Literal["simulated", "flow", "licensed"], typer.Option(help="Where the clips come from.")
    ] = "simulated",
    flow_dir: FlowDir = None,
    casme2: Casme2 = None,
    samm: Samm = None,
) -> dict[str, Any]:
    """What these options change in parameters; StudyError for a folder that is not of the source.

    A folder goes into the environment variable that ``book/sources.yml`` names, so that kernels find it and pages do
    not show it.
    """
    folders = {
        "--flow-dir": (flow_dir, "flow", "ETHNICMER_FLOW"),
        "--casme2": (casme2, "licensed", "ETHNICMER_CASME2"),
        "--samm": (samm, "licensed", "ETHNICMER_SAMM"),
    }
    for option, (folder, kind, variable) in folders.items():
        if folder is not None:
            if kind != data:
                raise StudyError(f"{option} is for --data {kind}, and this is --data {data}")
            os.environ[variable] = str(folder.expanduser().resolve())
    return ({} if data == "simulated" else {"source": data}) | typed(parameter)


def typed(pairs: Sequence[str] | None) -> dict[str, Any]:
    """``['n_subjects=12', 'benchmark.folds=loso']`` as a dict with YAML-typed values."""
    values: dict[str, Any] = {}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise StudyError(f"-p {pair!r}: write name=value, for example -p seed=3")
        try:
            values[name.strip()] = yaml.load(text, _Plain)
        except (yaml.YAMLError, RecursionError) as error:
            said = " ".join(str(error).split()) or "nested too deeply"
            raise StudyError(
                f"-p {pair!r} is no YAML ({said}); put a text in quotes: {name}=\"'text'\""
            ) from None
    return values


def entries(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What changes come to, beside the simulated source: those like ``source.seed`` are of one entry."""
    values: dict[str, Any] = {"source": "simulated"}
    for name, value in changes.items():
        set_entry(values, name, value)
    return values


def from_clips(command: Callable) -> Callable:
    """Give a command the options of :func:`overrides` in the place of its ``**keywords``."""
    *own, _ = inspect.signature(command, eval_str=True).parameters.values()
    options = inspect.signature(overrides, eval_str=True).parameters.values()
    command.__signature__ = inspect.Signature(
        [*own, *(one.replace(kind=one.KEYWORD_ONLY) for one in options)]
    )
    return command
