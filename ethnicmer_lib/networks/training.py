"""Training of one network on the clips of one fold, and its predictions in evaluation mode (Section IV)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.fast_cpu import hasten
from ethnicmer_lib.networks.models import RGB_VARIANTS, EthnicNet, Outputs, build_network, loss
from ethnicmer_lib.networks.recipe import Recipe
from ethnicmer_lib.networks.switches import AS_DESCRIBED, Switches, standardised, taught

Fold = tuple[np.ndarray, np.ndarray]  #: train and test rows of the clips table
LAYOUT = (
    torch.channels_last
)  #: memory format that trains faster, on a CPU with the convolutions of ``hasten``
#: Whose code decides what a network is and says: part of the key of every kept fold.
CODE = ("networks", "design/backbones")
COMPILER = "inductor"  #: backend of torch.compile
_BLOCK = 256  # clips looked at together


@dataclass(frozen=True)
class Inputs:
    """All clips of a cohort, in the order of the clips table: on a GPU, or where they lie, mapped from disk if so."""

    motion: Tensor  #: (n, 3, S, S) float32; not to be written to
    faces: Tensor | None  #: (n, 3, S, S) float32 in [0, 1]
    label: Tensor  #: (n,) int64, place in ``LABELS``
    group: Tensor  #: (n,) int64, place in ``context``
    context: tuple[str, ...]  #: names of what the ethnic branch tells apart: the groups, or the databases

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Images of some rows, copied, in the memory format of the training."""
        return _taken(self.motion, rows), None if self.faces is None else _taken(self.faces, rows)


def prepare(
    variant: str,
    motion: np.ndarray,
    faces: np.ndarray | None,
    table: pd.DataFrame,
    switches: Switches = AS_DESCRIBED,
    seed: int = 0,
) -> Inputs:
    """Check the images of all clips, and put them on the GPU where there is one.

    On a CPU nothing is copied: several processes that were given the same mapped file share its pages.

    Parameters
    ----------
    variant : row of Table V.
    motion : (n, 3, S, S) optical flow images, row i for row i of ``table``, the clips table.
    faces : (n, 3, S, S) apex frames in [0, 1]; needed by the variants of ``RGB_VARIANTS``, else unused.
    switches : ``standardise`` and ``context`` count.
    seed : of the shuffled context alone.

    Raises
    ------
    StudyError
        With the clip, when images and clips do not match or a value is not finite; when RGB is missing.
    """
    if variant in RGB_VARIANTS and faces is None:
        raise StudyError(f"variant {variant!r} needs RGB apex frames; use clips with frames or leave it out")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    _check(motion, "motion", table)
    if switches.standardise == "imagenet":
        motion = standardised(motion)
    if variant in RGB_VARIANTS:
        _check(faces, "rgb", table)

    def codes(values: Iterable[str], names: Sequence[str]) -> Tensor:
        return torch.tensor([names.index(value) for value in values], dtype=torch.int64, device=device)

    said = taught(table, switches.context, seed)
    context = tuple(sorted(set(said)))
    return Inputs(
        motion=_tensor(motion, device),
        faces=_tensor(faces, device) if variant in RGB_VARIANTS else None,
        label=codes(table["label"], LABELS),
        group=codes(said, context),
        context=context,
    )


def _check(images: np.ndarray, name: str, table: pd.DataFrame) -> None:
    """StudyError unless there is one finite image a clip."""
    if images.ndim != 4 or len(images) != len(table):
        raise StudyError(f"{name} images are {images.shape} for {len(table)} clips; give one (3, S, S) each")
    # In blocks: a mask of all clips is a quarter of their size.
    for start in range(0, len(images), _BLOCK):
        finite = np.isfinite(images[start : start + _BLOCK]).all(axis=(1, 2, 3))
        if not finite.all():
            clip_id = table["clip_id"].iloc[start + int(np.argmin(finite))]
            raise StudyError(f"clip {clip_id}: its {name} image holds values that are not finite")


def _tensor(values: np.ndarray, device: torch.device) -> Tensor:
    """A float32 tensor: on a CPU on the memory of the array."""
    with warnings.catch_warnings():
        # torch warns that a read-only array could be written to through the tensor; nothing here does.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        tensor = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    return tensor if device.type == "cpu" else tensor.to(device).contiguous(memory_format=LAYOUT)


def _taken(images: Tensor, rows: Tensor) -> Tensor:
    return images[rows].contiguous(memory_format=LAYOUT)


