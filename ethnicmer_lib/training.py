"""The LOSO engine: train one network per fold and seed, predict the held-out clips, keep every finished fold."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from ethnicmer_lib.cohort.clips import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.models import RGB_VARIANTS, EthnicNet, Outputs, build_model, loss
from ethnicmer_lib.runs import Run

Fold = tuple[np.ndarray, np.ndarray]  #: train and test rows of the clips table


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
    def seed(self) -> int: ...


@dataclass(frozen=True)
class Inputs:
    """All clips of a cohort on the device, in the order of the clips table."""

    motion: Tensor  #: (n, 3, S, S) float32
    rgb: Tensor | None  #: (n, 3, S, S) float32 in [0, 1]
    label: Tensor  #: (n,) int64, place in ``LABELS``
    group: Tensor  #: (n,) int64, place in the sorted group names

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Images of some rows."""
        return self.motion[rows], None if self.rgb is None else self.rgb[rows]


def predict_folds(
    variant: str,
    motion: np.ndarray,
    rgb: np.ndarray | None,
    clips: pd.DataFrame,
    folds: Sequence[Fold],
    settings: TrainingSettings,
    run: Run,
    progress: bool = False,
) -> pd.DataFrame:
    """Held-out predictions of one variant and seed (Table V), trained anew in every fold.

    A finished fold is kept in ``run`` as ``<variant>-seed<seed>-fold<number>``; a run that was killed
    continues with the next one and ends with the same predictions.

    Parameters
    ----------
    variant : row of Table V.
    motion : (n, 3, S, S) float32 optical flow images, row i for row i of ``clips``.
    rgb : (n, 3, S, S) float32 apex frames in [0, 1]; needed by 'dual_rgb' and 'tinyvit', else unused.
    clips : the clips table.
    folds : (train, test) rows; whole subjects.
    settings : the training parameters; ``settings.seed`` is the seed of this repetition.
    run : where finished folds are kept; its key must tell apart everything above but ``variant`` and the seed.

    Returns
    -------
    One row per fold and test clip: variant, seed, fold, clip_id, subject, label, predicted, p_<label> (softmax of
    the fusion logits; of the emotion logits for 'resnet18'), group, predicted_group ('' for 'resnet18').

    Raises
    ------
    StudyError
        When images and clips do not match, a subject is on both sides of a fold, RGB is missing, or training
        diverges.
    """
    _check_folds(folds, clips)
    groups = sorted(clips["group"].unique())
    prepared = cache(lambda: prepare(variant, motion, rgb, clips))
    title = f"{variant}, seed {settings.seed}"
    total = len(folds) * settings.epochs
    tables = []
    with tqdm(total=total, desc=title, unit="epoch", disable=not progress) as bar:
        for number, (train, test) in enumerate(folds):

            def one(number: int = number, train: np.ndarray = train, test: np.ndarray = test) -> pd.DataFrame:
                model = train_fold(variant, prepared(), train, settings, number, on_epoch=bar.update)
                outputs = predict(model, prepared(), test, settings.batch_size)
                return _table(variant, settings.seed, number, clips.iloc[test], outputs, groups)

            tables.append(run.table(f"{variant}-seed{settings.seed}-fold{number:03d}", one))
            bar.update((number + 1) * settings.epochs - bar.n)  # a fold that was there already
    return pd.concat(tables, ignore_index=True)


def prepare(variant: str, motion: np.ndarray, rgb: np.ndarray | None, clips: pd.DataFrame) -> Inputs:
    """Check the images of a cohort and put them on the device once, channels last."""
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
        finite = np.isfinite(values).all(axis=(1, 2, 3))
        if not finite.all():
            clip_id = clips["clip_id"].iloc[int(np.argmin(finite))]
            raise StudyError(f"clip {clip_id}: its {name} image holds values that are not finite")
        tensor = torch.from_numpy(np.array(values, dtype=np.float32))
        return tensor.to(device).contiguous(memory_format=torch.channels_last)

    def codes(column: str, names: Sequence[str]) -> Tensor:
        return torch.tensor([names.index(name) for name in clips[column]], dtype=torch.int64, device=device)

    return Inputs(
        motion=images("motion", motion),
        rgb=images("rgb", rgb) if variant in RGB_VARIANTS else None,
        label=codes("label", LABELS),
        group=codes("group", sorted(clips["group"].unique())),
    )


