"""One fold's activation maps: of the trained network, and of networks that cannot know what theirs show."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.networks import training
from ethnicmer_lib.networks.cells import MAPPED, class_cells, map_side
from ethnicmer_lib.networks.fold_task import COLUMNS, Data, Task, one_thread
from ethnicmer_lib.networks.maps import LABELLED
from ethnicmer_lib.networks.models import EthnicNet, build_network
from ethnicmer_lib.networks.training import Inputs

LAYERS = ("layer1", "layer2", "layer3")  #: stages that see an image of 28 px as more than one cell
TRAINED, SHUFFLED = "trained", "labels shuffled"
OTHERS = ("shuffled", "new")  #: networks that cannot know, whose maps choose a quarter too: see :func:`drops`
#: Parts of ResNet-18 from the top: below each the weights are trained, in it and above they are new.
STAGES = ("head", "layer4", "layer3", "layer2", "layer1", "conv1")
DELETED = 75  #: percentile of relevance: what is above, a quarter of the image, is deleted
DRAWS = 10  #: random choices of cells that a map's choice is compared with


class Mapped(NamedTuple):
    """A finished fold."""

    task: Task
    table: pd.DataFrame
    seconds: float


def mapped(task: Task, data: Data, checks: bool = True) -> Mapped:
    """The maps of a fold's held-out Positive and Surprise clips, a row for every clip and network (``arm``).

    Arms are the trained network; the same with its parts made new one after the other from the top (Adebayo et al.
    2018); and one trained alike, from the same start, on labels that were shuffled among the training clips.  All
    explain ``predicted``, the class that the trained network predicts, of which ``p`` is the arm's probability.
    ``cells_<layer>`` are bytes of float32; ``gradient`` is that of the input, the largest of its channels, over its
    maximum, bytes of (S, S) float16, of the two that were trained to the end; ``occlusion`` see :func:`occluded`,
    ``drop_*`` and ``alone_*`` :func:`drops`.  Without ``checks`` the trained network is alone, and has cells only.
    """
    start = time.perf_counter()
    train, test = task.fold
    rows = test[data.table["label"].iloc[test].isin(LABELLED)]
    about = data.table[COLUMNS].iloc[rows].reset_index(drop=True)
    with one_thread():
        inputs = training.prepare(MAPPED, data.motion, None, data.table)
        fit = partial(training.train_fold, rows=train, recipe=task.recipe, seed=task.seed, fold=task.number)
        fit = partial(fit, MAPPED, weights=task.weights)
        network = fit(inputs=inputs)
        images = inputs.batch(torch.from_numpy(rows))[0]
        target = network(images).emotion.argmax(1)
        seen = partial(_seen, images=images, target=target)
        found = {TRAINED: seen(network)}
        if checks:
            other = fit(inputs=shuffled(inputs, train, [task.seed, task.number, 4]))
            found[SHUFFLED] = seen(other) | gradients(other, images, target)
            for stage, new in randomised(copy.deepcopy(network), [task.seed, task.number, 6]):
                found[f"random from {stage}"] = seen(new)
            nets = zip(OTHERS, (other, new), strict=True)
            theirs = {name: class_cells(net, images, LAYERS, target) for name, net in nets}
            rng = np.random.default_rng([task.seed, task.number, 5])
            found[TRAINED] |= gradients(network, images, target) | occluded(network, images, target)
            found[TRAINED] |= drops(network, images, target, theirs, rng)
    about = about.assign(predicted=np.asarray(LABELS, dtype=object)[target.numpy()])
    tables = [about.assign(arm=arm, **columns) for arm, columns in found.items()]
    first = {"seed": task.seed, "fold": task.number}
    return Mapped(task, pd.concat(tables, ignore_index=True).assign(**first), time.perf_counter() - start)


def _seen(network: EthnicNet, images: Tensor, target: Tensor) -> dict[str, Any]:
    cells = class_cells(network, images, LAYERS, target)
    columns = {f"cells_{layer}": [one.tobytes() for one in found] for layer, found in cells.items()}
    p = torch.softmax(network(images).emotion, 1).gather(1, target[:, None])
    return {"p": p[:, 0].detach().numpy(), **columns}


def gradients(network: EthnicNet, images: Tensor, target: Tensor) -> dict[str, list[bytes]]:
    """How much every pixel of (n, 3, S, S) images changes the score of the class, over the most that one does."""
    images = images.clone().requires_grad_()
    score = network(images).emotion.gather(1, target[:, None])
    slope = torch.autograd.grad(score.sum(), images)[0].abs().amax(1)
    shown = slope / slope.amax((1, 2), keepdim=True).clamp_min(1e-20)
    return {"gradient": [one.tobytes() for one in shown.numpy().astype(np.float16)]}


def occluded(network: EthnicNet, images: Tensor, target: Tensor) -> dict[str, list[bytes]]:
    """How far the probability of the class falls when one cell of the first layer's grid shows no motion, where it
    falls: bytes of (side, side) float32, without any gradient (Zeiler & Fergus 2014)."""
    side = map_side(LAYERS[0], images.shape[-1])
    cell, falls = images.shape[-1] // side, np.zeros((len(images), side, side), np.float32)

    def chance(seen: Tensor) -> np.ndarray:
        with torch.no_grad():
            return torch.softmax(network(seen).emotion, 1).gather(1, target[:, None])[:, 0].numpy()

    whole = chance(images)
    for row, column in product(range(side), repeat=2):
        still = images.clone()
        still[..., row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = 0
        falls[:, row, column] = whole - chance(still)
    return {"occlusion": [one.tobytes() for one in falls.clip(0)]}


def shuffled(inputs: Inputs, train: np.ndarray, seed: list[int]) -> Inputs:
    """The same clips, the labels of those in training dealt out among them anew (label randomisation)."""
    label = inputs.label.clone()
    label[train] = inputs.label[np.random.default_rng(seed).permutation(train)]
    return replace(inputs, label=label)


def randomised(network: EthnicNet, seed: list[int]) -> Iterator[tuple[str, EthnicNet]]:
    """The network, changed in place, with new weights from the top down to every one of :data:`STAGES`."""
    with torch.random.fork_rng():
        torch.manual_seed(int(np.random.default_rng(seed).integers(2**63)))
        new = build_network(MAPPED)
    for stage in STAGES:
        old, fresh = (
            (one.emotion_head if stage == "head" else getattr(one.emotion, stage)) for one in (network, new)
        )
        old.load_state_dict(fresh.state_dict())
        yield stage, network


def drops(
    network: EthnicNet,
    images: Tensor,
    target: Tensor,
    others: Mapping[str, Mapping[str, np.ndarray]],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """How far the probability of the class falls when a quarter of the image shows no motion, ``drop_<by>_<layer>``,
    and when nothing but that quarter shows any, ``alone_<by>_<layer>`` (deletion and insertion; Petsiuk et al. 2018).

    The quarter are the cells of a layer's grid with the highest relevance (``map``), with most strain (``strain``), any
    (``random``: mean of :data:`DRAWS`), or those with the highest relevance for other networks, whose maps ``others``
    has by name and layer.  NaN where a map is blank.
    """
    from pytorch_grad_cam.metrics.perturbation_confidence import (
        PerturbationConfidenceMetric,
        RemoveLeastRelevantFirst,
        RemoveMostRelevantFirst,
    )
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

    def still(image: Tensor, keep: Tensor) -> Tensor:
        return image * keep

    ways = {
        "drop": PerturbationConfidenceMetric(RemoveMostRelevantFirst(DELETED, still)),
        "alone": PerturbationConfidenceMetric(RemoveLeastRelevantFirst(100 - DELETED, still)),
    }
    targets = [ClassifierOutputSoftmaxTarget(int(one)) for one in target]

    def falls(cells: np.ndarray) -> dict[str, np.ndarray]:
        ranks = (cells + 1e-9 * rng.random(cells.shape)).reshape(len(cells), -1).argsort(1).argsort(1)
        ranks = ranks.reshape(cells.shape).astype(np.float32)
        enlarge = partial(cv2.resize, dsize=images.shape[2:], interpolation=cv2.INTER_NEAREST)
        chosen = np.stack([*map(enlarge, ranks)])
        return {
            way: -one(images, chosen, targets, lambda batch: network(batch).emotion)
            for way, one in ways.items()
        }

    found: dict[tuple[str, str], dict[str, np.ndarray]] = {}

    def of_map(cells: np.ndarray) -> dict[str, np.ndarray]:
        return {way: np.where(cells.max((1, 2)) > 0, one, np.nan) for way, one in falls(cells).items()}

    for layer, cells in class_cells(network, images, LAYERS, target).items():
        shape = cells.shape[1:]
        strain = np.stack(
            [cv2.resize(one, shape, interpolation=cv2.INTER_AREA) for one in images[:, 2].numpy()]
        )
        found["map", layer] = of_map(cells)
        found["strain", layer] = falls(strain)
        any_cells = [falls(rng.random(cells.shape)) for _ in range(DRAWS)]
        found["random", layer] = {way: np.mean([one[way] for one in any_cells], axis=0) for way in ways}
    for (name, maps), layer in product(others.items(), LAYERS):
        if layer in maps:
            found[name, layer] = of_map(maps[layer])
    return {f"{way}_{by}_{layer}": one for (by, layer), fell in found.items() for way, one in fell.items()}
