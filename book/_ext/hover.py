"""Links to the glossary say what the term means when a pointer rests on them, and every badge SIMULATED is one."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

GLOSSARY = "book/glossary"
BADGE = re.compile(r"<span class='simulated-badge'>(\w+)</span>")  #: as show.tables writes it


def definitions(app: Sphinx) -> dict[str, str]:
    """Id of every term of the glossary -> its definition as plain text; empty where the glossary is not built."""
    if GLOSSARY not in app.env.found_docs:
        return {}
    found = {}
    for item in app.env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        meaning = " ".join(part.astext() for part in item.findall(nodes.paragraph))
        found |= dict.fromkeys([name for term in item.findall(nodes.term) for name in term["ids"]], meaning)
    return found


def explain(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Give every link to a term its definition."""
    meanings = definitions(app)
    for link in doctree.findall(nodes.reference):
        term = link.get("refuri", "").rpartition("#")[2] or link.get("refid", "")
        if term in meanings and page != GLOSSARY:
            link["reftitle"] = meanings[term]


def link_badges(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Make every badge of the tables on a page a link to what SIMULATED means."""
    if GLOSSARY in app.env.found_docs:
        link = f"{app.builder.get_relative_uri(page, GLOSSARY)}#term-SIMULATED"
        context["body"] = BADGE.sub(
            rf"<a class='simulated-badge' href='{link}'>\1</a>", context.get("body", "")
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("html-page-context", link_badges)
    app.connect("doctree-resolved", explain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
