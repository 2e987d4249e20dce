"""Chapters into a website: compute, execute with papermill, stage the pages, render with Jupyter Book."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from traitlets.config import Config

import ethnicmer_lib
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.old_sources import open_cohort
from ethnicmer_lib.publish import chapters as study
from ethnicmer_lib.publish.chapters import Chapter
from ethnicmer_lib.publish.old_parameters import CohortParameters
from ethnicmer_lib.store import old_runs as runs

PAGES_AT_ONCE = 2  #: kernels that run while a chapter computes
_CELL = re.compile(r"(```\{code-cell\} ipython3\n:tags: \[parameters[^\]]*\]\n\n)(.*?)(\n```)", re.DOTALL)


def root() -> Path:
    """The checkout with the book's sources; StudyError when called from elsewhere."""
    found = runs.project_root()
    if found is None:
        raise StudyError("no _toc.yml here or above: run this inside a checkout of the project")
    return found


def source(chapter: Chapter) -> Path:
    """The chapter's notebook, a MyST text file."""
    return root() / "book" / f"{chapter.name}.md"


def write_parameter_cells() -> list[Path]:
    """Bring every notebook's parameters cell in line with its model; returns the files that changed."""
    changed = []
    for chapter in study.PAGES:
        path = source(chapter)
        text = path.read_text()
        cell = study.notebook_cell(chapter)
        new = _CELL.sub(lambda match, cell=cell: match[1] + cell + match[3], text)
        if new != text:
            path.write_text(new)
            changed.append(path)
    return changed


def build(profile: str, overrides: Mapping[str, Any], *, say=print) -> Path:
    """Build the site of one source and return the folder with its ``index.html``.

    Every step is keyed by what goes into it: chapters whose parameters, cohort and code are unchanged are
    neither computed nor executed again, and unchanged pages are not rendered again. The previous site
    stays until the new one is complete. Warnings of Jupyter Book are errors.
    """
    started = time.perf_counter()
    resolved = {c.name: study.resolve(c, profile, overrides) for c in study.PAGES}
    data = resolved["intro"].data
    changes = {k: v for k, v in overrides.items() if k not in study.INTRO.model.model_fields}
    for page in study.PAGES:
        if page.reads_all:
            own = {f"{page.name}.profile": profile, f"{page.name}.changes": changes}
            resolved[page.name] = study.resolve(page, profile, {**overrides, **own})
    pages: dict[str, bytes] = {}
    executed: dict[str, Future[Path]] = {}
    # The pages of finished chapters run while the next chapter computes.
    with ThreadPoolExecutor(PAGES_AT_ONCE) as pool:
        for chapter in (*study.PAGES[1:], study.INTRO):  # the landing page last
            reason = chapter.left_out(data)
            if reason is None:
                made = prepare(chapter, resolved[chapter.name], extra=list(resolved.values()))
                executed[chapter.name] = pool.submit(made, say)
                for page in executed.values():
                    if page.done():
                        page.result()  # a page that failed ends the build now, not after the last chapter
            else:
                say(f"{chapter.name}: left out for --data {data}")
                pages[f"book/{chapter.name}.md"] = left_out_page(chapter, reason).encode()
        for name, page in executed.items():
            pages[f"book/{name}.ipynb"] = page.result().read_bytes()
    site = runs.workspace() / ("html" if data == "simulated" else f"html-{data}")
    changed = render(pages, runs.workspace() / "sites" / data, site)
    say(f"{'rendered' if changed else 'unchanged'}, {time.perf_counter() - started:.0f} s in all")
    return site


def left_out_page(chapter: Chapter, reason: str) -> str:
    """The page that stands in for a chapter which the source cannot feed."""
    label = chapter.name.replace("_", "-")  # other pages link to it
    return f"({label})=\n# {chapter.title}\n\n:::{{admonition}} Left out on this source\n:class: note\n{reason}\n:::\n"


def prepare(
    chapter: Chapter, parameters: CohortParameters, *, extra: list[CohortParameters] | None = None
) -> Callable[[Callable[[str], None]], Path]:
    """Compute a chapter with progress on the terminal; what it returns runs its notebook and gives its path.

    The notebook finds its results in the run store, so its own run is short. ``extra`` are parameters of
    other chapters that the page reads (the landing page and the ledger read them all).
    """
    cohort = open_cohort(parameters, progress=True)
    key = runs.digest(
        {
            "parameters": parameters.identity(),
            "others": [p.identity() for p in extra or []] if chapter.reads_all else [],
            "cohort": cohort.provenance.fingerprint,
            "notebook": source(chapter).read_text(),
            "library": library_fingerprint(),
        }
    )
    target = runs.workspace() / "notebooks" / f"{chapter.name}-{key}.ipynb"
    started = time.perf_counter()
    if (
        not target.exists() and not chapter.reads_all
    ):  # such a page finds the other chapters' results in the store
        chapter.compute(parameters, progress=True)
    seconds = time.perf_counter() - started

    def page(say: Callable[[str], None]) -> Path:
        if target.exists():
            say(f"{chapter.name}: up to date")
            return target
        started = time.perf_counter()
        _papermill(chapter, parameters, target)
        say(f"{chapter.name}: computed in {seconds:.0f} s, page run in {time.perf_counter() - started:.0f} s")
        return target

    return page


