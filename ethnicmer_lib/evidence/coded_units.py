"""Which Action Units the FACS codes of a set of clips name: shares by label, and how far two sets differ by chance."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ethnicmer_lib.clips.facs import BLINK, read_code
from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator.anatomy import ACTION_UNITS
from ethnicmer_lib.stats.intervals import Estimate, subject_weights

CODED_UNITS = tuple(sorted(set(ACTION_UNITS) - {BLINK}))  #: what a code can ask of the simulated head
N_RESAMPLES = 1000


def frequencies(simulated: pd.DataFrame, coded: pd.DataFrame) -> pd.DataFrame:
    """Share of the clips that show an Action Unit, one row per label and unit.

    ``simulated`` and ``coded`` are clips tables (subject, label, action_units); clips without a code that the head can
    show do not count.  Columns label, action_unit, simulated, coded (shares, 0..1).  StudyError when a label has no
    clip with such a code.
    """
    index = pd.MultiIndex.from_product([LABELS, CODED_UNITS], names=["label", "action_unit"])
    shares = {"simulated": _shares(simulated).ravel(), "coded": _shares(coded).ravel()}
    return pd.DataFrame(shares, index=index).reset_index()


def yardstick(clips: pd.DataFrame, seed: int = 0) -> Estimate:
    """How far the shares of two samples of these subjects differ by chance: mean absolute difference.

    The mean over pairs of bootstrap resamples of whole subjects, and the range that holds 95 % of the pairs.
    """
    total, shown = _counts(clips)
    rng = np.random.default_rng([seed, 11])
    sides = []
    for _ in range(2):
        weights = subject_weights(len(total), N_RESAMPLES, rng)[1:]
        with np.errstate(invalid="ignore"):  # a resample may lack a label: 0 / 0
            sides.append(np.tensordot(weights, shown, 1) / (weights @ total)[..., None])
    distances = np.abs(sides[0] - sides[1]).mean((1, 2))
    distances = distances[np.isfinite(distances)]
    if not len(distances):
        raise StudyError("no resample of the subjects has clips of every label; more subjects are needed")
    low, high = np.quantile(distances, [0.025, 0.975])
    return Estimate(float(distances.mean()), float(low), float(high))


def lacking(codes: pd.Series) -> float:
    """Share of FACS codes (text) that name an Action Unit which the simulated head does not have."""
    named = [{int(number) for number in re.findall(r"\d+", text)} for text in codes]
    return float(np.mean([bool(units - set(ACTION_UNITS)) for units in named]))


def _counts(clips: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Per subject and label, clips with a code that can be shown (s, labels), and of each AU (s, labels, units)."""
    subjects = pd.factorize(clips["subject"], sort=True)[0]
    total = np.zeros((subjects.max() + 1, len(LABELS)))
    shown = np.zeros((*total.shape, len(CODED_UNITS)))
    for subject, label, text in zip(subjects, clips["label"], clips["action_units"], strict=True):
        code = read_code(text)
        total[subject, LABELS.index(label)] += bool(code)
        for unit in code:
            shown[subject, LABELS.index(label), CODED_UNITS.index(unit)] += 1
    return total, shown


def _shares(clips: pd.DataFrame) -> np.ndarray:
    total, shown = _counts(clips)
    empty = [label for label, count in zip(LABELS, total.sum(0), strict=True) if not count]
    if empty:
        raise StudyError(
            f"no {empty[0]} clip has a FACS code that the head can show; give clips of every label"
        )
    return shown.sum(0) / total.sum(0)[:, None]
