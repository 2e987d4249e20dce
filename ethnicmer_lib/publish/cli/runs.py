"""The runs that are kept: runs list, runs compare."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats import MACRO, scores
from ethnicmer_lib.store import Run, identity, workspace

WIDTH = 32  #: characters of an input that are shown
app = typer.Typer(no_args_is_help=True, help="List and compare the runs that are kept.")


@app.command("list")
def list_runs() -> None:
    """List the runs of each step: source, folds finished of those planned, age, size, inputs that tell them apart."""
    found = every()
    if found.empty:
        typer.echo(f"no run in {workspace() / 'runs'}")
        return
    for _, same in found.groupby("step"):
        shown = same[["source", "folds", "age", "MB"]].join(_differing(same))
        typer.echo(shown.to_string(index_names=False))


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="Name or key of a run, or a part of it.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
) -> None:
    """Compare two runs: the inputs that differ, whether predictions are identical, and macro F1 of both."""
    known = every()
    both = known.loc[[_find(name, known) for name in (a, b)]]
    told = _differing(both).set_axis(["a", "b"]).T
    typer.echo("inputs and code are the same" if told.empty else told.to_string())
    runs = zip("ab", both["run"], strict=True)
    if tables := [table.assign(run=name) for name, run in runs for table in _predictions(run)]:
        found = pd.concat(tables)
        parts = found.sort_values(sorted(found)).groupby(["arm", "run"])
        shown = parts.apply(lambda rows: scores(rows, None)[MACRO].iloc[0]).unstack().add_prefix("macro F1 ")
        content = parts.apply(lambda rows: str(identity(rows.reset_index(drop=True)))).unstack()
        content = content.reindex(columns=["a", "b"])
        typer.echo(shown.assign(identical=content["a"] == content["b"]).round(4).to_string())


def every() -> pd.DataFrame:
    """The runs of the workspace by their names ``<step>-<key>``.

    Columns step, run, source (of the clips, as far as a run says so), folds (finished of planned ones), age, MB; and
    what the keys were made of, as ``inputs.recipe.epochs`` and ``code.networks``.
    """
    found = [_described(path) for path in sorted((workspace() / "runs").glob("*-*"))]
    return pd.json_normalize(found).set_index("name") if found else pd.DataFrame()


def _described(path: Path) -> dict[str, Any]:
    run = Run(path)
    # A kill may have come before the note.
    about = {"source": "", "simulated": False, "planned": {}} | run.about()
    files = [file.stat() for file in (path, *path.rglob("*"))]
    folds, planned = len(list(path.glob("[!.]*-fold*.parquet"))), sum(about["planned"].values())
    return {
        "name": path.name,
        "step": path.name.rpartition("-")[0],
        "run": run,
        "source": about["source"] + " (SIMULATED)" * about["simulated"],
        "folds": f"{folds}/{planned}" if planned else "",
        "age": pd.Timedelta(time.time() - max(file.st_mtime for file in files), "s").floor("s"),
        "MB": sum(file.st_size for file in files) / 1e6,
        "inputs": about.get("inputs"),
        "code": about.get("code"),
    }


def _find(name: str, runs: pd.DataFrame) -> str:
    """The one run whose name holds ``name``; StudyError when there is none, or several."""
    found = [one for one in runs.index if name in one]
    if len(found) != 1:
        raise StudyError(f"{len(found)} runs are called {name!r}; `ethnicmer runs list` shows the names")
    return found[0]


def _differing(runs: pd.DataFrame) -> pd.DataFrame:
    """Those inputs and codes, as short texts, that are not the same in all of some runs; '' where a run has none."""
    texts = runs.filter(regex=r"^(inputs|code)\.").astype(object).fillna("").map(str)
    return texts.loc[:, (texts != texts.iloc[0]).any()].map(lambda text: text[:WIDTH])


def _predictions(run: Run) -> Iterator[pd.DataFrame]:
    """The tables of predictions in a run; where they name no arm it is what the table's name begins with."""
    for name in (file.stem for file in run.path.glob("[!.]*.parquet")):
        table = run.read(name)
        if table is not None and {"subject", "label", "predicted"} <= set(table):
            yield table.assign(arm=table.get("arm", name.partition("-fold")[0]))
