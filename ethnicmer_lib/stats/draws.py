"""A study repeated with other subjects of one cohort: the mean over draws, and how much draws differ.

Draws of subjects share subjects, so they are not independent studies and their spread alone is no
interval of the mean.  Both factors are resampled: subjects of the cohort (the same resample in every
draw) and draws, and every cell gets the product of the two weights: the pigeonhole bootstrap for crossed
factors (Owen 2007, Ann. Appl. Stat. 1:386).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import bdtr

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats.confusions import class_f1, counted, labels_in
from ethnicmer_lib.stats.intervals import Estimate, effective_subjects, interval, subject_weights
from ethnicmer_lib.stats.scoring import MACRO, scores


def mean_over_draws(
    predictions: pd.DataFrame,
    weights: Mapping[str, float],
    classes: str = MACRO,
    seed: int = 0,
    resamples: int = 2000,
    labels: Sequence[str] | None = None,
) -> Estimate:
    """Mean over draws of a combination of the arms' F1, with its interval over subjects and draws.

    Parameters
    ----------
    predictions : columns draw, arm, subject, group, label, predicted.  Subjects are resampled within
        their group, as the arms are made of given numbers of subjects of each group.
    weights : arm -> its coefficient: ``{"Mixed": 1, "A only": -.5, "B only": -.5}``.
    classes : 'macro', or the label whose F1 is combined.
    seed, resamples, labels : as of :func:`scoring.scores`.

    Raises
    ------
    StudyError
        When a draw lacks an arm.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> svc = em.recording("table_iv").predictions.query("study == 'svc' and draw < 10")
    >>> print(em.mean_over_draws(svc, {"Mixed": 1, "Asian only": -0.5, "Non-Asian only": -0.5}))
    -0.086 [-0.176, 0.006]
    """
    labels = labels_in(predictions) if labels is None else list(labels)
    chosen = slice(None) if classes == MACRO else slice(labels.index(classes), labels.index(classes) + 1)
    who = predictions[["subject", "group"]].drop_duplicates().sort_values("subject")
    names, draws = who["subject"].tolist(), sorted(predictions["draw"].unique())
    rng = np.random.default_rng([seed, resamples])
    resampled = subject_weights(len(names), resamples, rng, who["group"])
    columns = {"draw": draws, "arm": list(weights), "subject": names, "label": labels, "predicted": labels}
    found = counted(predictions[predictions["arm"].isin(list(weights))], columns)
    if (missing := np.argwhere(found.sum((2, 3, 4)) == 0)).size:
        draw, arm = draws[missing[0][0]], list(weights)[missing[0][1]]
        raise StudyError(f"draw {draw} has no predictions of {arm!r}; compute the draw again")
    values, classes_squared = np.zeros((resamples, len(draws))), len(labels) ** 2
    for j, weight in enumerate(weights.values()):
        cells = found[:, j].reshape(len(draws), len(names), classes_squared).transpose(1, 0, 2)
        shape = (resamples, len(draws), len(labels), len(labels))
        boot = class_f1((resampled @ cells.reshape(len(names), -1).astype(float)).reshape(shape))
        boot[:, np.isnan(class_f1(found[:, j].sum(1)))] = 0.0
        values += weight * boot[..., chosen].mean(-1)
    drawn = rng.multinomial(len(draws), np.full(len(draws), 1 / len(draws)), size=resamples).astype(float)
    usable = np.isfinite(values)
    share = np.where(usable, drawn, 0)
    total = share.sum(1)
    sums = (np.where(usable, values, 0) * share).sum(1)
    means = np.divide(sums, total, out=np.full(len(sums), np.nan), where=total > 0)
    clips = predictions.groupby(["draw", "arm", "subject"]).size().groupby("subject").max()
    single = per_draw(predictions, weights, classes, labels)
    return interval(single.mean(), means, subjects=effective_subjects(clips))


def per_draw(
    predictions: pd.DataFrame,
    weights: Mapping[str, float],
    classes: str = MACRO,
    labels: Sequence[str] | None = None,
) -> pd.Series:
    """The combination of :func:`mean_over_draws` in every single draw."""
    labels = labels_in(predictions) if labels is None else labels
    rows = predictions[predictions["arm"].isin(list(weights))]
    wide = scores(rows, ["draw", "arm"], labels=labels)[classes].unstack("arm")
    return (wide[list(weights)] * list(weights.values())).sum(axis=1, skipna=False)


def middle_of_draws(values: ArrayLike) -> Estimate:
    """The median of single draws, with the ends of their middle 95 %: what one draw may come out as."""
    low, middle, high = np.quantile(np.asarray(values, dtype=float), [0.025, 0.5, 0.975])
    return Estimate(float(middle), float(low), float(high))


def mean_change(after: ArrayLike, before: ArrayLike) -> Estimate:
    """Mean change from draw to draw of the same subjects, with a normal interval over the paired draws alone."""
    draws = min(len(after), len(before))
    change = np.asarray(after, dtype=float)[:draws] - np.asarray(before, dtype=float)[:draws]
    mean, half = change.mean(), 1.96 * change.std(ddof=1) / np.sqrt(draws)
    return Estimate(float(mean), float(mean - half), float(mean + half))


def sign_test(values: ArrayLike) -> float:
    """Two-sided exact sign test of draws below zero against draws above it; ties count for neither side."""
    values = np.asarray(values, dtype=float)
    below, above = int((values < 0).sum()), int((values > 0).sum())
    return float(min(1.0, 2 * bdtr(min(below, above), below + above, 0.5)))
