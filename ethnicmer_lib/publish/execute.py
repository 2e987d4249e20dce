"""A chapter's notebook is run with papermill, once for all that it depends on, and its outputs are kept."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import ref

import jupytext
import nbformat
from filelock import FileLock
from jupyter_client import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from traitlets.config import Config

from ethnicmer_lib import ROOMS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.chapters import Chapter, written
from ethnicmer_lib.publish.parameters import Parameters
from ethnicmer_lib.sources import Simulated, open_clips
from ethnicmer_lib.store import atomic, digest, fingerprint, workspace

_MADE: list[ref[_Kernel]] = []


class _Kernel(AsyncKernelManager):
    """A kernel that :func:`stop` can end."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        _MADE.append(ref(self))


def read(one: Chapter) -> NotebookNode:
    """A chapter's notebook; the names of its cells are the same at every reading."""
    notebook = jupytext.read(one.path)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    return notebook


def code(one: Chapter) -> list[tuple[str, list[str]]]:
    """Source and tags of the code cells of a chapter's notebook."""
    return [
        (cell.source.strip(), cell.metadata.get("tags", []))
        for cell in read(one).cells
        if cell.cell_type == "code"
    ]


def key(one: Chapter, p: Parameters, others: Iterable[str] = ()) -> str:
    """Key of all that a run of a chapter depends on: parameters, clips, code cells and library, but no prose.

    ``others`` are keys of runs that the page shows something of.
    """
    source = getattr(p, "source", Simulated())
    # Simulated clips follow from their settings and the library; files of others may change under the same name.
    clips = "" if isinstance(source, Simulated) else open_clips(source).provenance.fingerprint
    library = fingerprint(*ROOMS)  # a page shows what any of it may have drawn
    return digest([one.name, p.identity(), clips, code(one), library, list(others)])


def run(
    one: Chapter,
    p: Parameters,
    *,
    others: Iterable[str] = (),
    again: bool = False,
    say: Callable[[str], None] = print,
) -> NotebookNode:
    """A chapter's notebook with its outputs: from papermill, or kept from a run with the same :func:`key`.

    ``again`` runs it even so; ``say`` is told how long that took.  StudyError when a cell fails, or the kernel dies.
    """
    name = f"{one.name}-{key(one, p, others)}"
    target = workspace() / "notebooks" / f"{name}.ipynb"
    (workspace() / "locks").mkdir(parents=True, exist_ok=True)
    with FileLock(workspace() / "locks" / f"notebook-{name}.lock"):
        if target.exists() and not again:
            say(f"{one.name}: up to date")
        else:
            started = time.perf_counter()
            executed = _papermill(one, p)
            with atomic(target) as part:
                nbformat.write(executed, part)
            say(f"{one.name}: run in {time.perf_counter() - started:.0f} s")
    return _with_prose_of_today(one, nbformat.read(target, 4))


def stop() -> None:
    """End every kernel that this process has running now; what they have computed is kept."""
    for made in tuple(_MADE):
        # Not through the manager, whose event loop belongs to the thread that waits for the kernel.
        process = getattr(getattr(made(), "provisioner", None), "process", None)
        if process is None or process.returncode is not None:
            continue
        if os.name != "posix":
            process.kill()
            continue
        with suppress(ProcessLookupError):  # a kernel leads a group of its own, with the workers it has
            os.killpg(process.pid, signal.SIGKILL)


def _papermill(one: Chapter, p: Parameters) -> NotebookNode:
    import papermill  # takes a second to import, which a page that is up to date need not wait for

    with kernel_config() as config:
        try:
            executed = papermill.execute_notebook(
                read(one),
                None,
                parameters=written(one, p),
                kernel_name="python3",
                progress_bar=False,
                stderr_file=_Terminal(one.name),
                resources={"metadata": {"path": str(one.path.parent)}},
                kernel_manager_class=_Kernel,
                config=config,
            )
        except papermill.PapermillExecutionError as error:
            kind = "" if error.ename == "StudyError" else f"{error.ename}: "
            raise StudyError(f"{one.path.name}, cell {error.exec_count}: {kind}{error.evalue}") from None
        except DeadKernelError:
            raise StudyError(
                f"{one.path.name}: its kernel was ended from outside, most often because memory is short; what was "
                "computed is kept, the same command goes on from there"
            ) from None
    executed.metadata.pop("papermill", None)
    for cell in executed.cells:
        cell.metadata.pop("papermill", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = cell.source.replace("# Parameters", "# this page was run with", 1)
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
            ran[0]["id"] = "injected-parameters"
            cells.append(ran.pop(0))
    executed.cells = cells
    return executed


@contextmanager
def kernel_config() -> Iterator[Config]:
    """Configuration under which one kernel talks over files of its own, where the system has such sockets.

    Nobody else can listen there, unlike on a port; Jupyter's default name is that of every kernel of a folder.
    """
    if os.name != "posix":
        yield Config()
        return
    # The name of a socket may have about 100 characters: the shortest folder that is private.
    with tempfile.TemporaryDirectory(prefix="ethnicmer-", dir="/tmp") as folder:
        yield Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})


class _Terminal:
    """Progress bars of a kernel on this process's stderr, by chapter: a terminal shows every step, a log the end."""

    def __init__(self, name: str):
        self.name, self.line = name, ""

    def write(self, text: str) -> None:
        *whole, self.line = (self.line + text).split("\n")
        back = "\r\x1b[K" if sys.stderr.isatty() else ""
        for line in whole:
            if shown := _last(line):
                sys.stderr.write(f"{back}{self.name}: {shown}\n")
        if back and (shown := _last(self.line)):
            sys.stderr.write(f"{back}{self.name}: {shown}")

    def flush(self) -> None:
        sys.stderr.flush()


def _last(line: str) -> str:
    """What a terminal would show of a line that carriage returns have written over."""
    return next((part for part in reversed(line.split("\r")) if part.strip()), "")
