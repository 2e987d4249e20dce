"""The page Statistics walks: a bootstrap by hand beside the library's, and solutions that are right."""

import jupytext
import papermill
import pytest
from checkout import ROOT


@pytest.fixture(scope="module")
def page():
    notebook = jupytext.read(ROOT / "book" / "statistics.md")
    return papermill.execute_notebook(
        notebook, None, cwd=str(ROOT), progress_bar=False, kernel_name="python3"
    )


def test_cells_are_short_and_solutions_right(page):
    code = [cell for cell in page.cells if cell.cell_type == "code"]
    seen = [cell for cell in code if not {"hide-input", "solution"} & set(cell.metadata["tags"])]
    assert 4 <= len(seen) <= 8
    assert all(len(cell.source.splitlines()) <= 10 for cell in code)
    texts = {cell.source: str(cell.outputs) for cell in code}
    solutions = [texts[cell.source] for cell in code if "solution" in cell.metadata["tags"]]
    assert "clips resampled" in solutions[0]
    assert solutions[1].count("[0.04, 0.06, 0.06, 0.2 ]") == 2
    by_hand = next(text for source, text in texts.items() if "np.quantile" in source)
    assert "(0.53, array([0.414, 0.744]))" in by_hand
    assert any("0.530 <span class='interval'>[0.403, 0.801]" in text for text in texts.values())
