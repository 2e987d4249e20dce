"""Scores, intervals and tests in which the subject is the unit and the run is a source of error."""

from ethnicmer_lib.stats.association import cramers_v
from ethnicmer_lib.stats.draws import mean_change, mean_over_draws, middle_of_draws, per_draw, sign_test
from ethnicmer_lib.stats.intervals import Estimate, effective_subjects
from ethnicmer_lib.stats.means import (
    bootstrap_mean,
    group_difference,
    mean_difference,
    means,
    permutation_difference,
)
from ethnicmer_lib.stats.permutation import holm, swap_test
from ethnicmer_lib.stats.scoring import MACRO, UAR, difference, macro_f1, mean_over_folds, scores

__all__ = [
    "MACRO",
    "UAR",
    "Estimate",
    "bootstrap_mean",
    "cramers_v",
    "difference",
    "effective_subjects",
    "group_difference",
    "holm",
    "macro_f1",
    "mean_change",
    "mean_difference",
    "mean_over_draws",
    "mean_over_folds",
    "means",
    "middle_of_draws",
    "per_draw",
    "permutation_difference",
    "scores",
    "sign_test",
    "swap_test",
]
