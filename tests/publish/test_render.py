"""Rendering without chapters: only what changed, never with a warning, nothing from other hosts."""

from __future__ import annotations

import re

import pytest

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import build as book


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
