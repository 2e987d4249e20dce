"""What chapters have found is saved under the key of their run, for the pages that show all of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from IPython import get_ipython

from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.publish import execute
from ethnicmer_lib.publish.chapters import CHAPTERS, PAGES, Chapter, chapter, resolve
from ethnicmer_lib.publish.parameters import Intro, Parameters
from ethnicmer_lib.store import atomic, used_runs, workspace


def save_findings(p: Parameters, found: Iterable[Finding]) -> None:
    """Save what a chapter has found with ``p``, for the ledger and the landing page.

    Only the book's own code speaks for a chapter: nothing is saved from a copy of the notebook with other cells.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> p = em.parameters("statistics", {})
    >>> em.save_findings(p, [])
    """
    one = next(page for page in PAGES if page.model is type(p))
    ran = _ran()
    if ran != [source for source, _ in execute.code(one)][: len(ran)]:
        return
    content = {"findings": [asdict(one) for one in found], "runs": [run.path.name for run in used_runs()]}
    with atomic(_path(one, p)) as part:
        part.write_text(json.dumps(content, indent=1))


def saved_findings(name: str, p: Parameters) -> list[Finding]:
    """What a chapter has found with ``p``; where that is not known yet its notebook is run first.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> p = em.parameters("statistics", {"seed": 1})
    >>> em.save_findings(p, [])
    >>> saved_findings("statistics", p)
    []
    """
    one = chapter(name)
    path = _path(one, p)
    if not path.exists():
        # In a thread: this may be called from a notebook, whose own thread has an event loop that runs.
        with ThreadPoolExecutor(1) as other:
            other.submit(execute.run, one, p, again=True, say=lambda text: None).result()
    return [Finding(**one) for one in json.loads(path.read_text())["findings"]]


def all_findings(p: Intro) -> list[Finding]:
    """What all chapters have found that can be built on the source, in reading order; ``p`` is of a page about them.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> p = em.parameters("intro", {"source": "tiny", "profile": "tiny"})
    >>> em.all_findings(p)  # doctest: +SKIP
    """
    here = [one for one in CHAPTERS if one.left_out(p.source.kind) is None]
    told = {"source": p.source, **p.changes}
    return [found for one in here for found in saved_findings(one.name, resolve(one, p.profile, told))]


def runs_of(one: Chapter, p: Parameters) -> list[Path]:
    """Folders of the runs whose numbers a chapter shows, as far as it has saved findings."""
    path = _path(one, p)
    names = json.loads(path.read_text())["runs"] if path.exists() else []
    return [folder for name in names if (folder := workspace() / "runs" / name).is_dir()]


def _path(one: Chapter, p: Parameters) -> Path:
    return workspace() / "findings" / f"{one.name}-{execute.key(one, p)}.json"


def _ran() -> list[str]:
    """Sources of the cells that this notebook has run so far, without what papermill put in; [] outside notebooks."""
    shell = get_ipython()
    cells = shell.history_manager.input_hist_raw[1:] if shell else []
    return [cell.strip() for cell in cells if not cell.startswith("# Parameters\n")]
