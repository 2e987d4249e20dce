"""Slides and a hand-out of a lesson: each one page without a script, of its students' notebook after it was run."""

from __future__ import annotations

import re
import tempfile

import nbformat
from docutils.core import publish_string
from myst_nb.docutils_ import Parser
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from ethnicmer_lib.publish.chapters import Chapter
from ethnicmer_lib.publish.notebooks import plain
from ethnicmer_lib.store import project_root

_BOTH = """
body { font-family: sans-serif; line-height: 1.35; margin: 0 auto; background: #fff; color: #1a1a1a }
main { max-width: none; padding: 0 }
img { max-width: 100%; height: auto }
pre { white-space: pre-wrap; overflow-wrap: anywhere } pre, code { background: #fff !important }
table { border-collapse: collapse } td, th { padding: .1em .5em; text-align: left }
a { color: #0b57a4 } summary { padding: .3em 0 }
"""
#: Kind of page -> its style: on screen a slide fills the window, on paper it begins a page.
_STYLES = {
    "slides": """
html { scroll-snap-type: y proximity; font-size: clamp(14px, 1.5vw, 26px) }
main > section { min-height: 100vh; scroll-snap-align: start; border-top: 2px solid #0b57a4 }
body { max-width: 60rem } main { padding: 0 1rem } h1 { padding-top: 12vh }
pre { font-size: .7rem } img { max-height: 60vh }
@page { size: A4 landscape; margin: 12mm }
@media print { main > section { break-before: page; border: 0; min-height: 0 } html { font-size: 13pt } }
""",
    "handout": """
body { max-width: 60rem; padding: 0 1rem; font-size: 15px } img { max-height: 11rem }
h1 { font-size: 1.4em; margin: .4em 0 } h2 { font-size: 1.05em; margin: .7em 0 .2em }
p, ul { margin: .3em 0; line-height: 1.35 } ul { padding-left: 1.3em }
@page { size: A4; margin: 11mm }
@media print {
  body { font-size: 8.5pt; padding: 0; max-width: none } pre { font-size: 6.5pt; margin: .5em 0 }
  td, th { padding: 0 .4em !important } main { columns: 2; column-gap: 7mm } h1 { column-span: all }
  p, li, pre, .cell { break-inside: avoid } h2 { break-after: avoid }
}
""",
}


def ran(notebook: NotebookNode) -> NotebookNode:
    """A notebook with the outputs of its cells, run where the project lies."""
    NotebookClient(notebook, resources={"metadata": {"path": str(project_root())}}).execute()
    return notebook


def slides(notebook: NotebookNode) -> str:
    """A student's notebook as HTML that fills the screen section by section: no stubs, no checks."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cells.append(new_markdown_cell(re.sub(r"(?m)^### ", "## ", cell.source)))
        elif not {"solution", "check"} & {*cell.metadata.get("tags", [])}:
            cells.append(_bare(cell) if _is_key(cell) else cell)
    return _page(cells, "slides")


def handout(notebook: NotebookNode, one: Chapter) -> str:
    """The same on a sheet of paper: what it is for, the key figure or table, the exercises, what to take away, terms.

    The key cell has the tag ``key``; terms are those that the lesson links, as ``book/glossary.md`` has them.
    """
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts = re.split(r"(?m)^(?=###? )", cell.source)
            kept = [part for part in parts if re.match(r"# |### Exercise|## What to take away", part)]
            cells += [new_markdown_cell(re.sub("^###", "##", part)) for part in kept]
        elif _is_key(cell):
            cells.append(_bare(cell))
    words = "\n".join(f"- **{term}**: {plain(said)}" for term, said in terms(one).items())
    return _page([*cells, new_markdown_cell(f"## Terms\n\n{words}")], "handout")


def terms(one: Chapter) -> dict[str, str]:
    """Term -> what the glossary says of it, of the terms that a lesson links."""
    entries = (project_root() / "book" / "glossary.md").read_text(encoding="utf-8")
    known = dict(re.findall(r"(?m)^(\w.*)\n  (\S.*)$", entries))
    links = re.findall(r"\{term\}`(?:[^<`]+<)?([^<>`]+)>?`", one.path.read_text(encoding="utf-8"))
    linked = {word.lower() for word in links}
    return {term: said for term, said in known.items() if term.lower() in linked}


def _is_key(cell: NotebookNode) -> bool:
    return "key" in cell.metadata.get("tags", [])


def _bare(cell: NotebookNode) -> NotebookNode:
    return NotebookNode(cell, metadata={**cell.metadata, "tags": ["remove-input"]})


def _page(cells: list[NotebookNode], kind: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "myst_enable_extensions": ["dollarmath"],
            "nb_execution_mode": "off",
            "nb_output_stderr": "remove",
            "nb_output_folder": folder,
            "math_output": "MathML",
            "stylesheet_path": ["minimal.css", "plain.css"],  # a list of its own: MyST-NB adds to it
            "image_loading": "embed",
            "output_encoding": "unicode",
        }
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
        text = publish_string(
            nbformat.writes(notebook), parser=Parser(), writer_name="html5", settings_overrides=settings
        )
    return text.replace("</head>", f"<style>{_BOTH}{_STYLES[kind]}</style></head>", 1)
