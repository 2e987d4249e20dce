"""The runs that are kept: runs list, runs compare, runs remove."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.cli.options import columns
from ethnicmer_lib.stats import MACRO, scores
from ethnicmer_lib.store import Run, workspace

app = typer.Typer(no_args_is_help=True, help="List, compare and remove the runs that are kept.")


@app.command("list")
def list_runs() -> None:
    """List runs: name, source, folds finished of those planned, age, size, and the inputs that tell them apart."""
    found = every()
    if found.empty:
        typer.echo(f"no run in {workspace() / 'runs'}")
        return
    rows = [("run", "source", "folds", "age", "size", "differs in")]
    for _, same in found.groupby("step"):
        told = _differing(same)
        for name, run in same.iterrows():
            values = " ".join(f"{key}={_short(value)}" for key, value in told.loc[name].items() if value)
            age, size = _age(run["changed"]), _size(run["bytes"])
            rows.append((name, run["source"], run["folds"], age, size, values))
    columns(rows)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="Name or key of a run, or the beginning of it.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
) -> None:
    """Compare two runs: the inputs that differ, whether predictions are identical, and macro F1 of both."""
    known = every()
    names = [_find(name, known) for name in (a, b)]
    told = _differing(known.loc[names])
    if told.empty:
        typer.echo("inputs and code are the same")
    else:
        columns([("input", "a", "b"), *((key, *map(_short, told[key])) for key in told)])
    first, second = (_predictions(known.loc[name]) for name in names)
    rows = [("predictions", "rows a", "rows b", "identical", "macro F1 a", "macro F1 b")]
    for part in dict.fromkeys([*first, *second]):
        both = [table.get(part, pd.DataFrame()) for table in (first, second)]
        labels = sorted({label for table in both if len(table) for label in table["label"]})
        f1 = [_macro_f1(table, labels) for table in both]
        sizes = [str(len(table)) for table in both]
        rows.append((part, *sizes, "yes" if both[0].equals(both[1]) else "no", *f1))
    if len(rows) == 1:
        typer.echo("neither run holds predictions")
    else:
        columns(rows)


@app.command()
def remove(
    names: Annotated[list[str], typer.Argument(help="Names or keys of runs, or the beginnings of them.")],
) -> None:
    """Remove runs; what they hold is computed again when it is needed."""
    known = every()
    found = known.loc[list(dict.fromkeys(_find(name, known) for name in names))]
    for name, size in found["bytes"].items():
        typer.echo(f"{name}  {_size(size)}")
    if typer.confirm(f"remove {len(found)} run{'s' * (len(found) > 1)}?", abort=True):
        for path in found["path"]:
            shutil.rmtree(path)
        typer.echo("removed")


def every() -> pd.DataFrame:
    """The runs of the workspace by their names ``<step>-<key>``.

    Columns step, key, path, source (of the clips, as far as a run says so), folds (finished of planned ones), changed
    (UTC), bytes; and what the keys were made of, as ``inputs.recipe.epochs`` and ``code.networks``.
    """
    found = pd.json_normalize(
        [_described(path) for path in sorted((workspace() / "runs").glob("*")) if path.is_dir()]
    )
    return found.set_index(found["path"].map(lambda path: path.name)) if len(found) else found


def _described(path: Path) -> dict[str, Any]:
    step, _, key = path.name.rpartition("-")
    content: dict[str, Any] = {}
    about = {"source": "", "simulated": False, "planned": {}}
    try:  # a kill may have left half a folder
        made = json.loads((path / "run.json").read_text())
        content = {"inputs": made["inputs"], "code": made["code"]}
        about = Run(step, key, path).about()
    except (OSError, ValueError, KeyError):
        pass
    files = [file.stat() for file in path.rglob("*") if file.is_file()]
    folds = [
        f"{title} {len(list(path.glob(f'{title}-fold*.parquet')))}/{planned}"
        for title, planned in about["planned"].items()
    ]
    return {
        "step": step,
        "key": key,
        "path": path,
        "source": about["source"] + " (SIMULATED)" * about["simulated"],
        "folds": ", ".join(folds),
        "changed": datetime.fromtimestamp(max((file.st_mtime for file in files), default=0), UTC),
        "bytes": sum(file.st_size for file in files),
        **content,
    }


def _find(name: str, runs: pd.DataFrame) -> str:
    """The one run whose name or key begins with ``name``; StudyError when there is none, or several."""
    found = [one for one in runs.index if one.startswith(name) or one.rpartition("-")[2].startswith(name)]
    if not found:
        raise StudyError(f"no run {name!r} in {workspace() / 'runs'}; `ethnicmer runs list` shows the names")
    if len(found) > 1:
        raise StudyError(f"run {name!r} could be {', '.join(found[:5])}; write more of it")
    return found[0]


def _differing(runs: pd.DataFrame) -> pd.DataFrame:
    """Those inputs and codes, as texts, that are not the same in all of some runs; '' where a run has none."""
    content = runs.filter(regex=r"^(inputs|code)\.").astype(object)
    texts = content.where(content.notna(), "").map(str)
    texts.columns = texts.columns.str.removeprefix("inputs.")
    return texts.loc[:, (texts != texts.iloc[0]).any()]


def _predictions(run: pd.Series) -> dict[str, pd.DataFrame]:
    """Arm, or what a table's name begins with, -> the run's predictions in one order."""
    found = []
    for path in sorted(run["path"].glob("[!.]*.parquet")):
        table = Run(run["step"], run["key"], run["path"]).read(path.stem)
        if table is not None and {"clip_id", "subject", "label", "predicted"} <= set(table):
            part = re.sub(r"-?(fold|draw)\d+$", "", path.stem) or "predictions"
            found.append(table if "arm" in table else table.assign(arm=part))
    if not found:
        return {}
    table = pd.concat(found, ignore_index=True)
    table = table[sorted(table)].sort_values(sorted(table), ignore_index=True)
    return {str(arm): rows.reset_index(drop=True) for arm, rows in table.groupby("arm")}


def _macro_f1(predictions: pd.DataFrame, labels: list[str]) -> str:
    return f"{scores(predictions, None, labels=labels)[MACRO].iloc[0]:.4f}" if len(predictions) else ""


def _short(text: str) -> str:
    return text if len(text) <= 32 else text[:31] + "…"


def _age(moment: datetime) -> str:
    seconds = (datetime.now(UTC) - moment).total_seconds()
    units = (("d", 86400), ("h", 3600), ("min", 60))
    return next((f"{seconds / unit:.0f} {name}" for name, unit in units if seconds >= unit), "now")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"
