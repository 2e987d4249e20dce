"""Three reruns of a chapter on twelve simulated subjects: what was changed is seen at once, and set side by side."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import browser, served
from bs4 import BeautifulSoup
from checkout import ROOT
from selenium.webdriver.common.by import By

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import build, chapters, cli, execute

pytestmark = pytest.mark.book

SHORT = {"classifier": "svc", "n_draws": 2}
CHANGES = ({}, {"scaling": "none"}, {"source.texture_cue": 1})


def rerun(changes: dict) -> Path:
    return build.rerun("prima_facie", "tiny", SHORT | changes)


@pytest.fixture(scope="module", autouse=True)
def here(common):
    """In the checkout, with the workspace that tests share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("ETHNICMER_WORKSPACE", str(common / "workspace"))
        yield


@pytest.fixture(scope="module")
def keys(here, tiny) -> list[str]:
    """The keys of the three, which have been run."""
    one, found = chapters.chapter("prima_facie"), []
    for changes in CHANGES:
        own = {f"prima_facie.{name}": value for name, value in (SHORT | changes).items()}
        p = chapters.resolve(one, "tiny", own)
        execute.run(one, p)
        found.append(execute.key(one, p))
    return found


def test_three_reruns_stand_on_one_page_with_changes_and_differences(keys, capsys):
    cli.runs.compare(keys)
    page = Path(capsys.readouterr().out.split("page: ")[1].strip())
    tables = {
        one.caption.text: [[cell.text for cell in row(["th", "td"])] for row in one("tr")]
        for one in BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")("table")
        if one.caption
    }
    head, *changed = tables["Parameters that are not the same in all of them."]
    assert head == ["parameter", "A", "B", "C"]
    told = {name: values for name, *values in changed}
    assert (told["scaling"][1], told["source"][2]) == ("none", "size=tiny, texture_cue=1.0, kind=simulated")
    head, *apart = tables["Macro F1 on the same clips, 95 % intervals, no tests."]
    assert head == ["arm", "B minus A", "C minus A"]
    assert len(apart) == 3, "two groups, and both mixed"
    assert all("[" in cell for _, *cells in apart for cell in cells)


@pytest.mark.browser
def test_a_rerun_says_first_what_was_changed_and_gives_tables_and_figures(keys):
    folder = rerun(CHANGES[2])
    assert folder.name == f"prima_facie-{keys[2]}"
    for kind in ("*/*.parquet", "*/*.csv", "draws.png", "parameters.json"):
        assert list((folder / "results").glob(kind)), kind
    with served(folder / "html") as address, browser() as driver:
        driver.get(f"{address}/book/prima_facie.html")
        said = driver.find_element(By.CSS_SELECTOR, ".admonition.rerun")
        assert "'texture_cue': 1.0" in said.text
        assert 0 <= said.rect["y"] < said.rect["y"] + said.rect["height"] < 900
        assert "(rerun)" in driver.find_element(By.CSS_SELECTOR, "article h1").text


def test_ethnic_groups_of_a_cohort_without_ethnic_labels_are_refused_before_anything_runs():
    with pytest.raises(
        StudyError, match=r"source\.mapping is of sources flow, licensed, and this one is simulated"
    ):
        rerun({"source.mapping": "others_non_asian"})
