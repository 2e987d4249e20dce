"""Figures as a page shows them: at their own size, or smaller as long as their type can be read, and light."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx

SHOWN, LEAST = (
    110,
    72,
)  #: px an inch of a figure: where there is room, and where there is none (type of 9 pt has 9 px)
HEAVY = 250_000  #: bytes; heavier pictures, those with faces, are shown as WebP: a tenth of the bytes for the same look
QUALITY = 92  #: of WebP, up to 100
#: A figure that is wider than its page scrolls in its own box; the theme puts it in the order of tabs if it does.
_BOX = (
    '<div class="drawn pst-scrollable-table-container" role="group" aria-label="Figure, scrolls if it is wider than '
    'the page" style="--least: {}px">'
)


def fit(app: Sphinx, doctree: nodes.document) -> None:
    """Give every figure of a page its size on it, which its PNG says in inches."""
    for image in [*doctree.findall(nodes.image)]:
        path = Path(app.env.relfn2path(image["uri"])[1])
        if path.suffix != ".png" or not path.is_file():
            continue
        with Image.open(path) as picture:
            inches = picture.width / picture.info.get("dpi", (SHOWN,))[0]
            if path.stat().st_size > HEAVY:
                picture.convert("RGB").save(path.with_suffix(".webp"), quality=QUALITY, method=6)
                image["uri"] = str(PurePosixPath(image["uri"]).with_suffix(".webp"))
        image["width"] = f"{SHOWN * inches:.0f}px"
        image.attributes.pop("height", None)
        box = nodes.raw("", _BOX.format(round(LEAST * inches)), format="html")
        image.replace_self([box, image, nodes.raw("", "</div>", format="html")])


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-read", fit, priority=100)  # before Sphinx collects the pictures
    return {"parallel_read_safe": True, "parallel_write_safe": True}
