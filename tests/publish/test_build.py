"""The book itself: twelve simulated subjects through every chapter into a site, built again and re-run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from checkout import ROOT

from ethnicmer_lib.publish import build as book
from ethnicmer_lib.publish import chapters, execute

pytestmark = pytest.mark.book


@pytest.fixture
def site(built, ethnicmer) -> Path:
    """The pages of the built book."""
    return ethnicmer.workspace / "html" / "book"


def test_every_chapter_is_run_and_rendered_without_a_warning(built, site):
    for page in chapters.PAGES:
        text = (site / f"{page.name}.html").read_text()
        assert re.search(rf"^{page.name}: (run in|up to date)", built, re.MULTILINE)
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


def test_building_again_does_nothing_and_one_parameter_moves_one_chapter(built, ethnicmer, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(ethnicmer.workspace))
    said: list[str] = []
    book.build("tiny", {}, say=said.append)
    assert sum(line.endswith(": up to date") for line in said) == len(chapters.PAGES)
    assert said[-1].startswith("unchanged")
    fresh: list[str] = []
    monkeypatch.setattr(execute, "_papermill", lambda one, p: fresh.append(one.name) or chapters.read(one))
    monkeypatch.setattr(book, "render", lambda *rest: True)
    # Another value each time, so that no notebook of an earlier run of the tests is found.
    book.build("tiny", {"audit.lottery_seeds": 60 + time.time_ns() % 90_000}, say=said.append)
    assert sorted(fresh) == ["audit", "claims", "intro"]  # the last two show what every chapter found


def test_a_rerun_gives_a_notebook_a_page_and_results_and_plain_papermill_the_same_numbers(
    built, ethnicmer, tmp_path
):
    small = {"n_subjects": 6, "seed": 3}
    changes = [word for name, value in small.items() for word in ("-p", f"{name}={value}")]
    said = ethnicmer("rerun", "prima_facie", "--profile", "tiny", *changes, "-p", "classifier=svc")
    paths = {name: Path(place) for name, place in re.findall(r"^(\w+): +(\S+)$", said, re.MULTILINE)}
    shown = re.sub(r"<[^>]+>", "", paths["page"].read_text())
    assert "n_subjects = 6" in shown
    assert shown.index("A rerun: what differs from the book") < shown.index("A draw takes whole subjects")
    parameters = json.loads((paths["results"] / "parameters.json").read_text())
    assert (parameters["n_subjects"], parameters["seed"]) == (6, 3)
    assert list(paths["results"].glob("*/*.parquet"))
    # Another classifier is one line of a copy, which plain tools run.
    page = (ROOT / "book" / "prima_facie.md").read_text()
    line = 'classifier = "forest"'
    assert page.count(line) == 1
    copy = tmp_path / "mine.md"
    copy.write_text(page.replace(line, 'classifier = "svc"'))
    one = chapters.chapter("prima_facie")
    told = tmp_path / "parameters.yml"
    told.write_text(json.dumps(chapters.written(one, chapters.resolve(one, "tiny", small))))
    notebook, out = tmp_path / "mine.ipynb", tmp_path / "out.ipynb"
    environment = os.environ | {"ETHNICMER_WORKSPACE": str(ethnicmer.workspace)}
    for command in (
        ("jupytext", "--to", "ipynb", copy, "-o", notebook),
        ("papermill", notebook, out, "--cwd", ROOT, "-f", told),
    ):
        program = Path(sys.executable).with_name(command[0])
        done = subprocess.run(
            [program, *command[1:]], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr[-2000:]
    tables = [re.findall(r"<td class=num>[^<]*<", path.read_text()) for path in (out, paths["notebook"])]
    assert tables[0]
    assert tables[0] == tables[1]


def test_flow_builds_what_needs_motion_only_and_says_why_the_rest_is_missing(built, ethnicmer, shared):
    command = ["build", "--data", "flow", "--flow-dir", str(shared / "flow_features"), "--profile", "tiny"]
    # `tiny` names its own source; what the command line says comes after it.
    small = ["-p", "prima_facie.classifier=svc", "-p", "variants=[resnet18]"]
    said = ethnicmer(*command, *small)
    site = ethnicmer.workspace / "html-flow" / "book"
    assert "hold no frames" in (site / "motion.html").read_text()
    assert "motion: " not in said
    for name in ("prima_facie", "benchmark", "activation_maps"):
        text = (site / f"{name}.html").read_text()
        assert "published flow features" in text, name
        # Measures of maps, and rules for networks, are tried where the truth is known; nothing else is simulated.
        tried = text.count("true motion of simulated cohorts") + text.count("Source: simulated cohort")
        assert text.count("simulated-badge") == tried, name
        assert str(shared) not in text, f"{name} shows where the data lie on this machine"
