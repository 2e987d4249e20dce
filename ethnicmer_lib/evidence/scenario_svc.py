"""SVC(C=100) held out subject by subject in thousands of scenarios: distances once, then compiled code.

The problem that is solved is that of ``sklearn.svm.SVC(C=100)`` (RBF kernel, ``gamma='scale'`` of every training set),
by the steps of LIBSVM (Fan, Chen & Lin 2005, JMLR 6:1889) to its tolerance.  It is faster because distances between
clips are computed once, and because the fit of a fold starts from that of all subjects of the scenario; predictions
are those of scikit-learn unless a clip lies within the tolerance of the boundary.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from ethnicmer_lib.design.classifiers import PENALTY

TOLERANCE = 1e-3  #: LIBSVM's
_ROUGH = 0.05  #: tolerance of the fit that the folds start from


class Distances(NamedTuple):
    """All that an RBF kernel needs of the features of n clips."""

    squared: np.ndarray  #: (n, n) squared Euclidean distances
    sums: np.ndarray  #: (n,) sum of the numbers of a clip
    squares: np.ndarray  #: (n,) sum of their squares
    width: int  #: numbers of a clip


def distances(x: np.ndarray) -> Distances:
    """The distances between the clips' features, (n, d)."""
    x = np.asarray(x, dtype=np.float64)
    squared = np.stack([((x - row) ** 2).sum(axis=1) for row in x])
    return Distances(squared, x.sum(axis=1), (x**2).sum(axis=1), x.shape[1])


def answers(between: Distances, subject: np.ndarray, positive: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Held-out answers by scenario and draw: int8 of the shape of ``drawn``, 1 positive, 0 not, -1 not drawn.

    ``subject`` (n,) numbers the subject of each clip, ``positive`` (n,) bool is its class, ``drawn`` (draws, scenarios,
    n) bool says which clips a scenario has.  A training set of one class gives that class.
    """
    y, out = np.where(positive, 1.0, -1.0), np.full(drawn.shape, -1, dtype=np.int8)
    _answers(*between, subject.astype(np.int64), y, drawn.reshape(-1, len(y)), out.reshape(-1, len(y)))
    return out


@njit(cache=True, error_model="numpy")
def _answers(squared, sums, squares, width, subject, y, drawn, out):
    for scenario in range(len(drawn)):
        rows = np.flatnonzero(drawn[scenario])
        whole, left = np.zeros(len(rows)), y[rows].copy()
        kernel = _kernel(squared, rows, _gamma(sums, squares, width, rows))
        _solve(kernel, y[rows], PENALTY, _ROUGH, whole, left)
        for one in np.unique(subject[rows]):
            inside = subject[rows] != one
            train, start = rows[inside], whole[inside]
            gamma = _gamma(sums, squares, width, train)
            if np.abs(y[train].sum()) == len(train):
                dual, offset = np.zeros(len(train)), y[train[0]]
            else:
                kernel = _kernel(squared, train, gamma)
                dual, left = _feasible(start, kernel, y[train])
                offset = _solve(kernel, y[train], PENALTY, TOLERANCE, dual, left)
            for row in rows[~inside]:
                value = offset
                for i in range(len(train)):
                    if dual[i] != 0:
                        value += dual[i] * np.exp(-gamma * squared[row, train[i]])
                out[scenario, row] = value > 0


@njit(cache=True, error_model="numpy")
def _gamma(sums, squares, width, rows):
    """scikit-learn's ``gamma='scale'``: one over the width times the variance of all numbers."""
    first = second = 0.0
    for row in rows:
        first += sums[row]
        second += squares[row]
    n = len(rows) * width
    return 1 / (width * (second / n - (first / n) ** 2))


@njit(cache=True, error_model="numpy")
def _kernel(squared, rows, gamma):
    kernel = np.ones((len(rows), len(rows)))
    for i in range(len(rows)):
        for j in range(i):
            kernel[i, j] = kernel[j, i] = np.exp(-gamma * squared[rows[i], rows[j]])
    return kernel


@njit(cache=True, error_model="numpy")
def _feasible(start, kernel, y):
    """Dual variables near ``start`` whose sum is zero, and what they leave of y."""
    up, down = start[start > 0].sum(), -start[start < 0].sum()
    if up == 0 or down == 0:
        return np.zeros(len(y)), y.copy()
    dual, left = np.empty(len(y)), y.copy()
    for i in range(len(y)):
        dual[i] = start[i] * min(1.0, down / up if start[i] > 0 else up / down)
        if dual[i] != 0:
            for j in range(len(y)):
                left[j] -= dual[i] * kernel[i, j]
    return dual, left


@njit(cache=True, error_model="numpy")
def _solve(kernel, y, penalty, tolerance, dual, left):
    """Sequential minimal optimisation in place, from ``dual`` (y·alpha) and ``left`` (y - kernel·dual); the offset."""
    n = len(y)
    top = np.where(y > 0, penalty, 0.0)
    bottom = top - penalty
    while True:
        high, low, best, i, j = -np.inf, np.inf, 0.0, -1, -1
        for t in range(n):
            if dual[t] < top[t] and left[t] > high:
                high, i = left[t], t
        for t in range(n):
            if dual[t] > bottom[t]:
                low = min(low, left[t])
                gap = high - left[t]
                if gap > 0:
                    gain = gap * gap / max(1 - kernel[i, t], 1e-12)
                    if gain > best:
                        best, j = gain, t
        if high - low < tolerance or j < 0:
            break
        step = (high - left[j]) / max(2 - 2 * kernel[i, j], 1e-12)
        step = min(step, top[i] - dual[i], dual[j] - bottom[j])
        dual[i] += step
        dual[j] -= step
        for t in range(n):
            left[t] -= step * (kernel[i, t] - kernel[j, t])
    free, total = 0, 0.0
    for t in range(n):
        if bottom[t] < dual[t] < top[t]:
            free += 1
            total += left[t]
    return total / free if free else (high + low) / 2
