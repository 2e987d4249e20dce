"""The runs in this workspace: what each holds, how two differ, and their removal."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats.scoring import macro_f1
from ethnicmer_lib.store import old_notes as run_notes
from ethnicmer_lib.store.old_notes import Notes
from ethnicmer_lib.store.old_runs import workspace

_NEEDED = {"clip_id", "subject", "label", "predicted"}  # what makes a table one of predictions
_PARTS = ("arm", "variant", "scenario")  # the first of these that a table has tells its parts apart
_REPEATS = ("seed", "draw")
_FEWEST = 4  # characters of a shortened name


@dataclass(frozen=True)
class Listed:
    """One run of the workspace.

    Attributes
    ----------
    name : of its folder, ``<step>-<key>``.
    step : what it computes, such as 'benchmark'.
    content : what its key was made of, flat: parameters by their names, 'cohort' and 'code'; empty when its
        ``run.json`` is missing or broken.
    notes : source and planned folds, where it says so.
    folds : title of tables -> (finished, planned) folds.
    changed : when a file of it was last written, UTC.
    size : bytes.
    path : its folder.
    """

    name: str
    step: str
    content: Mapping[str, Any]
    notes: Notes
    folds: Mapping[str, tuple[int, int]]
    changed: datetime
    size: int
    path: Path = field(repr=False)


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    Attributes
    ----------
    parameters : what differs of what their keys were made of: name, a, b; '' where a run lacks it.
    predictions : one row per part (variant, arm or scenario) of either run: part, rows_a, rows_b, identical
        (every row and every probability), f1_a, f1_b (macro F1 of the pooled clips, mean over seeds or draws;
        NaN where a run lacks the part).
    """

    parameters: pd.DataFrame
    predictions: pd.DataFrame


def every(step: str | None = None) -> list[Listed]:
    """The runs of the workspace, or those of one step, by name."""
    folder = workspace() / "runs"
    paths = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    found = [_listed(path) for path in paths]
    return [run for run in found if step is None or run.step == step]


def find(name: str, among: Sequence[Listed] | None = None) -> Listed:
    """The run with that name or key, or the only one whose name or key begins so.

    Raises
    ------
    StudyError
        When there is none, or there are several.
    """
    known = every() if among is None else among
    exact = [run for run in known if name in (run.name, _key(run))]
    close = [run for run in known if run.name.startswith(name) or _key(run).startswith(name)]
    found = exact or (close if len(name) >= _FEWEST else [])
    if not found:
        raise StudyError(f"no run {name!r} in {workspace() / 'runs'}; `ethnicmer runs list` shows the names")
    if len(found) > 1:
        raise StudyError(
            f"run {name!r} could be {', '.join(run.name for run in found[:5])}; write more of it"
        )
    return found[0]


def sources(runs: Iterable[Listed]) -> dict[str, str]:
    """Name of a run -> source of its clips: what it says, or what another run of the same cohort says."""
    runs = list(runs)
    said = {
        run.content.get("cohort"): run.notes.source + (" (SIMULATED)" if run.notes.simulated else "")
        for run in runs
        if run.notes.source
    }
    return {run.name: said.get(cohort := run.content.get("cohort"), f"cohort {cohort}") for run in runs}


def differing(runs: Iterable[Listed]) -> dict[str, dict[str, Any]]:
    """Name of a run -> those of its parameters whose values are not the same in all runs of its step."""
    by_step = defaultdict(list)
    for run in runs:
        by_step[run.step].append(run)
    out = {}
    for same in by_step.values():
        names = dict.fromkeys(name for run in same for name in run.content if name != "cohort")
        told = [name for name in names if len({_text(run.content.get(name)) for run in same}) > 1]
        out |= {run.name: {name: run.content[name] for name in told if name in run.content} for run in same}
    return out


