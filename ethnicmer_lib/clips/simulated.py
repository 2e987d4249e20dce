"""What makes a folder simulated: the simulator's marker, and its seal on the content of every file.

The marker alone proves nothing: frames of real people that are copied below it would be shown as faces that do not
exist. So the simulator seals each file as it writes it, and whoever opens the folder compares.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ethnicmer_lib.clips.problems import Problem
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import atomic
from ethnicmer_lib.store.identity import file_digest

MARKER = "SIMULATED.json"
SEAL = "SIMULATED.sha256"  #: a line a file, as ``sha256sum`` writes them; only ever added to


def simulated_root(given: Mapping[str, Path]) -> Path | None:
    """The folder with the simulator's marker, in or directly above every given folder; None for real data.

    StudyError when the folders are not of one cohort.
    """
    roots = {}
    for name, folder in given.items():
        places = (folder.resolve(), folder.resolve().parent)
        roots[name] = next((place for place in places if (place / MARKER).is_file()), None)
    if len(set(roots.values())) > 1:
        found = ", ".join(f"{name}: {root or 'not simulated'}" for name, root in roots.items())
        raise StudyError(
            f"the two folders are not of one cohort by {MARKER} ({found}); give both from the same one"
        )
    return next(iter(roots.values()))


def read_marker(root: Path) -> dict[str, Any]:
    """The marker of a simulated cohort; StudyError where it cannot be read, or the seal beside it is missing."""
    path, marker = root / MARKER, None
    with suppress(ValueError):
        marker = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(marker, dict) or not isinstance(marker.get("fingerprint"), str):
        raise StudyError(f"{path} is no JSON with a 'fingerprint'")
    if not (root / SEAL).is_file():
        raise StudyError(
            f"{root / SEAL} is missing, so nothing shows that the files in {root} are simulated; delete {path} if "
            "these are your own copies, else delete the folder and write the simulated cohort again"
        )
    return marker


@contextmanager
def sealed(root: Path, path: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes ``path``, sealed, only if the block succeeds.

    The seal comes first, so that a file that is there is sealed however the process ended; a line is one write at
    the end of the file, so that several processes can seal at once.
    """
    with atomic(path) as part:
        yield part
        line = f"{file_digest(part)}  {path.relative_to(root).as_posix()}\n".encode()
        with (root / SEAL).open("ab", buffering=0) as seals:
            seals.write(line)


def unsealed(root: Path, given: Mapping[str, Path]) -> list[Problem]:
    """Everything below the root of a simulated cohort that is not as the simulator wrote it.

    Hidden files are passed over, as by everything that reads clips; links count as foreign.
    """
    seals = set((root / SEAL).read_text(encoding="utf-8").splitlines())
    known = {line.partition("  ")[2] for line in seals}
    found = []
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root).as_posix()
        passed = path.is_dir() or path.name.startswith(".") or inside in (MARKER, SEAL)
        if passed and not path.is_symlink():
            continue
        if inside not in known:
            found.append(_problem("foreign_file", path, given))
        elif f"{file_digest(path)}  {inside}" not in seals:
            found.append(_problem("changed_file", path, given))
    return found


def _problem(code: str, path: Path, given: Mapping[str, Path]) -> Problem:
    """The problem with the database and, where the file lies in a clip's folder, the clip."""
    for name, folder in given.items():
        if folder.resolve() in path.parents:
            inside = path.relative_to(folder.resolve()).parts
            clip = "/".join((name, *inside[-3:-1])) if len(inside) > 2 else ""
            return Problem(code, name, clip, path, path.name)
    return Problem(code, " and ".join(given), "", path, path.name)