def train_fold(
    variant: str,
    inputs: Inputs,
    rows: np.ndarray,
    recipe: Recipe,
    seed: int,
    fold: int,
    weights: str = "none",
    switches: Switches = AS_DESCRIBED,
    on_epoch: Callable[[], object] = lambda: None,
) -> EthnicNet:
    """Train a new network on some rows, in eval mode when returned.

    Start, dropout and order of the clips depend on ``(seed, fold)`` alone: not on other folds, on what ran before, or,
    for start of the emotion branch and order, on the variant and the switches.

    Parameters
    ----------
    inputs : of :func:`prepare`, with the same switches.
    weights : what the backbones start from, see :func:`models.build_network`.
    switches : ``ethnic_loss`` and ``shared_backbone`` count.

    Raises
    ------
    StudyError
        With fewer than two rows (batch norm needs two), or when the loss is no longer finite.
    """
    if len(rows) < 2:
        raise StudyError(f"fold {fold} has {len(rows)} training clip(s); at least 2 are needed")
    device = inputs.motion.device
    order = np.random.default_rng([seed, fold, 0])
    with reproducible(device), torch.random.fork_rng():
        torch.manual_seed(int(np.random.default_rng([seed, fold, 1]).integers(2**63)))
        model = build_network(
            variant,
            weights,
            n_groups=max(2, len(inputs.context)),
            shared=switches.shared_backbone and variant != "resnet18",  # one branch has nothing to share
        )
        model = model.to(device, memory_format=LAYOUT).train()
        forward = _compiled(model) if recipe.compiled else hasten(model)
        # One fused kernel for all parameters: the step is most of the time of a small image otherwise.
        optimiser = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, recipe.gamma)
        for epoch in range(recipe.epochs):
            shuffled = torch.from_numpy(order.permutation(np.asarray(rows))).to(device)
            if not _epoch(forward, inputs, shuffled, optimiser, recipe, switches.ethnic_loss):
                raise StudyError(
                    f"{variant}, seed {seed}, fold {fold}: the loss is no longer finite in epoch {epoch + 1}; lower "
                    f"learning_rate ({recipe.learning_rate:g})"
                )
            schedule.step()
            on_epoch()
    return model.eval()


def _epoch(
    forward: Callable[..., Outputs],
    inputs: Inputs,
    rows: Tensor,
    optimiser: torch.optim.Optimizer,
    recipe: Recipe,
    ethnic_loss: bool,
) -> bool:
    """One pass over some rows in their order; whether the loss stayed finite."""
    summed = torch.zeros((), device=rows.device)
    for batch in batches(rows, recipe.batch_size):
        optimiser.zero_grad(set_to_none=True)
        images = inputs.batch(batch)
        with torch.autocast(rows.device.type, torch.bfloat16, recipe.precision == "bfloat16"):
            outputs = forward(*images)
            value = loss(outputs, inputs.label[batch], inputs.group[batch], ethnic_loss)
        value.backward()
        optimiser.step()
        summed += value.detach()
    return bool(torch.isfinite(summed))


def _compiled(model: EthnicNet) -> Callable[..., Outputs]:
    """The forward pass, compiled for each of the (few) shapes of a batch; on a GPU replayed as a CUDA graph."""
    from torch._dynamo.exc import TorchDynamoException  # takes a second to import

    mode = "reduce-overhead" if next(model.parameters()).device.type == "cuda" else "default"
    compiled = torch.compile(model, dynamic=False, mode=mode, backend=COMPILER)

    def forward(*images: Tensor | None) -> Outputs:
        try:
            return compiled(*images)
        except TorchDynamoException as error:
            reason = str(error).strip().splitlines()[0]
            raise StudyError(
                f"compiled=True: PyTorch could not compile {model.variant} ({reason}); install a C++ compiler, or "
                "set compiled to False"
            ) from error

    return forward


def predict(model: EthnicNet, inputs: Inputs, rows: np.ndarray, batch_size: int) -> Outputs:
    """Logits of some rows in eval mode, on the CPU; the network is not changed by what it predicts."""
    model.eval()
    index = torch.from_numpy(np.asarray(rows)).to(inputs.motion.device)
    with reproducible(inputs.motion.device), torch.inference_mode():
        return joined([model(*inputs.batch(batch)) for batch in index.split(batch_size)])


def joined(parts: Sequence[Outputs]) -> Outputs:
    """The logits of several batches as one, on the CPU."""
    columns = [None if column[0] is None else torch.cat(column).cpu() for column in zip(*parts, strict=True)]
    return Outputs(*columns)


def batches(rows: Tensor, size: int) -> list[Tensor]:
    """Rows in batches; a last batch of one joins the one before, as batch norm cannot train on one clip."""
    parts = list(rows.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """On a GPU take deterministic kernels only; CPU kernels are, at a given number of threads."""
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for to be deterministic
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    cudnn = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = cudnn
