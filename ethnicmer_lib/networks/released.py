"""Predictions of held-out clips as released: subject by subject, by a network that is still in training mode."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import torch

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.models import EthnicNet, Outputs
from ethnicmer_lib.networks.switches import Switches
from ethnicmer_lib.networks.training import Inputs, batches, joined, predict

# ResNet-18 leaves one position of an image up to this side, and batch norm needs two values.
ONE_POSITION = 32


def predict_held_out(
    model: EthnicNet,
    inputs: Inputs,
    rows: np.ndarray,
    clips: pd.DataFrame,
    batch_size: int,
    switches: Switches,
) -> Outputs:
    """Logits of held-out rows of the clips table; the network stays as it is.

    As described, it predicts in evaluation mode.  As released it never leaves training mode, so that each held-out
    subject is normalised by its own clips (``test_batch_norm`` 'batch'), and what is saved afterwards has seen that
    subject: ``weights_saved`` 'after_test' is such a pass over the subject, then the prediction in evaluation mode.
    Both go subject by subject, as leaving one out does, whatever the folds.

    Raises StudyError, with the clip, when a subject has a single one and images too small to normalise it by itself.
    """
    if switches.test_batch_norm == "running" and switches.weights_saved == "before_test":
        return predict(model, inputs, rows, batch_size)
    subjects = clips["subject"].to_numpy()[rows]
    places = [np.flatnonzero(subjects == subject) for subject in pd.unique(subjects)]
    parts = []
    for mine in (rows[place] for place in places):
        if len(mine) == 1 and min(inputs.motion.shape[2:]) <= ONE_POSITION:
            clip = clips.iloc[mine[0]]
            raise StudyError(
                f"clip {clip['clip_id']} is the only one of subject {clip['subject']}: as released it is normalised "
                f"by itself, for which image_size must be above {ONE_POSITION} px; set image_size=48"
            )
        # Batch norm uses, and its running statistics take in, each batch: of a copy, so that the next starts afresh.
        tested = copy.deepcopy(model).train()
        index = torch.from_numpy(mine).to(inputs.motion.device)
        with torch.no_grad():
            passed = Outputs(*joined([tested(*inputs.batch(batch)) for batch in batches(index, batch_size)]))
        if switches.test_batch_norm == "running":
            passed = predict(tested, inputs, mine, batch_size)
        parts.append(passed)
    order = torch.from_numpy(np.argsort(np.concatenate(places)))
    return Outputs(*(None if column is None else column[order] for column in joined(parts)))
