"""The course to hand out: from one source two editions, slides, sheets of paper, cohorts, a blind exercise."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from ethnicmer_lib.evidence import blind
from ethnicmer_lib.evidence.exercises import quiz, stub
from ethnicmer_lib.publish import sheets
from ethnicmer_lib.publish.chapters import LESSONS, Chapter, read
from ethnicmer_lib.publish.notebooks import plain
from ethnicmer_lib.sources import open_clips
from ethnicmer_lib.store import project_root

#: Cohorts that are handed out: small, and each with one knob turned.
COHORTS = {
    "base": {"size": "tiny"},
    "unconfounded": {"size": "tiny", "confounding": 0, "database_shift": 0},
    "marked": {"size": "tiny", "texture_cue": 1},
    "label_noise": {"size": "tiny", "label_noise": 0.2},
}


def edition(one: Chapter, student: bool) -> NotebookNode:
    """A lesson's notebook for students, with stubs in the place of solutions and no notes, or for instructors."""
    notebook = read(one)
    cells, code = [], [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = {name: cell.metadata[name] for name in ("tags", "mystnb") if name in cell.metadata}
        if student and "instructor" in tags:
            continue
        if cell.cell_type == "markdown":
            cell.source = plain(cell.source)
        elif "quiz" in tags:
            cell = new_markdown_cell(
                eval(cell.source, {"quiz": quiz}).data, id=cell.id, metadata=cell.metadata
            )
        elif "solution" in tags and student:
            cell.source = stub(cell.source, code[code.index(cell) + 1].source)
        elif "check" in tags:
            cell.metadata["jupyter"] = {"source_hidden": True}
        cells.append(cell)
    notebook.cells = cells
    return notebook


def write_course(out: Path, word: str | None = None) -> list[Path]:
    """Write both editions of every lesson, slides, hand-outs, cohorts, the blind exercise, its key; what was written.

    The archive of cohorts, unpacked beside the notebooks, lies where ``open_clips`` looks for them.  ``word`` decides
    the secret settings of the blind cohorts; by default it is random, and only the key holds it.
    """
    student, instructor = (out / name for name in ("student", "instructor"))
    written = []
    for folder in (student, instructor):
        folder.mkdir(parents=True, exist_ok=True)
        for number, one in enumerate(LESSONS, 1):
            written.append(folder / f"{number}-{one.path.stem}.ipynb")
            nbformat.write(edition(one, folder is student), written[-1])
        for name in re.findall(r'em\.recording\("(\w+)"\)', "".join(one.path.read_text() for one in LESSONS)):
            kept = project_root() / "results" / name
            written.append(Path(shutil.copytree(kept, folder / "results" / name, dirs_exist_ok=True)))
    for folder, text in ((student, "handout.txt"), (instructor, "teaching.txt")):
        written.append(Path(shutil.copy(project_root() / "book" / "course" / text, folder / "README.txt")))
    word = word or secrets.token_hex(8)
    for name, table in blind.cohorts(word).items():
        for folder in (student, instructor):  # who teaches tries the cohorts that are handed out
            written.append(folder / f"blind-{name}.csv")
            table.round(3).to_csv(written[-1], index=False)
    key = f"word: {word}\n{blind.key(word).to_csv()}"
    written += [instructor / "blind-key.txt", student / "blind-seal.txt"]
    written[-2].write_text(key, encoding="utf-8")
    written[-1].write_text(
        f"SHA-256 of the key: {hashlib.sha256(key.encode()).hexdigest()}\n", encoding="utf-8"
    )
    written.append(student / "cohorts.zip")
    with zipfile.ZipFile(written[-1], "w") as archive:  # pictures do not get smaller
        for name, settings in COHORTS.items():
            root = Path(open_clips(settings).root)
            with (student / "README.txt").open("a", encoding="utf-8") as readme:
                readme.write(f"\nCohort {name}: _build/cohorts/{root.name}")
            for path in sorted(one for one in root.rglob("*") if one.is_file()):
                archive.write(path, Path("_build", "cohorts", root.name, path.relative_to(root)))
    return written + _sheets(student, instructor)


def _sheets(student: Path, instructor: Path) -> list[Path]:
    """Run every lesson, as students get it, and write its hand-out for them, its slides for who teaches."""
    with ThreadPoolExecutor(os.cpu_count()) as several:
        notebooks = list(several.map(lambda one: sheets.ran(edition(one, True)), LESSONS))
    written = []
    for number, (one, notebook) in enumerate(zip(LESSONS, notebooks, strict=True), 1):
        written += [
            student / f"{number}-{one.path.stem}-handout.html",
            instructor / f"{number}-{one.path.stem}-slides.html",
        ]
        written[-2].write_text(sheets.handout(notebook, one), encoding="utf-8")
        written[-1].write_text(sheets.slides(notebook), encoding="utf-8")
    return written
