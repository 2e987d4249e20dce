"""Folds: who trains and who is tested, always whole subjects."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold

from ethnicmer_lib.errors import StudyError


class Fold(NamedTuple):
    """Row numbers of the clips table, int64, ascending: no subject is in both."""

    train: np.ndarray
    test: np.ndarray


def subject_folds(table: pd.DataFrame, folds: Literal["loso"] | int = "loso", seed: int = 0) -> list[Fold]:
    """One fold per subject, in sorted order ('loso'; Section IV of the paper), or a number of folds of whole subjects.

    A number of folds has label shares as even as whole subjects allow; ``seed`` shuffles the subjects.  StudyError
    for more folds than subjects, or than clips of the most frequent label.

    Examples
    --------
    >>> table = pd.DataFrame({"subject": list("aab"), "label": ["Negative", "Positive", "Negative"]})
    >>> [fold.test.tolist() for fold in em.subject_folds(table)]
    [[0, 1], [2]]
    """
    subjects, labels = table["subject"].to_numpy(), table.get("label")
    most = len(np.unique(subjects))
    if most < 2 or (folds != "loso" and not (isinstance(folds, int) and 2 <= folds <= most)):
        raise StudyError(
            f"folds={folds!r}; allowed: 'loso' or 2 to the number of subjects, and there are {most}"
        )
    splitter = LeaveOneGroupOut()
    if folds != "loso":
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    try:
        splits = [Fold(*split) for split in splitter.split(subjects, labels, groups=subjects)]
    except ValueError as error:
        raise StudyError(f"folds={folds!r}: {error} Ask for fewer folds, or 'loso'") from error
    # Stratification may leave a fold without a subject when there are few; such a fold tests nothing.
    return [fold for fold in splits if len(fold.test)]
