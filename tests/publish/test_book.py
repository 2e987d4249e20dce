"""The book itself: a tiny cohort through every chapter into a site, built again, re-run, and opened in a browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from browser import browser, errors, requests, served
from checkout import ROOT
from papermill.translators import PythonTranslator

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import build as book
from ethnicmer_lib.publish import chapters as study

ETHNICMER = [sys.executable, "-c", "from ethnicmer_lib.publish.cli import main; main()"]


# `make test` gives every file to one worker (--dist loadfile), so that the book is built once.
@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The workspace after `ethnicmer build --profile tiny`, and what the command printed."""
    workspace = tmp_path_factory.mktemp("workspace")
    return workspace, ethnicmer(workspace, "build", "--profile", "tiny")


def ethnicmer(workspace: Path, *arguments: str, fails: bool = False) -> str:
    """Run the command line in the checkout; returns what it printed."""
    environment = os.environ | {"ETHNICMER_WORKSPACE": str(workspace)}
    done = subprocess.run(
        [*ETHNICMER, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900
    )
    assert bool(done.returncode) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


def page(workspace: Path, name: str) -> str:
    return (workspace / "html" / "book" / f"{name}.html").read_text()


@pytest.mark.book
def test_every_chapter_is_executed_and_rendered_without_a_warning(built):
    workspace, said = built
    for chapter in study.PAGES:
        text = page(workspace, chapter.name)
        assert "Where these numbers come from" in text, chapter.name
        assert ("SIMULATED" in text) == (chapter.name != "audit"), chapter.name  # it is about the real data
        assert "Traceback" not in text
        assert f"{chapter.name}: computed" in said
    assert "the site:" in said


@pytest.mark.book
def test_a_page_finds_what_its_chapter_computed(built):
    workspace, _ = built
    runs = [path.name.rpartition("-")[0] for path in (workspace / "runs").iterdir()]
    for step in ("benchmark", "benchmark_forest", "prima_facie", "activation", "motion_error"):
        assert runs.count(step) == 1, f"{step}: a page computed with other parameters than its chapter"


@pytest.mark.book
def test_every_chapter_opens_with_what_it_asks_and_closes_with_what_it_found(built):
    workspace, _ = built
    for chapter in study.CHAPTERS:
        text = page(workspace, chapter.name).partition("<article")[2]
        assert text.index("What this chapter asks") < text.index("What this chapter found"), chapter.name
        assert re.search(r"class=['\"]verdict ", text), chapter.name


@pytest.mark.book
def test_no_page_has_an_unfilled_number(built):
    workspace, _ = built
    for path in (workspace / "html" / "book").glob("*.html"):
        text = re.sub(r"<(script|style).*?</\1>", "", path.read_text(), flags=re.DOTALL)
        assert "{glue" not in text, path.name
        assert not re.search(r">\s*nan\s*<", text), path.name
        assert not re.search(r"\s–[a-z]", text), f"{path.name}: an option with a dash that no shell reads"


@pytest.mark.book
def test_no_page_refers_to_another_host(built):
    workspace, _ = built
    loads = re.compile(r"<(?:script|img|iframe)[^>]+src=[\"'](https?:)?//|<link[^>]+href=[\"'](https?:)?//")
    pages = list((workspace / "html").rglob("*.html"))
    assert len(pages) > 7
    for path in pages:
        assert not loads.search(path.read_text()), path


@pytest.mark.book
def test_building_again_does_nothing_and_one_parameter_moves_one_chapter(built):
    workspace, _ = built
    again = ethnicmer(workspace, "build", "--profile", "tiny")
    assert again.count(": up to date") == len(study.PAGES)
    assert "unchanged" in again
    changed = ethnicmer(workspace, "build", "--profile", "tiny", "-p", "prima_facie.n_draws=1")
    fresh = set(re.findall(r"^(\w+): computed", changed, re.MULTILINE))
    assert fresh == {"prima_facie", "intro", "claims"}  # the last two show what every chapter found


@pytest.mark.book
def test_a_rerun_gives_a_notebook_a_page_and_results(built):
    workspace, _ = built
    said = ethnicmer(
        workspace, "rerun", "prima_facie", "--profile", "tiny", "-p", "n_subjects=6", "-p", "seed=3"
    )
    paths = dict(re.findall(r"^(\w+): +(\S+)$", said, re.MULTILINE))
    assert "6 subjects" in re.sub(r"<[^>]+>", "", Path(paths["page"]).read_text())
    assert json.loads(Path(paths["notebook"]).read_text())["cells"]
    parameters = json.loads((Path(paths["results"]) / "parameters.json").read_text())
    assert (parameters["n_subjects"], parameters["seed"]) == (6, 3)
    assert list(Path(paths["results"]).glob("*/*.parquet"))


def test_a_wrong_parameter_is_one_line_with_what_is_allowed(tmp_path):
    unknown = ethnicmer(tmp_path, "rerun", "prima_facie", "-p", "n_subject=12", fails=True)
    assert unknown.startswith("error: unknown parameter n_subject")
    assert "Did you mean n_subjects?" in unknown
    assert unknown.count("\n") == 1
    outside = ethnicmer(tmp_path, "rerun", "prima_facie", "-p", "n_subjects=99", fails=True)
    assert "n_subjects=99 is refused" in outside
    assert "from 4 to 16" in outside
    assert not any(tmp_path.iterdir())


@pytest.mark.book
def test_plain_papermill_runs_a_converted_chapter_and_refuses_an_unknown_name(built, tmp_path):
    workspace, _ = built
    environment = os.environ | {"ETHNICMER_WORKSPACE": str(workspace)}
    notebook = tmp_path / "prima_facie.ipynb"
    scripts = Path(sys.executable).parent

    def run(*command: str) -> subprocess.CompletedProcess:
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)

    converted = run(str(scripts / "jupytext"), "--to", "ipynb", "book/prima_facie.md", "-o", str(notebook))
    assert converted.returncode == 0, converted.stderr
    papermill = [str(scripts / "papermill"), str(notebook), str(tmp_path / "out.ipynb"), "--cwd", str(ROOT)]
    tiny = study.resolve(study.chapter("prima_facie"), "tiny")
    for name in ("cohort_size", "n_subjects", "n_draws", "image_size", "n_trees"):
        papermill += ["-p", name, str(getattr(tiny, name))]
    done = run(*papermill)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "findings-caption" in (tmp_path / "out.ipynb").read_text()
    refused = run(*papermill, "-p", "n_subject", "6")
    assert refused.returncode != 0
    assert "unknown parameter n_subject" in refused.stderr


