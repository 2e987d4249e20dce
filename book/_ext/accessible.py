"""What the theme leaves unsaid for readers who listen to a page is said as the page is written."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup
from sphinx.application import Sphinx


def named(tree: BeautifulSoup) -> BeautifulSoup:
    """The contents with a name on every arrow that unfolds the pages below one."""
    for arrow in tree.select("li > details > summary"):
        arrow["aria-label"] = f"Pages below {arrow.find_parent('li').a.get_text(' ', strip=True)}"
    return tree


def mend(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give what the page is made of its names and roles."""
    if tree := context.get("generate_toctree_html"):
        context["generate_toctree_html"] = lambda *of, **how: named(tree(*of, **how))
    # An entry of the bibliography is an item of its list; the role that docutils writes is no more in ARIA 1.3.
    context["body"] = context.get("body", "").replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("html-page-context", mend, priority=900)  # after the theme has put its functions there
    return {"parallel_read_safe": True, "parallel_write_safe": True}
