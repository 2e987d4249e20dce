"""The command that records long runs in results/: one function each, in the room whose run it is."""

from __future__ import annotations

import shlex
from importlib import import_module
from inspect import signature
from typing import Annotated

import typer
from pydantic import ConfigDict, create_model

from ethnicmer_lib.errors import check_name, checked
from ethnicmer_lib.publish.cli.options import Changes, Engine, FlowDir, entries, overrides

#: Name of a recording -> the function that makes it: its keywords are what ``-p`` sets. ``clips`` it gets from the
#: source, ``name`` and ``command`` are what the reader typed; it writes with ``store.record`` and returns the folder.
RECORDINGS = {
    "table_iv": "evidence.table_iv:record_table_iv",
    "table_v": "evidence.table_v:record_table_v",
    "table_v_simulated": "evidence.table_v:record_table_v",  # nothing planted
    "table_v_marked": "evidence.table_v:record_table_v",  # a texture tells the groups apart
    "maps": "evidence.map_recording:record_maps",
    "map_power": "evidence.map_power:record_map_power",
    "image_size": "evidence.image_size:record_image_size",
    "motion": "evidence.flow_accuracy:record_motion",
    "simulator": "evidence.simulator:record_simulator",
    "statistics": "evidence.calibration:record_statistics",
    "atlas": "evidence.atlas_runs:record_atlas",
    "traps": "evidence.traps:record_traps",
    "traps_simulated": "evidence.traps:record_traps_simulated",
}
_GIVEN = ("clips", "name", "command")


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
    from ethnicmer_lib.sources import open_clips

    check_name("recording", name, RECORDINGS)
    where.use(engine)
    module, _, function = RECORDINGS[name].partition(":")
    make = getattr(import_module(f"ethnicmer_lib.{module}"), function)
    takes = signature(make, eval_str=True).parameters
    own = {key: (one.annotation, one.default) for key, one in takes.items() if key not in _GIVEN}
    changes = entries(overrides(parameter, "flow", flow_dir))
    source = changes.pop("source")
    values = dict(checked(create_model(name, __config__=ConfigDict(extra="forbid"), **own), changes))
    if "name" in takes:
        values["name"] = name
    if "clips" in takes:
        values["clips"] = open_clips(source)
    said = ["--flow-dir", "PATH"] if flow_dir else []
    said += [part for change in parameter or [] for part in ("-p", change)]
    folder = make(command=shlex.join(["ethnicmer", "record", name, *said]), **values)
    typer.echo(f"recorded: {folder}")
