"""Terms are links to the glossary where a page has them first, which say what they mean when a pointer rests on them;
every badge SIMULATED is one, too."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

GLOSSARY = "book/glossary"
BADGE = re.compile(r"<span class='simulated-badge'>(\w+)</span>")  #: as show.tables writes it


def definitions(app: Sphinx) -> dict[str, tuple[str, str]]:
    """Id of every term of the glossary -> term and definition as plain text; empty where the glossary is not built."""
    if GLOSSARY not in app.env.found_docs:
        return {}
    found = {}
    for item in app.env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        meaning = " ".join(part.astext() for part in item.findall(nodes.paragraph))
        found |= {name: (term.astext(), meaning) for term in item.findall(nodes.term) for name in term["ids"]}
    return found


def explain(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Give every link to a term its definition, and every term that a page has without a link one where it is first."""
    if page == GLOSSARY:
        return
    known, linked = definitions(app), set()
    for link in doctree.findall(nodes.reference):
        name = link.get("refuri", "").rpartition("#")[2] or link.get("refid", "")
        if name in known:
            link["reftitle"] = known[name][1]
            linked.add(name)
    for name, (term, meaning) in known.items():
        # A word of everyday language is no link of its own accord: "run", "power".
        if name not in linked and re.search("[A-Z ]", term):
            uri = f"{app.builder.get_relative_uri(page, GLOSSARY)}#{name}"
            _link_first(doctree, term, {"refuri": uri, "reftitle": meaning})


def _link_first(doctree: nodes.document, term: str, to: dict[str, str]) -> None:
    word = re.compile(rf"\b{re.escape(term)}s?\b", 0 if term[0].isupper() else re.IGNORECASE)
    for paragraph in doctree.findall(nodes.paragraph):
        for text in (one for one in paragraph.children if isinstance(one, nodes.Text)):
            if found := word.search(text):
                link = nodes.reference("", "", nodes.inline("", found[0]), internal=True, **to)
                parts = [nodes.Text(text[: found.start()]), link, nodes.Text(text[found.end() :])]
                paragraph.replace(text, parts)
                return


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
