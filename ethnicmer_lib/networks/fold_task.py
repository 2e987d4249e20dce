"""One fold: train the network of a task, and predict the clips that it has not seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks import released, training
from ethnicmer_lib.networks.cells import cell_columns
from ethnicmer_lib.networks.fast_cpu import kept_memory
from ethnicmer_lib.networks.models import EthnicNet, Outputs
from ethnicmer_lib.networks.probes import probe_columns
from ethnicmer_lib.networks.recipe import Recipe
from ethnicmer_lib.networks.switches import Switches, taught
from ethnicmer_lib.networks.training import Fold
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
    """One network to train, and the ways in which it then predicts the clips it has not seen.

    Attributes
    ----------
    variant : row of Table V.
    ways : switches of every way of predicting; they differ in those of the test alone.
    recipe, weights, seed : of the training.
    number, fold : number of the fold, and its (train, test) rows of the clips table; whole subjects.
    faces : identity of the apex frames, for a variant that sees them.
    """

    variant: str
    ways: tuple[Switches, ...]
    recipe: Recipe
    weights: str
    seed: int
    number: int
    fold: Fold
    faces: str = ""

    @property
    def switches(self) -> Switches:
        """The switches of the training."""
        return self.ways[0].training

    @property
    def title(self) -> str:
        """Name of all folds of a network; whatever the run's key does not hold is in it."""
        return f"{self.variant}-{digest([identity(self.ways), self.faces])[:8]}-seed{self.seed}"

    @property
    def name(self) -> str:
        """Name of the task's table in the run."""
        return f"{self.title}-fold{self.number:03d}-{digest(identity([*self.fold]))[:8]}"

    def __post_init__(self) -> None:
        if len({switches.training for switches in self.ways}) != 1:
            raise StudyError(f"{self.variant}: the ways need different trainings; make one task of each")


@dataclass(frozen=True)
class Done:
    """A finished task."""

    task: Task
    table: pd.DataFrame  #: as of :func:`compute`
    seconds: float  #: wall clock


def timed(task: Task, data: Data, on_epoch: Callable[[], object] | None = None) -> Done:
    """The work on a task, wherever that is: its table, with its time."""
    start = time.perf_counter()
    table = compute(task, data, on_epoch)
    return Done(task, table, time.perf_counter() - start)


def compute(task: Task, data: Data, on_epoch: Callable[[], object] | None = None) -> pd.DataFrame:
    """Train the network of a task and predict with it.

    Returns
    -------
    One row per way and test clip: way (its number), seed, fold, clip_id, subject, database, group, label, predicted,
    p_<label>, taught, predicted_group; in the rows of the first way also what probes read, and of plain ResNet-18 the
    cells of its activation maps.
    """
    return computed(task, data, on_epoch)[0]


def computed(
    task: Task, data: Data, on_epoch: Callable[[], object] | None = None
) -> tuple[pd.DataFrame, EthnicNet]:
    """The table of :func:`compute`, and the trained network.

    It computes on one thread, here or elsewhere: the sums of several threads add up in another order, and with them
    predictions would depend on the machine's cores.
    """
    train, test = task.fold
    seed, size = task.seed, task.recipe.batch_size
    with _one_thread(), kept_memory():
        inputs = training.prepare(task.variant, data.motion, data.faces, data.table, task.switches, seed)
        network = training.train_fold(
            task.variant,
            inputs,
            train,
            task.recipe,
            seed,
            task.number,
            task.weights,
            task.switches,
            on_epoch or (lambda: None),
        )
        said = taught(data.table, task.switches.context, seed)[test]
        tables = []
        for number, switches in enumerate(task.ways):
            outputs = released.predict_held_out(
                network, inputs, test, data.table, size, switches, (seed, task.number)
            )
            rows = _rows(outputs, data.table.iloc[test], said, inputs.context, switches)
            tables.append(rows.assign(way=number))
        known, asked = (released.features(network, inputs, rows, size) for rows in (train, test))
        tables[0] = tables[0].assign(
            **probe_columns(known, asked, data.table.iloc[train], data.table.iloc[test]),
            **cell_columns(network, inputs, test, tables[0]["predicted"]),
        )
    table = pd.concat(tables, ignore_index=True)
    first = {"way": table.pop("way"), "seed": seed, "fold": task.number}
    for place, (name, value) in enumerate(first.items()):
        table.insert(place, name, value)
    return table, network


def _rows(
    outputs: Outputs, clips: pd.DataFrame, said: np.ndarray, context: tuple[str, ...], switches: Switches
) -> pd.DataFrame:
    """Predictions of held-out clips by their logits, and what the ethnic branch was taught and says of them."""
    p = torch.softmax(outputs.decision.double(), dim=1).numpy()
    rows = clips[COLUMNS].reset_index(drop=True)
    rows["predicted"] = np.asarray(LABELS, dtype=object)[p.argmax(1)]
    for i, label in enumerate(LABELS):
        rows[f"p_{label}"] = p[:, i]
    if outputs.ethnicity is None or not switches.ethnic_loss:
        return rows.assign(taught="", predicted_group="")
    # A head may have more places than there are names: nothing was taught to the others.
    decided = outputs.ethnicity[:, : len(context)].argmax(1).numpy()
    return rows.assign(taught=said, predicted_group=np.asarray(context, dtype=object)[decided])


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
