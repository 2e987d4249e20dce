"""Rendering without chapters: only what changed, never with a warning, nothing from other hosts; how pages are found,
copied and taken away."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest
import yaml
from browser import browser, errors, resize
from bs4 import BeautifulSoup
from checkout import ROOT
from nbformat import v4
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import build as book
from ethnicmer_lib.publish import chapters
from ethnicmer_lib.publish.notebooks import taken_away


def test_a_page_with_a_warning_is_refused_and_the_old_site_stays(tmp_path, monkeypatch):
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    extensions = {"extensions": config["sphinx"]["config"]["extensions"]}
    ours = dict.fromkeys(config["sphinx"]["local_extensions"], str(ROOT / "book" / "_ext"))
    sphinx = {"sphinx": {"recursive_update": True, "local_extensions": ours, "config": extensions}}
    (tmp_path / "_config.yml").write_text(
        yaml.safe_dump({"title": "t", "bibtex_bibfiles": ["book/references.bib"]} | sphinx)
    )
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/page\n")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "references.bib").touch()
    (tmp_path / "book" / "page.md").write_text("# Page\n")
    monkeypatch.chdir(tmp_path)
    stage, site = tmp_path / "stage", tmp_path / "html"
    old = tmp_path / "book" / "old.txt"
    old.touch()
    assert book.render({}, stage, site)
    old.unlink()
    assert book.render({}, stage, site)
    assert not (stage / "source" / "book" / "old.txt").exists()
    before = (stage / "source" / "book" / "page.md").stat().st_mtime_ns
    assert not book.render({}, stage, site)
    assert (stage / "source" / "book" / "page.md").stat().st_mtime_ns == before, "Sphinx would do it again"
    write = Path.write_bytes
    with (
        monkeypatch.context() as patch
    ):  # the clock was set back: what is written seems older than what was read
        patch.setattr(Path, "write_bytes", lambda *given: (write(*given), os.utime(given[0], (0, 0))))
        (tmp_path / "book" / "page.md").write_text("# Another title\n")
        assert book.render({}, stage, site)
    assert "Another title" in (site / "book" / "page.html").read_text()
    (site / "index.html").unlink()
    assert book.render({}, stage, site), "a page that was deleted is there again"
    old = (site / "index.html").read_text()
    shown = (site / "book" / "page.html").read_text()
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=.(https?:)?//", shown)
    assert "thebe" not in shown
    local = re.findall(r'(?:href|src)="../(_static/[^"?#]+)', shown)
    assert local
    assert not [name for name in local if not (site / name).is_file()]
    with pytest.raises(StudyError, match="warnings are errors"):
        book.render({"book/page.md": "# Page\n\n[](nowhere.md)\n"}, stage, site)
    assert (site / "index.html").read_text() == old


PROSE = """(home)=
# The study

A page that opens with a sentence which is long enough to say what it is about.

:::{admonition} What was found
:class: found
Macro F1 is {glue:text}`macro` ({term}`so <macro F1>`, {cite:t}`khor2025`), more in {ref}`rerun` and
{ref}`there <rerun>`.
:::

```{glue:figure} drawn
:name: fig-drawn
:alt: A dot.

A dot, and {glue:text}`macro`.
```

```{glue:figure} wide
:alt: A wide dot.

Wide.
```

```{glue:} shown
```
"""


def picture(inches: float) -> str:
    """A figure of this width as a notebook keeps it, in base 64."""
    content = io.BytesIO()
    Image.new("RGB", (round(220 * inches), 220), "navy").save(content, "png", dpi=(220, 220))
    return base64.b64encode(content.getvalue()).decode()


FOOTER = "<details class='provenance'><summary>Where</summary>a zyxwv</details>"


def page() -> nbformat.NotebookNode:
    """A notebook that glues a number, a figure and a table, and ends with a footer."""

    def glued(name: str, **data: str):
        prefix = "application/papermill.record/"
        records = {prefix + kind.replace("_", "/"): one for kind, one in data.items()}
        about = {"scrapbook": {"name": name, "mime_prefix": prefix}}
        return v4.new_output("display_data", records, metadata=about)

    outputs = [glued("macro", text_plain="0.685"), glued("drawn", image_png=picture(3), text_plain="Figure")]
    outputs += [glued("wide", image_png=picture(7), text_plain="Figure")]
    outputs += [glued("shown", text_html="<b>bold</b>", text_plain="HTML"), glued("saved", text_plain="{}")]
    code = v4.new_code_cell("say()", outputs=outputs, metadata={"tags": ["hide-input"]})
    footer = v4.new_code_cell("end()", outputs=[v4.new_output("display_data", {"text/html": FOOTER})])
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=[v4.new_markdown_cell(PROSE), code, footer], metadata={"kernelspec": kernel})


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A site of three pages with the book's own configuration, as it is where it is published."""
    folder = tmp_path_factory.mktemp("small")
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns("*.md"))
    shutil.copy(ROOT / "_config.yml", folder)
    console = "(rerun)=\n# Run it again\n\n```console\n$ ethnicmer params prima_facie\n```\n\n{term}`zyxwv`\n"
    (folder / "book" / "rerun.md").write_text(console)
    terms = ":::{glossary}\nmacro F1\n  A mean.\n\nzyxwv\n  A word.\n\nSIMULATED\n  Rendered.\n:::\n"
    (folder / "book" / "glossary.md").write_text(f"(glossary)=\n# Glossary\n\n{terms}")
    (folder / "book" / "references.md").write_text("# References\n\n```{bibliography}\n```\n")
    names = ["rerun", "glossary", "references"]
    chapters = "".join(f"- file: book/{name}\n" for name in names)
    (folder / "_toc.yml").write_text(f"format: jb-book\nroot: book/intro\nchapters:\n{chapters}")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv(book.REPOSITORY, "https://github.com/owner/name")
        book.render({"book/intro.ipynb": nbformat.writes(page())}, folder / "stage", folder / "html")
    return folder / "html"


