"""The same command on another day: `python tools/same_numbers.py rerun prima_facie --profile tiny`.

It runs once more, with two threads, in another time zone and language, and in a folder with blanks and umlauts, each
time from nothing (the cohort is rendered again), and compares every table and array, and the tables on the page.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
from pathlib import Path

from kills import results, start

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
ONE = dict.fromkeys(THREADS, "1")
#: Condition -> name of the workspace, variables of the environment.
CONDITIONS = {
    "as it is, one thread": ("plain", ONE),
    "once more": ("again", ONE),
    "two threads": ("two", dict.fromkeys(THREADS, "2")),
    "another time zone": ("zone", ONE | {"TZ": "Pacific/Kiritimati"}),
    "another language": ("language", ONE | {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}),
    "blanks and umlauts in the path": ("Ärger mit Ümläuten", ONE),
}


def shown(workspace: Path) -> dict[str, str]:
    """The numbers in the tables of every notebook, by its name without the key."""
    cells = re.compile(r"<td class=num>([^<]*)<")
    found = {
        path.stem.rpartition("-")[0]: cells.findall(path.read_text())
        for path in workspace.glob("notebooks/*")
    }
    return {
        name: hashlib.sha256(str(numbers).encode()).hexdigest() for name, numbers in found.items() if numbers
    }


def main(command: list[str]) -> None:
    """Print a table of the conditions; exit code 1 where a number differs."""
    kept, first = {}, None
    with tempfile.TemporaryDirectory() as folder:
        for condition, (name, environment) in CONDITIONS.items():
            workspace = Path(folder) / name
            code = start(command, workspace, **environment).wait()
            found = results(workspace) | shown(workspace)
            first = first or found
            other = sorted(name for name in {*first, *found} if first.get(name) != found.get(name))
            kept[condition] = code or not found or bool(other)
            same = "the same" if found else "nothing was kept"
            said = f"exit code {code}" if code else ", ".join(other[:4]) or same
            print(f"{condition:32} {len(found):4} tables, arrays and pages: {said}", flush=True)
    sys.exit(any(kept.values()))


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    main(sys.argv[1:])
