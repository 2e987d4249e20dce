"""Training of one network on the clips of one fold, and its predictions in evaluation mode (Section IV)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.fast_cpu import hasten
from ethnicmer_lib.networks.models import RGB_VARIANTS, EthnicNet, Outputs, build_model, loss
from ethnicmer_lib.networks.switches import AS_DESCRIBED, Switches, standardised, taught

Fold = tuple[np.ndarray, np.ndarray]  #: train and test rows of the clips table
LAYOUT = (
    torch.channels_last
)  #: memory format that trains faster, on a CPU with the convolutions of ``hasten``
COMPILER = "inductor"  #: backend of torch.compile
_BLOCK = 256  # clips looked at together


class TrainingSettings(Protocol):
    """What ``TrainingParameters`` has and training depends on (Section IV: 15 epochs, Adam at 1e-3, ExponentialLR).

    As in ``motion.extract``, the parameters are not imported: their wording is no part of a run's key.
    """

    @property
    def epochs(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def gamma(self) -> float: ...
    @property
    def weights(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def compiled(self) -> bool: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class Inputs:
    """All clips of a cohort, in the order of the clips table: on a GPU, or where they lie, mapped from disk if so."""

    motion: Tensor  #: (n, 3, S, S) float32; not to be written to
    rgb: Tensor | None  #: (n, 3, S, S) float32 in [0, 1]
    label: Tensor  #: (n,) int64, place in ``LABELS``
    group: Tensor  #: (n,) int64, place in ``context``
    context: tuple[str, ...]  #: names of what the ethnic branch tells apart: the groups, or the databases

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Images of some rows, copied, in the memory format of the training."""
        return _taken(self.motion, rows), None if self.rgb is None else _taken(self.rgb, rows)


def prepare(
    variant: str,
    motion: np.ndarray,
    rgb: np.ndarray | None,
    clips: pd.DataFrame,
    switches: Switches = AS_DESCRIBED,
    seed: int = 0,
) -> Inputs:
    """Check the images of a cohort, and put them on the GPU where there is one.

    On a CPU nothing is copied: several processes that were given the same mapped file share its pages.

    Parameters
    ----------
    variant : row of Table V.
    motion : (n, 3, S, S) optical flow images, row i for row i of ``clips``.
    rgb : (n, 3, S, S) apex frames in [0, 1]; needed by the variants of ``RGB_VARIANTS``, else unused.
    switches : ``standardise`` and ``context`` count.
    seed : of the shuffled context alone.

    Raises
    ------
    StudyError
        With the clip, when images and clips do not match or a value is not finite; when RGB is missing.
    """
    if variant in RGB_VARIANTS and rgb is None:
        raise StudyError(
            f"variant {variant!r} needs RGB apex frames; use a cohort with frames or leave it out"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def images(name: str, values: np.ndarray) -> Tensor:
        if values.ndim != 4 or len(values) != len(clips):
            raise StudyError(
                f"{name} images are {values.shape} for {len(clips)} clips; give one (3, S, S) each"
            )
        # In blocks: a mask of a whole cohort is a quarter of its size.
        for start in range(0, len(values), _BLOCK):
            finite = np.isfinite(values[start : start + _BLOCK]).all(axis=(1, 2, 3))
            if not finite.all():
                clip_id = clips["clip_id"].iloc[start + int(np.argmin(finite))]
                raise StudyError(f"clip {clip_id}: its {name} image holds values that are not finite")
        if name == "motion" and switches.standardise == "imagenet":
            values = standardised(values)
        tensor = _mapped(values)
        if device.type == "cpu":
            return tensor
        return tensor.to(device).contiguous(memory_format=LAYOUT)

    def codes(values: Iterable[str], names: Sequence[str]) -> Tensor:
        return torch.tensor([names.index(value) for value in values], dtype=torch.int64, device=device)

    said = taught(clips, switches.context, seed)
    context = tuple(sorted(set(said)))
    return Inputs(
        motion=images("motion", motion),
        rgb=images("rgb", rgb) if variant in RGB_VARIANTS else None,
        label=codes(clips["label"], LABELS),
        group=codes(said, context),
        context=context,
    )


def _mapped(values: np.ndarray) -> Tensor:
    """A float32 tensor on the memory of an array."""
    with warnings.catch_warnings():
        # torch warns that a read-only array could be written to through the tensor; nothing here does.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _taken(images: Tensor, rows: Tensor) -> Tensor:
    return images[rows].contiguous(memory_format=LAYOUT)


def train_fold(
    variant: str,
    inputs: Inputs,
    rows: np.ndarray,
    settings: TrainingSettings,
    fold: int,
    on_epoch: Callable[[], object] = lambda: None,
    switches: Switches = AS_DESCRIBED,
) -> EthnicNet:
    """Train a new network on some rows, in eval mode when returned.

    Start, dropout and order of the clips depend on ``(settings.seed, fold)`` alone: not on other folds, on what
    ran before, or, for start of the emotion branch and order, on the variant and the switches.

    Parameters
    ----------
    inputs : of :func:`prepare`, with the same switches.
    switches : ``ethnic_loss`` and ``shared_backbone`` count.

    Raises
    ------
    StudyError
        With fewer than two rows (batch norm needs two), or when the loss is no longer finite.
    """
    if len(rows) < 2:
        raise StudyError(f"fold {fold} has {len(rows)} training clip(s); at least 2 are needed")
    device = inputs.motion.device
    order = np.random.default_rng([settings.seed, fold, 0])
    with reproducible(device), torch.random.fork_rng():
        torch.manual_seed(int(np.random.default_rng([settings.seed, fold, 1]).integers(2**63)))
        model = build_model(
            variant,
            settings.weights,
            n_groups=max(2, len(inputs.context)),
            shared=switches.shared_backbone and variant != "resnet18",  # one branch has nothing to share
        )
        model = model.to(device, memory_format=LAYOUT).train()
        forward = _compiled(model) if settings.compiled else hasten(model)
        # One fused kernel for all parameters: the step is most of the time of a small image otherwise.
        optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, settings.gamma)
        for epoch in range(settings.epochs):
            shuffled = order.permutation(np.asarray(rows))
            summed = torch.zeros((), device=device)
            for batch in batches(torch.from_numpy(shuffled).to(device), settings.batch_size):
                optimiser.zero_grad(set_to_none=True)
                images = inputs.batch(batch)
                with torch.autocast(device.type, torch.bfloat16, settings.precision == "bfloat16"):
                    outputs = forward(*images)
                    value = loss(outputs, inputs.label[batch], inputs.group[batch], switches.ethnic_loss)
                value.backward()
                optimiser.step()
                summed += value.detach()
            if not torch.isfinite(summed):
                raise StudyError(
                    f"{variant}, seed {settings.seed}, fold {fold}: the loss is no longer finite in epoch "
                    f"{epoch + 1}; lower learning_rate ({settings.learning_rate:g})"
                )
            schedule.step()
            on_epoch()
    return model.eval()


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
