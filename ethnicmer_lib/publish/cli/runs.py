"""The runs that are kept: runs list, runs compare."""

from __future__ import annotations

import time
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
    names: Annotated[list[str], typer.Argument(help="Names or keys of runs or reruns, or parts of them.")],
) -> None:
    """Compare reruns of a chapter on a page, the book's own where one is named alone; or two runs, to the last bit."""
    from ethnicmer_lib.publish import compare as side_by_side

    notebooks = [path for name in names for path in _notebooks(name)]
    if len(notebooks) == len(names):
        notebooks = notebooks if len(names) > 1 else [_of_the_book(notebooks[0]), *notebooks]
        typer.echo(f"page: {side_by_side.page(notebooks)}")
        return
    if len(names) != 2:
        raise StudyError("name two runs, or any number of reruns; `ethnicmer runs list` shows the runs")
    known = every()
    both = known.loc[[_find(name, known) for name in names]]
    told = _differing(both).set_axis(["a", "b"]).T
    typer.echo("inputs and code are the same" if told.empty else told.to_string())
    runs = zip("ab", both["run"], strict=True)
    if tables := [table.assign(run=name) for name, run in runs for table in side_by_side.predictions(run)]:
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


def _notebooks(name: str) -> list[Path]:
    """Kept notebooks whose name holds ``name``."""
    return [path for path in sorted((workspace() / "notebooks").glob("*.ipynb")) if name in path.stem]


def _of_the_book(rerun: Path) -> Path:
    """The notebook of the same chapter with the parameters of the book."""
    from ethnicmer_lib.publish import chapters, execute

    one = chapters.chapter(rerun.stem.rpartition("-")[0])
    p = chapters.resolve(one)
    execute.run(one, p)
    return execute.kept_at(one, p)
