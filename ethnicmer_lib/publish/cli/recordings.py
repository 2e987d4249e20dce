"""The command that records long runs in results/: one function each, in the room whose run it is."""

from __future__ import annotations

import shlex
from importlib import import_module
from inspect import signature
from typing import Annotated, Any

import typer
from pydantic import ConfigDict, ValidationError, validate_call

from ethnicmer_lib.errors import StudyError, refusals
from ethnicmer_lib.publish.cli.options import Changes, Engine, FlowDir, overrides

#: Name of a recording -> the function that makes it: its keywords are what ``-p`` sets. ``clips`` it gets from the
#: source, ``command`` is what the reader typed; it writes with ``store.record`` and returns the folder.
RECORDINGS = {
    "table_iv": "design.studies:record_table_iv",
    "table_v": "networks.table_v:record_table_v",
    "image_size": "evidence.image_size:record_image_size",
    "motion": "evidence.flow_accuracy:record_motion",
    "simulator": "evidence.simulator:record_simulator",
    "statistics": "evidence.calibration:record_statistics",
}


def record(
    name: Annotated[str, typer.Argument(help=f"Which: {', '.join(RECORDINGS)}.")],
    parameter: Changes = None,
    flow_dir: FlowDir = None,
    engine: Engine = None,
) -> None:
    """Run something too long for a build and keep it in results/NAME, to be committed; interrupted, it goes on.

    The clips are the published flow features unless -p source=NAME says otherwise.
    """
    from ethnicmer_lib.networks import where
    from ethnicmer_lib.publish.chapters import set_entry
    from ethnicmer_lib.sources import open_clips

    if name not in RECORDINGS:
        raise StudyError(f"no recording {name!r}; recordings: {', '.join(RECORDINGS)}")
    where.use(engine)
    module, _, function = RECORDINGS[name].partition(":")
    make = getattr(import_module(f"ethnicmer_lib.{module}"), function)
    values: dict[str, Any] = {}
    for key, value in overrides(parameter, "flow", flow_dir).items():
        set_entry(values, key, value)
    source = values.pop("source")
    known = [argument for argument in signature(make).parameters if argument not in ("clips", "command")]
    for key in values:
        if key not in known:
            raise StudyError(f"recording {name} has no parameter {key}; it has {', '.join(known)}")
    said = ["--flow-dir", "PATH"] if flow_dir else []
    said += [part for change in parameter or [] for part in ("-p", change)]
    values["command"] = shlex.join(["ethnicmer", "record", name, *said])
    if "clips" in signature(make).parameters:
        values["clips"] = open_clips(source)
    try:
        folder = validate_call(config=ConfigDict(arbitrary_types_allowed=True))(make)(**values)
    except ValidationError as error:
        raise StudyError(refusals(error, [])) from None
    typer.echo(f"recorded: {folder}")