@pytest.mark.book
def test_flow_builds_what_needs_motion_only_and_says_why_the_rest_is_missing(built, shared):
    workspace, _ = built
    command = ["build", "--data", "flow", "--flow-dir", str(shared / "flow_features"), "--profile", "tiny"]
    small = ["-p", "prima_facie.features=flow", "-p", "variants=[resnet18, dual_motion, tinyvit]"]
    said = ethnicmer(workspace, *command, *small)
    site = workspace / "html-flow" / "book"
    assert "dataset: left out" in said
    assert "hold no frames" in (site / "motion.html").read_text()
    table = (site / "benchmark.html").read_text()
    assert "random forest, motion only" in table
    assert "tinyvit needs" in table
    for name in ("prima_facie", "benchmark", "activation_maps"):
        text = (site / f"{name}.html").read_text()
        assert "published flow features" in text, name
        assert "SIMULATED" not in text, name


def test_the_parameters_cells_are_those_of_the_models():
    for chapter in study.PAGES:
        text = book.source(chapter).read_text()
        cell = book._CELL.search(text)
        assert cell, chapter.name
        assert cell[2] == study.notebook_cell(chapter), "run `ethnicmer cells`"


def test_papermill_can_read_every_parameters_cell():
    """What it cannot read (a comment with '=', for one) it warns about and calls unknown."""
    for chapter in study.PAGES:
        source = study.notebook_cell(chapter)
        read = PythonTranslator.inspect({"source": source})
        assert [parameter.name for parameter in read] == list(chapter.model.model_fields), chapter.name


@pytest.mark.skipif(os.name != "posix", reason="kernels talk over ports here")
def test_kernels_started_at_once_share_no_socket():
    with book.kernel_config() as one, book.kernel_config() as other:
        names = {config.KernelManager.ip for config in (one, other)}
        assert len(names) == 2
        for name in names:
            assert Path(name).is_absolute()
            assert len(name) < 90  # the system's limit is about 100 characters
            assert Path(name).parent.stat().st_mode & 0o077 == 0  # nobody else may connect
    assert not any(Path(name).parent.exists() for name in names)


