"""Chapters into a website: notebooks run with papermill, pages staged, the site rendered with Jupyter Book."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from itertools import chain
from pathlib import Path
from typing import Any

import nbformat
import yaml

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import execute, saved
from ethnicmer_lib.publish.chapters import CHAPTERS, INTRO, PAGES, Chapter, chapter, resolve, root
from ethnicmer_lib.publish.parameters import Parameters
from ethnicmer_lib.store import digest, workspace


def build(profile: str, overrides: Mapping[str, Any], *, say: Callable[[str], None] = print) -> Path:
    """Build the site of one source and return the folder with its ``index.html``; what is unchanged is not done again.

    Pages about all chapters come last.  The previous site stays until the new one is complete.
    """
    started = time.perf_counter()
    resolved = {page.name: resolve(page, profile, _told(page, profile, overrides)) for page in PAGES}
    kind = resolved[INTRO.name].source.kind
    here = [page for page in PAGES if page.left_out(kind) is None]
    pages = {f"book/{page.name}.md": _stand_in(page, kind).encode() for page in PAGES if page not in here}
    pages |= _run([page for page in here if not page.reads_all], resolved, (), say)
    others = [execute.key(page, resolved[page.name]) for page in CHAPTERS if page in here]
    pages |= _run([page for page in here if page.reads_all], resolved, others, say)
    site = workspace() / ("html" if kind == "simulated" else f"html-{kind}")
    changed = render(pages, workspace() / "sites" / kind, site)
    say(f"{'rendered' if changed else 'unchanged'}, {time.perf_counter() - started:.0f} s in all")
    return site


def _run(
    pages: Sequence[Chapter],
    parameters: Mapping[str, Parameters],
    others: Sequence[str],
    say: Callable[[str], None],
) -> dict[str, bytes]:
    """Run chapters two at a time, those that train one after the other; notebooks by their place in the book.

    The first failure or interrupt ends all of them; what was computed is kept.
    """
    training = iter([page for page in pages if page.trains])
    rest = iter([page for page in pages if not page.trains])
    done: dict[str, bytes] = {}
    ended = threading.Event()

    def run(*queues: Iterator[Chapter]) -> None:
        for page in chain(*queues):  # both workers take from `rest`; a list's iterator gives no page to two
            if ended.is_set():
                return
            notebook = execute.run(page, parameters[page.name], others=others, say=say)
            done[f"book/{page.name}.ipynb"] = nbformat.writes(notebook).encode()

    with ThreadPoolExecutor(2) as pool:
        workers: list[Future] = []
        try:
            for queues in ((training, rest), (rest,)):
                workers.append(pool.submit(run, *queues))
            for worker in as_completed(workers):
                worker.result()
        except BaseException:  # Ctrl-C too: threads do not hear of it
            ended.set()
            while not all(worker.done() for worker in workers):
                execute.stop()  # more than once: a worker may have been about to start its kernel
                wait(workers, timeout=0.2)
            raise
    return done


def _told(page: Chapter, profile: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides, and for a page about all chapters also how those were run."""
    if not page.reads_all:
        return dict(overrides)
    changes = {name: value for name, value in overrides.items() if name.partition(".")[0] != "source"}
    return {**overrides, f"{page.name}.profile": profile, f"{page.name}.changes": changes}


def _stand_in(page: Chapter, kind: str) -> str:
    """The page in the place of a chapter which this kind of source cannot feed."""
    label = page.name.replace("_", "-")  # other pages link to it
    note = f":::{{admonition}} Left out on this source\n:class: note\n{page.left_out(kind)}\n:::\n"
    return f"({label})=\n# {page.title}\n\n{note}"


def rerun(
    name: str, profile: str, overrides: Mapping[str, Any], *, say: Callable[[str], None] = print
) -> Path:
    """Run one chapter with ``overrides`` and return a folder with its notebook, HTML page and results."""
    one = chapter(name)
    p = resolve(one, profile, _told(one, profile, overrides), own=True)
    if (source := getattr(p, "source", None)) and (reason := one.left_out(source.kind)):
        raise StudyError(f"{name} cannot be built with --data {source.kind}: {reason}")
    content = _run([one], {name: p}, [], say)[f"book/{name}.ipynb"]
    folder = workspace() / "reruns" / f"{name}-{execute.key(one, p)}"
    (folder / "results").mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.ipynb").write_bytes(content)
    (folder / "results" / "parameters.json").write_text(
        json.dumps({"chapter": name, **p.identity()}, indent=1)
    )
    tables = shutil.ignore_patterns("*.npy", "*.seal")  # arrays of images are large, and stay where they are
    for run in saved.runs_of(one, p):
        shutil.copytree(run, folder / "results" / run.name, ignore=tables, dirs_exist_ok=True)
    render({f"book/{name}.ipynb": content}, folder / ".stage", folder / "html", only=name)
    return folder


def render(pages: Mapping[str, bytes], stage: Path, site: Path, *, only: str | None = None) -> bool:
    """Render the book, or ``only`` one chapter of it, into ``site``; False when nothing had changed.

    ``pages``, file below the book's root -> content, take the place of sources of the same name. ``stage`` holds the
    sources as Jupyter Book sees them and is kept between builds; ``site`` is replaced when the new one is complete.
    """
    files = _sources(only) | dict(pages)
    for name in pages:  # the executed notebook replaces the text notebook
        files.pop(str(Path(name).with_suffix(".md" if name.endswith(".ipynb") else ".ipynb")), None)
    signature = digest({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
    stamp = site / ".signature"
    if (site / "index.html").exists() and stamp.exists() and stamp.read_text() == signature:
        return False
    _synchronise(stage / "source", files)
    program = Path(sys.executable).with_name("jupyter-book")
    command = [str(program), "build", str(stage / "source"), "--path-output", str(stage)]
    done = subprocess.run([*command, "-W", "-n", "--keep-going", "-q"], capture_output=True, text=True)
    if done.returncode:
        log = (done.stdout + done.stderr)[-6000:]
        raise StudyError(f"Jupyter Book refused the pages in {stage} (warnings are errors):\n{log}")
    part = site.with_name(f".{site.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(stage / "_build" / "html", part)
    (part / ".signature").write_text(signature)
    shutil.rmtree(site, ignore_errors=True)
    os.replace(part, site)
    return True


def _sources(only: str | None) -> dict[str, bytes]:
    """The book's configuration (with execution off), contents and static pages."""
    base = root()
    config = yaml.safe_load((base / "_config.yml").read_text())
    config["execute"] = config["execute"] | {"execute_notebooks": "off"}
    contents = yaml.safe_load((base / "_toc.yml").read_text())
    if only:
        contents = {"format": "jb-book", "root": f"book/{only}", "chapters": [{"file": "book/references"}]}
        # Links to chapters that a single page does not have.
        missing = ["myst.xref_missing", "ref.ref", "ref.doc", "ref.numref"]
        config["sphinx"]["config"]["suppress_warnings"] = missing
    files = {
        "_config.yml": yaml.safe_dump(config, sort_keys=False).encode(),
        "_toc.yml": yaml.safe_dump(contents, sort_keys=False).encode(),
    }
    wanted = set(re.findall(r"book/\w+", files["_toc.yml"].decode()))
    for path in sorted((base / "book").rglob("*")):
        name = path.relative_to(base)
        if path.is_file() and (path.suffix != ".md" or str(name.with_suffix("")) in wanted):
            files[str(name)] = path.read_bytes()
    return files


def _synchronise(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make ``folder`` hold exactly ``files``, leaving unchanged ones alone so that Sphinx skips them."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and str(path.relative_to(folder)) not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
