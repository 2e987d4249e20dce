"""Commands about the runs that are kept: runs list, runs compare, runs remove."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import Annotated

import typer

from ethnicmer_lib.publish.cli.options import columns

app = typer.Typer(no_args_is_help=True, help="List, compare and remove the runs that are kept.")

_LONGEST = 32  # characters of a value that are shown


@app.command("list")
def list_runs(
    step: Annotated[str | None, typer.Option(help="Only runs of this step, for example networks.")] = None,
) -> None:
    """List runs: name, source, folds finished of those planned, age, size, and the inputs that tell them apart."""
    from ethnicmer_lib.publish import run_listing
    from ethnicmer_lib.store import workspace

    found = run_listing.every(step)
    if found.empty:
        typer.echo(f"no run{f' of {step}' if step else ''} in {workspace() / 'runs'}")
        return
    rows = [("run", "source", "folds", "age", "size", "differs in")]
    for _, same in found.groupby("step"):
        told = run_listing.differing(same)
        for name, run in same.iterrows():
            values = " ".join(f"{key}={_short(value)}" for key, value in told.loc[name].items() if value)
            rows.append(
                (name, run["source"], run["folds"], _age(run["changed"]), _size(run["bytes"]), values)
            )
    columns(rows)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="Name or key of a run, or the beginning of it.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
) -> None:
    """Compare two runs: the inputs that differ, whether predictions are identical, and macro F1 of both."""
    from ethnicmer_lib.publish import run_listing

    known = run_listing.every()
    names = [run_listing.find(name, known) for name in (a, b)]
    told = run_listing.differing(known.loc[names])
    if told.empty:
        typer.echo("inputs and code are the same")
    else:
        columns([("input", "a", "b"), *((key, *map(_short, told[key])) for key in told)])
    predictions = run_listing.compare(*names)
    if predictions.empty:
        typer.echo("neither run holds predictions")
        return
    rows = [("predictions", "rows a", "rows b", "identical", "macro F1 a", "macro F1 b")]
    for row in predictions.itertuples(index=False):
        found = ["" if value != value else f"{value:.4f}" for value in (row.f1_a, row.f1_b)]
        rows.append((row.part, str(row.rows_a), str(row.rows_b), "yes" if row.identical else "no", *found))
    columns(rows)


@app.command()
def remove(
    names: Annotated[list[str], typer.Argument(help="Names or keys of runs, or the beginnings of them.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove runs; what they hold is computed again when it is needed."""
    from ethnicmer_lib.publish import run_listing

    known = run_listing.every()
    found = known.loc[list(dict.fromkeys(run_listing.find(name, known) for name in names))]
    for name, size in found["bytes"].items():
        typer.echo(f"{name}  {_size(size)}")
    if yes or typer.confirm(f"remove {len(found)} run{'s' * (len(found) > 1)}?", abort=True):
        for path in found["path"]:
            shutil.rmtree(path)
        typer.echo("removed")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _age(moment: datetime) -> str:
    seconds = (datetime.now(UTC) - moment).total_seconds()
    units = (("d", 86400), ("h", 3600), ("min", 60))
    return next((f"{seconds / unit:.0f} {name}" for name, unit in units if seconds >= unit), "now")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"
