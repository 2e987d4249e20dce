"""Resolve the dependencies of pyproject.toml into requirements.lock, and write environment.yml from it.

usage: python tools/lock.py [path-to-uv]
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = """\
# The same packages as requirements.lock, for conda users: conda brings Python, pip the rest.
# Written by tools/lock.py; do not edit by hand.  GPU or not, this is PyTorch's default build.
name: ethnicmer
channels:
  - conda-forge
dependencies:
  - python=3.12
  - pip
  - pip:
      # In place of the package that would overwrite OpenCV's contrib modules; see its comment.
      - ./stand-ins/opencv-python-headless
"""
#: Extras of pyproject.toml that `make` installs; the small installation is not locked.
EXTRAS = ("networks", "book", "dev")
#: Packages that the lock resolves but never installs.
REPLACED = {"opencv-python-headless"}


def pins(lock: str) -> list[str]:
    """The ``name==version ; marker`` lines of a lock, without hashes and without replaced packages."""
    lines = [re.sub(r"\s*\\$", "", line) for line in lock.splitlines() if re.match(r"[a-z0-9]", line)]
    return [line for line in lines if re.split(r"[=\s]", line)[0] not in REPLACED]


def environment(lock: str) -> str:
    """The text of environment.yml for a lock."""
    quoted = [f'      - "{line}"' if ";" in line else f"      - {line}" for line in pins(lock)]
    return HEADER + "\n".join([*quoted, "      - --editable .", ""])


def main() -> None:
    """Resolve for every supported Python at once, with hashes and without any index address."""
    uv = sys.argv[1] if len(sys.argv) > 1 else "uv"
    command = [
        uv,
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--python-version",
        "3.11",
        "--generate-hashes",
    ]
    command += ["--no-emit-index-url", "--no-header", "--no-annotate"]
    command += [word for extra in EXTRAS for word in ("--extra", extra)]
    subprocess.run([*command, "pyproject.toml", "--output-file", str(LOCK)], cwd=ROOT, check=True)
    (ROOT / "environment.yml").write_text(environment(LOCK.read_text()))


if __name__ == "__main__":
    main()
