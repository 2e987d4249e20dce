"""The public face: names by room, loaded when used, each with an example that runs; the rooms' arrows one way."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from checkout import ROOT

import ethnicmer_lib as em
from ethnicmer_lib.publish.library import example, library, public

ROOMS = [*dict.fromkeys(key.partition(".")[0] for key in em.PUBLIC), "show"]
NAMES = [(key.partition(".")[0], name) for key, names in em.PUBLIC.items() for name in names.split()]


def test_importing_the_library_loads_no_room_and_nothing_heavy():
    code = "import sys, ethnicmer_lib; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "cv2", "pandas", "numpy", "sklearn", "matplotlib", "pydantic"}
    assert not loaded & {f"ethnicmer_lib.{room}" for room in em.ROOMS}


def test_there_are_as_many_rooms_as_folders_and_no_unknown_name():
    library_folder = ROOT / "ethnicmer_lib"
    folders = {path.parent.name for path in library_folder.glob("*/__init__.py")}
    assert folders == set(em.ROOMS) - {"sources"}
    assert {path.name for path in library_folder.glob("*.py")} == {"__init__.py", "errors.py", "sources.py"}
    assert 40 <= len(em.__all__) <= 52
    with pytest.raises(AttributeError, match="no attribute 'optical_flows'"):
        em.optical_flows  # noqa: B018


@pytest.mark.parametrize(("room", "name"), NAMES)
def test_the_example_of_a_public_name_runs(room, name, tiny, common, monkeypatch):
    thing = public(room)[name]
    if not callable(thing):
        return
    code = example(thing)
    assert code, f"em.{name} has no example in its docstring"
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(common / "workspace"))
    test = doctest.DocTestParser().get_doctest(code, {"em": em, "np": np, "pd": pd}, name, None, 0)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.DocTestRunner(optionflags=flags).run(test).failed == 0
    plt.close("all")


def test_the_page_lists_every_room_and_name():
    shown = re.findall(r'em\.library\("(\w+)"\)', (ROOT / "book" / "library.md").read_text())
    assert sorted(shown) == sorted(ROOMS)
    for room in ROOMS:
        text = library(room).data
        assert all(f"**`{name}" in text for name in public(room))
    assert "```pycon\n>>> clips = em.open_clips" in library("sources").data


def test_the_readme_goes_from_clips_to_a_score_in_twelve_lines(tiny, common, tmp_path):
    script = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    assert len([line for line in script.splitlines() if line]) <= 12
    environment = os.environ | {"ETHNICMER_WORKSPACE": str(common / "workspace"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script.replace('"simulated"', '"tiny"')]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert re.search(r"macro F1: 0\.\d+", done.stdout), done.stderr
    assert (tmp_path / "flow.png").stat().st_size > 10_000


def test_a_room_uses_only_those_below_it():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
