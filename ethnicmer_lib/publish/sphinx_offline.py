"""A Sphinx extension that leaves thebe out: its scripts come from another host, and the site asks nobody."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config


def _without_thebe(app: Sphinx, _: Config) -> None:
    # Jupyter Book 1 always loads sphinx_thebe and has no switch for it.
    for event, listeners in app.events.listeners.items():
        app.events.listeners[event] = [
            one for one in listeners if not one.handler.__module__.startswith("sphinx_thebe")
        ]
    # Its style sheet and script were announced when it was loaded, before this could be called.
    for announced in (app.registry.css_files, app.registry.js_files):
        announced[:] = [(name, how) for name, how in announced if "thebe" not in (name or "")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx; listed in ``_config.yml``."""
    app.connect("config-inited", _without_thebe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
