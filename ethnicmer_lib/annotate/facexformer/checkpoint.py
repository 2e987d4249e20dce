"""Load the published FaceXFormer checkpoint from a path, or say exactly what does not fit."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ethnicmer_lib.annotate.facexformer.network import FaceXFormer
from ethnicmer_lib.errors import StudyError

KEY = "state_dict_backbone"  #: where the published file keeps the network's tensors
GET_IT = (
    "give the model file that FaceXFormer's authors publish (github.com/Kartik-3004/facexformer, section on "
    "weights), downloaded in full, with --checkpoint"
)
_NAMED = 3  # tensors that a message names


def sha256(path: Path) -> str:
    """The SHA-256 of a file, 64 hex digits; StudyError where there is none."""
    _check_file(path)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load(path: Path) -> FaceXFormer:
    """The network with the weights of a checkpoint, in eval mode and without gradients.

    Nothing in the file is executed (``weights_only``), and its tensors are mapped from disk, not copied.

    Raises
    ------
    StudyError
        No such file; a truncated or foreign one; tensors that are missing, unexpected, or of another shape or type.
    """
    _check_file(path)
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise StudyError(
            f"checkpoint {path} ({path.stat().st_size / 1e6:.1f} MB) cannot be read: {reason}. It is truncated or no "
            f"checkpoint; {GET_IT}"
        ) from error
    if not isinstance(saved, Mapping) or not isinstance(saved.get(KEY), Mapping):
        holds = f"the keys {list(saved)[:_NAMED]}" if isinstance(saved, Mapping) else type(saved).__name__
        raise StudyError(f"checkpoint {path} has no {KEY!r} (it holds {holds}); {GET_IT}")
    state = dict(saved[KEY])
    with torch.device("meta"):  # names and shapes only: the weights come from the file
        network = FaceXFormer()
    problems = misfits(state, network.state_dict())
    if problems:
        raise StudyError(f"checkpoint {path} is not FaceXFormer's: {'; '.join(problems)}. {GET_IT}")
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def misfits(state: Mapping[str, object], expected: Mapping[str, Tensor]) -> list[str]:
    """What is wrong with a state dict: one line each for missing, unexpected and misshapen tensors."""
    missing = [name for name in expected if name not in state]
    unexpected = [str(name) for name in state if name not in expected]
    misshapen = [
        f"{name} is {_described(state[name])}, not {_described(tensor)}"
        for name, tensor in expected.items()
        if name in state and _described(state[name]) != _described(tensor)
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape or type": misshapen}
    return [
        f"{len(names)} tensors {kind}: {', '.join(names[:_NAMED])}{', ...' * (len(names) > _NAMED)}"
        for kind, names in kinds.items()
        if names
    ]


def _described(value: object) -> str:
    """Shape and type of a tensor, '(256, 128) float32'."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise StudyError(f"no checkpoint at {path}; {GET_IT}")
