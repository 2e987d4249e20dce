"""Pictures that weigh much, those with faces, are shown as WebP: a tenth of the bytes for the same look."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx

HEAVY = 250_000  #: bytes
QUALITY = 92  #: of WebP, up to 100


def lighten(app: Sphinx, doctree: nodes.document) -> None:
    """Put a WebP picture in the place of every heavy PNG of a page."""
    for image in doctree.findall(nodes.image):
        heavy = Path(app.env.relfn2path(image["uri"])[1])
        if heavy.suffix == ".png" and heavy.is_file() and heavy.stat().st_size > HEAVY:
            with Image.open(heavy) as picture:
                picture.convert("RGB").save(heavy.with_suffix(".webp"), quality=QUALITY, method=6)
            image["uri"] = str(PurePosixPath(image["uri"]).with_suffix(".webp"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-read", lighten, priority=100)  # before Sphinx collects the pictures
    return {"parallel_read_safe": True, "parallel_write_safe": True}
