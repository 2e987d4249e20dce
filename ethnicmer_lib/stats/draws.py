"""A study repeated with other subjects of one cohort: the mean over draws, and how much draws differ.

Draws of subjects share subjects, so they are not independent studies and their spread alone is no interval of the
mean.  Subjects of the cohort are resampled, the same in every draw, and draws are to them what training runs are: a
source of error crossed with subjects (:func:`intervals.over_runs`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from ethnicmer_lib.errors import check_name
from ethnicmer_lib.stats.confusions import class_f1, counted, labels_in, resampled
from ethnicmer_lib.stats.intervals import Estimate, effective_subjects, interval, over_runs, subject_weights
from ethnicmer_lib.stats.scoring import MACRO, scores


def mean_over_draws(
    predictions: pd.DataFrame,
    weights: Mapping[str, float],
    classes: str = MACRO,
    seed: int = 0,
    resamples: int = 2000,
) -> Estimate:
    """Mean over draws of a combination of the arms' F1, with its interval over subjects and draws.

    ``predictions`` has the columns draw, arm, subject, group, label, predicted; ``weights`` gives the coefficient of
    every arm, ``{"Mixed": 1, "A only": -.5, "B only": -.5}``; ``classes`` is 'macro', or the label whose F1 is
    combined.  Subjects are resampled within their group, as arms are made of given numbers of subjects of each group.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> svc = em.recording("table_iv").predictions.query("study == 'svc' and draw < 10")
    >>> print(em.mean_over_draws(svc, {"Mixed": 1, "Asian only": -0.5, "Non-Asian only": -0.5}))
    -0.086 [-0.157, -0.009]
    """
    for arm in weights:
        check_name("arm", arm, predictions["arm"].unique())
    labels = labels_in(predictions)
    chosen = slice(None) if classes == MACRO else [labels.index(classes)]
    who = predictions[["subject", "group"]].drop_duplicates().sort_values("subject")
    draws = sorted(predictions["draw"].unique())
    rng = np.random.default_rng([seed, resamples])
    subjects = subject_weights(len(who), resamples, rng, who["group"])
    columns = {"arm": list(weights), "draw": draws, "subject": who["subject"], "label": labels}
    found = counted(predictions[predictions["arm"].isin(list(weights))], columns | {"predicted": labels})
    values = np.zeros((len(subjects), len(draws)))
    for weight, of_arm in zip(weights.values(), found, strict=True):
        f1 = class_f1(resampled(of_arm, subjects))
        np.copyto(f1, 0.0, where=np.isnan(f1[:, :1]))  # a label that the data do not have
        values += weight * f1[..., chosen].mean(-1).T
    values = values[np.isfinite(values).any(axis=1)]
    # A draw in which a resample lost a label counts as the mean of the others.
    values = np.where(np.isnan(values), np.nanmean(values, axis=1, keepdims=True), values)
    clips = predictions.groupby(["draw", "arm", "subject"]).size().groupby("subject").max()
    return interval(over_runs(values.T, seed), effective_subjects(clips))


def per_draw(predictions: pd.DataFrame, weights: Mapping[str, float], classes: str = MACRO) -> pd.Series:
    """The combination of :func:`mean_over_draws` in every single draw."""
    rows = predictions[predictions["arm"].isin(list(weights))]
    wide = scores(rows, ["draw", "arm"], labels=labels_in(predictions))[classes].unstack("arm")
    return (wide[list(weights)] * list(weights.values())).sum(axis=1, skipna=False)


def middle_of_draws(values: ArrayLike) -> Estimate:
    """The median of single draws, with the ends of their middle 95 %: what one draw may come out as."""
    low, middle, high = np.quantile(np.asarray(values, dtype=float), [0.025, 0.5, 0.975])
    return Estimate(float(middle), float(low), float(high))


def one_more(values: ArrayLike) -> Estimate | float:
    """Mean of R training runs, and where 95 % of single further ones fall: mean ± t(0.975; R - 1) · s · sqrt(1 + 1/R).

    A number that was printed from one run is judged by it.  Of a single run only the number is known.
    """
    values = np.asarray(values, dtype=float)
    mean, runs = float(values.mean()), len(values)
    if runs < 2:
        return mean
    half = float(stdtrit(runs - 1, 0.975) * values.std(ddof=1) * np.sqrt(1 + 1 / runs))
    return Estimate(mean, mean - half, mean + half)


def single_runs(predictions: pd.DataFrame) -> pd.DataFrame:
    """The scores of :func:`scores` for every arm as Estimates of :func:`one_more`, over its runs (column ``seed``)."""
    return scores(predictions, ["arm", "seed"]).groupby("arm", sort=False).agg(one_more)