def test_a_page_says_what_it_is_about_where_someone_links_to_it(small):
    soup = BeautifulSoup((small / "book" / "intro.html").read_text(encoding="utf-8"), "html.parser")
    assert soup.title.text.strip() == "Start — Is micro-expression ethnic leaning?"
    said = {
        one.get("property", one.get("name")): one["content"] for one in soup("meta") if one.get("content")
    }
    assert said["og:title"] == "The study"
    assert said["description"] == said["og:description"] == PROSE.splitlines()[3]
    assert (small / "book" / said["og:image"]).resolve().is_file()
    assert "zyxwv" in (small / "genindex.html").read_text(), "the terms of the glossary"


def test_a_published_notebook_is_launched_where_it_is(small):
    links = {
        one["href"] for one in BeautifulSoup((small / "book" / "intro.html").read_text(), "html.parser")("a")
    }
    assert "https://mybinder.org/v2/gh/owner/name/notebooks?urlpath=lab/tree/book/intro.ipynb" in links
    assert "https://colab.research.google.com/github/owner/name/blob/notebooks/book/intro.ipynb" in links
    away = nbformat.read(small / "_sources" / "book" / "intro.ipynb", 4)
    assert "git+https://github.com/owner/name" in away.cells[0].source


def test_a_notebook_that_is_taken_away_reads_in_jupyter(monkeypatch):
    monkeypatch.chdir(ROOT)
    text, code, _ = taken_away(page()).cells
    assert text.source.startswith("# The study\n")
    for words in (
        "**What was found**",
        "Macro F1 is 0.685 (so, Khor et al. (2025)), more in Run it again and\nthere.",
        "![A dot.](attachment:drawn.png)\n\nA dot, and 0.685.",
        "<b>bold</b>",
    ):
        assert words in text.source, text.source
    assert not re.search(r"[`:]{3}|\{\w", text.source), text.source
    with Image.open(io.BytesIO(base64.b64decode(text.attachments["drawn.png"]["image/png"]))) as shown:
        assert shown.size == (330, 110), "Jupyter shows every pixel"
    assert (code.outputs, code.metadata.jupyter) == ([], {"source_hidden": True})
    nbformat.validate(taken_away(page()))


@pytest.mark.parametrize("one", chapters.PAGES, ids=lambda one: one.name)
def test_no_markup_of_the_book_is_left_in_what_is_taken_away(one, monkeypatch):
    monkeypatch.chdir(ROOT)
    for cell in taken_away(chapters.read(one)).cells:
        text = re.sub(r"\{glue:text\}`\w+`", "a number", cell.source)  # of a page that was not run
        assert cell.cell_type == "code" or not re.search(
            r"\{[\w:-]+\}`|^:{3}|^`{3,}\{|^\([\w-]+\)=$", text, re.M
        ), text


def test_commands_are_copied_without_their_prompt(small):
    assert "formatCopyText(text, '$ ', false, true, true" in (small / "_static" / "copybutton.js").read_text()


_FIGURES = """
return [...document.querySelectorAll('figure img')]
  .map(one => [one.width, one.naturalWidth, one.parentElement.tabIndex]);
"""


@pytest.mark.browser
def test_a_wide_figure_scrolls_in_its_box_on_a_phone_so_that_its_type_can_be_read(small):
    with browser(390) as driver:
        driver.get((small / "book" / "intro.html").as_uri())
        drawn = [[330, 660, -1], [7 * 72, 1540, 0]]
        WebDriverWait(driver, 60).until(lambda one: one.execute_script(_FIGURES) == drawn)
        page = driver.find_element(By.TAG_NAME, "html")
        assert page.get_property("scrollWidth") == 390
        resize(driver, 1366)
        WebDriverWait(driver, 60).until(lambda one: one.execute_script(_FIGURES)[1][2] == -1)
        narrow, (width, *_) = driver.execute_script(_FIGURES)
        assert (narrow[0], width > 700) == (330, True)


@pytest.mark.browser
def test_search_from_disk_finds_the_page_that_explains_and_nothing_fails(small):
    with browser() as driver:
        driver.get(f"{(small / 'search.html').as_uri()}?q=zyxwv")
        WebDriverWait(driver, 60).until(
            lambda one: one.find_elements(By.CSS_SELECTOR, "#search-results li a")
        )
        WebDriverWait(driver, 60).until(
            lambda one: "finished" in one.find_element(By.ID, "search-results").text
        )
        found = [one.text for one in driver.find_elements(By.CSS_SELECTOR, "#search-results li a")]
        assert found[0] == "Glossary"
        assert "The study" not in found, "its footer alone holds the word"
        assert errors(driver) == []
