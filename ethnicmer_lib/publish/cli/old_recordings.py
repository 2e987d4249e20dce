"""Commands that record long runs in results/: record, table-iv, evidence, calibrate, motion-evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ethnicmer_lib.publish.cli.options import Engine


def evidence(
    flow_dir: Annotated[Path, typer.Option(help="Folder of the published flow features.")],
    part: Annotated[
        list[str] | None, typer.Option(help="'traces' or 'realism'; repeatable; default both.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes; default one per core.")] = None,
) -> None:
    """Record in results/simulator how real the simulated motion is, and whether anything tells the groups apart."""
    from ethnicmer_lib.evidence import simulator as simulator_evidence

    typer.echo(f"recorded: {simulator_evidence.save(flow_dir, part or simulator_evidence.PARTS, jobs=jobs)}")


def size_evidence(
    flow_dir: Annotated[Path, typer.Option(help="Folder of the published flow features.")],
    size: Annotated[
        list[int] | None, typer.Option(help="Side in px; repeatable; default 28, 56, 112 and 224.")
    ] = None,
    folds: Annotated[int, typer.Option(help="Folds of whole subjects.")] = 10,
    seeds: Annotated[int, typer.Option(help="Repetitions with other seeds.")] = 1,
    epochs: Annotated[int, typer.Option(help="Training epochs.")] = 15,
    engine: Engine = None,
) -> None:
    """Record in results/image_size what plain ResNet-18 recognises at every image size, and what it costs."""
    from ethnicmer_lib.evidence import image_size as size_evidence
    from ethnicmer_lib.networks import where
    from ethnicmer_lib.publish.old_parameters import Benchmark

    where.use(engine)
    sizes = tuple(size or size_evidence.SIZES)
    values = {"data": "flow", "flow_dir": flow_dir, "folds": folds, "n_seeds": seeds, "epochs": epochs}
    found = size_evidence.compute(Benchmark.check(values), sizes, progress=True)
    shown = "".join(f" --size {one}" for one in sizes)
    options = f"--folds {folds} --seeds {seeds} --epochs {epochs}"
    where = size_evidence.save(found, f"{size_evidence.COMMAND}{shown} {options}")
    for row in found.table().itertuples():
        typer.echo(f"{row.size:4} px  macro F1 {row.f1}  {row.minutes:7.1f} minutes on one core")
    typer.echo(f"recorded: {where}")
