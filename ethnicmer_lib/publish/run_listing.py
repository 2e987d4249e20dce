"""The runs in this workspace: what each holds, and how two differ."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats import MACRO, scores
from ethnicmer_lib.store import Run, workspace

_NEEDED = {"clip_id", "subject", "label", "predicted"}  # what makes a table one of predictions
_NUMBERED = re.compile(r"-?(fold|draw)\d+$")
_FEWEST = 4  # characters of a shortened name


def every(step: str | None = None) -> pd.DataFrame:
    """The runs of the workspace, or those of one step, by their names ``<step>-<key>``.

    Returns
    -------
    Columns step, key, path, source (of the clips, as far as a run says so), folds (finished of planned ones), changed
    (UTC), bytes; and what the keys were made of, as ``inputs.recipe.epochs`` and ``code.networks``.
    """
    folder = workspace() / "runs"
    paths = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    found = pd.json_normalize([_described(path) for path in paths])
    found.index = [path.name for path in paths]
    return found[found["step"] == step] if step and len(found) else found


def find(name: str, runs: pd.DataFrame) -> str:
    """The name of the run with that name or key, or of the only one whose name or key begins so.

    Raises
    ------
    StudyError
        When there is none, or there are several.
    """
    known = {one: one.rpartition("-")[2] for one in runs.index}
    exact = [one for one, key in known.items() if name in (one, key)]
    close = [one for one, key in known.items() if one.startswith(name) or key.startswith(name)]
    found = exact or (close if len(name) >= _FEWEST else [])
    if not found:
        raise StudyError(f"no run {name!r} in {workspace() / 'runs'}; `ethnicmer runs list` shows the names")
    if len(found) > 1:
        raise StudyError(f"run {name!r} could be {', '.join(found[:5])}; write more of it")
    return found[0]


def differing(runs: pd.DataFrame) -> pd.DataFrame:
    """Those inputs and codes, as texts, that are not the same in all of some runs; '' where a run has none."""
    content = runs.filter(regex=r"^(inputs|code)\.").astype(object)
    texts = (
        content.where(content.notna(), "").map(str).rename(columns=lambda name: name.removeprefix("inputs."))
    )
    return texts.loc[:, (texts != texts.iloc[0]).any()]


def compare(a: str, b: str) -> pd.DataFrame:
    """The predictions of two runs, by their names, side by side.

    Returns
    -------
    One row per arm or other part of either: part, rows_a, rows_b, identical (every row and every probability), f1_a,
    f1_b (macro F1 of all clips, mean over seeds; NaN where a run lacks the part).
    """
    tables = [_predictions(workspace() / "runs" / name) for name in (a, b)]
    found = []
    for part in dict.fromkeys([*tables[0], *tables[1]]):
        row: dict[str, Any] = {"part": part}
        both = [table.get(part, pd.DataFrame()) for table in tables]
        labels = sorted(set().union(*(table["label"] for table in both if len(table))))
        for name, table in zip("ab", both, strict=True):
            row[f"rows_{name}"] = len(table)
            row[f"f1_{name}"] = (
                scores(table, None, labels=labels)[MACRO].iloc[0] if len(table) else float("nan")
            )
        found.append(row | {"identical": both[0].equals(both[1])})
    return pd.DataFrame(found, columns=["part", "rows_a", "rows_b", "identical", "f1_a", "f1_b"])


def _described(path: Path) -> dict[str, Any]:
    step, _, key = path.name.rpartition("-")
    content, about = {}, {"source": "", "simulated": False, "planned": {}}
    try:  # a kill may have left half a folder
        made = json.loads((path / "run.json").read_text())
        content = {"inputs": made["inputs"], "code": made["code"]}
        about = Run(step, key, path).about()
    except (OSError, ValueError, KeyError):
        pass
    files = {file.name: file.stat() for file in path.rglob("*") if file.is_file()}
    done = [name for name in files if name.endswith(".parquet") and not name.startswith(".")]
    folds = [
        f"{title} {sum(name.startswith(f'{title}-fold') for name in done)}/{planned}"
        for title, planned in about["planned"].items()
    ]
    return {
        "step": step,
        "key": key,
        "path": path,
        "source": about["source"] + " (SIMULATED)" * about["simulated"],
        "folds": ", ".join(folds),
        "changed": datetime.fromtimestamp(max([stat.st_mtime for stat in files.values()], default=0), UTC),
        "bytes": sum(stat.st_size for stat in files.values()),
        **content,
    }


def _predictions(folder: Path) -> dict[str, pd.DataFrame]:
    """Arm, or what a table's name begins with, -> predictions, in one order."""
    found = []
    for path in sorted(path for path in folder.glob("*.parquet") if not path.name.startswith(".")):
        try:
            table = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise StudyError(
                f"{path} cannot be read ({error}); run its command again to repair it"
            ) from error
        if set(table) >= _NEEDED:
            title = _NUMBERED.sub("", path.stem) or "predictions"
            found.append(table if "arm" in table else table.assign(arm=title))
    if not found:
        return {}
    table = pd.concat(found, ignore_index=True)
    order = [name for name in ("seed", "draw", "fold", "way", "clip_id") if name in table]
    return {
        str(arm): rows[sorted(rows)].sort_values(order, ignore_index=True)
        for arm, rows in table.groupby("arm")
    }
