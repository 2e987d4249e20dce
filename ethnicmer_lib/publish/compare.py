"""Reruns of a chapter side by side: what was changed, what each found, how far scores are apart, and the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import nbformat
import pandas as pd
from nbformat import NotebookNode, v4

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.publish.build import render
from ethnicmer_lib.publish.notebooks import least_width, pictures
from ethnicmer_lib.publish.saved import saved
from ethnicmer_lib.show import table
from ethnicmer_lib.stats import Estimate, difference, mean_over_draws
from ethnicmer_lib.store import Run, workspace

AS_IN_BOOK = "as in the book"


def page(notebooks: Sequence[Path]) -> Path:
    """Render kept notebooks of one chapter, the first of them A, beside each other; the page's path.

    StudyError for notebooks of several chapters.
    """
    names = [path.stem.rpartition("-")[0] for path in notebooks]
    if len(set(names)) > 1:
        raise StudyError(
            f"reruns of {', '.join(sorted(set(names)))} have nothing to compare; give reruns of one chapter"
        )
    runs = dict(zip(ascii_uppercase, (nbformat.read(path, 4) for path in notebooks), strict=False))
    parts = {
        "What was changed": [_shown(changes(runs), "Parameters that are not the same in all of them.")],
        "What each found": [_shown(findings(runs), "Findings that are not the same in all of them.")],
        "How far scores are apart": [
            _shown(differences(runs), "Macro F1 on the same clips, 95 % intervals, no tests.")
        ],
        "Figures": list(figures(runs)) or ["<p>None differs.</p>"],
    }
    cells = [v4.new_markdown_cell(f"# {len(runs)} reruns of `{names[0]}`, side by side")]
    for title, shown in parts.items():
        outputs = [v4.new_output("display_data", {"text/html": one}) for one in shown]
        cells.append(v4.new_markdown_cell(f"## {title}"))
        cells.append(
            v4.new_code_cell("# ethnicmer runs compare", outputs=outputs, metadata={"tags": ["remove-input"]})
        )
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    folder = (
        workspace()
        / "compared"
        / "-".join([names[0], *(path.stem.rpartition("-")[2][:8] for path in notebooks)])
    )
    whole = nbformat.writes(v4.new_notebook(cells=cells, metadata=metadata))
    render({"book/compared.ipynb": whole}, folder / ".stage", folder / "html", only="compared")
    return folder / "html" / "book" / "compared.html"


def _shown(rows: pd.DataFrame, caption: str) -> str:
    return f"<p>None: {caption}</p>" if rows.empty else table(rows, caption).data


def changes(runs: dict[str, NotebookNode]) -> pd.DataFrame:
    """Parameter -> its value in every rerun, and whose clips each of them was computed on."""
    told = {name: {key: _words(value) for key, value in injected(run).items()} for name, run in runs.items()}
    rows = {
        key: [told[name].get(key, AS_IN_BOOK) for name in runs] for key in sorted(set(chain(*told.values())))
    }
    sources = [
        {f"{one['source']}{' (SIMULATED)' * one['simulated']}": 0 for one in saved(run)["findings"]}
        for run in runs.values()
    ]
    rows["findings are of"] = ["; ".join(source) for source in sources]
    found = pd.DataFrame(rows, index=list(runs)).T
    return _differing(found).rename_axis("parameter")


def _words(value: Any) -> str:
    return ", ".join(f"{key}={one}" for key, one in value.items()) if isinstance(value, dict) else str(value)


def injected(notebook: NotebookNode) -> dict[str, Any]:
    """What a rerun's notebook was told that differs from the book."""
    values: dict[str, Any] = {}
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            exec(cell.source, {}, values)
    return values


def findings(runs: dict[str, NotebookNode]) -> pd.DataFrame:
    """Question -> estimate with interval and verdict in every rerun, where they are not the same in all of them."""
    columns: dict[str, dict[tuple[str, int], str]] = {name: {} for name in runs}
    for name, run in runs.items():
        for one in [Finding(**row) for row in saved(run)["findings"]]:
            value = one.estimate if one.low is None else one.value
            asked = sum(one.question == question for question, _ in columns[name])  # on other clips before
            columns[name][one.question, asked] = f"{'' if value is None else f'{value}: '}{one.verdict}"
    both = pd.DataFrame({name: pd.Series(texts) for name, texts in columns.items()}).fillna("–")
    return both if both.empty else _differing(both).droplevel(1).rename_axis("question")


def _differing(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows.ne(rows.iloc[:, 0], axis=0).any(axis=1)]


def predictions(run: Run) -> Iterator[pd.DataFrame]:
    """The tables of predictions in a run; where they name no arm it is what the table's name begins with."""
    for name in (file.stem for file in sorted(run.path.glob("[!.]*.parquet"))):
        kept = run.read(name)
        if kept is not None and {"subject", "label", "predicted"} <= set(kept):
            yield kept.assign(arm=kept.get("arm", name.partition("-fold")[0]))


def differences(runs: dict[str, NotebookNode]) -> pd.DataFrame:
    """Arm -> macro F1 in every rerun but A minus that in A, an Estimate; of arms that have the same clips in both."""
    tables = {}
    for name, run in runs.items():
        opened = [Run(workspace() / "runs" / one) for one in saved(run)["runs"]]
        of_run = [part for one in opened for part in predictions(one)]
        tables[name] = dict(iter(pd.concat(of_run).groupby("arm"))) if of_run else {}
    first, *others = runs
    rows: dict[str, dict[str, Any]] = {}
    for name in others:
        for arm in [arm for arm in tables[first] if arm in tables[name]]:
            both = {one: tables[one][arm].assign(arm=one) for one in (name, first)}
            try:
                rows.setdefault(arm, {})[f"{name} minus {first}"] = _difference(both)
            except StudyError:  # other clips, labels or draws
                continue
    rows = {arm: found for arm, found in rows.items() if found}
    return pd.DataFrame(rows.values(), index=pd.Index(rows, name="arm"))


def _difference(both: Mapping[str, pd.DataFrame]) -> Estimate:
    """Macro F1 of the first table of predictions minus that of the second; over draws, where clips are drawn."""
    (one, other), table = both, pd.concat(both.values())
    if "draw" not in table:
        return difference(table, [(one, other)])["difference"].iloc[0]
    columns = ["draw", "clip_id", "label"]
    first, second = (part.sort_values(columns)[columns].reset_index(drop=True) for part in both.values())
    if not first.equals(second):
        raise StudyError(
            f"{one} and {other} have other draws, clips or labels; compare reruns with the same seed"
        )
    return mean_over_draws(table, {one: 1, other: -1})


def figures(runs: dict[str, NotebookNode]) -> Iterator[str]:
    """Every figure that all reruns have and that is not the same in all, as a row of HTML."""
    of_run = {name: pictures(run) for name, run in runs.items()}
    for figure in of_run["A"]:
        if any(figure not in found for found in of_run.values()):
            continue
        if len({found[figure] for found in of_run.values()}) == 1:  # recorded, and so the same in all
            continue
        row = "".join(
            f"<figure class='drawn' tabindex='0' style='--least: {least_width(found[figure])}px'>"
            f"<img alt='{figure}, rerun {name}' "
            f"src='data:image/png;base64,{found[figure]}'><figcaption>{figure}, {name}</figcaption></figure>"
            for name, found in of_run.items()
        )
        yield f"<div class='compared'>{row}</div>"
