"""A class from a clean clone: how long teacher and student wait, step by step; writes book/course/classroom.csv.

    python benchmarks/classroom.py FOLDER [LESSON]

FOLDER is new.  The student makes the small installation and runs the twelve lines of README, on the tiny cohort; the
teacher writes the course, hands it out, fills in one lesson (by default the first) with the solutions, and checks it.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIGURE = '.savefig("flow.png")'
STEPS: list[tuple[str, str, str]] = []


@contextmanager
def timed(who: str, step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    STEPS.append((who, step, f"{(time.perf_counter() - started) / 60:.1f}"))
    print("{2:>5} min  {0}: {1}".format(*STEPS[-1]), flush=True)


def run(*command: str | Path, cwd: Path) -> str:
    # What this machine has kept or set is not a newcomer's.
    fresh = {
        name: value for name, value in os.environ.items() if not name.startswith(("ETHNICMER", "PYTHON"))
    }
    done = subprocess.run([*map(str, command)], cwd=cwd, env=fresh, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def twelve_lines() -> tuple[str, str]:
    """README's lines until the first figure, and until the first macro F1."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    code = code.replace('open_clips("simulated")', 'open_clips("tiny")')
    return code[: code.index(FIGURE) + len(FIGURE)], code


def checks(notebook: Path) -> str:
    """What the checks of a notebook say after it was run."""
    said = "".join(notebook.read_text(encoding="utf-8").split())
    right, not_yet = (len(re.findall(rf"Exercise\d\.\d:{words}", said)) for words in ("right", "notyet"))
    return f"{right} right, {not_yet} not yet"


def filled(student: Path, instructor: Path) -> Path:
    """A copy of a student's notebook with the solutions in their places."""
    mine, theirs = (json.loads(path.read_text(encoding="utf-8")) for path in (student, instructor))
    solved = {cell["id"]: cell for cell in theirs["cells"]}
    mine["cells"] = [solved[cell["id"]] for cell in mine["cells"]]
    done = student.with_name(f"filled-{student.name}")
    done.write_text(json.dumps(mine), encoding="utf-8")
    return done


def main(folder: Path, lesson: str = "1") -> None:
    folder.mkdir(parents=True)
    clone, env = folder / "ethnicmer", folder / "ethnicmer" / ".venv" / "bin"
    with timed("both", "clone"):
        run("git", "clone", "--quiet", ROOT, clone, cwd=folder)
    with timed("both", "the small installation"):
        run(sys.executable, "-m", "venv", ".venv", cwd=clone)
        run(env / "pip", "install", "--quiet", "-e", ".[student]", cwd=clone)
    size = sum(path.stat().st_size for path in (clone / ".venv").rglob("*") if path.is_file())
    print(f"{size / 1e9:5.2f} GB installed")
    figure, whole = twelve_lines()
    with timed("student", "the first figure, twelve simulated subjects rendered on the way"):
        run(env / "python", "-c", figure, cwd=clone)
    with timed("student", "the first macro F1"):
        print(run(env / "python", "-c", whole, cwd=clone).strip())
    with timed("teacher", "ethnicmer course"):
        run(env / "ethnicmer", "course", folder / "course", cwd=clone)
    handed = folder / "handed-out"
    with timed("teacher", "hand out and unpack"):
        shutil.copytree(folder / "course" / "student", handed)
        zipfile.ZipFile(handed / "cohorts.zip").extractall(handed)
    (stubs,) = handed.glob(f"{lesson}-*.ipynb")
    solved = filled(stubs, folder / "course" / "instructor" / stubs.name)
    for words, notebook in {"as it is handed out": stubs, "filled in": solved}.items():
        with timed("student", f"lesson {lesson} {words}, run and checked"):
            run(
                env / "papermill",
                "-k",
                "python3",
                "--cwd",
                handed,
                notebook,
                handed / "out.ipynb",
                cwd=handed,
            )
        print(checks(handed / "out.ipynb"))
    with (ROOT / "book" / "course" / "classroom.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("who", "step", "minutes"), *STEPS])


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), *sys.argv[2:])
