"""Intervals over subjects and draws at once, for a study repeated with other subjects of one cohort.

Draws of subjects share subjects, so they are not independent studies and their spread alone is no
interval of the mean.  Both factors are resampled: subjects of the cohort (the same resample in every
draw) and draws, and every cell gets the product of the two weights: the pigeonhole bootstrap for crossed
factors (Owen 2007, Ann. Appl. Stat. 1:386).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats.confusions import class_f1, counted
from ethnicmer_lib.stats.intervals import Estimate, effective_subjects, interval, subject_weights


@dataclass(frozen=True)
class CrossedScores:
    """F1 of every draw and arm, and of the same under resampled subjects.

    Attributes
    ----------
    points : (draws, arms, classes) F1; 0 for a class that the arm does not hold.
    resampled : (n, draws, arms, classes) F1 under resampled subjects; NaN where a class dropped out.
    draw_weights : (n, draws) how often each draw is in each resample.
    subjects : effective number of subjects, which the intervals are widened for.
    """

    points: np.ndarray
    resampled: np.ndarray
    draw_weights: np.ndarray
    subjects: float

    def mean(self, combination: ArrayLike, classes: slice = slice(None)) -> Estimate:
        """Mean over draws of a combination of the arms' F1, averaged over ``classes``, with its interval.

        Parameters
        ----------
        combination : (arms,) coefficients: (-.5, -.5, 1) is the third arm minus the mean of the first two.
        classes : which classes are averaged; all of them give macro F1.
        """
        points = self.per_draw(combination, classes)
        values = self.resampled[..., classes].mean(-1) @ np.asarray(combination, dtype=float)
        usable = np.isfinite(values)
        weights = np.where(usable, self.draw_weights, 0)
        total = weights.sum(1)
        sums = (np.where(usable, values, 0) * weights).sum(1)
        means = np.divide(sums, total, out=np.full(len(sums), np.nan), where=total > 0)
        return interval(points.mean(), means, subjects=self.subjects)

    def per_draw(self, combination: ArrayLike, classes: slice = slice(None)) -> np.ndarray:
        """(draws,) the same combination in every single draw."""
        return self.points[..., classes].mean(-1) @ np.asarray(combination, dtype=float)


def crossed_scores(
    predictions: pd.DataFrame, arms: Sequence[str], labels: Sequence[str], n: int = 2000, seed: int = 0
) -> CrossedScores:
    """Score every draw and arm of a repeated study under the same subject resamples.

    Parameters
    ----------
    predictions : columns draw, arm, subject, group, label, predicted.  Subjects are resampled within
        their group, as the arms are made of given numbers of subjects of each group.
    arms : the values of column ``arm``, in order.
    labels : all classes.

    Raises
    ------
    StudyError
        When a draw lacks an arm.
    """
    who = predictions[["subject", "group"]].drop_duplicates().sort_values("subject")
    subjects, draws = who["subject"].tolist(), sorted(predictions["draw"].unique())
    rng = np.random.default_rng([seed, n])
    weights = subject_weights(len(subjects), n, rng, who["group"])
    classes = len(labels)
    points = np.zeros((len(draws), len(arms), classes))
    resampled = np.zeros((n, len(draws), len(arms), classes))
    predictions = predictions[predictions["arm"].isin(list(arms))]
    columns = {"draw": draws, "arm": arms, "subject": subjects, "label": labels, "predicted": labels}
    confusions = counted(predictions, columns)
    for i, draw in enumerate(draws):
        for j, arm in enumerate(arms):
            if not confusions[i, j].any():
                raise StudyError(f"draw {draw} has no predictions of {arm!r}; compute the draw again")
            f1 = class_f1(confusions[i, j].sum(0))
            cell = confusions[i, j].reshape(len(subjects), -1).astype(float)
            boot = class_f1((weights @ cell).reshape(n, classes, classes))
            boot[:, np.isnan(f1)] = 0.0
            points[i, j], resampled[:, i, j] = np.nan_to_num(f1), boot
    share = np.full(len(draws), 1 / len(draws))
    drawn = rng.multinomial(len(draws), share, size=n).astype(float)
    clips = predictions.groupby(["draw", "arm", "subject"]).size().groupby("subject").max()
    return CrossedScores(points, resampled, drawn, effective_subjects(clips))