def train_fold(
    variant: str,
    inputs: Inputs,
    rows: np.ndarray,
    settings: TrainingSettings,
    fold: int,
    on_epoch: Callable[[], object] = lambda: None,
) -> EthnicNet:
    """Train a new network on some rows, in eval mode when returned.

    Start, dropout and order of the clips depend on ``(settings.seed, fold)`` alone: not on other folds, on what
    ran before, or, for start of the emotion branch and order, on the variant.

    Raises
    ------
    StudyError
        With fewer than two rows (batch norm needs two), or when the loss is no longer finite.
    """
    if len(rows) < 2:
        raise StudyError(f"fold {fold} has {len(rows)} training clip(s); at least 2 are needed")
    device = inputs.motion.device
    order = np.random.default_rng([settings.seed, fold, 0])
    with _reproducible(device), torch.random.fork_rng():
        torch.manual_seed(int(np.random.default_rng([settings.seed, fold, 1]).integers(2**63)))
        model = build_model(variant, settings.weights).to(device, memory_format=torch.channels_last).train()
        # One fused kernel for all parameters: the step is most of the time of a small image otherwise.
        optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, settings.gamma)
        for epoch in range(settings.epochs):
            shuffled = order.permutation(np.asarray(rows))
            summed = torch.zeros((), device=device)
            for batch in _batches(torch.from_numpy(shuffled).to(device), settings.batch_size):
                optimiser.zero_grad(set_to_none=True)
                value = loss(model(*inputs.batch(batch)), inputs.label[batch], inputs.group[batch])
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


def predict(model: EthnicNet, inputs: Inputs, rows: np.ndarray, batch_size: int) -> Outputs:
    """Logits of some rows in eval mode, on the CPU; the network is not changed by what it predicts."""
    model.eval()
    index = torch.from_numpy(np.asarray(rows)).to(inputs.motion.device)
    with _reproducible(inputs.motion.device), torch.inference_mode():
        parts = [model(*inputs.batch(batch)) for batch in index.split(batch_size)]
    columns = [None if column[0] is None else torch.cat(column).cpu() for column in zip(*parts, strict=True)]
    return Outputs(*columns)


def _batches(rows: Tensor, size: int) -> list[Tensor]:
    """Rows in batches; a last batch of one joins the one before, as batch norm cannot train on one clip."""
    batches = list(rows.split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _table(
    variant: str, seed: int, fold: int, clips: pd.DataFrame, outputs: Outputs, groups: Sequence[str]
) -> pd.DataFrame:
    """One row per test clip."""
    p = torch.softmax(outputs.decision.double(), dim=1).numpy()
    table = clips[["clip_id", "subject", "label"]].reset_index(drop=True)
    table.insert(0, "variant", variant)
    table.insert(1, "seed", seed)
    table.insert(2, "fold", fold)
    table["predicted"] = np.asarray(LABELS, dtype=object)[p.argmax(1)]
    for i, label in enumerate(LABELS):
        table[f"p_{label}"] = p[:, i]
    table["group"] = clips["group"].to_numpy()
    if outputs.ethnicity is None:
        table["predicted_group"] = ""
    else:
        table["predicted_group"] = np.asarray(groups, dtype=object)[outputs.ethnicity.argmax(1).numpy()]
    return table


def _check_folds(folds: Sequence[Fold], clips: pd.DataFrame) -> None:
    if not len(folds):
        raise StudyError("there are no folds to train; give at least one (train, test) pair")
    subjects = clips["subject"].to_numpy()
    for number, (train, test) in enumerate(folds):
        if not len(test):
            raise StudyError(f"fold {number} tests no clip; leave it out")
        if both := sorted(set(subjects[train]) & set(subjects[test])):
            raise StudyError(
                f"fold {number}: subject {both[0]} is in training and test; split whole subjects"
            )


@contextmanager
def _reproducible(device: torch.device) -> Iterator[None]:
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
