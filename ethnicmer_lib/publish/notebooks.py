"""Notebooks as they are taken away: numbers, figures and plain words in the place of the book's markup."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from typing import Any

from myst_nb.core.variables import format_plain_text
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_code_cell
from PIL import Image

from ethnicmer_lib.store import project_root

_RECORD = "application/papermill.record/"  #: before the type of what is glued
_FIGURE = r"(?ms)^(`{3,})\{glue:figure\} (\S+)\n((?::[^\n]*\n)*)\n?(.*?)\n\1$"
#: The first cell of a notebook that is launched elsewhere.
_FETCH = """\
# Where the study is not at hand, as on Colab: fetch it, and what it needs.
from pathlib import Path
if not any((folder / "_toc.yml").exists() for folder in (Path(), *Path.cwd().parents)):
    %pip install -q "ethnicmer-lib[student] @ git+{0}"
    !git clone -q --depth 1 {0} study
    %cd study"""
_PLAIN = (
    (r"\{(?:term|ref|doc|numref|eq)\}`([^`<]+?)\s*<[^`>]*>`", r"\1"),
    (r"\{(?:term|numref|eq)\}`([^`]+)`", r"\1"),
    (r"\{(?:ref|doc)\}`([^`]+)`", lambda found: _titles().get(found[1], found[1])),
    (r"(?m)^\([\w-]+\)=\n", ""),
    (r"(?m)^\$\$ \([\w-]+\)$", "$$"),
    (r"(?ms)^(`{3,})\{(exercise|solution)-start\}.*?^\1$", lambda found: f"**{found[2].capitalize()}**"),
    (r"(?ms)^(`{3,})\{\w+-end\}\n\1$", ""),
    (r"(?m)^:{3,}\{grid\}.*\n", ""),
    (r"(?m)^:{3,}\{\w[\w-]*\} ?(.*)$", r"**\1**\n"),
    (r"(?m)^:(?:class|open|name|gutter):.*\n", ""),
    (r"(?m)^:{3,}$", ""),
)


def glued(notebook: NotebookNode) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and data, type -> content, of whatever the cells of a notebook have glued."""
    for output in chain.from_iterable(cell.get("outputs", []) for cell in notebook.cells):
        if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
            yield name, {kind.removeprefix(_RECORD): content for kind, content in output["data"].items()}


def pictures(notebook: NotebookNode) -> dict[str, str]:
    """Name -> PNG in base 64 of every figure that is glued."""
    every = ((name, data.get("image/png")) for name, data in glued(notebook))
    return {name: "".join(picture).replace("\n", "") for name, picture in every if picture}


def taken_away(notebook: NotebookNode, repository: str = "") -> NotebookNode:
    """A copy that reads in Jupyter: numbers and figures where the prose has them, no markup of the book.

    What is glued stands in the prose and nowhere else; code that a page folds is folded.  With the address of a
    ``repository`` the copy runs where there is no checkout, too.
    """
    copy, known, figures = from_dict(notebook), dict(glued(notebook)), pictures(notebook)
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            shown = {found[2] for found in re.finditer(_FIGURE, cell.source)} & {*figures}
            if shown:
                cell["attachments"] = {
                    f"{name}.png": {"image/png": _halved(figures[name])} for name in sorted(shown)
                }
            cell.source = plain(cell.source, known)
        elif cell.cell_type == "code":
            if {"hide-input", "hide-cell", "remove-input", "remove-cell"} & {*cell.metadata.get("tags", [])}:
                cell.metadata["jupyter"] = {"source_hidden": True}
            cell.outputs = [one for one in cell.outputs if "scrapbook" not in one.get("metadata", {})]
    if repository:
        copy.cells.insert(0, new_code_cell(_FETCH.format(repository)))
    return copy


def least_width(picture: str) -> int:
    """The width in px at which a page shows a figure, a PNG in base 64, at least: 72 px an inch, so that type of 9 pt
    has 9 px."""
    with _opened(picture) as image:
        return round(72 * image.width / image.info["dpi"][0])


def _opened(picture: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(picture)))


def _halved(picture: str) -> str:
    """A PNG in base 64 at half its size: pages show two of its pixels as one, Jupyter shows every one."""
    with _opened(picture) as image:
        content = io.BytesIO()
        image.reduce(2).save(content, "png")
    return base64.b64encode(content.getvalue()).decode()


def plain(text: str, known: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Text of the book as Jupyter reads it: roles as their words, references as (author, year), no directives.

    ``known``, of :func:`glued`, takes the place of its names.
    """
    for pattern, said in (
        (_FIGURE, _figure),
        (r"(?ms)^```\{glue:\} (\S+)\n```$", _html),
        (r"\{glue:text\}`(\w+)`", _text),
    ):
        if known is not None:
            text = re.sub(pattern, lambda found, said=said: said(found, known), text)
    text = re.sub(r"\{cite:([pt])\}`([^`]+)`", lambda found: _cited(found[2], found[1] == "t"), text)
    for pattern, words in _PLAIN:
        text = re.sub(pattern, words, text)
    return text.strip()


def _figure(found: re.Match, known: Mapping[str, Any]) -> str:
    alt = re.search(r"(?m)^:alt: (.*)$", found[3])
    return f"![{alt[1] if alt else ''}](attachment:{found[2]}.png)\n\n{found[4]}"


def _html(found: re.Match, known: Mapping[str, Any]) -> str:
    return "".join(known.get(found[1], {}).get("text/html", ""))


def _text(found: re.Match, known: Mapping[str, Any]) -> str:
    return format_plain_text("".join(known.get(found[1], {}).get("text/plain", found[0])), "")


@cache
def _titles() -> dict[str, str]:
    """Label -> the heading that it stands before, in all pages."""
    pages = [path.read_text(encoding="utf-8") for path in (project_root() / "book").rglob("*.md")]
    return dict(found for page in pages for found in re.findall(r"(?m)^\(([\w-]+)\)=\n#+ (.+)$", page))


def _cited(keys: str, in_text: bool) -> str:
    bib = (project_root() / "book" / "references.bib").read_text(encoding="utf-8")
    found = []
    for key in keys.split(","):
        entry = re.search(rf"@\w+\{{{key.strip()},(.*?)\n\}}", bib, re.DOTALL)[1]
        who = re.search(r"author\s*=\s*\{(.*)\},", entry)[1].split(" and ")
        year, first = re.search(r"year\s*=\s*\{(\d+)\}", entry)[1], re.sub("[{}]", "", who[0].split(",")[0])
        name = first + (" et al." if len(who) > 2 else f" & {who[1].split(',')[0]}" if len(who) == 2 else "")
        found.append(f"{name} ({year})" if in_text else f"{name}, {year}")
    return "; ".join(found) if in_text else f"({'; '.join(found)})"
