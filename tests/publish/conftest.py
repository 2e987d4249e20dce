"""The command line in a workspace that tests share, the whole book built in it, and a book of one small notebook."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from filelock import FileLock

ETHNICMER = [sys.executable, "-c", "from ethnicmer_lib.publish.cli import main; main()"]

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

(statistics)=
# Statistics

Once upon a time.

```{code-cell} ipython3
:tags: [parameters]

seed = 0  # of everything
```
"""


class Command:
    """``ethnicmer`` in the checkout, with one workspace."""

    def __init__(self, workspace: Path):
        self.workspace = workspace

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run it, expecting an exit code; returns what it printed, on stderr where it failed."""
        environment = os.environ | {"ETHNICMER_WORKSPACE": str(self.workspace)}
        done = subprocess.run(
            [*ETHNICMER, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code else done.stdout


@pytest.fixture(scope="session")
def ethnicmer(common) -> Command:
    """The command line, in the workspace that all tests of the book share."""
    return Command(common / "workspace")


@pytest.fixture(scope="session")
def built(ethnicmer, common, tiny) -> str:
    """What `ethnicmer build --profile tiny` printed; its site is in the shared workspace, made once for all tests."""
    said = common / "built.txt"
    with FileLock(common / "built.lock"):
        if not said.exists():
            said.write_text(ethnicmer("build", "--profile", "tiny"))
    return said.read_text()


class Book:
    """A checkout with one page, ``book/statistics.md``."""

    def __init__(self, folder: Path):
        self.page = folder / "book" / "statistics.md"
        self.page.parent.mkdir()
        (folder / "_toc.yml").write_text("format: jb-book\nroot: book/statistics\n")
        self.write("pass")

    def write(self, *cells: str) -> None:
        """The page with these code cells after its parameters."""
        self.page.write_text(
            HEADER + "".join(f"\n```{{code-cell}} ipython3\n{cell}\n```\n" for cell in cells)
        )


@pytest.fixture
def small_book(workspace, monkeypatch) -> Book:
    """A checkout of one page, in which the test stands, with an empty workspace."""
    made = Book(workspace)
    monkeypatch.chdir(workspace)
    return made
