"""Designs: who trains and who is tested, always whole subjects, and which subjects a scenario draws."""

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


def make_folds(clips: pd.DataFrame, folds: Literal["loso"] | int, seed: int) -> list[Fold]:
    """The folds of a clips table: 'loso', or a number for :func:`grouped_folds`."""
    if folds == "loso":
        return leave_one_subject_out(clips["subject"])
    if isinstance(folds, str):
        raise StudyError(f"folds={folds!r} is unknown; allowed: 'loso' or a number of folds")
    return grouped_folds(clips["subject"], clips["label"], folds, seed)


def scenario_names(clips: pd.DataFrame) -> list[str]:
    """The three scenarios of Section III-B: '<group1> only', '<group2> only', 'Mixed'."""
    return [f"{group} only" for group in _two_groups(clips)] + [MIXED]


def draw_scenarios(clips: pd.DataFrame, n_subjects: int, seed: int, draw: int) -> dict[str, list[str]]:
    """Subjects of the three scenarios of Section III-B, drawn without replacement.

    Every scenario is an independent draw from its own stream ``[seed, draw, scenario]``, so a subject may
    be in a mono-ethnic scenario and in the mixed one; the mixed one takes half of its subjects from
    either group.

    Parameters
    ----------
    clips : the clips table; its two groups are taken in alphabetical order.
    n_subjects : even number of subjects per scenario.
    seed, draw : non-negative; which draw of which series.

    Returns
    -------
    Scenario name -> sorted subjects.

    Raises
    ------
    StudyError
        When a group has fewer subjects than asked for, or ``n_subjects`` is odd.
    """
    if n_subjects < 2 or n_subjects % 2:
        raise StudyError(f"n_subjects={n_subjects} cannot be split half and half; give an even number")
    groups = _two_groups(clips)
    pools = {group: np.unique(clips.loc[clips["group"] == group, "subject"].astype(str)) for group in groups}
    for group, pool in pools.items():
        if len(pool) < n_subjects:
            raise StudyError(
                f"the scenario '{group} only' needs {n_subjects} subjects and the cohort has {len(pool)} in "
                f"group {group!r}; set n_subjects to at most {len(pool) // 2 * 2}"
            )
    shares = [{groups[0]: n_subjects}, {groups[1]: n_subjects}, dict.fromkeys(groups, n_subjects // 2)]
    scenarios = {}
    for number, (name, share) in enumerate(zip(scenario_names(clips), shares, strict=True)):
        rng = np.random.default_rng([seed, draw, number])
        chosen = [rng.choice(pools[group], size, replace=False) for group, size in share.items()]
        scenarios[name] = sorted(np.concatenate(chosen).tolist())
    return scenarios


def _fold(train: np.ndarray, test: np.ndarray) -> Fold:
    return Fold(np.asarray(train, dtype=np.int64), np.asarray(test, dtype=np.int64))


def _need_subjects(subjects: np.ndarray, needed: int, what: str) -> None:
    found = len(np.unique(subjects))
    if found < needed:
        raise StudyError(f"{what} needs at least {needed} subjects; there are {found}")


def _two_groups(clips: pd.DataFrame) -> list[str]:
    groups = sorted(clips["group"].unique())
    if len(groups) != 2:
        raise StudyError(f"the comparison needs exactly two groups; the cohort has {groups}")
    return groups
