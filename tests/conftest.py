"""Fixtures that several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from checkout import ROOT
from filelock import FileLock
from hypothesis import settings

# The same examples at every run: what fails here fails for everybody, and what passed still passes.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


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


@pytest.fixture(scope="session")
def common(tmp_path_factory) -> Path:
    """A folder that all tests share, those of the other processes of pytest-xdist too: for what is dear to make.

    Its workspace is the folder in ETHNICMER_TEST_WORKSPACE, where ``make test`` keeps what has not changed since.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "common"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "workspace.lock"):
        if not (folder / "workspace").exists():
            kept = Path(os.environ.get("ETHNICMER_TEST_WORKSPACE", folder / "made")).absolute()
            kept.mkdir(parents=True, exist_ok=True)
            (folder / "workspace").symlink_to(kept, target_is_directory=True)
    return folder


@pytest.fixture(scope="session")
def tiny(common):
    """The clips of twelve simulated subjects, with frames; rendered once for all tests."""
    from ethnicmer_lib.sources import open_clips

    with pytest.MonkeyPatch.context() as patch, FileLock(common / "tiny.lock"):
        patch.setenv("ETHNICMER_WORKSPACE", str(common / "workspace"))
        return open_clips("tiny", progress=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Of the catalogue of hostile inputs: how many were tried, and how many were answered as they should be."""
    good, bad = (
        sum("catalogue" in report.keywords for kind in kinds for report in terminalreporter.getreports(kind))
        for kinds in (("passed",), ("failed", "error"))
    )
    if good + bad:
        line = f"hostile inputs: {good + bad} tried, {good} refused clearly or handled, {bad} lost or wrong"
        terminalreporter.write_line(line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The book's build first: it is the longest, and the tests of its pages, in other files, wait for it."""
    items.sort(key=lambda item: "test_build" not in item.path.name)
