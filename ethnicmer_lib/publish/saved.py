"""What chapters have found is kept in their notebooks, for the pages that show all of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from nbformat import NotebookNode

from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.publish import execute
from ethnicmer_lib.publish.chapters import shown_by
from ethnicmer_lib.publish.parameters import Parameters
from ethnicmer_lib.show import say
from ethnicmer_lib.store import used_runs


def save_findings(found: Iterable[Finding]) -> None:
    """Save what a chapter has found in its notebook, unseen, for the ledger and the landing page.

    Only the book's own code speaks for a chapter: these pages read the notebooks that `ethnicmer` has run.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.save_findings([])  # doctest: +SKIP
    """
    content = {"findings": [asdict(one) for one in found], "runs": [run.path.name for run in used_runs()]}
    say(saved=json.dumps(content))


def all_findings(p: Parameters) -> list[Finding]:
    """What all chapters have found that can be built on the source, in reading order; ``p`` is of a page about them.

    A chapter that has not been run with these parameters is run first.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> p = em.parameters("intro", {"source": "tiny", "profile": "tiny"})
    >>> em.all_findings(p)  # doctest: +SKIP
    """
    notebooks = [execute.run(one, of, say=lambda text: None) for one, of in shown_by(p)]
    return [Finding(**found) for notebook in notebooks for found in saved(notebook)["findings"]]


def saved(notebook: NotebookNode) -> dict[str, Any]:
    """What :func:`save_findings` has put into a notebook: findings, and names of the runs that gave its numbers."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("metadata", {}).get("scrapbook", {}).get("name") == "saved":
                return json.loads(output.data["application/papermill.record/text/plain"])
    return {"findings": [], "runs": []}
