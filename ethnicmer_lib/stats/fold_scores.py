"""Macro F1 fold by fold, and why its mean is not the macro F1 of the pooled predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.stats.scores import class_f1, subject_confusions


def mean_over_folds(
    predictions: pd.DataFrame,
    labels: Sequence[str],
    fold: str = "fold",
    repeat: str | None = None,
    present: bool = False,
) -> float:
    """Mean over folds of the macro F1 within each fold.

    Pooling counts every clip once in one confusion matrix (UF1 of the MEGC challenges; the paper's score).
    Averaging over folds scores each fold by itself first.  When a fold is one subject, most folds lack a class:
    its F1 there is either 0, however good the predictions are, or left out, whatever the network would do with
    such a clip.  The two conventions lie far apart, and neither is the pooled score.

    Parameters
    ----------
    predictions : columns ``label``, ``predicted`` and ``fold``.
    labels : all classes.
    fold : column that names the fold; 'subject' gives what leaving one subject out has as folds.
    repeat : column that numbers repetitions of the study; folds of different repetitions are different folds.
    present : leave out a class that is neither in a fold's truth nor in its predictions; else it scores 0.

    Raises
    ------
    StudyError
        For an empty table, a label that is none of ``labels``, or a row without a fold.
    """
    names = [fold] if repeat is None else [repeat, fold]
    if predictions[names].isna().to_numpy().any():
        raise StudyError(
            f"a prediction has no {' or '.join(names)}; the mean over folds needs it in every row"
        )
    key = predictions.groupby(names).ngroup()
    confusions = subject_confusions(predictions.assign(subject=key), labels)[1]
    f1 = class_f1(confusions)
    return float((np.nanmean(f1, axis=1) if present else np.nan_to_num(f1).mean(axis=1)).mean())
