"""A small copy of both databases for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from licensed_copy import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path / "out")