def library_fingerprint() -> str:
    """Fingerprint of every file of the library: a page shows what any of them may have drawn."""
    folder = Path(ethnicmer_lib.__file__).parent
    files = sorted(p for p in folder.rglob("*") if p.suffix in {".py", ".yml", ".csv"})
    return runs.digest(
        {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    )


@contextmanager
def kernel_config() -> Iterator[Config]:
    """Configuration under which one kernel talks over files of its own, where the system has such sockets.

    Nobody else can listen there, unlike on a port; and the names are never shared: Jupyter's default
    name is the same for every kernel started in a folder, so that two builds at once would meet.
    """
    if os.name != "posix":
        yield Config()
        return
    # The name of a socket may have about 100 characters: the shortest folder that is private.
    with tempfile.TemporaryDirectory(prefix="ethnicmer-", dir="/tmp") as folder:
        yield Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})


def _papermill(chapter: Chapter, parameters: CohortParameters, target: Path) -> None:
    import jupytext
    import nbformat
    import papermill

    notebook = jupytext.read(source(chapter))
    with runs.atomic(target) as part, kernel_config() as config:
        try:
            executed = papermill.execute_notebook(
                notebook,
                None,
                parameters=parameters.model_dump(mode="json"),
                kernel_name="python3",
                cwd=str(root()),
                progress_bar=False,
                log_output=False,
                config=config,
            )
        except papermill.PapermillExecutionError as error:
            raise StudyError(
                f"{source(chapter).name}, cell {error.exec_count}: {error.ename}: {error.evalue}"
            ) from None
        for cell in executed.cells:
            tags = cell.metadata.get("tags", [])
            if "injected-parameters" in tags:
                # What was injected is in the provenance footer, without this machine's paths.
                tags.append("remove-cell")
            cell.metadata.pop("papermill", None)
        executed.metadata.pop("papermill", None)
        nbformat.write(executed, part)


def render(pages: Mapping[str, bytes], stage: Path, site: Path, *, only: str | None = None) -> bool:
    """Render ``pages`` with the book's own configuration into ``site``; False when nothing had changed.

    Parameters
    ----------
    pages : file below the book's root -> content, taking the place of the sources of the same name.
    stage : folder for the sources as Jupyter Book sees them, kept between builds.
    site : folder that is replaced when, and only when, the new site is complete.
    only : name of the one chapter to make a page of, instead of the whole book.
    """
    files = _sources(only) | dict(pages)
    for name in pages:  # the executed notebook replaces the text notebook
        files.pop(str(Path(name).with_suffix(".md" if name.endswith(".ipynb") else ".ipynb")), None)
    signature = runs.digest({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
    stamp = site / ".signature"
    if (site / "index.html").exists() and stamp.exists() and stamp.read_text() == signature:
        return False
    _synchronise(stage / "source", files)
    _jupyter_book(stage / "source", stage)
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
        contents = {
            "format": "jb-book",
            "root": f"book/{only}",
            "chapters": [{"file": "book/references"}],
        }
        # Links to chapters that a single page does not have.
        config["sphinx"]["config"]["suppress_warnings"] = [
            "myst.xref_missing",
            "ref.ref",
            "ref.doc",
            "ref.numref",
        ]
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


def _jupyter_book(sources: Path, out: Path) -> None:
    program = Path(sys.executable).with_name("jupyter-book")
    command = [str(program), "build", str(sources), "--path-output", str(out)]
    done = subprocess.run([*command, "-W", "-n", "--keep-going", "-q"], capture_output=True, text=True)
    if done.returncode:
        log = (done.stdout + done.stderr)[-6000:]
        raise StudyError(f"Jupyter Book refused the pages in {sources} (warnings are errors):\n{log}")


def rerun(name: str, profile: str, overrides: Mapping[str, Any], *, say=print) -> Path:
    """Run one chapter with ``overrides`` and return a folder with its notebook, HTML page and results."""
    chapter = study.chapter(name)
    parameters = study.resolve(chapter, profile, overrides, own=True)
    if reason := chapter.left_out(parameters.data):
        raise StudyError(f"{name} cannot be built with --data {parameters.data}: {reason}")
    executed = prepare(chapter, parameters)(say)
    folder = runs.workspace() / "reruns" / executed.stem
    (folder / "results").mkdir(parents=True, exist_ok=True)
    shutil.copy(executed, folder / f"{name}.ipynb")
    identity = json.dumps({"chapter": name, **parameters.identity()}, indent=1)
    (folder / "results" / "parameters.json").write_text(identity)
    for run in getattr(chapter.compute(parameters), "runs", ()):
        shutil.copytree(run.path, folder / "results" / run.path.name, dirs_exist_ok=True)
    render({f"book/{name}.ipynb": executed.read_bytes()}, folder / ".stage", folder / "html", only=name)
    return folder
