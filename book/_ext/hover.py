"""Terms are links to the glossary where a page has them first, which say what they mean when a pointer rests on them;
every badge SIMULATED is one, too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
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


def link_terms(app: Sphinx, doctree: nodes.document) -> None:
    """Make a link of the first mention of every term on a page, unless the page has one."""
    if app.env.docname == GLOSSARY or GLOSSARY not in app.env.found_docs:
        return
    entries = Path(app.env.doc2path(GLOSSARY)).read_text(encoding="utf-8").partition(":::{glossary}")[2]
    there = {
        link["reftarget"].lower() for link in doctree.findall(pending_xref) if link.get("reftype") == "term"
    }
    # A word of everyday language is none of its own accord: "run", "power".
    for term in re.findall(r"^(\w.*[A-Z ].*|[A-Z].*)\n  \S", entries, re.MULTILINE):
        if term.lower() not in there:
            _link_first(doctree, term)


def _link_first(doctree: nodes.document, term: str) -> None:
    said = re.escape(term).replace("'", "['’]")  # as it is written, and as it is set
    word = re.compile(rf"\b{said}s?\b", 0 if term[0].isupper() else re.IGNORECASE)
    for paragraph in doctree.findall(nodes.paragraph):
        for text in (one for one in paragraph.children if isinstance(one, nodes.Text)):
            if found := word.search(text):
                link = pending_xref(
                    "",
                    nodes.inline("", found[0]),
                    refdomain="std",
                    reftype="term",
                    reftarget=term,
                    refwarn=True,
                )
                parts = [nodes.Text(text[: found.start()]), link, nodes.Text(text[found.end() :])]
                paragraph.replace(text, parts)
                return


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
    app.connect("doctree-read", link_terms)
    app.connect("doctree-resolved", explain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
