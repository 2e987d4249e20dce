"""A chapter's notebook is run with papermill, once for all that it depends on, and its outputs are kept."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from traitlets.config import Config

from ethnicmer_lib import MORE, NETWORKS, ROOMS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.chapters import Chapter, code, opened, read, shown_by, written
from ethnicmer_lib.publish.parameters import Parameters
from ethnicmer_lib.publish.watch import started
from ethnicmer_lib.store import atomic, digest, fingerprint, lock, project_root, workspace
from ethnicmer_lib.store.places import SESSION


def key(one: Chapter, p: Parameters) -> str:
    """Key of all that a run of a chapter depends on: parameters, clips, code cells, library and what is recorded, but
    no prose.

    A page about all chapters depends on what each of them depends on.
    """
    source = getattr(p, "source", None)
    # Simulated clips follow from their settings and the library; files of others may change under the same name.
    files = source is not None and source.kind != "simulated"
    clips = opened(source).provenance.fingerprint if files else ""
    library = fingerprint(*ROOMS)  # a page shows what any of it may have drawn
    others = [key(*other) for other in shown_by(p)] if one.reads_all else []
    recorded = [path.read_text() for path in sorted((project_root() / "results").glob("*/record.json"))]
    return digest([one.name, p.identity(), clips, code(one), library, recorded, others])


def kept_at(one: Chapter, p: Parameters) -> Path:
    """Where the notebook of a run is kept, named by its :func:`key`."""
    return workspace() / "notebooks" / f"{one.name.replace('/', '-')}-{key(one, p)}.ipynb"


def run(one: Chapter, p: Parameters, say: Callable[[str], None] = print) -> NotebookNode:
    """A chapter's notebook with its outputs: from papermill, or kept from a run with the same :func:`key`.

    ``say`` is told how long that took.  StudyError when a cell fails, or the kernel dies.
    """
    target = kept_at(one, p)
    with lock(f"notebook-{target.stem}"):
        if target.exists():
            say(f"{one.name}: up to date")
        else:
            started = time.perf_counter()
            executed = _papermill(one, p)
            with atomic(target) as part:
                nbformat.write(executed, part)
            say(f"{one.name}: run in {time.perf_counter() - started:.0f} s")
    return _with_prose_of_today(one, nbformat.read(target, 4))


def stop() -> None:
    """End the kernels, with their workers, that this process has running now; what they have computed is kept."""
    for process in started():
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _papermill(one: Chapter, p: Parameters) -> NotebookNode:
    import papermill  # takes a second to import, which a page that is up to date need not wait for

    files = os.name == "posix"
    # The name of a socket may have about 100 characters: the shortest folder that is private.
    name = f"ethnicmer-{os.environ.get(SESSION, '')}"
    with tempfile.TemporaryDirectory(prefix=name, dir="/tmp" if files else None) as folder:
        # Nobody else can listen on a file there, unlike on a port.  Jupyter's own name is that of every kernel.
        ours = {"transport": "ipc", "ip": f"{folder}/kernel"} if files else {}
        # A kernel is interrupted before it is ended, and would call that an error; those of cells come as outputs.
        # Where cores are busy, what a cell has said can take longer to come than the four seconds of nbclient.
        # A page shows an inch of a figure in 110 px; the figure has two for each, for screens with fine ones.
        figures = ["--InlineBackend.figure_formats={'retina'}", "--InlineBackend.rc={'figure.dpi': 110}"]
        client = {"extra_arguments": ["--IPKernelApp.log_level=50", *figures], "iopub_timeout": 600}
        try:
            executed = papermill.execute_notebook(
                read(one),
                None,
                parameters=written(one, p),
                kernel_name="python3",
                progress_bar=False,
                start_timeout=600,  # seconds, on a machine whose cores are busy
                stderr_file=_Terminal(one.name),
                resources={"metadata": {"path": str(one.path.parent)}},
                config=Config({"KernelManager": ours, "NotebookClient": client}),
            )
        except papermill.PapermillExecutionError as error:
            kind = "" if error.ename == "StudyError" else f"{error.ename}: "
            more = f"; {MORE}" if any(f"'{name}'" in error.evalue for name in NETWORKS) else ""
            raise StudyError(
                f"{one.path.name}, cell {error.exec_count}: {kind}{error.evalue}{more}"
            ) from None
        except DeadKernelError:
            raise StudyError(
                f"{one.path.name}: its kernel was ended from outside, most often because memory is short; what was "
                "computed is kept, the same command goes on from there"
            ) from None
    for cell in executed.cells:
        if cell.cell_type == "code":  # what was said on the way went to the terminal
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return executed


def _with_prose_of_today(one: Chapter, executed: NotebookNode) -> NotebookNode:
    """The notebook as it reads now with the outputs of its code, which a new sentence does not change."""
    ran = [cell for cell in executed.cells if cell.cell_type == "code"]
    cells = []
    for cell in read(one).cells:
        cells.append(ran.pop(0) if cell.cell_type == "code" else cell)
        if ran and "injected-parameters" in ran[0].metadata.get("tags", []):
            cells.append(ran.pop(0))
    executed.cells = cells
    return executed


class _Terminal:
    """Progress bars of a kernel on this process's stderr, by chapter: a terminal shows every step, a log the end."""

    def __init__(self, name: str):
        self.name, self.line = name, ""

    def write(self, text: str) -> None:
        *whole, self.line = (self.line + text).split("\n")
        back = "\r\x1b[K" if sys.stderr.isatty() else ""
        for line, end in [*((line, "\n") for line in whole), *([(self.line, "")] if back else [])]:
            if shown := [part for part in line.split("\r") if part.strip()]:  # the last is over the others
                sys.stderr.write(f"{back}{self.name}: {shown[-1]}{end}")

    def flush(self) -> None:
        sys.stderr.flush()
