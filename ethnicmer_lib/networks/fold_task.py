"""One fold: train the network of a task, and predict the clips that it has not seen."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.networks import training
from ethnicmer_lib.networks.cells import cell_columns
from ethnicmer_lib.networks.models import EthnicNet, Outputs
from ethnicmer_lib.networks.probes import probe_columns
from ethnicmer_lib.networks.recipe import Recipe
from ethnicmer_lib.networks.released import predict_held_out
from ethnicmer_lib.networks.switches import Switches
from ethnicmer_lib.networks.training import Fold, Inputs
from ethnicmer_lib.store import digest, identity

COLUMNS = ["clip_id", "subject", "database", "group", "label"]  #: of the clips table that training depends on


@dataclass(frozen=True)
class Data:
    """What all tasks share: the clips table and, row by row, its images."""

    table: pd.DataFrame
    motion: np.ndarray  #: (n, 3, S, S) float32 optical flow images
    faces: np.ndarray | None = None  #: (n, 3, S, S) float32 apex frames in [0, 1]


@dataclass(frozen=True)
class Task:
    """One network to train, and to predict the clips with that it has not seen."""

    variant: str  #: row of Table V
    switches: Switches
    recipe: Recipe
    weights: str
    seed: int
    number: int  #: of the fold
    fold: Fold
    faces: str  #: identity of the apex frames, for a variant that sees them

    @property
    def title(self) -> str:
        """Name of all folds of a network; whatever the run's key does not hold is in it."""
        return f"{self.variant}-{digest([identity(self.switches), self.faces])[:8]}-seed{self.seed}"

    @property
    def name(self) -> str:
        """Name of the task's table in the run."""
        return f"{self.title}-fold{self.number:03d}-{digest(identity([*self.fold]))[:8]}"


class Done(NamedTuple):
    """A finished task."""

    task: Task
    table: pd.DataFrame  #: as of :func:`computed`
    seconds: float  #: wall clock
    network: EthnicNet | None = None  #: trained, in eval mode


def predicted(task: Task, data: Data) -> Done:
    """A task without its network: what has to travel where it is computed elsewhere."""
    return computed(task, data)._replace(network=None)


def computed(task: Task, data: Data) -> Done:
    """A task: one row per test clip, as :func:`folds.train_and_predict` has them, and of plain ResNet-18 map cells.

    It computes on one thread, here or elsewhere: the sums of several threads add up in another order, and with them
    predictions would depend on the machine's cores.
    """
    start = time.perf_counter()
    train, test = task.fold
    clips, size, switches = data.table, task.recipe.batch_size, task.switches
    with ExitStack() as after:
        after.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(1)
        after.enter_context(threadpool_limits(1))
        inputs = training.prepare(task.variant, data.motion, data.faces, clips, switches, task.seed)
        network = training.train_fold(
            task.variant, inputs, train, task.recipe, task.seed, task.number, task.weights, switches
        )
        outputs = predict_held_out(network, inputs, test, clips, size, switches)
        known, asked = (training.evaluated(network.features, inputs, rows, size) for rows in (train, test))
        probed = probe_columns(known, asked, clips.iloc[train], clips.iloc[test])
        said = _said(outputs, inputs, test, switches.ethnic_loss)
        cells = cell_columns(network, inputs, test)
    rows = clips.assign(seed=task.seed, fold=task.number)[["seed", "fold", *COLUMNS]].iloc[test]
    rows = rows.reset_index(drop=True)
    return Done(task, rows.assign(**said, **probed, **cells), time.perf_counter() - start, network)


def _said(outputs: Outputs, inputs: Inputs, test: np.ndarray, ethnic_loss: bool) -> dict[str, Any]:
    """Predictions of held-out clips by their logits, and what the ethnic branch was taught and says of them."""
    p = torch.softmax(outputs.decision.double(), dim=1).numpy()
    columns = {"predicted": np.asarray(LABELS, dtype=object)[p.argmax(1)]}
    columns |= {f"p_{label}": p[:, i] for i, label in enumerate(LABELS)}
    if outputs.ethnicity is None or not ethnic_loss:
        return columns | {"taught": "", "predicted_group": ""}
    # A head may have more places than there are names: nothing was taught to the others.
    decided = outputs.ethnicity[:, : len(inputs.context)].argmax(1).numpy()
    names = np.asarray(inputs.context, dtype=object)
    return columns | {"taught": names[inputs.group[test].cpu()], "predicted_group": names[decided]}
