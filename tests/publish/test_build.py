"""The book itself: twelve simulated subjects through every chapter into a site, built again and re-run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT

from ethnicmer_lib.publish import chapters, execute

pytestmark = pytest.mark.book


@pytest.fixture
def site(built, ethnicmer) -> Path:
    """The pages of the built book."""
    return ethnicmer.workspace / "html" / "book"


def test_every_chapter_is_run_and_rendered_without_a_warning(built, site):
    for page in chapters.PAGES:
        text = (site / f"{page.name}.html").read_text()
        assert f"{page.name}: run in" in built
        assert "Traceback" not in text
        if page.model.model_fields:
            assert "Where these numbers come from" in text, page.name
    assert "SIMULATED" in (site / "benchmark.html").read_text()
    assert "the site:" in built


def test_every_chapter_opens_with_what_it_asks_and_closes_with_what_it_found(site):
    for page in chapters.CHAPTERS:
        text = (site / f"{page.name}.html").read_text().partition("<article")[2]
        assert text.index("What this chapter asks") < text.index("What this chapter found"), page.name
        assert re.search(r"class=['\"]verdict ", text), page.name


def test_no_page_has_an_unfilled_number(site):
    for path in site.glob("*.html"):
        text = re.sub(r"<(script|style).*?</\1>", "", path.read_text(), flags=re.DOTALL)
        assert "{glue" not in text, path.name
        assert not re.search(r">\s*nan\s*<", text), path.name
        assert not re.search(r"\s–[a-z]", text), f"{path.name}: an option with a dash that no shell reads"


def test_no_page_refers_to_another_host_or_to_this_machine(site, ethnicmer):
    loads = re.compile(r"<(?:script|img|iframe)[^>]+src=[\"'](https?:)?//|<link[^>]+href=[\"'](https?:)?//")
    pages = list(site.parent.rglob("*.html"))
    assert len(pages) > 12
    for path in pages:
        assert not loads.search(path.read_text()), path
        assert str(ethnicmer.workspace) not in path.read_text(), path


def test_building_again_does_nothing_and_one_parameter_moves_one_chapter(built, ethnicmer):
    again = ethnicmer("build", "--profile", "tiny")
    assert again.count(": up to date") == len(chapters.PAGES)
    assert "unchanged" in again
    changed = ethnicmer("build", "--profile", "tiny", "-p", "audit.lottery_seeds=60")
    fresh = set(re.findall(r"^(\w+): run in", changed, re.MULTILINE))
    assert fresh == {"audit", "intro", "claims"}  # the last two show what every chapter found


def test_a_rerun_gives_a_notebook_a_page_and_results(built, ethnicmer):
    said = ethnicmer("rerun", "prima_facie", "--profile", "tiny", "-p", "n_subjects=6", "-p", "seed=3")
    paths = dict(re.findall(r"^(\w+): +(\S+)$", said, re.MULTILINE))
    shown = re.sub(r"<[^>]+>", "", Path(paths["page"]).read_text())
    assert "n_subjects = 6" in shown
    assert json.loads(Path(paths["notebook"]).read_text())["cells"]
    parameters = json.loads((Path(paths["results"]) / "parameters.json").read_text())
    assert (parameters["n_subjects"], parameters["seed"]) == (6, 3)
    assert list(Path(paths["results"]).glob("*/*.parquet"))


def test_plain_papermill_gives_the_same_numbers_and_refuses_an_unknown_name(built, ethnicmer, tmp_path):
    environment = os.environ | {"ETHNICMER_WORKSPACE": str(ethnicmer.workspace)}
    scripts = Path(sys.executable).parent
    notebook, out = tmp_path / "prima_facie.ipynb", tmp_path / "out.ipynb"

    def run(*command: str) -> subprocess.CompletedProcess:
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)

    converted = run(str(scripts / "jupytext"), "--to", "ipynb", "book/prima_facie.md", "-o", str(notebook))
    assert converted.returncode == 0, converted.stderr
    one = chapters.chapter("prima_facie")
    told = tmp_path / "parameters.yml"
    told.write_text(json.dumps(chapters.written(one, chapters.resolve(one, "tiny"))))
    papermill = [str(scripts / "papermill"), str(notebook), str(out), "--cwd", str(ROOT), "-f", str(told)]
    done = run(*papermill)
    assert done.returncode == 0, done.stderr[-2000:]
    name = f"prima_facie-{execute.key(one, chapters.resolve(one, 'tiny'))}.ipynb"
    kept = ethnicmer.workspace / "notebooks" / name
    tables = [re.findall(r"<td class=num>[^<]*<", path.read_text()) for path in (out, kept)]
    assert tables[0]
    assert tables[0] == tables[1]
    refused = run(*papermill, "-p", "n_subject", "6")
    assert refused.returncode != 0
    assert "unknown parameter n_subject" in refused.stderr


def test_another_classifier_is_one_line_of_a_copy_of_the_notebook(built, ethnicmer, tmp_path):
    page = (ROOT / "book" / "prima_facie.md").read_text()
    line = 'classifier = "forest"'
    assert page.count(line) == 1
    copy = tmp_path / "mine.md"
    copy.write_text(page.replace(line, 'classifier = "svc"'))
    one = chapters.chapter("prima_facie")
    told = chapters.written(one, chapters.resolve(one, "tiny"))
    script = f"import jupytext, papermill; papermill.execute_notebook(jupytext.read({str(copy)!r}), "
    script += f"{str(tmp_path / 'out.ipynb')!r}, parameters={told!r}, progress_bar=False)"
    environment = os.environ | {"ETHNICMER_WORKSPACE": str(ethnicmer.workspace)}
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=True, timeout=600)
    assert "svc" in (tmp_path / "out.ipynb").read_text()


def test_flow_builds_what_needs_motion_only_and_says_why_the_rest_is_missing(built, ethnicmer, shared):
    command = ["build", "--data", "flow", "--flow-dir", str(shared / "flow_features"), "--profile", "tiny"]
    # `tiny` names its own source; what the command line says comes after it.
    small = ["-p", "prima_facie.classifier=svc", "-p", "variants=[resnet18]"]
    said = ethnicmer(*command, *small)
    site = ethnicmer.workspace / "html-flow" / "book"
    assert "hold no frames" in (site / "motion.html").read_text()
    assert "motion: run in" not in said
    for name in ("prima_facie", "benchmark", "activation_maps"):
        text = (site / f"{name}.html").read_text()
        assert "published flow features" in text, name
        assert "simulated-badge" not in text, name
        assert str(shared) not in text, f"{name} shows where the data lie on this machine"
