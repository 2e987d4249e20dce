"""Commands about the runs that are kept: runs list, runs compare, runs remove."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="List, compare and remove the runs that are kept.")

_LONGEST = 32  # characters of a parameter's value that are shown
_UNITS = (("d", 86400), ("h", 3600), ("min", 60))


@app.command("list")
def list_runs(
    step: Annotated[str | None, typer.Option(help="Only runs of this step, for example benchmark.")] = None,
) -> None:
    """List runs: name, source, folds finished of those planned, age, size, and the parameters that tell them apart."""
    from ethnicmer_lib.publish import run_listing
    from ethnicmer_lib.store.old_runs import workspace

    found = run_listing.every(step)
    if not found:
        typer.echo(f"no run{f' of {step}' if step else ''} in {workspace() / 'runs'}")
        return
    source, differing = run_listing.sources(found), run_listing.differing(found)
    rows = [("run", "source", "folds", "age", "size", "differs in")]
    for run in found:
        folds = ", ".join(f"{title} {done}/{planned}" for title, (done, planned) in run.folds.items())
        values = " ".join(f"{name}={_short(value)}" for name, value in differing[run.name].items())
        rows.append((run.name, source[run.name], folds, _age(run.changed), _size(run.size), values))
    _print(rows)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="Name or key of a run, or the beginning of it.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
) -> None:
    """Compare two runs: the parameters that differ, whether predictions are identical, and macro F1 of both."""
    from ethnicmer_lib.publish import run_listing

    found = run_listing.compare(a, b)
    if found.parameters.empty:
        typer.echo("parameters, cohort and code are the same")
    else:
        rows = [(row.name, _short(row.a), _short(row.b)) for row in found.parameters.itertuples(index=False)]
        _print([("differs", "a", "b"), *rows])
    typer.echo("")
    if found.predictions.empty:
        typer.echo("neither run holds predictions")
        return
    rows = [("predictions", "rows a", "rows b", "identical", "macro F1 a", "macro F1 b")]
    for row in found.predictions.itertuples(index=False):
        scores = ["" if value != value else f"{value:.4f}" for value in (row.f1_a, row.f1_b)]
        rows.append((row.part, str(row.rows_a), str(row.rows_b), "yes" if row.identical else "no", *scores))
    _print(rows)


@app.command()
def remove(
    names: Annotated[list[str], typer.Argument(help="Names or keys of runs, or the beginnings of them.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove runs; what they hold is computed again when it is needed."""
    from ethnicmer_lib.publish import run_listing

    known = run_listing.every()
    found = {run.name: run for run in (run_listing.find(name, known) for name in names)}
    for run in found.values():
        typer.echo(f"{run.name}  {_size(run.size)}")
    if yes or typer.confirm(f"remove {len(found)} run{'s' * (len(found) > 1)}?", abort=True):
        run_listing.remove(found.values())
        typer.echo("removed")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _age(moment: datetime) -> str:
    seconds = (datetime.now(UTC) - moment).total_seconds()
    return next((f"{seconds / unit:.0f} {name}" for name, unit in _UNITS if seconds >= unit), "now")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"


def _print(rows: Sequence[Sequence[str]]) -> None:
    """Rows of texts as columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        typer.echo(line.rstrip())