def compare(first: str, second: str) -> Comparison:
    """Two runs by their names, see :func:`find`: which parameters differ, and whether the predictions do."""
    known = every()
    a, b = find(first, known), find(second, known)
    names = [
        name
        for name in dict.fromkeys((*a.content, *b.content))
        if _text(a.content.get(name)) != _text(b.content.get(name))
    ]
    rows = [{"name": name, "a": a.content.get(name, ""), "b": b.content.get(name, "")} for name in names]
    tables = [_predictions(run) for run in (a, b)]
    found = [
        _compared(part, *(table.get(part) for table in tables))
        for part in dict.fromkeys((*tables[0], *tables[1]))
    ]
    columns = ["part", "rows_a", "rows_b", "identical", "f1_a", "f1_b"]
    return Comparison(pd.DataFrame(rows, columns=["name", "a", "b"]), pd.DataFrame(found, columns=columns))


def remove(runs: Iterable[Listed]) -> None:
    """Delete the folders of some runs; what they hold is computed again when it is needed."""
    for run in runs:
        shutil.rmtree(run.path)


def _listed(path: Path) -> Listed:
    try:
        made = json.loads((path / "run.json").read_text())
        content = _flat(made["parameters"]) | {"cohort": made["cohort"], "code": made["code"]}
        step = made["step"]
    except (OSError, ValueError, KeyError):
        content, step = {}, path.name.rpartition("-")[0]
    try:
        notes = run_notes.read(path)
    except (OSError, ValueError, TypeError):
        notes = Notes()
    files = [(file.name, file.stat()) for file in path.rglob("*") if file.is_file()]
    tables = [name for name, _ in files if name.endswith(".parquet") and not name.startswith(".")]
    return Listed(
        name=path.name,
        step=step,
        content=content,
        notes=notes,
        folds={
            title: (sum(name.startswith(f"{title}-fold") for name in tables), planned)
            for title, planned in notes.planned.items()
        },
        changed=datetime.fromtimestamp(max([stat.st_mtime for _, stat in files], default=0), UTC),
        size=sum(stat.st_size for _, stat in files),
        path=path,
    )


def _key(run: Listed) -> str:
    return run.name.rpartition("-")[2]


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {before + name: value}
    return flat


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _predictions(run: Listed) -> dict[str, pd.DataFrame]:
    """Part -> its predictions; of tables that are put together from folds, the folds."""
    paths = sorted(path for path in run.path.glob("*.parquet") if not path.name.startswith("."))
    folds = [path for path in paths if "fold" in path.stem]
    parts = defaultdict(list)
    for path in folds or paths:
        try:
            table = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise StudyError(
                f"{path} cannot be read ({error}); run its command again to repair it"
            ) from error
        if set(table) >= _NEEDED:
            column = next((name for name in _PARTS if name in table), None)
            for part, rows in table.groupby(column) if column else [(run.step, table)]:
                parts[str(part)].append(rows)
    return {part: pd.concat(tables, ignore_index=True) for part, tables in parts.items()}


def _compared(part: str, a: pd.DataFrame | None, b: pd.DataFrame | None) -> dict[str, Any]:
    labels = sorted({value for table in (a, b) if table is not None for value in table["label"].unique()})
    both = a is not None and b is not None
    return {
        "part": part,
        "rows_a": 0 if a is None else len(a),
        "rows_b": 0 if b is None else len(b),
        "identical": both and _ordered(a).equals(_ordered(b)),
        "f1_a": _score(a, labels),
        "f1_b": _score(b, labels),
    }


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    keys = [name for name in (*_PARTS, *_REPEATS, "fold", "clip_id") if name in table]
    return table[sorted(table)].sort_values(keys, ignore_index=True)


def _score(table: pd.DataFrame | None, labels: Sequence[str]) -> float:
    if table is None:
        return float("nan")
    repeats = [name for name in _REPEATS if name in table]
    parts = [part for _, part in table.groupby(repeats)] if repeats else [table]
    return sum(macro_f1(part, labels) for part in parts) / len(parts)
