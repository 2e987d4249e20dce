"""Who trains and who is tested: folds, scenarios, controls, and classifiers that need no network."""

from ethnicmer_lib.clips.labels import binary_labels
from ethnicmer_lib.design.classifiers import classifier, forest_baseline, held_out, majority_rule
from ethnicmer_lib.design.features import features
from ethnicmer_lib.design.folds import Fold, subject_folds
from ethnicmer_lib.design.permutation import permutation_test, permute_scenarios
from ethnicmer_lib.design.scenarios import (
    BINARY,
    CONTROLS,
    MIXED,
    RULE,
    draw_scenarios,
    predict_scenarios,
    repeat_scenarios,
    with_rule,
)
from ethnicmer_lib.design.studies import (
    DESCRIBED,
    STUDIES,
    middle_table,
    scenario_claims,
    scenario_differences,
    studies_table,
)

__all__ = [
    "BINARY",
    "CONTROLS",
    "DESCRIBED",
    "MIXED",
    "RULE",
    "STUDIES",
    "Fold",
    "binary_labels",
    "classifier",
    "draw_scenarios",
    "features",
    "forest_baseline",
    "held_out",
    "majority_rule",
    "middle_table",
    "permutation_test",
    "permute_scenarios",
    "predict_scenarios",
    "repeat_scenarios",
    "scenario_claims",
    "scenario_differences",
    "studies_table",
    "subject_folds",
    "with_rule",
]
