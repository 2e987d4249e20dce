"""How a page is found and shown elsewhere: in search, in the title of a tab, where someone links to it."""

from __future__ import annotations

import html
import textwrap
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

PICTURE = "_static/story.png"
LONGEST = 160  #: characters of a description that search engines show


def searched(app: Sphinx) -> None:
    """Have pages searched without their footers: every chapter names every parameter there, and explains none."""
    index = getattr(app.builder, "index_page", None)

    def fewer(page: str, doctree: nodes.document, title: str) -> None:
        kept = doctree.deepcopy()
        for one in [*kept.findall(nodes.raw)]:
            if "<details class='provenance'>" in one.astext():
                one.parent.remove(one)
        index(page, kept, title)

    if index:  # of a website
        app.builder.index_page = fewer


def about(doctree: nodes.document) -> str:
    """The first words of a page that are a paragraph of their own."""
    paragraphs = (one.astext() for one in doctree.findall(nodes.paragraph))
    first = next((words for words in paragraphs if len(words) > LONGEST // 4), "")
    return textwrap.shorten(first, LONGEST, placeholder=" …")


def fill(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Put description, picture and a title that is said once into the head of a page."""
    if page == app.config.root_doc:
        context["title"] = "Start"  # its own title is that of the site, which is said after it
    if doctree is None:
        return
    base = app.config.html_baseurl
    title = app.env.titles[page].astext()
    said = {"og:type": "website", "og:title": title, "og:description": about(doctree)}
    said["og:image"] = f"{base}{PICTURE}" if base else context["pathto"](PICTURE, 1)
    rows = [f'<meta property="{name}" content="{html.escape(words)}">' for name, words in said.items()]
    rows.append(f'<meta name="description" content="{html.escape(said["og:description"])}">')
    rows.append('<meta name="twitter:card" content="summary_large_image">')
    context["metatags"] = context.get("metatags", "") + "\n".join(rows)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", searched)
    app.connect("html-page-context", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
