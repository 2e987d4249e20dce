"""The steps of a small classifier in numpy, each apart, so that a lesson can displace them one by one."""

from __future__ import annotations

import numpy as np

EPOCHS, STEP, BATCH = 20, 0.05, 32  #: of the classifier's training


def trained(x: np.ndarray, y: np.ndarray, asked: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """(epochs, asked clips) answers of a softmax regression after each epoch of gradient descent in batches."""
    x, asked = np.c_[x, np.ones(len(x))], np.c_[asked, np.ones(len(asked))]
    weights, truth, path = np.zeros((x.shape[1], n)), np.eye(n)[y], []
    for _ in range(EPOCHS):
        for rows in np.array_split(rng.permutation(len(x)), max(1, len(x) // BATCH)):
            odds = np.exp(np.clip(x[rows] @ weights, -30, 30))
            weights -= STEP * x[rows].T @ (odds / odds.sum(1, keepdims=True) - truth[rows]) / len(rows)
        path.append((asked @ weights).argmax(1))
    return np.array(path)


def balanced(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clips made for the rarer labels, so that all are equally frequent: measures, labels, and row of the first parent.

    Each lies between a clip and one of the five most alike of its label (as SMOTE; Chawla et al. 2002).
    """
    counts = np.bincount(y)
    made = [(np.empty((0, x.shape[1])), np.empty(0, dtype=int), np.empty(0, dtype=int))]
    for label in np.flatnonzero((counts > 1) & (counts < counts.max())):
        rows, more = np.flatnonzero(y == label), counts.max() - counts[label]
        size = (x[rows] ** 2).sum(1)
        apart = size[:, None] + size - 2 * x[rows] @ x[rows].T
        np.fill_diagonal(apart, np.inf)
        near = apart.argsort(axis=1)[:, : min(5, len(rows) - 1)]
        one = rng.integers(len(rows), size=more)
        other = near[one, rng.integers(near.shape[1], size=more)]
        between = x[rows[one]] + rng.random((more, 1)) * (x[rows[other]] - x[rows[one]])
        made.append((between, np.full(more, label), rows[one]))
    return tuple(np.concatenate(part) for part in zip(*made, strict=True))


def informative(x: np.ndarray, y: np.ndarray, number: int) -> np.ndarray:
    """Columns of the ``number`` measures whose means differ most between the labels, beside their spread within."""
    sizes = np.bincount(y)
    means = np.stack([x[y == label].mean(0) if size else x.mean(0) for label, size in enumerate(sizes)])
    between = (sizes[:, None] * (means - x.mean(0)) ** 2).sum(0)
    within = ((x - means[y]) ** 2).sum(0)
    return np.argsort(-between / np.maximum(within, 1e-12), kind="stable")[:number]


def scale_of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of every measure."""
    return x.mean(0), np.maximum(x.std(0), 1e-6)
