"""Who trains and who is tested: folds, scenarios, controls, and classifiers that need no network."""

from ethnicmer_lib.clips.labels import binary_labels
from ethnicmer_lib.design.classifiers import classifier, forest_baseline, held_out, majority_rule
from ethnicmer_lib.design.features import features
from ethnicmer_lib.design.folds import Fold, subject_folds
from ethnicmer_lib.design.permutation import permutation_tests
from ethnicmer_lib.design.scenarios import CONTROLS, draw_scenarios, predict_scenarios, repeat_scenarios
from ethnicmer_lib.design.studies import middle_table, scenario_claims, scenario_differences, studies_table
