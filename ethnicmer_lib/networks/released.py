"""Predictions of held-out clips: as described, or as released, where the network is still in training mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.models import EthnicNet, Outputs
from ethnicmer_lib.networks.switches import Switches
from ethnicmer_lib.networks.training import Inputs, batches, joined, predict, reproducible

# ResNet-18 leaves one position of an image up to this side, and batch norm needs two values.
ONE_POSITION = 32


def predict_held_out(
    model: EthnicNet,
    inputs: Inputs,
    rows: np.ndarray,
    clips: pd.DataFrame,
    batch_size: int,
    switches: Switches,
    stream: tuple[int, int],
) -> Outputs:
    """Logits of held-out rows; the network is as it was when this returns.

    As described, the network predicts in evaluation mode.  As released it never leaves training mode, so that each
    held-out subject is normalised by its own clips ('batch'), and what is saved afterwards has seen that subject:
    'after_test' is such a pass over the subject, then the prediction in evaluation mode.  Both go subject by
    subject, as leaving one out does, whatever the folds.  Scores of 'batch' come from the test pass itself: when
    the weights are saved does not matter for them.

    Parameters
    ----------
    rows : rows of ``clips``, the clips table.
    batch_size : clips per test batch; a last single clip joins the batch before it.
    switches : ``test_batch_norm`` and ``weights_saved`` count.
    stream : seed and fold, for the parts that are random in training mode (stochastic depth, which a TinyViT-5M
        has none of, and its larger relatives have).

    Raises
    ------
    StudyError
        With the clip, when a subject has a single one and the images are too small to normalise it by itself.
    """
    if switches.test_batch_norm == "running" and switches.weights_saved == "before_test":
        return predict(model, inputs, rows, batch_size)
    rows = np.asarray(rows)
    subjects = clips["subject"].to_numpy()[rows]
    found: list[tuple[np.ndarray, Outputs]] = []
    with reproducible(inputs.motion.device), torch.random.fork_rng():
        torch.manual_seed(int(np.random.default_rng([*stream, 3]).integers(2**63)))
        for subject in pd.unique(subjects):
            mine = rows[subjects == subject]
            if len(mine) == 1 and min(inputs.motion.shape[2:]) <= ONE_POSITION:
                raise StudyError(
                    f"clip {clips['clip_id'].iloc[mine[0]]} is the only one of subject {subject}: as released it is "
                    f"normalised by itself, for which image_size must be above {ONE_POSITION} px; set image_size=48"
                )
            with _restored(model):
                passed = _training_pass(model, inputs, mine, batch_size)
                if switches.test_batch_norm == "running":
                    passed = predict(model, inputs, mine, batch_size)
            found.append((np.flatnonzero(subjects == subject), passed))
    order = np.argsort(np.concatenate([places for places, _ in found]))
    columns = [
        None if column is None else column[torch.from_numpy(order)]
        for column in joined([outputs for _, outputs in found])
    ]
    return Outputs(*columns)


def features(
    model: EthnicNet, inputs: Inputs, rows: np.ndarray, batch_size: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Features of rows in evaluation mode, (n, width) float32 of each branch; None where there is none."""
    model.eval()
    index = torch.from_numpy(np.asarray(rows)).to(inputs.motion.device)
    with reproducible(inputs.motion.device), torch.inference_mode():
        parts = [model.features(*inputs.batch(batch)) for batch in index.split(batch_size)]
    emotion, ethnic = zip(*parts, strict=True)
    return (
        torch.cat(emotion).cpu().numpy(),
        None if ethnic[0] is None else torch.cat(ethnic).cpu().numpy(),
    )


def table(
    outputs: Outputs, clips: pd.DataFrame, said: np.ndarray, context: tuple[str, ...], switches: Switches
) -> pd.DataFrame:
    """One row per predicted clip.

    Parameters
    ----------
    outputs : logits, row i for row i of ``clips``.
    said : (n,) what the ethnic branch was taught of each clip, one of ``context``.
    context : names in the order of the ethnic logits.

    Returns
    -------
    clip_id, subject, database, label, predicted, p_<label>, group, taught, predicted_group; the last two are ''
    where no branch is taught anything.
    """
    p = torch.softmax(outputs.decision.double(), dim=1).numpy()
    rows = clips[["clip_id", "subject", "database", "label"]].reset_index(drop=True)
    rows["predicted"] = np.asarray(LABELS, dtype=object)[p.argmax(1)]
    for i, label in enumerate(LABELS):
        rows[f"p_{label}"] = p[:, i]
    rows["group"] = clips["group"].to_numpy()
    if outputs.ethnicity is None or not switches.ethnic_loss:
        return rows.assign(taught="", predicted_group="")
    # A head may have more places than there are names: nothing was taught to the others.
    decided = outputs.ethnicity[:, : len(context)].argmax(1).numpy()
    return rows.assign(taught=said, predicted_group=np.asarray(context, dtype=object)[decided])


def _training_pass(model: EthnicNet, inputs: Inputs, rows: np.ndarray, batch_size: int) -> Outputs:
    """One pass in training mode without a step: batch norm uses, and its running statistics take in, each batch."""
    model.train()
    index = torch.from_numpy(rows).to(inputs.motion.device)
    with torch.no_grad():
        return joined([model(*inputs.batch(batch)) for batch in batches(index, batch_size)])


@contextmanager
def _restored(model: EthnicNet) -> Iterator[None]:
    """Put mode and running statistics back as they were."""
    training = model.training
    before: list[tuple[Tensor, Tensor]] = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, kept in before:
                buffer.copy_(kept)
        model.train(training)
