"""The chapter prima facie walks: a reader edits one line of a copy of it, and everything below follows."""

import jupytext
import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
from checkout import ROOT
from sklearn.neighbors import KNeighborsClassifier

import ethnicmer_lib as em

TINY = {
    "source": "tiny",
    "n_draws": 2,
    "n_subjects": 4,
    "features": "flow",
    "image_size": 28,
    "flow_method": "dis",
}


@pytest.fixture(scope="module")
def edited(tmp_path_factory, common, tiny):
    """The notebook with another classifier, run as a reader would, and what it predicted."""
    folder = tmp_path_factory.mktemp("edited")
    notebook = jupytext.read(ROOT / "book" / "prima_facie.md")
    line = "model = em.classifier(p.classifier, seed=p.seed)"
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code" and line in cell.source)
    cell.source = cell.source.replace(
        line, "from sklearn.neighbors import KNeighborsClassifier; model = KNeighborsClassifier(3)"
    )
    last = f"own.to_parquet({str(folder / 'own.parquet')!r}); import numpy; numpy.save({str(folder / 'x.npy')!r}, x)"
    notebook.cells.append(nbformat.v4.new_code_cell(last))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ETHNICMER_WORKSPACE", str(common / "workspace"))
        run = papermill.execute_notebook(
            notebook, None, parameters=TINY, cwd=str(ROOT), progress_bar=False, kernel_name="python3"
        )
    return run, pd.read_parquet(folder / "own.parquet"), np.load(folder / "x.npy")


@pytest.mark.usefixtures("workspace")
def test_one_edited_line_changes_the_classifier(edited, tiny):
    _, own, x = edited
    expected = em.repeat_scenarios(x, tiny.table, 4, 2, classifier=KNeighborsClassifier(3), progress=False)
    pd.testing.assert_frame_equal(own, expected)


def test_solutions_and_findings_are_there(edited):
    run, own, _ = edited
    texts = {cell.source: str(cell.outputs) for cell in run.cells if cell.cell_type == "code"}
    solutions = [texts[cell.source] for cell in run.cells if "solution" in cell.metadata.get("tags", [])]
    assert len(solutions) == 3
    assert "svc, one_database" in solutions[0]
    assert all(scenario in text for scenario in own["arm"].unique() for text in solutions[1:])
    found = next(text for source, text in texts.items() if "found = em.judge" in source)
    assert "below zero in 116 of 200 draws" in found
    assert "classifier=KNeighborsClassifier" in found


def test_cells_are_short_and_seen():
    notebook = jupytext.read(ROOT / "book" / "prima_facie.md")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    seen = [cell for cell in code if not {"hide-input", "solution"} & set(cell.metadata.get("tags", []))]
    assert 8 <= len(seen) <= 12
    assert all(
        len(cell.source.splitlines()) <= 10
        for cell in code
        if "parameters" not in cell.metadata.get("tags", [])
    )
    assert len(code[0].source.splitlines()) <= 12
    assert not any(cell.metadata.get("tags") == ["remove-cell"] for cell in code)
