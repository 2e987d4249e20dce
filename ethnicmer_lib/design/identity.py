"""What a prediction depends on besides its own parameters, in the form in which it enters a run's key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ethnicmer_lib.design.folds import Fold
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store import old_runs as runs


def weights_identity(weights: str) -> str:
    """'none' and 'imagenet' as they are; a file by its content, so that a new checkpoint is a new run.

    Raises
    ------
    StudyError
        When ``weights`` is neither of the two nor a file.
    """
    if weights in ("none", "imagenet"):
        return weights
    path = Path(weights).expanduser()
    if not path.is_file():
        raise StudyError(
            f"weights={weights!r} is not a file; allowed: 'none', 'imagenet' or the path of a file"
        )
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folds_identity(folds: Sequence[Fold]) -> str:
    """16 hex digits that change when any clip changes sides in any fold."""
    return runs.digest([[fold.train.tolist(), fold.test.tolist()] for fold in folds])


def code_identity(*modules: str) -> dict[str, str]:
    """Code fingerprints of the modules that made the inputs of a run (motion images, features)."""
    return {module: runs.code_fingerprint(module) for module in modules}
