"""Rendering without chapters: only what changed, never with a warning, nothing from other hosts."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml
from checkout import ROOT

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import build as book


def test_a_page_with_a_warning_is_refused_and_the_old_site_stays(tmp_path, monkeypatch):
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    extensions = {"extensions": config["sphinx"]["config"]["extensions"]}
    ours = dict.fromkeys(config["sphinx"]["local_extensions"], str(ROOT / "book" / "_ext"))
    sphinx = {"sphinx": {"recursive_update": True, "local_extensions": ours, "config": extensions}}
    (tmp_path / "_config.yml").write_text(
        yaml.safe_dump({"title": "t", "bibtex_bibfiles": ["book/references.bib"]} | sphinx)
    )
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/page\n")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "references.bib").touch()
    (tmp_path / "book" / "page.md").write_text("# Page\n")
    monkeypatch.chdir(tmp_path)
    stage, site = tmp_path / "stage", tmp_path / "html"
    old = tmp_path / "book" / "old.txt"
    old.touch()
    assert book.render({}, stage, site)
    old.unlink()
    assert book.render({}, stage, site)
    assert not (stage / "source" / "book" / "old.txt").exists()
    before = (stage / "source" / "book" / "page.md").stat().st_mtime_ns
    assert not book.render({}, stage, site)
    assert (stage / "source" / "book" / "page.md").stat().st_mtime_ns == before, "Sphinx would do it again"
    write = Path.write_bytes
    with (
        monkeypatch.context() as patch
    ):  # the clock was set back: what is written seems older than what was read
        patch.setattr(Path, "write_bytes", lambda *given: (write(*given), os.utime(given[0], (0, 0))))
        (tmp_path / "book" / "page.md").write_text("# Another title\n")
        assert book.render({}, stage, site)
    assert "Another title" in (site / "book" / "page.html").read_text()
    (site / "index.html").unlink()
    assert book.render({}, stage, site), "a page that was deleted is there again"
    old = (site / "index.html").read_text()
    shown = (site / "book" / "page.html").read_text()
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=.(https?:)?//", shown)
    assert "thebe" not in shown
    local = re.findall(r'(?:href|src)="../(_static/[^"?#]+)', shown)
    assert local
    assert not [name for name in local if not (site / name).is_file()]
    with pytest.raises(StudyError, match="warnings are errors"):
        book.render({"book/page.md": "# Page\n\n[](nowhere.md)\n"}, stage, site)
    assert (site / "index.html").read_text() == old
