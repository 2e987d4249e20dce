"""A small copy of both databases for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from licensed_copy import CASCADE, Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path / "out")


@pytest.fixture
def cascade(tmp_path: Path) -> Path:
    """The file of a detector of bright squares."""
    path = tmp_path / "squares.xml"
    path.write_text(CASCADE)
    return path
