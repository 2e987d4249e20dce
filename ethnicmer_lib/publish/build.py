"""Chapters into a website: notebooks run with papermill, pages staged, the site rendered with Jupyter Book."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from itertools import groupby
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import yaml
from nbformat import NotebookNode

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import execute, saved
from ethnicmer_lib.publish.chapters import INTRO, PAGES, Chapter, chapter, opened, resolve, written
from ethnicmer_lib.publish.guard import Guard
from ethnicmer_lib.publish.notebooks import pictures, taken_away
from ethnicmer_lib.publish.parameters import Parameters
from ethnicmer_lib.store import digest, lock, project_root, workspace
from ethnicmer_lib.store.identity import file_digest

PROGRAM = Path(sys.executable).with_name("jupyter-book")
#: A published site launches its notebooks from a branch of the repository whose address is in this variable.
REPOSITORY, BRANCH = "ETHNICMER_REPOSITORY", "notebooks"


def build(profile: str, overrides: Mapping[str, Any], *, say: Callable[[str], None] = print) -> Path:
    """Build the site of one source and return the folder with its ``index.html``; what is unchanged is not done again.

    Pages about all chapters come last.  The previous site stays until the new one is complete.
    """
    started = time.perf_counter()
    resolved = {page: resolve(page, profile, overrides) for page in PAGES}
    source = resolved[INTRO].source
    pages = {}
    for last in (False, True):
        here = {
            page: p for page, p in resolved.items() if page.reads_all is last and not page.left_out(source)
        }
        for page, notebook in _run(here, say).items():
            pages[f"book/{page.name}.ipynb"] = nbformat.writes(notebook)
    pages |= {f"book/{page.name}.md": _stand_in(page, source) for page in PAGES if page.left_out(source)}
    site = workspace() / ("html" if source.kind == "simulated" else f"html-{source.kind}")
    guard = _guard(source)
    _refuse(guard, pages)
    changed = render(pages, workspace() / "sites" / source.kind, site)
    if guard:
        say(guard.search(site))
    say(f"{'rendered' if changed else 'unchanged'}, {time.perf_counter() - started:.0f} s in all")
    return site


def _guard(source: Any) -> Guard | None:
    """Who looks for frames of the clips of a source, None where all may be shown."""
    return None if source is None or source.kind == "simulated" else Guard.of(opened(source))


def _refuse(guard: Guard | None, pages: Mapping[str, str]) -> None:
    """StudyError for a page that shows a frame, before it is rendered."""
    for name, content in pages.items() if guard else ():
        guard.refuse(content.encode(), name)


def _run(pages: Mapping[Chapter, Parameters], say: Callable[[str], None]) -> dict[Chapter, NotebookNode]:
    """Run chapters two at a time, those that train one after the other.

    The first failure or interrupt ends all of them; what was computed is kept.
    """
    done: dict[Chapter, NotebookNode] = {}

    def run(job: Iterable[Chapter]) -> None:
        for page in job:
            done[page] = execute.run(page, pages[page], say)

    with ThreadPoolExecutor(2) as pool:
        workers: list[Future] = []
        try:
            for job in (
                [page for page in pages if page.trains],
                *([page] for page in pages if not page.trains),
            ):
                workers.append(pool.submit(run, job))
            for worker in as_completed(workers):
                worker.result()
        except BaseException:  # Ctrl-C too: threads do not hear of it
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(worker.done() for worker in workers):
                execute.stop()  # more than once: a worker may have been about to start its kernel
                time.sleep(0.2)
            raise
    return done


def _stand_in(page: Chapter, source: Any) -> str:
    """The page in the place of a chapter which this source cannot feed."""
    label_and_title = re.search(r"^\(.+\)=\n# .+\n", page.path.read_text(), re.MULTILINE)[0]
    return f"{label_and_title}\n:::{{note}}\n{page.left_out(source)}\n:::\n"


def rerun(
    name: str, profile: str, overrides: Mapping[str, Any], *, say: Callable[[str], None] = print
) -> Path:
    """Run one chapter with ``overrides`` and return a folder with its notebook, HTML page and results."""
    one = chapter(name)
    own = {f"{name}.{entry.removeprefix(f'{name}.')}": value for entry, value in overrides.items()}
    p = resolve(one, profile, overrides if one.reads_all else own)
    if (source := getattr(p, "source", None)) and (reason := one.left_out(source)):
        raise StudyError(f"{name} cannot be built with --data {source.kind}: {reason}")
    notebook = _as_rerun(_run({one: p}, say)[one], written(one, p))
    guard = _guard(source)
    _refuse(guard, {name: nbformat.writes(notebook)})
    folder = workspace() / "reruns" / f"{one.path.stem}-{execute.key(one, p)}"
    (folder / "results").mkdir(parents=True, exist_ok=True)
    nbformat.write(taken_away(notebook), folder / f"{one.path.stem}.ipynb")
    (folder / "results" / "parameters.json").write_text(
        json.dumps({"chapter": name, **p.identity()}, indent=1)
    )
    tables = shutil.ignore_patterns("*.npy", "*.seal")  # arrays of images are large, and stay where they are
    for run in saved.saved(notebook)["runs"]:
        shutil.copytree(
            workspace() / "runs" / run, folder / "results" / run, ignore=tables, dirs_exist_ok=True
        )
    _as_files(folder / "results", notebook)
    if PROGRAM.exists():  # not in the small installation
        page = {f"book/{name}.ipynb": nbformat.writes(notebook)}
        render(page, folder / ".stage", folder / "html", only=name)
    if guard:
        say(guard.search(folder))
    return folder


def _as_rerun(notebook: NotebookNode, changed: Mapping[str, Any]) -> NotebookNode:
    """The notebook with what was changed under its title, if anything was."""
    values = "\n".join(f"- `{name} = {value!r}`" for name, value in changed.items())
    said = f"\n\n:::{{admonition}} A rerun: what differs from the book\n:class: rerun\n{values}\n:::"
    first = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
    first.source = re.sub(
        r"^# .+$", rf"\g<0> (rerun){said}" if changed else r"\g<0>", first.source, count=1, flags=re.M
    )
    return notebook


def _as_files(results: Path, notebook: NotebookNode) -> None:
    """What other programs open, beside the Parquet tables: one CSV of those that are numbered, and the figures."""
    for run in (path for path in results.iterdir() if path.is_dir()):
        for name, paths in groupby(
            sorted(run.glob("*.parquet")), lambda path: path.stem.rstrip("0123456789")
        ):
            tables = {path.stem: pd.read_parquet(path) for path in paths}
            pd.concat(tables, names=["table"]).reset_index("table").to_csv(run / f"{name}.csv", index=False)
    for name, picture in pictures(notebook).items():
        (results / f"{name}.png").write_bytes(base64.b64decode(picture))


def launching(repository: str) -> str:
    """What ``_config.yml`` says besides where notebooks can be launched from a repository; '' where there is none."""
    if not repository:
        return ""
    places = {"binderhub_url": "https://mybinder.org", "colab_url": "https://colab.research.google.com"}
    buttons = {"notebook_interface": "jupyterlab", **places}
    return "\n" + yaml.safe_dump(
        {"repository": {"url": repository, "branch": BRANCH}, "launch_buttons": buttons}
    )


def render(pages: Mapping[str, str], stage: Path, site: Path, *, only: str | None = None) -> bool:
    """Render the book, or ``only`` one chapter of it, into ``site``; False when nothing had changed.

    ``pages``, file below the book's root -> content, take the place of the chapters' text notebooks.  ``stage`` holds
    the sources as Jupyter Book sees them and is kept between builds; ``site`` is replaced when the new one is complete.
    Warnings are errors, but for links of a single chapter to others.  Changed are sources or the site itself, by
    content: no clock is asked.
    """
    with lock(f"render-{digest(str(stage))}"):  # two builds into one place take turns
        return _render(pages, stage, site, only)


def _render(pages: Mapping[str, str], stage: Path, site: Path, only: str | None) -> bool:
    source, base = stage / "source", project_root()
    contents = (base / "_toc.yml").read_text()
    if only:
        contents = f"format: jb-book\nroot: book/{only}\nchapters: [{{file: book/references}}]\n"
    chapters = {page.path for page in PAGES}
    own = [path for path in (base / "book").rglob("*") if path not in chapters]
    staged = {str(path.relative_to(base)): path.read_bytes() for path in own if path.is_file()}
    config = (base / "_config.yml").read_text() + launching(os.environ.get(REPOSITORY, ""))
    given = {**pages, "_config.yml": config, "_toc.yml": contents}
    staged |= {name: text.encode() for name, text in given.items()}
    for path in source.rglob("*"):
        if path.is_file() and str(path.relative_to(source)) not in staged:
            path.unlink()
    rendered, whole = stage / "_build", stage / ".whole"
    if not whole.exists():  # it was left half done: what looks finished may be cut
        shutil.rmtree(rendered, ignore_errors=True)
    for name, content in staged.items():  # one that is the same is left alone, so that Sphinx skips it
        path = source / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            # Sphinx compares times, and the clock may have been set back.
            (rendered / ".doctrees" / name).with_suffix(".doctree").unlink(missing_ok=True)
    signature = digest({name: hashlib.sha256(content).hexdigest() for name, content in staged.items()})
    stamp = site / ".signature"
    if stamp.exists() and stamp.read_text() == _sealed(signature, site):
        return False
    whole.unlink(missing_ok=True)
    command = [str(PROGRAM), "build", str(source), "--path-output", str(stage), "-q"]
    strict = [] if only else ["-W", "-n", "--keep-going"]
    done = subprocess.run([*command, *strict], capture_output=True, text=True)
    if done.returncode:
        log = (done.stdout + done.stderr)[-6000:]
        raise StudyError(f"Jupyter Book refused the pages in {stage} (warnings are errors):\n{log}")
    whole.touch()
    part = site.with_name(f".{site.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(rendered / "html", part)
    for path in (part / "_sources").rglob("*.ipynb"):  # for download
        nbformat.write(taken_away(nbformat.read(path, 4), os.environ.get(REPOSITORY, "")), path)
    (part / ".signature").write_text(_sealed(signature, part))
    shutil.rmtree(site, ignore_errors=True)
    os.replace(part, site)
    return True


def _sealed(signature: str, site: Path) -> str:
    """A signature of sources and of every file of the site that was made of them."""
    files = {str(path.relative_to(site)): path for path in site.rglob("*") if path.name != ".signature"}
    return digest(
        [signature, {name: file_digest(path) for name, path in sorted(files.items()) if path.is_file()}]
    )
