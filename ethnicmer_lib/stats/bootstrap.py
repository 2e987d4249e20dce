"""Names of before, for callers that have not moved to :func:`scoring.scores` and :func:`scoring.difference`."""

from __future__ import annotations

from ethnicmer_lib.stats.confusions import class_f1, class_recall, confusions, paired_confusions
from ethnicmer_lib.stats.intervals import LEVEL, Estimate, effective_subjects, interval, subject_weights
from ethnicmer_lib.stats.means import bootstrap_mean, permutation_difference
from ethnicmer_lib.stats.permutation import swap_test
from ethnicmer_lib.stats.scoring import MACRO, difference_interval, f1_intervals

__all__ = [
    "LEVEL", "MACRO", "UAR", "Estimate", "bootstrap_f1", "bootstrap_mean", "class_f1", "class_recall",
    "difference_interval", "effective_subjects", "f1_intervals", "interval", "paired_difference",
    "permutation_difference", "subject_weights", "swap_test",
]  # fmt: skip

UAR = "UAR"


def bootstrap_f1(predictions, labels, n=2000, seed=0, repeat=None):
    found = f1_intervals(confusions(predictions, labels, repeat), labels, n, seed)
    return {"UAR" if name == "uar" else name: estimate for name, estimate in found.items()}


def paired_difference(a, b, labels, n=2000, seed=0, repeat=None):
    return difference_interval(*paired_confusions(a, b, labels, repeat), n, seed)
