"""Load the published FaceXFormer checkpoint from a path, or say what does not fit."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from ethnicmer_lib.annotate.facexformer.network import FaceXFormer
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.store.identity import file_digest

KEY = "state_dict_backbone"  #: where the published file keeps the network's tensors
GET_IT = (
    "give the model file that FaceXFormer's authors publish (github.com/Kartik-3004/facexformer, section on "
    "weights), downloaded in full, with --checkpoint"
)
_WRONG = (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError)


def sha256(path: Path) -> str:
    """The SHA-256 of a checkpoint, 64 hex digits; StudyError where there is none."""
    if not path.is_file():
        raise StudyError(f"no checkpoint at {path}; {GET_IT}")
    return file_digest(path)


def load(path: Path) -> FaceXFormer:
    """The network with the weights of a checkpoint, in eval mode and without gradients.

    Nothing in the file is executed (``weights_only``), and its tensors are mapped from disk, not copied.  StudyError
    for a truncated or foreign file, and for tensors that are missing, unexpected or of another shape.
    """
    with torch.device("meta"):  # names and shapes only: the weights come from the file
        network = FaceXFormer()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)[KEY]
        network.load_state_dict(state, strict=True, assign=True)
    except _WRONG as error:
        # Torch goes on to say how to run what is in it.
        said = "it holds more than tensors" if isinstance(error, pickle.UnpicklingError) else error
        reason = " ".join(f"{type(error).__name__}: {said}".split())[:400]
        raise StudyError(
            f"checkpoint {path} is truncated or not FaceXFormer's ({reason}); {GET_IT}"
        ) from error
    return network.float().eval().requires_grad_(False)
