"""The release's classifier, SVC(C=100), with the distances between clips computed once for all folds and draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import euclidean_distances
from sklearn.svm import SVC

from ethnicmer_lib.errors import StudyError

PENALTY = 100.0  #: C of the release's classifier


@dataclass(frozen=True)
class Distances:
    """What an RBF kernel of width 'scale' needs of a set of features.

    Attributes
    ----------
    squared : (n, n) float64 squared Euclidean distances between clips.
    total, squares : (n,) float64 sum, and sum of squares, of each clip's features.
    width : number of features.
    """

    squared: np.ndarray
    total: np.ndarray
    squares: np.ndarray
    width: int

    @classmethod
    def of(cls, features: np.ndarray) -> Distances:
        """The distances of features (n, d); StudyError for another shape or a value that is not finite."""
        features = np.asarray(features, dtype=np.float64)
        if features.ndim != 2 or not np.isfinite(features).all():
            raise StudyError(f"features {features.shape} must be finite numbers, one row per clip")
        return cls(
            euclidean_distances(features, squared=True),
            features.sum(1),
            (features**2).sum(1),
            features.shape[1],
        )

    def gamma(self, rows: np.ndarray) -> float:
        """scikit-learn's gamma='scale' of a training set: 1 / (features x variance of all its numbers)."""
        count = len(rows) * self.width
        variance = self.squares[rows].sum() / count - (self.total[rows].sum() / count) ** 2
        return 1.0 / (self.width * variance) if variance > 0 else 1.0

    def predict(self, train: np.ndarray, labels: ArrayLike, test: np.ndarray) -> np.ndarray:
        """Labels that SVC(C=100), trained on the rows ``train`` and their labels, gives to the rows ``test``.

        A training set of one class predicts that class, where scikit-learn would refuse.
        """
        labels = np.asarray(labels).astype(str)
        if len(set(labels)) == 1:
            return np.repeat(labels[:1], len(test))
        gamma = self.gamma(train)
        model = SVC(C=PENALTY, kernel="precomputed")
        model.fit(np.exp(-gamma * self.squared[np.ix_(train, train)]), labels)
        return model.predict(np.exp(-gamma * self.squared[np.ix_(test, train)]))
