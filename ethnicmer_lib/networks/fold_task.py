"""One fold: train a network, and predict the clips that it has not seen, in every way in which it is tested."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from ethnicmer_lib.networks.switches import Switches, as_trained
from ethnicmer_lib.networks.training import Fold, Inputs
from ethnicmer_lib.store import digest, identity

COLUMNS = ["clip_id", "subject", "database", "group", "label"]  #: of the clips table that training depends on


def fold_name(number: int, fold: Fold) -> str:
    """What ends the name of every task of a fold: its number, and which rows it has."""
    return f"fold{number:03d}-{digest(identity([*fold]))[:8]}"


@dataclass(frozen=True)
class Data:
    """What all tasks share: the clips table and, row by row, its images."""

    table: pd.DataFrame
    motion: np.ndarray  #: (n, 3, S, S) float32 optical flow images
    faces: np.ndarray | None = None  #: (n, 3, S, S) float32 apex frames in [0, 1]


@dataclass(frozen=True)
class Task:
    """One network to train, and one way to predict with it the clips that it has not seen."""

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
        return f"{self.title}-{fold_name(self.number, self.fold)}"

    @property
    def trains(self) -> str:
        """Name of what is trained: tasks that are alike in it share a network."""
        return replace(self, switches=as_trained(self.switches)).name


@dataclass(frozen=True)
class Training:
    """A network to train, and all tasks that test it."""

    tasks: tuple[Task, ...]

    @property
    def name(self) -> str:
        """That of what is trained."""
        return self.tasks[0].trains


class Done(NamedTuple):
    """A finished training."""

    task: Training
    tables: list[pd.DataFrame]  #: of each of its tasks, as of :func:`computed`
    seconds: list[float]  #: wall clock; the first has the training's
    network: EthnicNet | None = None  #: trained, in eval mode


def trainings(tasks: Iterable[Task]) -> list[Training]:
    """The networks that tasks need, each once, in the order of the tasks."""
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.trains, []).append(task)
    return [Training(tuple(alike)) for alike in found.values()]


def predicted(job: Training, data: Data, keep: str = "") -> Done:
    """A training, with its network only if that is the one to ``keep``: what travels if it is computed elsewhere."""
    done = computed(job, data)
    return done if job.name == keep else done._replace(network=None)


def computed(job: Training, data: Data) -> Done:
    """Per task one row per test clip, as :func:`folds.train_and_predict` has them, and of plain ResNet-18 map cells.

    It computes on one thread, here or elsewhere.
    """
    start = time.perf_counter()
    first, clips = job.tasks[0], data.table
    (train, test), size = first.fold, first.recipe.batch_size
    with one_thread():
        about = data.motion, data.faces, clips, first.switches, first.seed
        inputs = training.prepare(first.variant, *about)
        by = first.recipe, first.seed, first.number, first.weights, first.switches
        network = training.train_fold(first.variant, inputs, train, *by)
        known, asked = (training.evaluated(network.features, inputs, rows, size) for rows in (train, test))
        shared = probe_columns(known, asked, clips.iloc[train], clips.iloc[test])
        shared |= cell_columns(network, inputs, test)
        rows = clips.assign(seed=first.seed, fold=first.number)[["seed", "fold", *COLUMNS]].iloc[test]
        tables, seconds = [], []
        for task in job.tasks:
            outputs = predict_held_out(network, inputs, test, clips, size, task.switches)
            said = _said(outputs, inputs, test, task.switches.ethnic_loss)
            tables.append(rows.reset_index(drop=True).assign(**said, **shared))
            seconds.append(time.perf_counter() - start - sum(seconds))
    return Done(job, tables, seconds, network)


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it sums are made on one thread: those of several add up in another order, and with them predictions would
    depend on the machine's cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


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
