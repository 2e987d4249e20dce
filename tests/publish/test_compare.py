"""Reruns side by side: what was changed, found, drawn, and how far apart scores are."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import asdict

import nbformat
import pytest
import toy
from nbformat import v4
from PIL import Image

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.publish import cli, compare
from ethnicmer_lib.stats import Estimate
from ethnicmer_lib.store import Provenance, Run

ASKED = Finding(
    "c", "Is it so?", "Yes.", 0.5, 0.4, 0.6, "reproduced", "because", source="toy", simulated=True
)


def glued(name: str, data: dict) -> dict:
    records = {f"application/papermill.record/{kind}": value for kind, value in data.items()}
    return v4.new_output("display_data", records, metadata={"scrapbook": {"name": name}})


def dot(inches: int) -> str:
    """A picture of this width."""
    content = io.BytesIO()
    Image.new("L", (100 * inches, 1)).save(content, "png", dpi=(100, 100))
    return base64.b64encode(content.getvalue()).decode()


def rerun(changed: str = "", value: float = 0.5, picture: str = dot(1), wrong: int = 0):
    run = Run.open("toy", code=("stats",), inputs={"wrong": wrong}, provenance=Provenance("toy", True, "c"))
    table = toy.clips()
    predicted = table["label"].to_numpy(copy=True)
    predicted[:wrong] = table["label"].iloc[-1]
    run.kept("a-seed0-fold000", lambda: table.assign(arm="a", seed=0, predicted=predicted))
    found = asdict(ASKED) | {"estimate": value}
    notebook = v4.new_notebook()
    tags = {"tags": ["injected-parameters"]}
    notebook.cells += [v4.new_code_cell(changed, metadata=tags)] if changed else []
    kept = json.dumps({"findings": [found, asdict(ASKED)], "runs": [run.path.name]})
    outputs = [glued("saved", {"text/plain": kept}), glued("picture", {"image/png": picture})]
    outputs.append(glued("same", {"image/png": dot(3)}))
    notebook.cells.append(v4.new_code_cell(outputs=outputs))
    return notebook


@pytest.fixture
def runs(workspace):
    return {
        "A": rerun(),
        "B": rerun("seed = 3\nsource = {'kind': 'simulated', 'texture_cue': 1.0}", 0.55, dot(2), wrong=6),
    }


def test_what_was_changed_is_said_beside_the_book(runs):
    table = compare.changes(runs)
    assert table.loc["seed"].tolist() == [compare.AS_IN_BOOK, "3"]
    assert table.loc["source", "B"] == "kind=simulated, texture_cue=1.0"
    assert "findings are of" not in table.index, "of the same clips"


def test_findings_that_differ_are_shown_with_interval_and_verdict(runs):
    table = compare.findings(runs)
    assert table.index.tolist() == ["Is it so?"], "the second is the same in both"
    assert table.loc["Is it so?"].tolist() == [
        "0.500 [0.400, 0.600]: reproduced",
        "0.550 [0.400, 0.600]: reproduced",
    ]


def test_pages_that_find_nothing_are_compared_too(runs, monkeypatch):
    monkeypatch.setattr(compare, "saved", lambda run: {"findings": [], "runs": []})
    assert compare.findings(runs).empty
    assert compare.changes(runs).index.tolist() == ["seed", "source"]
    assert compare.differences(runs).empty


def test_scores_on_the_same_clips_have_a_difference(runs):
    found = compare.differences(runs).loc["a", "B minus A"]
    assert isinstance(found, Estimate)
    assert found.low <= found.value < 0


def test_scores_of_other_clips_have_none(workspace, monkeypatch):
    one = rerun()
    clips = toy.clips()
    monkeypatch.setattr(toy, "clips", lambda: clips.assign(clip_id="other " + clips["clip_id"].astype(str)))
    assert compare.differences({"A": one, "B": rerun(wrong=1)}).empty


def test_only_figures_that_differ_are_shown(runs):
    (row,) = compare.figures(runs)
    assert row.count("<img") == 2
    assert "picture, rerun B" in row
    assert f"--least: 144px'><img alt='picture, rerun B' src='data:image/png;base64,{dot(2)}'" in row


def test_a_page_needs_reruns_of_one_chapter_and_the_command_finds_them(workspace, monkeypatch):
    folder = workspace / "notebooks"
    folder.mkdir()
    for name in ("audit-0000aaaa", "audit-0000bbbb", "motion-0000cccc"):
        nbformat.write(rerun(), folder / f"{name}.ipynb")
    with pytest.raises(StudyError, match="audit, motion have nothing to compare"):
        cli.runs.compare(["aaaa", "cccc"])
    pages = {}
    monkeypatch.setattr(compare, "render", lambda given, stage, site, only: pages.update(given))
    cli.runs.compare(["aaaa", "bbbb"])
    (notebook,) = [nbformat.reads(text, 4) for text in pages.values()]
    shown = json.dumps(notebook)
    assert "2 reruns of `audit`" in shown
    assert shown.count("None") >= 3, "nothing differs"
    with pytest.raises(StudyError, match="name two runs, or any number of reruns"):
        cli.runs.compare(["nowhere"])
