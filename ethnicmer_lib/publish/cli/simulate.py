"""The command that writes a simulated cohort, with one option for each of its settings."""

from __future__ import annotations

import dataclasses
import inspect
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from ethnicmer_lib.simulator.knobs import described
from ethnicmer_lib.simulator.settings import SimulatorSettings


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option for each field of SimulatorSettings, described by that class's docstring."""
    texts = described()
    types = get_type_hints(SimulatorSettings)
    options = []
    for field in dataclasses.fields(SimulatorSettings):
        several = isinstance(field.default, tuple)  # of these the option is repeated
        about = typer.Option(help=texts.get(field.name, "") + " Repeatable." * several)
        kind = list[str] | None if several else types[field.name]
        default = None if several else field.default
        options.append(
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=Annotated[kind, about],
            )
        )
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    command.__signature__ = signature.replace(parameters=own + options)
    return command


@_with_settings
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write; a cohort of the same settings is completed.")],
    frames: Annotated[
        Literal["three", "all"], typer.Option(help="Onset, apex and offset, or every frame of a clip.")
    ] = "three",
    around: Annotated[int, typer.Option(help="Also this many frames before and after onset and apex.")] = 0,
    clip: Annotated[
        list[str] | None,
        typer.Option(help="Only of this clip more than three frames, as 'SAMM/001/001_1_1'; repeatable."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Processes, about 0.4 GB each; default as many as serve, at most 4.")
    ] = None,
    **settings: Any,
) -> None:
    """Write a simulated cohort in the folder layouts of CASME II and SAMM, with its true motion."""
    from ethnicmer_lib.simulator.write import write_cohort

    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in settings.items()
        if value is not None
    }
    chosen = SimulatorSettings(**given)
    write_cohort(out, chosen, frames=frames, around=around, clips=clip, jobs=jobs, progress=True)
    count = len(list(out.rglob("*.jpg")))
    folders = [shlex.quote(str(out / name)) for name in ("CASME2", "SAMM")]
    typer.echo(
        f"{out}: a simulated cohort with {count} frames; to build the book on it: "
        f"ethnicmer build --data licensed --casme2 {folders[0]} --samm {folders[1]}"
    )
