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
    for fewer subjects than folds, or when no label has as many clips as there are folds.

    Examples
    --------
    >>> table = pd.DataFrame({"subject": list("aab"), "label": ["Negative", "Positive", "Negative"]})
    >>> [fold.test.tolist() for fold in em.subject_folds(table)]
    [[0, 1], [2]]
    """
    subjects = table["subject"].to_numpy()
    if folds != "loso" and (isinstance(folds, str) or folds < 2):
        raise StudyError(f"folds={folds!r}; allowed: 'loso' or a number of folds, at least 2")
    found, needed = len(np.unique(subjects)), 2 if folds == "loso" else folds
    if found < needed:
        raise StudyError(
            f"folds={folds!r} of whole subjects need at least {needed} subjects; there are {found}"
        )
    if folds == "loso":
        return [Fold(*split) for split in LeaveOneGroupOut().split(subjects, groups=subjects)]
    counts = table["label"].value_counts()
    if counts.iloc[0] < folds:
        raise StudyError(
            f"{folds} folds asked for, but the most frequent label {counts.index[0]!r} has only {counts.iloc[0]} "
            "clips; ask for at most that many folds, or 'loso'"
        )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    splits = splitter.split(subjects, table["label"].to_numpy(), groups=subjects)
    # Stratification may leave a fold without a subject when there are few; such a fold tests nothing.
    return [Fold(train, test) for train, test in splits if len(test)]
