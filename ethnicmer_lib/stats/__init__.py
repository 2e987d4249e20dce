"""Scores, intervals and tests in which the subject is the unit and the run is a source of error."""

from ethnicmer_lib.stats.association import cramers_v
from ethnicmer_lib.stats.draws import (
    mean_over_draws,
    middle_of_draws,
    per_draw,
    single_runs,
)
from ethnicmer_lib.stats.intervals import MIN_RUNS, Estimate, effective_subjects
from ethnicmer_lib.stats.means import (
    bootstrap_mean,
    group_difference,
    mean_against_zero,
    permutation_difference,
)
from ethnicmer_lib.stats.permutation import holm, swap_test
from ethnicmer_lib.stats.scoring import MACRO, UAR, difference, macro_f1, scores
