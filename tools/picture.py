"""Renew book/_static/story.png, which README shows and links to the site carry: the figure of the landing page.

usage: python tools/picture.py (after `make book`: instant)
"""

from __future__ import annotations

import base64

from ethnicmer_lib.publish import execute
from ethnicmer_lib.publish.chapters import INTRO, resolve
from ethnicmer_lib.publish.notebooks import pictures
from ethnicmer_lib.store import project_root


def main() -> None:
    """Take it from the landing page's notebook, which is run if it has not been."""
    story = pictures(execute.run(INTRO, resolve(INTRO)))["story"]
    (project_root() / "book" / "_static" / "story.png").write_bytes(base64.b64decode(story))


if __name__ == "__main__":
    main()
