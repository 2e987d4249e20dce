"""Fixtures that several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from checkout import ROOT


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty workspace, so that no test sees the results of another or of a build."""
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with reference data that is not part of the product; skips loudly where it is missing."""
    folder = Path(os.environ.get("ETHNICMER_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}: set ETHNICMER_SHARED to compare with the originals")
    return folder
