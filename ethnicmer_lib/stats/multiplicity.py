"""Many tests at once: p-values adjusted for a family of questions (Holm; Benjamini & Hochberg).

A p-value that is not a number stands for a test that could not be made: it does not count in the family
and stays what it is.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import false_discovery_control

from ethnicmer_lib.errors import StudyError


def holm(p: ArrayLike) -> np.ndarray:
    """p-values adjusted so that the chance of any false rejection stays below the level (Holm 1979).

    With p(1) <= ... <= p(m): adjusted p(i) = max over j <= i of min(1, (m - j + 1) · p(j)).  Holds whatever
    the dependence between the tests.

    Parameters
    ----------
    p : (m,) p-values from 0 to 1, or NaN for a test that was not made.

    Returns
    -------
    (m,) float64 in the same order.

    Raises
    ------
    StudyError
        For a p-value outside 0 to 1.
    """
    p, made = _checked(p)
    order = np.argsort(p[made], kind="stable")
    steps = np.arange(made.sum(), 0, -1) * p[made][order]
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return _placed(adjusted, made)


def benjamini_hochberg(p: ArrayLike) -> np.ndarray:
    """p-values adjusted so that the expected share of false among the rejected stays below the level.

    With p(1) <= ... <= p(m): adjusted p(i) = min over j >= i of min(1, m · p(j) / j) (Benjamini & Hochberg
    1995), for tests that are independent or positively dependent; computed by SciPy.  Parameters, result
    and errors as of :func:`holm`.
    """
    p, made = _checked(p)
    return _placed(false_discovery_control(p[made]) if made.any() else p[made], made)


def adjust(table: pd.DataFrame, column: str = "p") -> pd.DataFrame:
    """The table with the columns ``p_holm`` and ``p_bh`` added; its rows are the family."""
    return table.assign(p_holm=holm(table[column]), p_bh=benjamini_hochberg(table[column]))


def _checked(p: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    p = np.asarray(p, dtype=float)
    wrong = (p < 0) | (p > 1)
    if p.ndim != 1 or wrong.any():
        where = f"p-value {int(np.argmax(wrong))} is {p[wrong][0]}" if wrong.any() else f"shape {p.shape}"
        raise StudyError(f"{where}; give one list of p-values from 0 to 1, NaN where no test was made")
    return p, np.isfinite(p)


def _placed(adjusted: np.ndarray, made: np.ndarray) -> np.ndarray:
    out = np.full(len(made), np.nan)
    out[made] = adjusted
    return out