def test_only_changed_sources_are_written_and_stale_ones_go(tmp_path):
    book._synchronise(tmp_path, {"a.md": b"1", "b/c.md": b"2"})
    before = (tmp_path / "a.md").stat().st_mtime_ns
    book._synchronise(tmp_path, {"a.md": b"1", "d.md": b"3"})
    assert (tmp_path / "a.md").stat().st_mtime_ns == before
    assert not (tmp_path / "b" / "c.md").exists()
    assert (tmp_path / "d.md").read_bytes() == b"3"


def test_a_page_with_a_warning_is_refused_and_the_old_site_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(book, "_sources", lambda only: _one_page())
    site = tmp_path / "html"
    assert book.render({}, tmp_path / "stage", site)
    assert not book.render({}, tmp_path / "stage", site)
    old = (site / "index.html").read_text()
    shown = (site / "page.html").read_text()
    assert "thebe" not in shown
    local = re.findall(r'(?:href|src)="(_static/[^"?#]+)', shown)
    assert local
    assert not [name for name in local if not (site / name).is_file()]
    with pytest.raises(StudyError, match="warnings are errors"):
        book.render({"page.md": b"# Page\n\n[](nowhere.md)\n"}, tmp_path / "stage", site)
    assert (site / "index.html").read_text() == old


def _one_page() -> dict[str, bytes]:
    config = b"title: t\nexecute: {execute_notebooks: 'off'}\n"
    config += b"sphinx: {extra_extensions: [ethnicmer_lib.publish.sphinx_offline]}\n"
    return {"_config.yml": config, "_toc.yml": b"format: jb-book\nroot: page\n", "page.md": b"# Page\n"}


@pytest.mark.browser
@pytest.mark.book
@pytest.mark.parametrize("width", [1366, 390])
def test_pages_open_with_the_network_cut_and_ask_nobody(built, width):
    workspace, _ = built
    with served(workspace / "html") as address, browser(width) as driver:
        for name in [chapter.name for chapter in study.PAGES] + ["rerun", "references"]:
            driver.get(f"{address}/book/{name}.html")
            driver.set_script_timeout(20)
            driver.execute_async_script(
                "const done = arguments[0];"
                "(window.MathJax && MathJax.startup ? MathJax.startup.promise : Promise.resolve()).then(() => done())"
            )
            asked = requests(driver)
            assert asked
            assert all(url.startswith(address) for url in asked), (name, asked)
            assert not errors(driver), name
            wider = driver.execute_script(
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wider <= 1, f"{name} scrolls sideways by {wider} px at {width} px"
            if name == "motion":
                assert driver.find_elements("css selector", "mjx-container"), "the equations are not typeset"
            pictures = driver.find_elements("css selector", "article img, main img")
            assert all(picture.get_attribute("alt") for picture in pictures), name
            loaded = driver.execute_script(
                "return [...document.images].filter(i => i.complete && i.naturalWidth === 0).map(i => i.src)"
            )
            assert not loaded, f"{name}: pictures that did not load: {loaded}"


@pytest.mark.browser
@pytest.mark.book
def test_light_and_dark_are_both_readable(built):
    workspace, _ = built
    script = (
        "const e = document.querySelector('main p'); const s = getComputedStyle(e);"
        "return [s.color, getComputedStyle(document.body).backgroundColor]"
    )
    with served(workspace / "html") as address, browser() as driver:
        seen = {}
        for theme in ("light", "dark"):
            driver.get(f"{address}/book/intro.html")
            driver.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
            seen[theme] = [_luminance(colour) for colour in driver.execute_script(script)]
        for theme, (text, paper) in seen.items():
            high, low = max(text, paper), min(text, paper)
            assert (high + 0.05) / (low + 0.05) > 4.5, theme  # WCAG AA
        assert seen["light"][1] > 0.8 > 0.2 > seen["dark"][1]


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2) of 'rgb(r, g, b)'."""
    parts = [int(float(value)) / 255 for value in re.findall(r"[\d.]+", colour)[:3]]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
