"""Training of one network on the clips of one fold, and its predictions in evaluation mode (Section IV)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.fast_cpu import as_stored, hasten, without_idle_taps
from ethnicmer_lib.networks.models import RGB_VARIANTS, EthnicNet, Outputs, build_network, loss
from ethnicmer_lib.networks.recipe import Recipe
from ethnicmer_lib.networks.switches import AS_DESCRIBED, Switches, standardised, taught

Fold = tuple[np.ndarray, np.ndarray]  #: train and test rows of the clips table
#: Memory format that trains faster, on a CPU with the convolutions of ``hasten``.
LAYOUT = torch.channels_last
#: Whose code decides what a network is and says: part of the key of every kept fold.
CODE = ("networks", "design/backbones")


@dataclass(frozen=True)
class Inputs:
    """All clips of a cohort, in the order of the clips table: on a GPU, or where they lie, mapped from disk if so."""

    motion: Tensor  #: (n, 3, S, S) float32; not to be written to
    faces: Tensor | None  #: (n, 3, S, S) float32 in [0, 1]
    label: Tensor  #: (n,) int64, place in ``LABELS``
    group: Tensor  #: (n,) int64, place in ``context``
    context: tuple[str, ...]  #: names of what the ethnic branch tells apart: the groups, or the databases

    def batch(self, rows: Tensor) -> list[Tensor | None]:
        """Motion and faces of some rows, copied, in the memory format of the training."""
        images = (self.motion, self.faces)
        return [None if one is None else one[rows].contiguous(memory_format=LAYOUT) for one in images]


def prepare(
    variant: str,
    motion: np.ndarray,
    faces: np.ndarray | None,
    table: pd.DataFrame,
    switches: Switches = AS_DESCRIBED,
    seed: int = 0,
) -> Inputs:
    """Check the images of all clips, and put them on the GPU where there is one; on a CPU nothing is copied.

    ``motion`` and ``faces`` are (n, 3, S, S), row i for row i of the clips table; faces, in [0, 1], are for the
    variants of ``RGB_VARIANTS``.  Of the switches ``standardise`` and ``context`` count; the seed is of the shuffled
    context alone.  Raises StudyError, with the clip, when images and clips do not match or a value is not finite.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":  # deterministic kernels only; a CPU's are, at a given number of threads
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    faces = faces if variant in RGB_VARIANTS else None
    for name, images in (("motion", motion), ("rgb", faces)):
        if images is not None:
            _check(images, name, table)
    label = pd.Categorical(table["label"], categories=LABELS).codes.astype(np.int64)
    group, context = pd.factorize(taught(table, switches.context, seed), sort=True)
    return Inputs(
        motion=_tensor(standardised(motion) if switches.standardise == "imagenet" else motion, device),
        faces=None if faces is None else _tensor(faces, device),
        label=torch.from_numpy(label).to(device),
        group=torch.from_numpy(group.astype(np.int64)).to(device),
        context=tuple(context),
    )


def _check(images: np.ndarray, name: str, table: pd.DataFrame) -> None:
    """StudyError unless there is one finite image a clip."""
    if images.ndim != 4 or len(images) != len(table):
        raise StudyError(f"{name} images are {images.shape} for {len(table)} clips; give one (3, S, S) each")
    # By their sums: a mask of all values is a quarter of the images' size.
    finite = np.isfinite(images.sum(axis=(1, 2, 3), dtype=np.float64))
    if not finite.all():
        clip_id = table["clip_id"].iloc[int(np.argmin(finite))]
        raise StudyError(f"clip {clip_id}: its {name} image holds values that are not finite")


def _tensor(values: np.ndarray, device: torch.device) -> Tensor:
    """A float32 tensor: on a CPU on the memory of the array."""
    with warnings.catch_warnings():
        # torch warns that a read-only array could be written to through the tensor; nothing here does.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        tensor = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    return tensor if device.type == "cpu" else tensor.to(device).contiguous(memory_format=LAYOUT)


def train_fold(
    variant: str,
    inputs: Inputs,
    rows: np.ndarray,
    recipe: Recipe,
    seed: int,
    fold: int,
    weights: str = "none",
    switches: Switches = AS_DESCRIBED,
) -> EthnicNet:
    """Train a new network on some rows, in eval mode when returned.

    Start, dropout and order of the clips depend on ``(seed, fold)`` alone: not on what ran before, or, for start of the
    emotion branch and order, on the variant and the switches.  ``inputs`` are of :func:`prepare` with the same
    switches, of which ``ethnic_loss`` and ``shared_backbone`` count here.

    Raises StudyError when the loss is no longer finite.
    """
    device = inputs.motion.device
    order = np.random.default_rng([seed, fold, 0])
    with torch.random.fork_rng(), ExitStack() as after:
        torch.manual_seed(int(np.random.default_rng([seed, fold, 1]).integers(2**63)))
        model = build_network(variant, weights, max(2, len(inputs.context)), switches.shared_backbone)
        model = hasten(model.to(device, memory_format=LAYOUT).train())
        after.enter_context(without_idle_taps(model, *inputs.batch(torch.from_numpy(rows[:1]).to(device))))
        # One fused kernel for all parameters: the step is most of the time of a small image otherwise.
        stored = {one: nn.Parameter(as_stored(one.detach())) for one in model.parameters()}
        optimiser = torch.optim.Adam(stored.values(), lr=recipe.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, recipe.gamma)
        for epoch in range(recipe.epochs):
            summed = torch.zeros((), device=device)
            for batch in batches(torch.from_numpy(order.permutation(rows)).to(device), recipe.batch_size):
                model.zero_grad()
                outputs = model(*inputs.batch(batch))
                value = loss(outputs, inputs.label[batch], inputs.group[batch], switches.ethnic_loss)
                value.backward()
                for weight, view in stored.items():
                    view.grad = None if weight.grad is None else as_stored(weight.grad)
                optimiser.step()
                summed += value.detach()
            if not torch.isfinite(summed):
                raise StudyError(
                    f"{variant}, seed {seed}, fold {fold}: the loss is no longer finite in epoch {epoch + 1}; lower "
                    f"learning_rate ({recipe.learning_rate:g})"
                )
            schedule.step()
    return model.eval()


def predict(model: EthnicNet, inputs: Inputs, rows: np.ndarray, batch_size: int) -> Outputs:
    """Logits of some rows in eval mode, on the CPU; the network is not changed by what it predicts."""
    return Outputs(*evaluated(model.eval(), inputs, rows, batch_size))


@torch.inference_mode()
def evaluated(call: Callable, inputs: Inputs, rows: np.ndarray, batch_size: int) -> list[Tensor | None]:
    """What a network, or its ``features``, says of some rows, on the CPU; None where there is no such branch."""
    parts = torch.from_numpy(rows).to(inputs.motion.device).split(batch_size)
    return joined([call(*inputs.batch(part)) for part in parts])


def joined(parts: Iterable[Iterable[Tensor | None]]) -> list[Tensor | None]:
    """What was computed batch by batch as one, on the CPU; None where there is none."""
    return [None if column[0] is None else torch.cat(column).cpu() for column in zip(*parts, strict=True)]


def batches(rows: Tensor, size: int) -> list[Tensor]:
    """Rows in batches; a last batch of one joins the one before, as batch norm cannot train on one clip."""
    parts = list(rows.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts
