"""Commands that record long runs in results/: record, table-iv, evidence, calibrate, motion-evidence."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ethnicmer_lib.publish.cli.options import Engine


def table_iv(
    flow_dir: Annotated[Path, typer.Option(help="Folder of the published flow features.")],
    draws: Annotated[int, typer.Option(help="Draws of subjects.")] = 200,
    forest_draws: Annotated[int, typer.Option(help="Draws for the forest that the paper describes.")] = 200,
    control_draws: Annotated[int, typer.Option(help="Draws for every other forest; they are slow.")] = 20,
    permutations: Annotated[int, typer.Option(help="Permutations of the groups per test.")] = 199,
    image_size: Annotated[int, typer.Option(help="Side of the image given to ResNet-18, in px.")] = 56,
) -> None:
    """Record in results/table_iv what Table IV becomes under every control and switch, on the real features."""
    from ethnicmer_lib.design import table_iv
    from ethnicmer_lib.publish.old_parameters import PrimaFacie

    values = {"data": "flow", "flow_dir": flow_dir, "n_draws": draws, "image_size": image_size}
    command = (
        f"ethnicmer table-iv --flow-dir FOLDER --draws {draws} --forest-draws {forest_draws} "
        f"--control-draws {control_draws} --permutations {permutations} --image-size {image_size}"
    )
    p = PrimaFacie.check(values)
    typer.echo(f"recorded: {table_iv.save(p, permutations, forest_draws, control_draws, command)}")


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


def calibrate(
    tables: Annotated[int, typer.Option(help="Simulated tables for each choice of subjects.")] = 1000,
    resamples: Annotated[int, typer.Option(help="Resamples or permutations for each.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the tables.")] = 0,
    record: Annotated[bool, typer.Option("--record", help="Keep the outcome in results/statistics.")] = False,
) -> None:
    """Print how often intervals hold the truth and tests reject it, on simulated tables of the real subjects."""
    from ethnicmer_lib.evidence import calibration, calibration_record

    started = time.perf_counter()
    rows = calibration_record.measure(tables, resamples, seed)
    for line in calibration.lines(calibration_record.summarise(rows)):
        typer.echo(line)
    typer.echo(f"{tables} tables, {resamples} resamples: {time.perf_counter() - started:.0f} s")
    if record:
        command = f"ethnicmer calibrate --tables {tables} --resamples {resamples} --seed {seed} --record"
        typer.echo(f"recorded: {calibration_record.save(rows, resamples, seed, command)}")


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
