"""Designs: who trains and who is tested, always whole subjects."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold

from ethnicmer_lib.errors import StudyError

MIXED = "Mixed"


class Fold(NamedTuple):
    """Row numbers of the clips table, int64, ascending: no subject is in both."""

    train: np.ndarray
    test: np.ndarray


def leave_one_subject_out(subjects: ArrayLike) -> list[Fold]:
    """One fold per subject, in sorted order of the subjects (LOSO; Section IV of the paper).

    Parameters
    ----------
    subjects : (n,) subject of every clip.

    Raises
    ------
    StudyError
        With fewer than two subjects.
    """
    subjects = np.asarray(subjects)
    _need_subjects(subjects, 2, "leave one subject out")
    return [_fold(*split) for split in LeaveOneGroupOut().split(subjects, groups=subjects)]


def grouped_folds(subjects: ArrayLike, labels: ArrayLike, k: int, seed: int) -> list[Fold]:
    """``k`` folds of whole subjects, with label shares as even as whole subjects allow.

    Parameters
    ----------
    subjects, labels : (n,) of every clip.
    k : number of folds, 2 to the number of subjects.
    seed : shuffles the subjects.

    Raises
    ------
    StudyError
        When there are fewer subjects than folds, or no label has as many clips as there are folds.
    """
    subjects, labels = np.asarray(subjects), np.asarray(labels)
    if k < 2:
        raise StudyError(f"{k} folds asked for; at least 2 are needed, or 'loso'")
    _need_subjects(subjects, k, f"{k} folds of whole subjects")
    names, counts = np.unique(labels, return_counts=True)
    if counts.max() < k:
        raise StudyError(
            f"{k} folds asked for, but the most frequent label {names[counts.argmax()]!r} has only "
            f"{counts.max()} clips; ask for at most that many folds, or 'loso'"
        )
    splitter = StratifiedGroupKFold(k, shuffle=True, random_state=seed)
    # Stratification may leave a fold without a subject when there are few; such a fold tests nothing.
    folds = [_fold(*split) for split in splitter.split(subjects, labels, groups=subjects)]
    return [fold for fold in folds if len(fold.test)]


def subject_folds(table: pd.DataFrame, folds: Literal["loso"] | int = "loso", seed: int = 0) -> list[Fold]:
    """The folds of a table of clips: 'loso', or a number for :func:`grouped_folds`.

    Examples
    --------
    >>> table = pd.DataFrame({"subject": list("aab"), "label": ["Negative", "Positive", "Negative"]})
    >>> [fold.test.tolist() for fold in em.subject_folds(table)]
    [[0, 1], [2]]
    """
    if folds == "loso":
        return leave_one_subject_out(table["subject"])
    if isinstance(folds, str):
        raise StudyError(f"folds={folds!r} is unknown; allowed: 'loso' or a number of folds")
    return grouped_folds(table["subject"], table["label"], folds, seed)


make_folds = subject_folds  # the name of before, until its callers have moved


def _fold(train: np.ndarray, test: np.ndarray) -> Fold:
    return Fold(np.asarray(train, dtype=np.int64), np.asarray(test, dtype=np.int64))


def _need_subjects(subjects: np.ndarray, needed: int, what: str) -> None:
    found = len(np.unique(subjects))
    if found < needed:
        raise StudyError(f"{what} needs at least {needed} subjects; there are {found}")
