"""What a result depends on, in the form in which it enters a key: arguments by content, code by room."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import ethnicmer_lib
from ethnicmer_lib.errors import StudyError

#: Files of a room that decide its results: code, tables of rules, tables of facts.
_DECIDING = {".py", ".yml", ".csv"}


def digest(value: Any) -> str:
    """16 hex digits of the SHA-256 of ``value`` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def identity(value: Any) -> Any:
    """``value`` as JSON that differs whenever the value does.

    Numbers and text stand for themselves; an array, a table and a file for a digest of their content, so that a
    changed pixel is another identity and a path that has moved is not; dataclasses for their fields; clips
    and recordings for the fingerprint of their provenance.  StudyError for any other kind of value.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return file_digest(value)
    if isinstance(value, np.ndarray):
        return _array_digest(value)
    if isinstance(value, pd.DataFrame):
        return {str(name): _array_digest(_hashes(value[name])) for name in value}
    if isinstance(value, Mapping):
        return {str(name): identity(item) for name, item in value.items()}
    if provenance := getattr(value, "provenance", None):
        return provenance.fingerprint
    if isinstance(value, list | tuple | range):  # named tuples, too
        return [identity(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: identity(getattr(value, field.name)) for field in fields(value)}
    raise StudyError(
        f"a {type(value).__name__} has no identity to keep a result under; give arrays or tables"
    )


def _hashes(column: pd.Series) -> np.ndarray:
    return pd.util.hash_pandas_object(column.astype(object)).to_numpy()


def _array_digest(array: np.ndarray) -> str:
    """32 hex digits of an array's shape, type and content, which may be mapped from disk."""
    content = _hashes(pd.Series(array.ravel())) if array.dtype == object else np.ascontiguousarray(array)
    found = hashlib.blake2b(f"{array.dtype.str}{array.shape}".encode(), digest_size=16)
    found.update(content.reshape(-1).view(np.uint8))
    return found.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content; StudyError where there is none."""
    path = path.expanduser()
    if not path.is_file():
        raise StudyError(f"{path} is not a file")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def weights_identity(weights: str) -> str:
    """'none' and 'imagenet' as they are; a file by its content, so that a new checkpoint is a new result."""
    if weights in ("none", "imagenet"):
        return weights
    if not Path(weights).expanduser().is_file():
        raise StudyError(f"weights={weights!r} is not a file; allowed: 'none', 'imagenet' or a file")
    return file_digest(Path(weights))


@functools.cache
def fingerprint(*rooms: str) -> str:
    """Fingerprint of the library's version and of every file in some rooms (or modules) that decides results.

    Rooms hold no prose and no plots but ``show`` and ``publish``, so a new sentence or legend changes no key of a
    result.
    """
    root = Path(ethnicmer_lib.__file__).parent
    found: dict[str, str] = {}
    for room in rooms:
        paths = [*root.glob(f"{room}.py"), *root.glob(f"{room}/**/*")]
        deciding = {
            str(path.relative_to(root)): file_digest(path) for path in paths if path.suffix in _DECIDING
        }
        if not deciding:
            raise StudyError(f"the library has no room {room!r} to take a fingerprint of")
        found |= deciding
    return digest([ethnicmer_lib.__version__, found])
