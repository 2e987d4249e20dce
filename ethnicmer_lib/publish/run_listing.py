"""The runs in this workspace: what each holds, how two differ, and their removal."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats import macro_f1
from ethnicmer_lib.store import Run, workspace

_NEEDED = {"clip_id", "subject", "label", "predicted"}  # what makes a table one of predictions
_REPEATS = ("seed", "draw")
_NUMBERED = re.compile(r"-?(fold|draw)\d+$")
_FEWEST = 4  # characters of a shortened name


@dataclass(frozen=True)
class Listed:
    """One run of the workspace.

    Attributes
    ----------
    run : step, key and folder, ``<step>-<key>``.
    content : what its key was made of, flat, by name; empty when its ``run.json`` is missing or broken.
    source : where its clips come from, as far as it says so.
    folds : title of tables -> (finished, planned) folds.
    changed : when a file of it was last written, UTC.
    size : bytes.
    """

    run: Run
    content: Mapping[str, Any]
    source: str
    folds: Mapping[str, tuple[int, int]]
    changed: datetime
    size: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.run.path.name


def every(step: str | None = None) -> list[Listed]:
    """The runs of the workspace, or those of one step, by name."""
    folder = workspace() / "runs"
    paths = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return [found for path in paths if step in (None, (found := _listed(path)).run.step)]


def find(name: str, among: Sequence[Listed]) -> Listed:
    """The run with that name or key, or the only one whose name or key begins so.

    Raises
    ------
    StudyError
        When there is none, or there are several.
    """
    exact = [one for one in among if name in (one.name, one.run.key)]
    close = [one for one in among if one.name.startswith(name) or one.run.key.startswith(name)]
    found = exact or (close if len(name) >= _FEWEST else [])
    if not found:
        raise StudyError(f"no run {name!r} in {workspace() / 'runs'}; `ethnicmer runs list` shows the names")
    if len(found) > 1:
        raise StudyError(
            f"run {name!r} could be {', '.join(one.name for one in found[:5])}; write more of it"
        )
    return found[0]


def differing(runs: Iterable[Listed]) -> dict[str, dict[str, Any]]:
    """Name of a run -> those of its inputs whose values are not the same in all runs of its step."""
    by_step = defaultdict(list)
    for one in runs:
        by_step[one.run.step].append(one)
    out = {}
    for same in by_step.values():
        told = [name for name in _names(same) if len({_text(one.content.get(name)) for one in same}) > 1]
        out |= {one.name: {name: one.content[name] for name in told if name in one.content} for one in same}
    return out


def compare(first: str, second: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two runs by their names, see :func:`find`.

    Returns
    -------
    inputs : what differs of what their keys were made of: name, a, b; '' where a run lacks it.
    predictions : one row per arm or other part of either run: part, rows_a, rows_b, identical (every row and every
        probability), f1_a, f1_b (macro F1 of all clips, mean over seeds or draws; NaN where a run lacks the part).
    """
    known = every()
    both = [find(first, known), find(second, known)]
    rows = []
    for name in _names(both):
        a, b = (one.content.get(name, "") for one in both)
        if _text(a) != _text(b):
            rows.append({"name": name, "a": a, "b": b})
    tables = [_predictions(one.run.path) for one in both]
    parts = [
        _compared(part, *(table.get(part) for table in tables))
        for part in dict.fromkeys([*tables[0], *tables[1]])
    ]
    columns = ["part", "rows_a", "rows_b", "identical", "f1_a", "f1_b"]
    return pd.DataFrame(rows, columns=["name", "a", "b"]), pd.DataFrame(parts, columns=columns)


def _listed(path: Path) -> Listed:
    step, _, key = path.name.rpartition("-")
    run = Run(step, key, path)
    content: dict[str, Any] = {}
    about: dict[str, Any] = {"source": "", "simulated": False, "planned": {}}
    try:  # a kill may have left half a folder, another version another content
        made = json.loads((path / "run.json").read_text())
        content = _flat(made["inputs"]) | _flat(made["code"], "code.")
        about = run.about()
    except (OSError, ValueError, KeyError, TypeError):
        pass
    files = [(file.name, file.stat()) for file in path.rglob("*") if file.is_file()]
    done = [name for name, _ in files if name.endswith(".parquet") and not name.startswith(".")]
    return Listed(
        run=run,
        content=content,
        source=about["source"] + " (SIMULATED)" * about["simulated"],
        folds={
            title: (sum(name.startswith(f"{title}-fold") for name in done), planned)
            for title, planned in about["planned"].items()
        },
        changed=datetime.fromtimestamp(max([stat.st_mtime for _, stat in files], default=0), UTC),
        size=sum(stat.st_size for _, stat in files),
    )


def _names(runs: Iterable[Listed]) -> list[str]:
    return list(dict.fromkeys(name for one in runs for name in one.content))


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {before + name: value}
    return flat


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _predictions(folder: Path) -> dict[str, pd.DataFrame]:
    """Arm, or what a table's name begins with, -> predictions."""
    parts = defaultdict(list)
    for path in sorted(path for path in folder.glob("*.parquet") if not path.name.startswith(".")):
        try:
            table = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise StudyError(
                f"{path} cannot be read ({error}); run its command again to repair it"
            ) from error
        if set(table) >= _NEEDED:
            title = _NUMBERED.sub("", path.stem) or "predictions"
            for part, rows in table.groupby("arm") if "arm" in table else [(title, table)]:
                parts[str(part)].append(rows)
    return {part: pd.concat(tables, ignore_index=True) for part, tables in parts.items()}


def _compared(part: str, a: pd.DataFrame | None, b: pd.DataFrame | None) -> dict[str, Any]:
    given = {"a": a, "b": b}
    labels = sorted(set().union(*(table["label"] for table in given.values() if table is not None)))
    return {
        "part": part,
        **{f"rows_{name}": 0 if table is None else len(table) for name, table in given.items()},
        "identical": a is not None and b is not None and _ordered(a).equals(_ordered(b)),
        **{f"f1_{name}": _score(table, labels) for name, table in given.items()},
    }


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    keys = [name for name in ("arm", *_REPEATS, "fold", "way", "clip_id") if name in table]
    return table[sorted(table)].sort_values(keys, ignore_index=True)


def _score(table: pd.DataFrame | None, labels: Sequence[str]) -> float:
    if table is None:
        return float("nan")
    repeats = [name for name in _REPEATS if name in table]
    parts = [part for _, part in table.groupby(repeats)] if repeats else [table]
    return sum(macro_f1(part, labels) for part in parts) / len(parts)
