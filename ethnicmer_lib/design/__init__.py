"""Who trains and who is tested: folds, scenarios, controls, and classifiers that need no network."""
